//! Rewrites the absolute paths in an environment that another tool created, before or after it is
//! moved.
//!
//! The old prefixes are found in the environment's own files, however many there are. All edits are
//! planned first; then a journal records the prefixes, and the edits are applied file by file, each
//! atomically. The environment's python is never run. Byte code is never read either: the importer
//! sets the right path in a module when it loads it.

mod edits;
mod environment;
mod interpreter;
mod journal;
mod leftovers;
mod links;
mod literals;
mod prefixes;
mod quoting;
mod record;
mod scripts;
mod shebang;
mod site_packages;

use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use crate::interpreter::Facts;
use crate::invocation::{Invocation, Relocate};
use crate::plan::{self, Evidence};
use crate::process::Process;
use crate::report::Failure;
use crate::spec::Spec;
use edits::Edits;
use environment::Environment;
use journal::Journal;
use prefixes::Prefixes;

/// The result of a relocation.
#[derive(Debug)]
pub struct Relocated {
    /// The current path of the environment.
    pub environment: PathBuf,
    /// The path that it is set up for.
    pub to: PathBuf,
    /// The old prefixes.
    pub from: Vec<PathBuf>,
    /// Its new interpreter, if it gets one.
    pub python: Option<PathBuf>,
    /// The changed files, relative to the environment, each with the part that was changed.
    pub changes: Vec<(PathBuf, &'static str)>,
    /// The files that cannot be fixed, each with the reason.
    pub unfixable: Vec<(PathBuf, String)>,
}

/// Relocates the environment at `path`, which is to be used at `to`; by default where it is. With
/// `python`, it gets the interpreter at that path. A dry run changes nothing.
///
/// # Errors
/// Returns an error if there is no such environment, if the new interpreter does not fit it, or if
/// a file cannot be read or written.
pub fn relocate(
    path: PathBuf,
    options: &Relocate,
    invocation: &Invocation,
    process: &Process,
) -> Result<Relocated> {
    let environment = Environment::open(path)?;
    let to = match &options.to {
        Some(to) => process.absolute(to),
        None => environment.path.clone(),
    };
    check_destination(&to)?;
    // A journal is left only by a run that was interrupted; its prefixes and interpreter still
    // apply.
    let journal = Journal::read(&environment.path)?;
    let prefixes = environment.prefixes(&to, journal.prefixes())?;
    let python = options.python.as_deref().map(|path| process.absolute(path));
    let python = python.as_deref().or(journal.python());
    let facts = python
        .map(|path| facts(path, invocation, process))
        .transpose()?;
    let edits = plan_edits(&environment, &prefixes, facts.as_ref())?;
    let python = facts.as_ref().map(|facts| facts.executable.as_path());
    // The journal is written before the first change and removed after the last one.
    if !options.dry_run {
        if !edits.changes.is_empty() {
            Journal::of(&prefixes, python).begin(&environment.path)?;
            edits.apply(&environment.path)?;
        }
        Journal::end(&environment.path)?;
    }
    let old = prefixes.old().iter().map(|prefix| prefixes::path(prefix));
    let changes = edits.changes.iter();
    let unfixable = edits.unfixable.into_iter();
    Ok(Relocated {
        to: prefixes::path(prefixes.to()),
        from: old.collect(),
        python: python.map(Path::to_path_buf),
        changes: changes
            .map(|(path, change)| (path.clone(), change.part))
            .collect(),
        unfixable: unfixable.map(|one| (one.path, one.why)).collect(),
        environment: environment.path,
    })
}

/// Gives an environment that is not in use yet another interpreter of the same minor version and
/// ABI.
///
/// # Errors
/// Returns an error if the interpreter does not fit the environment, or if a file cannot be read or
/// written.
pub(super) fn give_interpreter(path: &Path, facts: &Facts) -> Result<()> {
    let environment = Environment::open(path.to_path_buf())?;
    let mut edits = Edits::default();
    interpreter::plan_edits(&environment, facts, &mut edits)?;
    if let Some(unfixable) = edits.unfixable.first() {
        return Err(
            Failure::new(format!("cannot fix `{}`", unfixable.path.display()))
                .because(unfixable.why.clone())
                .into(),
        );
    }
    edits.apply(&environment.path)
}

/// Plans all edits. RECORD comes after every file that it covers, the search for leftovers last.
fn plan_edits(
    environment: &Environment,
    prefixes: &Prefixes,
    facts: Option<&Facts>,
) -> Result<Edits> {
    let mut edits = Edits::default();
    // virtualenv before 20 writes no `pyvenv.cfg`.
    if !environment.configuration.is_empty() {
        let text = &environment.configuration;
        edits.set_content(
            Path::new("pyvenv.cfg"),
            "configuration",
            text,
            scripts::configuration(text, prefixes),
        );
    }
    links::plan_edits(environment, prefixes, &mut edits)?;
    match facts {
        Some(facts) => interpreter::plan_edits(environment, facts, &mut edits)?,
        None => interpreter::report_missing(environment, prefixes, &mut edits),
    }
    scripts::plan_edits(environment, prefixes, &mut edits)?;
    site_packages::plan_edits(environment, prefixes, &mut edits)?;
    record::plan_edits(environment, prefixes, &mut edits)?;
    leftovers::find(environment, prefixes, &mut edits)?;
    edits.confine(&environment.path)?;
    Ok(edits)
}

/// Returns an error for a destination that no file of an environment can contain.
fn check_destination(to: &Path) -> Result<()> {
    let text = to.as_os_str().as_encoded_bytes();
    let failure = Failure::new(format!(
        "cannot relocate an environment to `{}`",
        to.display()
    ));
    // A line break would end a first line, and a line of a `.pth` file.
    if text.iter().any(u8::is_ascii_control) {
        return Err(failure
            .because("the path contains a control character")
            .into());
    }
    if !to.is_absolute()
        || to
            .components()
            .any(|component| component == Component::ParentDir)
    {
        return Err(failure
            .because("the path is not absolute or contains `..`")
            .into());
    }
    Ok(())
}

/// Probes the interpreter at this path or in this directory.
pub fn facts(path: &Path, invocation: &Invocation, process: &Process) -> Result<Facts> {
    let invocation = Invocation {
        interpreter: Some(path.to_path_buf()),
        interpreter_image: None,
        ..invocation.clone()
    };
    plan::find_interpreter(
        &invocation,
        &Spec::default(),
        process,
        None,
        &mut Evidence::default(),
    )
}
