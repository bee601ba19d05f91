//! `-vpython-tool relocate`: an environment that somebody else has made is told where it stands, or
//! will stand.
//!
//! The old places are found in the environment's own files, however many there are. What is to be
//! done is decided as a whole, noted in a journal, and done file by file, each in one step. The
//! environment's python is never run, and byte code never read: the importer puts the right place
//! into a module when it loads it.

mod edits;
mod environment;
mod interpreter;
mod journal;
mod leftovers;
mod links;
mod prefixes;
mod quoting;
mod record;
mod scripts;
mod shebang;
mod site_packages;
mod summary;

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use crate::fs;
use crate::invocation::{Invocation, Relocate};
use crate::plan::interpreter::find;
use crate::plan::{Evidence, Facts};
use crate::process::Process;
use crate::report::{self, Failure};
use crate::spec::Spec;
use edits::Edits;
use environment::Environment;
use journal::Journal;
use prefixes::Prefixes;

/// The exit code where something cannot be mended.
const UNMENDED: i32 = 1;

/// Relocates the environment that the words name, and prints what was changed. Gives the exit code.
///
/// # Errors
/// There is no such environment; the interpreter that it is to get will not do; a file cannot be
/// read or written.
pub fn run(
    options: &Relocate,
    words: &[OsString],
    invocation: &Invocation,
    process: &Process,
) -> Result<i32> {
    let environment = Environment::open(named(words, process)?)?;
    let to = match &options.to {
        Some(to) => process.absolute(to),
        None => environment.path.clone(),
    };
    refuse_unwritable(&to)?;
    let journal = Journal::read(&environment.path)?;
    let places = environment.places(&to, journal.places())?;
    let python = options.python.as_deref().map(|path| process.absolute(path));
    let python = python.as_deref().or(journal.python());
    let facts = python
        .map(|path| facts(path, invocation, process))
        .transpose()?;
    let work = decide(&environment, &places, facts.as_ref())?;
    let python = facts.as_ref().map(|facts| facts.executable.as_path());
    if !options.dry_run {
        if !work.changes.is_empty() {
            Journal::of(&places, python).begin(&environment.path)?;
            work.apply(&environment.path)?;
        }
        Journal::end(&environment.path)?;
    }
    summary::print(options, &environment, &places, python, &work)?;
    Ok(if work.unfixable.is_empty() {
        0
    } else {
        UNMENDED
    })
}

/// Gives an environment that nobody uses yet another interpreter of the same minor version and ABI.
///
/// # Errors
/// The interpreter will not do; a file cannot be read or written.
pub(super) fn give_interpreter(path: &Path, facts: &Facts) -> Result<()> {
    let environment = Environment::open(path.to_path_buf())?;
    let mut work = Edits::default();
    interpreter::plan_edits(&environment, facts, &mut work)?;
    if let Some(unfixable) = work.unfixable.first() {
        return Err(
            Failure::new(format!("cannot mend `{}`", unfixable.path.display()))
                .because(unfixable.why.clone())
                .into(),
        );
    }
    work.apply(&environment.path)
}

/// All that is to be done.
fn decide(environment: &Environment, places: &Prefixes, facts: Option<&Facts>) -> Result<Edits> {
    let mut work = Edits::default();
    if !environment.configuration.is_empty() {
        let text = &environment.configuration;
        work.record_place(
            Path::new("pyvenv.cfg"),
            "configuration",
            text,
            scripts::configuration(text, places),
        );
    }
    links::plan_edits(environment, places, &mut work)?;
    match facts {
        Some(facts) => interpreter::plan_edits(environment, facts, &mut work)?,
        None => interpreter::note_lost(environment, places, &mut work),
    }
    scripts::plan_edits(environment, places, &mut work)?;
    site_packages::plan_edits(environment, places, &mut work)?;
    record::plan_edits(environment, places, &mut work)?;
    leftovers::note(environment, places, &mut work)?;
    Ok(work)
}

/// The one environment that is named.
fn named(words: &[OsString], process: &Process) -> Result<PathBuf> {
    let words: Vec<&OsString> = words
        .iter()
        .enumerate()
        .filter(|(index, word)| *index > 0 || *word != "--")
        .map(|(_, word)| word)
        .collect();
    let [word] = words[..] else {
        let why = if words.is_empty() {
            "none is named".to_owned()
        } else {
            format!("{} are named", words.len())
        };
        let failure = Failure::new("`-vpython-tool relocate` takes one environment").because(why);
        return Err(failure
            .hint(format!(
                "`{} -vpython-tool relocate --help` lists the options",
                report::program()
            ))
            .into());
    };
    let path = process.absolute(Path::new(word));
    let is_plain = !path
        .components()
        .any(|component| component == Component::ParentDir);
    if is_plain {
        Ok(path)
    } else {
        fs::canonicalize(&path)
    }
}

/// No file of an environment can hold such a path.
fn refuse_unwritable(to: &Path) -> Result<()> {
    let text = to.as_os_str().as_encoded_bytes();
    let failure = Failure::new(format!("cannot make an environment for `{}`", to.display()));
    if text.iter().any(u8::is_ascii_control) {
        return Err(failure
            .because("there is a control character in the path")
            .into());
    }
    if !to.is_absolute()
        || to
            .components()
            .any(|component| component == Component::ParentDir)
    {
        return Err(failure
            .because("it is no absolute path without `..`")
            .into());
    }
    Ok(())
}

/// What the interpreter of this path, or in this directory, says of itself.
pub(super) fn facts(path: &Path, invocation: &Invocation, process: &Process) -> Result<Facts> {
    let invocation = Invocation {
        interpreter: Some(path.to_path_buf()),
        ..invocation.clone()
    };
    find(
        &invocation,
        &Spec::default(),
        process,
        None,
        &mut Evidence::default(),
    )
}
