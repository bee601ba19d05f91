//! A removal that cannot rename and is killed at any moment does not prevent the next run.

use super::{Layers, environment_works, in_own_namespace, tool};
use crate::crashes::{Tally, moments};
use crate::support::trace::{Fault, can_trace, traced};
use crate::support::{Outcome, World};

/// Kills a run at moments spread over its whole length, and checks the result. The working
/// directory of the run is in a lower layer, and `then` reports what is wrong afterwards.
fn sweep(world: &World, layered: &str, words: &[&str], then: impl Fn() -> Result<(), String>) {
    if !can_trace(world) {
        return;
    }
    let Some(mut layers) = Layers::over(world, layered) else {
        return;
    };
    let words = || {
        [crate::support::VPYTHON]
            .iter()
            .chain(words)
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    // The first run may fill a store outside the layers, which the others find.
    traced(world, words(), &[], None);
    assert!(layers.reset());
    let calls = traced(world, words(), &[], None).calls;
    let mut tally = Tally::default();
    for number in moments(calls) {
        assert!(layers.reset());
        let traced = traced(world, words(), &[], Some(Fault::Kill(number)));
        tally.visited += 1;
        tally.hit += usize::from(traced.hit.is_some());
        if let Err(why) = then() {
            tally.broken.push(format!(
                "killed before call {number} ({:?}): {why}",
                traced.hit
            ));
        }
    }
    tally.report(&format!(
        "{}, {calls} calls, on a lower layer",
        words()[1..].join(" ")
    ));
}

fn succeeds(outcome: &Outcome, stdout: &str) -> Result<(), String> {
    if outcome.code == Some(0) && outcome.stdout == stdout {
        Ok(())
    } else {
        Err(outcome.to_string())
    }
}

/// Checks that the next launch works, that the store is undamaged, and that a prune leaves nothing.
fn next_launch_works(world: &World) -> Result<(), String> {
    succeeds(&world.vpython(["tool.py"]).run(), "1 2\n")?;
    let again = world.vpython(["tool.py"]).run();
    succeeds(&again, "1 2\n")?;
    let sound = "1 environment and 2 unpacked wheels: all files are intact\n";
    succeeds(
        &world.vpython(["-vpython-tool", "check", "--all"]).run(),
        sound,
    )?;
    let pruned = world.vpython(["-vpython-tool", "prune", "--all"]).run();
    let is_empty =
        pruned.code == Some(0) && again.stderr.is_empty() && world.leftovers().is_empty();
    if is_empty {
        Ok(())
    } else {
        Err(format!("{again}\n{pruned}\n{:?}", world.leftovers()))
    }
}

#[test]
fn a_prune_of_a_lower_layer_that_is_killed_leaves_nothing_in_the_way() {
    in_own_namespace(|world| {
        world.install(["tool.py"]);
        sweep(world, "root", &["-vpython-tool", "prune", "--all"], || {
            next_launch_works(world)
        });
    });
}

#[test]
fn a_repair_of_a_lower_layer_that_is_killed_leaves_nothing_in_the_way() {
    in_own_namespace(|world| {
        let environment = world.install(["tool.py"]);
        std::fs::remove_file(environment.join("bin/run-a")).unwrap();
        sweep(
            world,
            "root",
            &["-vpython-tool", "check", "--all", "--repair"],
            || {
                // The interrupted run is repeated.
                let repaired = world
                    .vpython(["-vpython-tool", "check", "--all", "--repair"])
                    .run();
                if repaired.code == Some(0) {
                    next_launch_works(world)
                } else {
                    Err(repaired.to_string())
                }
            },
        );
    });
}

#[test]
fn an_export_over_a_lower_layer_that_is_killed_can_be_completed() {
    in_own_namespace(|world| {
        tool(world, &["export", "env", "other.py"]);
        let words = ["-vpython-tool", "export", "env", "tool.py"];
        sweep(world, "work", &words, || {
            let outcome = world.vpython(words).run();
            succeeds(&outcome, "[WORLD]/work/env\n")
                .map(|()| environment_works(world, "env", "tool.py"))
        });
    });
}

#[test]
fn an_unpack_over_a_lower_layer_that_is_killed_can_be_completed() {
    in_own_namespace(|world| {
        tool(world, &["pack", "--output", "tool.tar", "tool.py"]);
        tool(world, &["pack", "--output", "other.tar", "other.py"]);
        tool(world, &["unpack", "other.tar", "env"]);
        let words = ["-vpython-tool", "unpack", "tool.tar", "env"];
        sweep(world, "work", &words, || {
            let outcome = world.vpython(words).run();
            succeeds(&outcome, "[WORLD]/work/env\n")
                .map(|()| environment_works(world, "env", "tool.py"))
        });
    });
}
