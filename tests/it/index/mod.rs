//! Wheels from a package index: `-vpython-tool fetch`, and launches that fetch what is missing.

mod direct;
mod failures;
mod fetching;
mod kept;
mod launching;
mod locked;
mod sources;

use std::path::Path;

use crate::support::{Launch, Listed, PackageIndex, Wheel, World};

/// The wheels `a` 1 and 2, which require `b`, and `b` 1.
fn wheels() -> Vec<Listed> {
    [
        Wheel::module("a", "1").requires("b"),
        Wheel::module("a", "2").requires("b"),
        Wheel::module("b", "1"),
    ]
    .iter()
    .map(Listed::wheel)
    .collect()
}

/// A world with a script that requires `a`, and no wheels.
fn world() -> World {
    let world = World::new();
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a, b\nprint(a.VERSION, b.VERSION)\n",
    );
    world
}

/// vpython, with an index that is asked once for each thing.
fn launch<'a>(world: &'a World, index: &PackageIndex, words: &[&str]) -> Launch<'a> {
    world
        .vpython(words)
        .env("PIP_INDEX_URL", index.url())
        .env("PIP_RETRIES", "0")
}

/// The names in a directory, sorted; empty if it does not exist.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

/// Checks that nothing half-written is left in the store.
#[track_caller]
fn nothing_is_half_written(world: &World) {
    assert_eq!(names(&world.store("tmp")), [""; 0]);
}
