//! Many processes on one cold machine ask for each blob once.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;

use super::servers::{lock, may_fetch, world};
use super::trusted::trust;
use crate::support::{OciRegistry, Outcome, World};

/// The number of processes.
const PROCESSES: usize = 50;

/// Starts the script in many processes at once, with a registry and a store that is empty.
fn start_at_once(world: &World, registry: &OciRegistry) {
    let words = [
        "-c",
        "read line; exec \"$0\" -vpython-wheels \"$1\" tool.py",
        env!("CARGO_BIN_EXE_vpython"),
        &registry.reference("team/wheels"),
    ];
    let mut children: Vec<_> = (0..PROCESSES)
        .map(|_| {
            let words = words.iter().map(std::ffi::OsStr::new);
            may_fetch(world, world.program("/bin/sh", words))
                .stdin(Stdio::piped())
                .spawn()
        })
        .collect();
    for child in &mut children {
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
    }
    for child in children {
        let output = child.wait_with_output().unwrap();
        let outcome = Outcome::new(world, "one of many", &output);
        let result = (outcome.code, &*outcome.stdout);
        assert_eq!(result, (Some(0), "1 2\n"), "{outcome}");
    }
}

/// Returns how often each path was requested.
fn counts(registry: &OciRegistry) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in registry.server.received() {
        if request.method == "GET" {
            *counts.entry(request.path).or_default() += 1;
        }
    }
    counts
}

fn is_once(registry: &OciRegistry, blobs: usize, manifests: usize) {
    let counts = counts(registry);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    let of_kind = |kind: &str| counts.keys().filter(|path| path.contains(kind)).count();
    let found = (of_kind("/blobs/"), of_kind("/manifests/"));
    assert_eq!(found, (blobs, manifests), "{counts:?}");
}

#[test]
fn each_wheel_is_asked_for_once() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    start_at_once(&world, &registry);
    is_once(&registry, 2, 0);
}

#[test]
fn each_built_wheel_is_asked_for_once() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    lock(&world, &["--built"]);
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    start_at_once(&world, &registry);
    is_once(&registry, 2, 0);
}

#[test]
fn each_built_wheel_of_a_trusted_source_is_asked_for_once() {
    let registry = OciRegistry::start(|_| None);
    let world = world(&registry);
    trust(&world, &[&registry.reference("team/wheels:v1")]);
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    start_at_once(&world, &registry);
    is_once(&registry, 2, 1);
}
