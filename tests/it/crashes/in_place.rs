//! A test of the sweeps: they find the faults of an installer that is known to be unsafe.

use super::world;
use crate::support::World;
use crate::support::trace::{Fault, can_trace, traced};

/// Installs missing packages in place, as `python -m venv` and `pip install` in a script do, and
/// uses them.
const INSTALLER: &str = "
test -d root/site || { mkdir -p root/site; for name in a b c; do echo \"VERSION = '$name'\" >root/site/$name.py; done; }
cat root/site/a.py root/site/b.py root/site/c.py
";

/// One call of this many is visited: each costs two runs.
const STEP: usize = 4;

/// Checks whether the installer works after it was killed before one of its calls.
fn works_after_kill(world: &World, moment: usize) -> bool {
    let words = || {
        [
            "/bin/sh".to_owned(),
            world.path("install").to_str().unwrap().to_owned(),
        ]
    };
    let _ = std::fs::remove_dir_all(world.path("root"));
    traced(world, words(), &[], Some(Fault::Kill(moment)));
    let outcome = traced(world, words(), &[], None).outcome;
    outcome.code == Some(0) && outcome.stdout == "VERSION = 'a'\nVERSION = 'b'\nVERSION = 'c'\n"
}

#[test]
fn an_in_place_installer_fails_the_sweep() {
    let world = world();
    if !can_trace(&world) {
        return;
    }
    world.write("install", INSTALLER);
    let words = [
        "/bin/sh".to_owned(),
        world.path("install").to_str().unwrap().to_owned(),
    ];
    let clean = traced(&world, words, &[], None);
    let mut broken = Vec::new();
    for moment in (1..=clean.calls).step_by(STEP) {
        if !works_after_kill(&world, moment) {
            broken.push(moment);
        }
    }
    eprintln!(
        "an installer in place killed at one in {STEP} of {} calls: {} broken",
        clean.calls,
        broken.len()
    );
    assert!(
        broken.len() > 3,
        "the sweep finds almost nothing: {broken:?}"
    );
}
