//! Tests of the built program, run in worlds that are made by code.
//!
//! `support` makes the worlds: wheels, specs, interpreters, and a separate store for each test. The
//! name of a test says what is true. A test compares whole outputs, and changes neither its own
//! environment nor its own directory. A test that cannot run on a machine says so.
#![allow(
    clippy::disallowed_methods,
    reason = "tests look at the disk and the machine as they are"
)]

/// Reports what is not tested on this machine, and why, as a sentence without a full stop.
macro_rules! not_tested {
    ($($why:tt)*) => { crate::support::not_tested(&format!($($why)*)) };
}

mod archives;
mod audit;
mod book;
mod building;
mod bundle;
mod by_name;
mod by_python;
mod bypass;
mod byte_code;
mod canonical_byte_code;
mod check;
mod child_signal;
mod colour;
mod command_line;
mod conf;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod crashes;
mod damage;
mod damaged_store;
mod differential;
mod documents;
mod evidence;
mod exec;
mod explain;
mod export;
mod fetch;
mod fetch_platforms;
mod fetch_prune;
mod file_systems;
mod handoff;
mod hostile;
mod imports;
mod index;
mod input;
mod interpreters;
mod layers;
mod limits;
mod listed_requirements;
mod load;
mod locks;
mod log;
mod luci;
mod metadata;
mod movable;
mod mutants;
mod neighbours;
mod oci;
mod pack;
mod places;
mod planted;
mod power;
mod progress;
mod prune;
mod pyproject;
mod python2;
mod pythons;
mod readers;
mod redaction;
mod registry;
mod relocate;
mod requirements;
mod resolving;
mod seeds;
mod shared_roots;
mod sloppy;
mod specs;
mod store;
mod support;
mod system_packages;
mod tables;
mod tags;
mod terminal;
mod testdata;
mod throw_away;
mod trace;
mod trust;
mod unnamed;
mod unpack;
mod upgrade;
mod upgrade_luci;
mod uv_lock;
mod verify;
mod warm;
mod wheels;
mod with_pip;
mod words;
