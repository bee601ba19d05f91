//! Runs that are killed.

use super::{Scene, Tally, moments};
use crate::support::trace::{Fault, can_trace};

/// Kills the run of a scene at its calls and checks the result.
fn sweep(scene: &Scene) {
    if !can_trace(&scene.world) {
        return;
    }
    let clean = scene.clean_run();
    scene.next_launch_works().unwrap();
    let mut tally = Tally::default();
    for moment in moments(clean.calls) {
        tally.visited += 1;
        let mut traced = scene.run(Some(Fault::Kill(moment)));
        if traced.hit.is_none() {
            // `prune` inspects each process of the machine: with fewer processes the run is
            // shorter.
            traced = scene.run(Some(Fault::Kill(moment * traced.calls / clean.calls)));
        }
        tally.hit += usize::from(traced.hit.is_some());
        if let Err(why) = scene.next_launch_works() {
            tally.broken.push(format!(
                "killed before call {moment} ({:?}): {why}",
                traced.hit
            ));
        }
    }
    tally.report(&format!(
        "{} killed at each of {} calls",
        scene.name, clean.calls
    ));
}

#[test]
fn a_first_launch_that_is_killed_leaves_nothing_in_the_way() {
    sweep(&Scene::cold("a first launch", &["tool.py"]));
}

#[test]
fn a_launch_that_is_killed_while_it_compiles_leaves_nothing_in_the_way() {
    sweep(&Scene::compiling());
}

#[test]
fn a_launch_that_is_killed_while_it_unpacks_its_interpreter_leaves_nothing_in_the_way() {
    sweep(&Scene::with_interpreter());
}

#[test]
fn an_install_that_is_killed_leaves_nothing_in_the_way() {
    sweep(&Scene::cold(
        "install",
        &["-vpython-tool", "install", "tool.py"],
    ));
}

#[test]
fn a_prune_that_is_killed_leaves_nothing_in_the_way() {
    sweep(&Scene::built(
        "prune",
        &["-vpython-tool", "prune", "--all"],
        drop,
    ));
}

#[test]
fn a_repair_that_is_killed_leaves_nothing_in_the_way() {
    let scene = Scene::built(
        "check --repair",
        &["-vpython-tool", "check", "--repair", "tool.py"],
        |environment| {
            // Damage that a launch does not notice.
            let module = environment.join("bin/run-a");
            std::fs::remove_file(module).unwrap();
        },
    );
    sweep(&scene);
}

#[test]
fn a_lock_that_is_killed_leaves_nothing_in_the_way() {
    sweep(&Scene::lock());
}

#[test]
fn an_upgrade_that_is_killed_leaves_nothing_in_the_way() {
    sweep(&Scene::upgrade());
}

#[test]
fn an_export_that_is_killed_leaves_nothing_in_the_way() {
    sweep(&Scene::export());
}

#[test]
fn a_pack_that_is_killed_leaves_nothing_in_the_way() {
    sweep(&Scene::pack());
}

#[test]
fn an_unpack_that_is_killed_leaves_nothing_in_the_way() {
    sweep(&Scene::unpack());
}

#[test]
fn a_push_that_is_killed_leaves_nothing_in_the_way() {
    sweep(&Scene::push());
}

#[test]
fn a_fetch_that_is_killed_leaves_nothing_in_the_way() {
    sweep(&Scene::fetch());
}

#[test]
fn a_fetch_from_an_index_that_is_killed_leaves_nothing_in_the_way() {
    sweep(&Scene::fetch_from_index());
}

#[test]
fn a_launch_that_is_killed_while_it_fetches_leaves_nothing_in_the_way() {
    sweep(&Scene::fetching_launch());
}
