//! A launch that is ended at any moment, or that the disk refuses, leaves nothing in the way of the next one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::support::{Launch, Wheel, World, has_strace};

/// A world with a wheel of `a` and a script that prints its version.
fn world() -> World {
    let world = World::new();
    let wheel = Wheel::module("a", "1").file("a/data.bin", vec![7; 300_000]).entry_point("run-a", "a:main");
    world.wheel(&wheel);
    world.write("tool.py", "# /// script\n# dependencies = ['a']\n# ///\nfrom a import VERSION\nprint(VERSION)\n");
    world
}

/// The calls by which a launch changes the disk.
const CHANGES: &str = "openat,mkdir,rename,link,linkat,symlink,symlinkat,unlink,unlinkat,ftruncate,fchmod,chmod";
/// How many moments are tried of each kind of call.
const TRIES: usize = 5;

/// A cold launch under `strace` with this expression.
fn traced<'a>(world: &'a World, expression: &str) -> Launch<'a> {
    let words = ["strace", "-f", "-o", "calls", "-e", expression, env!("CARGO_BIN_EXE_vpython"), "tool.py"];
    world.program("/usr/bin/env", words)
}

/// Moments of a cold launch, spread over all of it: a kind of call, and which of these. Strace counts them for each thread, so that
/// some are never reached. None where strace does not work here, which is said aloud.
fn moments() -> Vec<(String, usize)> {
    if !has_strace() {
        return Vec::new();
    }
    let world = world();
    traced(&world, &format!("trace={CHANGES},execve")).run().prints("1\n");
    let calls = std::fs::read_to_string(world.path("calls")).unwrap();
    // Each line is `PID call(…`. What follows the last `execve` is python's.
    let names: Vec<&str> = calls.lines().filter_map(|line| line.split_once('(')?.0.split_whitespace().last()).collect();
    let end = names.iter().rposition(|name| *name == "execve").unwrap();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in &names[1..end] {
        *counts.entry(name).or_default() += 1;
    }
    counts.remove("execve");
    let spread = |(name, count): (&str, usize)| {
        let tries = TRIES.min(count);
        (0..tries).map(|index| (name.to_owned(), 1 + index * count / tries)).collect::<Vec<_>>()
    };
    counts.into_iter().flat_map(spread).collect()
}

#[test]
fn a_launch_that_is_killed_at_any_moment_leaves_nothing_in_the_way() {
    let moments = moments();
    let mut killed = 0;
    for (call, number) in &moments {
        let world = world();
        let outcome = traced(&world, &format!("inject={call}:signal=KILL:when={number}")).run();
        killed += usize::from(outcome.code != Some(0));
        let entries = world.environments();
        assert!(entries.iter().all(|entry| entry.join("vpython.json").exists()), "{call} {number}: {entries:?}");
        world.vpython(["tool.py"]).run().prints("1\n");
    }
    assert!(killed >= moments.len() / 4, "only {killed} of {} launches were killed", moments.len());
}

#[test]
fn a_launch_that_the_disk_refuses_says_so_and_leaves_nothing() {
    // Python opens files too, in the same process later on, and cannot do without.
    for (call, number) in moments().into_iter().filter(|(call, _)| call != "openat") {
        let world = world();
        let outcome = traced(&world, &format!("inject={call}:error=ENOSPC:when={number}")).run();
        if outcome.code == Some(125) {
            assert!(outcome.stderr.starts_with("vpython: error: "), "{call} {number}: {outcome}");
            assert!(outcome.stderr.contains("caused by: No space left on device"), "{call} {number}: {outcome}");
            assert_eq!(world.environments(), [] as [PathBuf; 0], "{call} {number}: {outcome}");
        } else {
            // What can be found again is not missed.
            assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{call} {number}: {outcome}");
        }
        world.vpython(["tool.py"]).run().prints("1\n");
    }
}

/// A staging folder has a name of chance.
fn redact_staged(text: &str) -> String {
    let Some((before, rest)) = text.split_once("[WORLD]/root/v1/tmp/") else { return text.to_owned() };
    let (_, after) = rest.split_once('/').unwrap();
    format!("{before}[STAGED]/{after}")
}

#[test]
fn a_file_that_does_not_fit_is_named_and_nothing_is_left() {
    let world = world();
    // No file may become larger than 100 KiB, as on a full disk; without the signal that would end the process.
    let line = format!("trap '' XFSZ; ulimit -f 200; exec {} tool.py", env!("CARGO_BIN_EXE_vpython"));
    let mut outcome = world.program("/bin/sh", ["-c", &line]).run();
    outcome.stderr = redact_staged(&outcome.stderr);
    outcome.refuses(
        125,
        "vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`\n  \
         caused by: member `a/data.bin` cannot be unpacked\n  \
         caused by: cannot unpack it to `[STAGED]/site/a/data.bin`\n  \
         caused by: File too large (os error 27)\n",
    );
    assert_eq!(world.leftovers(), [] as [PathBuf; 0]);
    world.vpython(["tool.py"]).run().prints("1\n");
}
