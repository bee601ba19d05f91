//! Calls that succeed and are reported as failed, as on a network file system when the answer of
//! the server is lost. Either the call fails with an error that says nothing about the cause, or
//! the client repeats it and finds the work already done.

use super::refusals::is_clear;
use super::{Scene, Tally, moments};
use crate::support::trace::{Fault, Report, can_trace};

/// Reports each call of a scene's run that changes directory entries as failed, one at a time, and
/// checks the result.
fn sweep(scene: &Scene) {
    if !can_trace(&scene.world) {
        return;
    }
    let clean = scene.clean_run();
    for report in [Report::Broken, Report::Repeated] {
        let mut tally = Tally::default();
        for number in moments(clean.listings) {
            tally.visited += 1;
            let traced = scene.run(Some(Fault::Misreport(number, report)));
            tally.hit += usize::from(traced.hit.is_some());
            let came =
                is_clear(&traced.outcome, &clean.outcome).and_then(|()| scene.next_launch_works());
            if let Err(why) = came {
                tally.broken.push(format!(
                    "call {number} ({:?}), {report:?}: {why}",
                    traced.hit
                ));
            }
        }
        tally.report(&format!(
            "{}, {} calls done and reported as failed, {report:?}",
            scene.name, clean.listings
        ));
    }
}

#[test]
fn a_first_launch_is_not_harmed_by_calls_that_are_done_and_reported_as_failed() {
    sweep(&Scene::cold("a first launch", &["tool.py"]));
}

#[test]
fn a_launch_that_compiles_is_not_harmed_by_calls_that_are_done_and_reported_as_failed() {
    sweep(&Scene::compiling());
}

#[test]
fn an_interpreter_is_not_harmed_by_calls_that_are_done_and_reported_as_failed() {
    sweep(&Scene::with_interpreter());
}

#[test]
fn an_install_is_not_harmed_by_calls_that_are_done_and_reported_as_failed() {
    sweep(&Scene::cold(
        "install",
        &["-vpython-tool", "install", "tool.py"],
    ));
}

#[test]
fn a_prune_is_not_harmed_by_calls_that_are_done_and_reported_as_failed() {
    sweep(&Scene::built(
        "prune",
        &["-vpython-tool", "prune", "--all"],
        drop,
    ));
}

#[test]
fn a_repair_is_not_harmed_by_calls_that_are_done_and_reported_as_failed() {
    sweep(&Scene::built(
        "check --repair",
        &["-vpython-tool", "check", "--repair", "tool.py"],
        |environment| {
            std::fs::remove_file(environment.join("bin/run-a")).unwrap();
        },
    ));
}

#[test]
fn a_lock_is_not_harmed_by_calls_that_are_done_and_reported_as_failed() {
    sweep(&Scene::lock());
}

#[test]
fn an_upgrade_is_not_harmed_by_calls_that_are_done_and_reported_as_failed() {
    sweep(&Scene::upgrade());
}

#[test]
fn a_fetch_is_not_harmed_by_calls_that_are_done_and_reported_as_failed() {
    sweep(&Scene::fetch());
}

#[test]
fn an_export_is_not_harmed_by_calls_that_are_done_and_reported_as_failed() {
    sweep(&Scene::export());
}

#[test]
fn an_unpack_is_not_harmed_by_calls_that_are_done_and_reported_as_failed() {
    sweep(&Scene::unpack());
}

#[test]
fn a_pack_is_not_harmed_by_calls_that_are_done_and_reported_as_failed() {
    sweep(&Scene::pack());
}
