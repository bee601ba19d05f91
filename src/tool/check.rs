//! `-vpython-tool check`: verifies environments and their unpacked wheels against the files that
//! they were built from. `--repair` removes damaged directories, and also the byte code that python
//! wrote: vpython cannot verify that byte code, and it may be what makes a launch crash.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::install;
use crate::invocation::{Check, Invocation};
use crate::launch;
use crate::memo::{Memo, MemoName};
use crate::plan::{self, Evidence, Key};
use crate::process::Process;
use crate::report::{self, Failure};
use crate::spec;
use crate::store::{Damage, Discarded, Fault, Store, Stored};
use crate::{build, fs};

/// The exit code if something is damaged.
const DAMAGED: i32 = 1;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// All files are intact.
    Sound,
    /// Something is damaged and was left alone.
    Damaged,
    /// Something was damaged and has been removed.
    Discarded,
}

impl Outcome {
    /// Returns the exit code.
    fn exit_code(self) -> i32 {
        if self == Self::Damaged { DAMAGED } else { 0 }
    }
}

/// Checks the environment of a command line, or all environments in the store. Rebuilds the
/// environment of the command line if the check discarded it. Returns the exit code.
///
/// # Errors
/// The environment does not exist; an environment cannot be read; standard output cannot be
/// written.
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
    store.prepare_if_writable()?;
    invocation.warn(store.warnings_of_shared_roots());
    // Select the environments, and those whose manifest is damaged or missing.
    let key = if options.all {
        None
    } else {
        Some(key(store, invocation, process)?)
    };
    // An environment in a shared root is only read.
    let shared_root = key.as_ref().and_then(|key| store.shared_root_with(key));
    let store = &shared_root.map_or_else(|| store.clone(), |root| store.of_shared_root(root));
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
    // Verify each environment under its lock.
    let environments = stored.len() + damages.len();
    let mut by_python = Vec::new();
    for stored in &stored {
        // An environment that another process removes during the check would look damaged.
        let kept = store.keep(stored)?;
        if kept.is_none() && shared_root.is_none() {
            continue;
        }
        let checked = build::check(stored, store)?;
        damages.extend(checked.damages);
        by_python.extend(checked.by_python);
        // A repair trusts no byte code that it cannot check.
        if options.repair {
            damages.extend(checked.replaced);
        }
    }
    // The interpreters from images that they use, or all.
    let images: BTreeSet<_> = stored
        .iter()
        .filter_map(|stored| stored.manifest.python_image())
        .collect();
    let (broken, pythons) =
        store.pythons_to_check(|image| options.all || images.contains(image))?;
    damages.extend(broken);
    damages.extend(store.missing_pythons(&stored));
    for python in &pythons {
        let checked = build::check_python(python)?;
        damages.extend(checked.damages);
        by_python.extend(checked.by_python);
    }
    // Report what was found.
    for damage in &damages {
        report::print(line(damage).as_bytes())?;
    }
    let wheels: BTreeSet<_> = stored
        .iter()
        .flat_map(|stored| &stored.manifest.wheels)
        .map(|wheel| wheel.sha256)
        .collect();
    let of_pythons = match pythons.len() {
        0 => String::new(),
        pythons => format!(", {} from images", count(pythons, "interpreter")),
    };
    let counts = format!(
        "{}{of_pythons} and {}",
        count(environments, "environment"),
        count(wheels.len(), "unpacked wheel")
    );
    // With `--repair`, remove the byte code that python wrote even if nothing is damaged.
    if options.repair && shared_root.is_none() {
        by_python
            .iter()
            .try_for_each(|path| fs::remove_file(path))?;
    }
    if damages.is_empty() {
        report::print(format!("{counts}: all files are intact\n").as_bytes())?;
        return Ok(Outcome::Sound);
    }
    report::print(format!("{counts}: {} damaged\n", count(damages.len(), "file")).as_bytes())?;
    if !options.repair {
        return Ok(Outcome::Damaged);
    }
    if let Some(root) = shared_root {
        let root = root.path.display();
        invocation.warn([&format!(
            "vpython does not change the shared root `{root}`; its owner can repair it with \
             `-vpython-root {root}`"
        )]);
        return Ok(Outcome::Damaged);
    }
    for directory in to_discard(&stored, &damages, store) {
        let result = match store.discard(&directory)? {
            Discarded::Removed => "removed; vpython rebuilds it when it is needed",
            Discarded::Outdated => "in use by a program; the next launch rebuilds it",
        };
        report::print(format!("{}: {result}\n", directory.display()).as_bytes())?;
    }
    Ok(Outcome::Discarded)
}

/// Returns the key of the environment of a command line.
fn key(store: &Store, invocation: &Invocation, process: &Process) -> Result<Key> {
    let text = spec::find(invocation, process)?;
    // The environment of a warm launch, whose wheels may have come from an index.
    let name = MemoName::of_launch(&text, invocation, process);
    if let Ok((memo, _)) = Memo::recall(store, &name, process) {
        return Ok(memo.key);
    }
    let spec = text.parse(invocation, process)?;
    let (memo, mut evidence) = (store.memo_directory(), Evidence::default());
    let invocation = &*launch::with_interpreter(&spec, store, invocation, process)?;
    let made = plan::make(&spec, invocation, process, &memo, &mut evidence)?;
    Ok(Key::of(&made.plan))
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

fn is_present(path: &Path) -> bool {
    fs::link_metadata(path).is_ok_and(|found| found.is_some())
}

/// Returns the damaged directories that exist, and the environments that damaged wheels are linked
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
        .filter(|directory| is_present(directory))
        .map(Path::to_path_buf)
        .collect()
}
