//! Runs in which a system call fails, or that exceed a resource limit.

use std::path::PathBuf;

use expect_test::expect;

use super::{Scene, Tally, moments};
use crate::support::trace::{ERRORS, Fault, can_trace};
use crate::support::{Outcome, Wheel, World};

/// Fails each call of a scene's run with each error in turn, and checks the result.
fn sweep(scene: &Scene) {
    if !can_trace(&scene.world) {
        return;
    }
    let clean = scene.clean_run();
    let mut tally = Tally::default();
    for (errno, calls) in ERRORS.into_iter().zip(clean.refusable) {
        for moment in moments(calls) {
            tally.visited += 1;
            let traced = scene.run(Some(Fault::Refuse(moment, errno)));
            tally.hit += usize::from(traced.hit.is_some());
            let came =
                is_clear(&traced.outcome, &clean.outcome).and_then(|()| scene.next_launch_works());
            if let Err(why) = came {
                tally.broken.push(format!(
                    "refused call {moment} ({:?}) with {errno}: {why}",
                    traced.hit
                ));
            }
        }
    }
    tally.report(&format!(
        "{}, {:?} calls refused with {ERRORS:?}",
        scene.name, clean.refusable
    ));
}

/// Checks that the run either behaves as without the fault, or reports what failed with the
/// system's error text.
pub(super) fn is_clear(outcome: &Outcome, clean: &Outcome) -> Result<(), String> {
    // A prune may remove less if it cannot determine whether something is in use.
    let is_prune = clean.stdout.contains("removed ");
    let is_done = outcome.code == Some(0) && (outcome.stdout == clean.stdout || is_prune);
    // A tool announces some steps before it takes them and others afterwards.
    let said = outcome
        .stderr
        .strip_prefix(&*clean.stderr)
        .unwrap_or(&outcome.stderr);
    let is_explained = said.starts_with("vpython: error: ") && said.contains("(os error ");
    let is_refused = matches!(outcome.code, Some(125..=127))
        && clean.stdout.starts_with(&outcome.stdout)
        && is_explained;
    if is_done || is_refused {
        Ok(())
    } else {
        Err(outcome.to_string())
    }
}

#[test]
fn a_first_launch_that_is_refused_a_call_says_so_and_leaves_nothing() {
    sweep(&Scene::cold("a first launch", &["tool.py"]));
}

#[test]
fn a_launch_that_is_refused_a_call_while_it_compiles_says_so_and_leaves_nothing() {
    sweep(&Scene::compiling());
}

#[test]
fn a_launch_that_is_refused_a_call_while_it_unpacks_its_interpreter_says_so_and_leaves_nothing() {
    sweep(&Scene::with_interpreter());
}

#[test]
fn an_install_that_is_refused_a_call_says_so_and_leaves_nothing() {
    sweep(&Scene::cold(
        "install",
        &["-vpython-tool", "install", "tool.py"],
    ));
}

#[test]
fn a_prune_that_is_refused_a_call_says_so_and_leaves_nothing() {
    sweep(&Scene::built(
        "prune",
        &["-vpython-tool", "prune", "--all"],
        drop,
    ));
}

#[test]
fn a_lock_that_is_refused_a_call_says_so_and_leaves_nothing() {
    sweep(&Scene::lock());
}

#[test]
fn an_upgrade_that_is_refused_a_call_says_so_and_leaves_nothing() {
    sweep(&Scene::upgrade());
}

#[test]
fn a_fetch_that_is_refused_a_call_says_so_and_leaves_nothing() {
    sweep(&Scene::fetch());
}

#[test]
fn a_fetch_from_an_index_that_is_refused_a_call_says_so_and_leaves_nothing() {
    sweep(&Scene::fetch_from_index());
}

/// The name of a staging directory is random.
fn redact_staged(text: &str) -> String {
    let Some((before, rest)) = text.split_once("[WORLD]/root/v1/tmp/") else {
        return text.to_owned();
    };
    let (_, after) = rest.split_once('/').unwrap();
    format!("{before}[STAGED]/{after}")
}

#[test]
fn a_file_that_does_not_fit_is_named_and_nothing_is_left() {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1").file("a/data.bin", vec![7; 300_000]));
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nfrom a import VERSION\nprint(VERSION)\n",
    );
    // Limits files to 100 KiB, as on a full disk, and blocks the signal that would end the process.
    let line = format!(
        "trap '' XFSZ; ulimit -f 200; exec {} tool.py",
        env!("CARGO_BIN_EXE_vpython")
    );
    let mut outcome = world.program("/bin/sh", ["-c", &line]).run();
    outcome.stderr = redact_staged(&outcome.stderr);
    outcome.refuses(
        125,
        expect![[r#"
            vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
              caused by: member `a/data.bin` cannot be unpacked
              caused by: cannot unpack it to `[STAGED]/site/a/data.bin`
              caused by: File too large (os error 27)
        "#]],
    );
    assert_eq!(world.leftovers(), [] as [PathBuf; 0]);
    world.vpython(["tool.py"]).run().prints("1\n");
}
