//! `-vpython-tool check`: environments, and the wheels that they were made of, are held against
//! what they were made of; with `--repair` what is damaged is taken out of the way, and so is the
//! byte code that python has written: nobody can tell whether it is whole, and it may be what a
//! launch dies of.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::install;
use crate::invocation::{Check, Invocation};
use crate::launch;
use crate::plan::{self, Key};
use crate::process::Process;
use crate::report::{self, Failure};
use crate::spec;
use crate::store::{Damage, Discarded, Fault, Store, Stored};
use crate::{build, fs};

/// The exit code where something is damaged.
const DAMAGED: i32 = 1;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// All is as it was made.
    Sound,
    /// Something is not, and was left as it is.
    Damaged,
    /// Something was not, and is out of the way.
    Discarded,
}

impl Outcome {
    /// The exit code.
    fn exit_code(self) -> i32 {
        if self == Self::Damaged { DAMAGED } else { 0 }
    }
}

/// Checks the environment of a command line, or all in the store. Returns the exit code. An environment
/// that was discarded is built again, unless `--all` was given.
///
/// # Errors
/// There is no such environment; one cannot be read; standard output cannot be written.
pub fn run(options: &Check, invocation: &Invocation, process: &Process) -> Result<i32> {
    let outcome = check(options, invocation, process)?;
    if outcome == Outcome::Discarded && !options.all {
        let spec = launch::find_spec(invocation, process)?;
        install::print(&launch::prepare(&spec, invocation, process)?.entry.path)?;
    }
    Ok(outcome.exit_code())
}

fn check(options: &Check, invocation: &Invocation, process: &Process) -> Result<Outcome> {
    let store = &Store::open(invocation, process)?;
    store.prepare()?;
    let key = if options.all {
        None
    } else {
        Some(key(store, invocation, process)?)
    };
    let stored: Vec<Stored> = store
        .stored()?
        .into_iter()
        .filter(|stored| key.as_ref().is_none_or(|key| stored.manifest.key == *key))
        .collect();
    let ruins = store
        .ruins()?
        .into_iter()
        .filter(|ruin| key.as_ref().is_none_or(|key| ruin.of == store.path_of(key)));
    let mut damages: BTreeSet<Damage> = ruins.collect();
    if let (Some(key), [], true) = (&key, &stored[..], damages.is_empty()) {
        return Err(Failure::new(format!("there is no environment `{key}` yet"))
            .hint("`-vpython-tool install` builds it")
            .into());
    }
    let environments = stored.len() + damages.len();
    let mut by_python = Vec::new();
    for stored in &stored {
        // What is gone by now, or goes while it is looked at, would seem to be damaged.
        let Some(_kept) = store.keep(stored)? else {
            continue;
        };
        let checked = build::check(stored, store)?;
        damages.extend(checked.damages);
        by_python.extend(checked.by_python);
    }
    for damage in &damages {
        report::print(line(damage).as_bytes())?;
    }
    let wheels: BTreeSet<_> = stored
        .iter()
        .flat_map(|stored| &stored.manifest.wheels)
        .map(|wheel| wheel.sha256)
        .collect();
    let counts = format!(
        "{} and {}",
        count(environments, "environment"),
        count(wheels.len(), "unpacked wheel")
    );
    if options.repair {
        by_python
            .iter()
            .try_for_each(|path| fs::remove_file(path))?;
    }
    if damages.is_empty() {
        report::print(format!("{counts}: all files are as they were made\n").as_bytes())?;
        return Ok(Outcome::Sound);
    }
    report::print(
        format!(
            "{counts}: {} not as they were made\n",
            count(damages.len(), "file")
        )
        .as_bytes(),
    )?;
    if !options.repair {
        return Ok(Outcome::Damaged);
    }
    for directory in to_discard(&stored, &damages, store) {
        let became = match store.discard(&directory)? {
            Discarded::Removed => "out of the way; it is made anew when it is needed",
            Discarded::Outdated => "a program runs in it; the next launch builds it anew",
        };
        report::print(format!("{}: {became}\n", directory.display()).as_bytes())?;
    }
    Ok(Outcome::Discarded)
}

/// The key of the environment that a command line gets.
fn key(store: &Store, invocation: &Invocation, process: &Process) -> Result<Key> {
    let spec = spec::find(invocation, process)?.parse(process)?;
    let (plan, _) = plan::make(&spec, invocation, process, &store.memo_directory())?;
    Ok(Key::of(&plan))
}

fn line(damage: &Damage) -> String {
    let what = match damage.fault {
        Fault::Changed => "changed",
        Fault::Missing => "missing",
        Fault::Foreign => "foreign",
    };
    format!("{what}  {}\n", damage.path.display())
}

fn count(count: usize, name: &str) -> String {
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

fn is_there(path: &Path) -> bool {
    fs::link_metadata(path).is_ok_and(|found| found.is_some())
}

/// The damaged directories that are there, and the environments that damaged wheels were linked
/// into.
fn to_discard(stored: &[Stored], damages: &BTreeSet<Damage>, store: &Store) -> BTreeSet<PathBuf> {
    let directories: BTreeSet<&Path> = damages.iter().map(|damage| damage.of.as_path()).collect();
    let has_damaged_wheel = |stored: &&Stored| {
        stored
            .manifest
            .wheels
            .iter()
            .any(|wheel| directories.contains(store.unpacked_wheel(&wheel.sha256).as_path()))
    };
    let environments = stored
        .iter()
        .filter(has_damaged_wheel)
        .map(|stored| stored.path.as_path());
    directories
        .iter()
        .copied()
        .chain(environments)
        .filter(|directory| is_there(directory))
        .map(Path::to_path_buf)
        .collect()
}
