//! `-vpython-log-level info`: what vpython logs about a launch.

use crate::support::{Fake, Wheel, World};

/// The log of a launch, without durations.
fn log_of(world: &World, words: &[&str]) -> String {
    let outcome = world
        .vpython(["-vpython-log-level", "info"])
        .arguments(words)
        .run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let line = |line: &str| match line.rsplit_once(" in ") {
        Some((start, time))
            if start.starts_with("vpython: info: built ") && time.ends_with(" s\n") =>
        {
            format!("{start}\n")
        }
        _ => line.to_owned(),
    };
    outcome.stderr.split_inclusive('\n').map(line).collect()
}

#[test]
fn a_launch_logs_what_it_decided_and_from_which_inputs() {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1").requires("b"));
    world.wheel(&Wheel::module("b", "2"));
    world.write(
        "tool.py",
        "# /// script\n# requires-python = '>=3.6'\n# dependencies = ['a']\n# ///\nimport a, b\n",
    );
    let spec = "vpython: info: the spec is `[WORLD]/work/tool.py`, line 1 (pep723)\n";
    let platform = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let interpreter = format!(
        "vpython: info: the interpreter is `[PYTHON]`, CPython [VERSION] on {platform}, found on `PATH` as \
         `[WORLD]/bin/python3`, for `requires-python = \">=3.6\"` (`[WORLD]/work/tool.py`, line 2)\n"
    );
    let cold = format!(
        "{spec}vpython: info: cold launch: there is no store yet in `[WORLD]/root`\n\
         {interpreter}\
         vpython: info: wheels from `[WORLD]/work/wheels`: a 1, b 2\n\
         vpython: info: building an environment with 2 wheels\n\
         vpython: info: wheels unpacked now: 2, unpacked before: 0\n\
         vpython: info: built `[WORLD]/root/v1/envs/[KEY]`\n"
    );
    assert_eq!(log_of(&world, &["tool.py"]), cold);
    let warm = format!(
        "{spec}vpython: info: nothing has changed since the last launch; using its environment `[WORLD]/root/v1/envs/[KEY]`\n"
    );
    assert_eq!(log_of(&world, &["tool.py"]), warm);
    // With one wheel more.
    let added = world.wheel(&Wheel::module("b", "3"));
    let changed = format!(
        "{spec}vpython: info: cold launch: since the last launch `[WORLD]/work/wheels` has different entries\n\
         {interpreter}\
         vpython: info: wheels from `[WORLD]/work/wheels`: a 1, b 3\n\
         vpython: info: building an environment with 2 wheels\n\
         vpython: info: wheels unpacked now: 1, unpacked before: 1\n\
         vpython: info: built `[WORLD]/root/v1/envs/[KEY]`\n"
    );
    assert_eq!(log_of(&world, &["tool.py"]), changed);
    std::fs::remove_file(added).unwrap();
    let back = format!(
        "{spec}vpython: info: cold launch: since the last launch `[WORLD]/work/wheels` has different entries\n\
         {interpreter}\
         vpython: info: wheels from `[WORLD]/work/wheels`: a 1, b 2\n\
         vpython: info: the environment `[WORLD]/root/v1/envs/[KEY]` is already built\n"
    );
    assert_eq!(log_of(&world, &["tool.py"]), back);
}

#[test]
fn a_launch_logs_that_it_has_no_spec() {
    let world = World::new();
    let fake = Fake::new(&world, "3.11.99");
    let flag = format!("-vpython-interpreter={}", fake.path.display());
    let none = "vpython: info: there is no spec: the environment has no packages\n";
    let interpreter = "vpython: info: the interpreter is `[WORLD]/fakes/3.11.99/python3`, CPython 3.11.99 on linux x86_64, \
                       named by the caller\n";
    let cold = format!(
        "{none}vpython: info: cold launch: there is no store yet in `[WORLD]/root`\n{interpreter}\
         vpython: info: building an environment with 0 wheels\n\
         vpython: info: built `[WORLD]/root/v1/envs/[KEY]`\n"
    );
    assert_eq!(log_of(&world, &[&flag, "-c", "x"]), cold);
}
