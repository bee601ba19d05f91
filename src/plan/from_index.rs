//! The wheels of a spec from its package indexes, for this machine and for the other platforms that
//! the spec names: what `fetch` downloads.

use std::path::PathBuf;

use anyhow::{Error, Result};
use pep508_rs::PackageName;

use super::choose::Caller;
use super::connection::Connection;
use super::resolve::partial::resolve_partly;
use super::resolve::{listed, locked};
use super::verify::systems;
use super::wheelhouse::Wheelhouse;
use super::{Evidence, PlannedWheel, find_interpreter};
use crate::interpreter::Facts;
use crate::remote::FileToFetch;
use crate::report::progress;
use crate::spec::{Packages, Requirements, Spec};

/// The wheels that one system lacks.
#[derive(Debug)]
pub struct SystemWheels {
    /// `here (3.11.7)`, or the platform's name.
    pub title: String,
    /// The files to download, so that the spec is satisfied as far as possible.
    pub to_fetch: Vec<FileToFetch>,
    /// The files to copy from directories of pip's `find-links`.
    pub to_copy: Vec<PathBuf>,
    /// The reason why the spec is not satisfied, if it is not.
    pub refusal: Option<Error>,
}

/// Chooses the wheels for each system. A system whose wheels are all in the directories takes
/// these, and asks no index. Otherwise the versions in the directories are preferred to higher
/// ones, except those of projects for which `is_upgraded` is true, and each system prefers the
/// versions of those before it.
///
/// # Errors
/// The platforms cannot be determined, no interpreter satisfies the spec, a directory cannot be
/// read, or an index cannot be read.
///
/// Returns the systems, and warnings about the directories and the indexes, one sentence each.
pub fn choose_from_index(
    spec: &Spec,
    is_upgraded: &dyn Fn(&PackageName) -> bool,
    connection: &Connection,
    caller: Caller<'_>,
) -> Result<(Vec<SystemWheels>, Vec<String>)> {
    let Caller {
        invocation,
        process,
        memo,
    } = caller;
    let targets = spec.targets()?;
    let mut evidence = Evidence::default();
    let here = find_interpreter(invocation, spec, process, Some(memo), &mut evidence)?;
    if spec.wants_no_wheels() {
        return Ok((Vec::new(), Vec::new()));
    }
    progress::phase("choosing the wheels");
    let mut local = Wheelhouse::open(spec, invocation, memo, &mut evidence)?;
    let mut remote = Wheelhouse::open(spec, invocation, memo, &mut Evidence::default())?;
    let mut of_remote = Evidence::default();
    connection.attach_to(&mut remote, memo, &mut of_remote)?;
    let mut packages = spec.packages.clone();
    let mut chosen = Vec::new();
    for (title, facts) in systems(here, &targets) {
        let choice =
            choose_local(&mut packages, is_upgraded, &facts, &mut local).and_then(|choice| {
                let in_remote =
                    || choose_remote(&packages, &facts, is_upgraded, connection, &mut remote);
                choice.map_or_else(in_remote, Ok)
            });
        let (wheels, refusal) = match choice {
            // An error for one platform does not affect the others.
            Err(error) if facts.is_elsewhere() => (Vec::new(), Some(error)),
            choice => choice?,
        };
        if let Packages::Required(requirements) = &mut packages {
            prefer(requirements, &wheels, &|_| false);
        }
        let in_directories = wheels.iter().map(|wheel| &wheel.path);
        chosen.push(SystemWheels {
            title,
            to_copy: in_directories
                .filter(|path| connection.has_in_directory(path) && !local.has_directory_of(path))
                .cloned()
                .collect(),
            to_fetch: wheels
                .into_iter()
                .filter_map(|wheel| wheel.to_fetch)
                .collect(),
            refusal,
        });
    }
    local.remember();
    let remarks = remote.remarks_on_indexes();
    let warnings = [of_remote.passing, of_remote.warnings, remarks].concat();
    Ok((chosen, warnings))
}

/// The wheels of a system, and the reason why they do not satisfy the spec.
type Choice = (Vec<PlannedWheel>, Option<Error>);

/// Returns the wheels in the directories if they satisfy the spec. Otherwise, prefers their
/// versions.
fn choose_local(
    packages: &mut Packages,
    is_upgraded: &dyn Fn(&PackageName) -> bool,
    facts: &Facts,
    local: &mut Wheelhouse,
) -> Result<Option<Choice>> {
    let evidence = &mut Evidence::default();
    match packages {
        Packages::Required(requirements) => {
            let partial = resolve_partly(requirements, facts, local, evidence)?;
            prefer(requirements, &partial.wheels, is_upgraded);
            let is_upgraded = partial.wheels.iter().any(|wheel| is_upgraded(&wheel.name));
            let is_enough = partial.refusal.is_none() && !is_upgraded;
            Ok(is_enough.then_some((partial.wheels, None)))
        }
        Packages::Listed(wheels) => {
            let (missing, seeds) = listed::to_fetch(wheels, facts, local)?;
            let is_enough = missing.is_empty() && seeds.is_empty();
            Ok(is_enough.then(|| (Vec::new(), None)))
        }
        Packages::Locked(lock) => {
            let (wheels, unavailable) = locked::resolve(lock, facts, local, evidence)?;
            Ok(unavailable.is_none().then_some((wheels, None)))
        }
    }
}

/// Returns the wheels of the directories and the registries if they satisfy the spec and none is to be
/// upgraded, or else those of the indexes too that satisfy the spec best.
fn choose_remote(
    packages: &Packages,
    facts: &Facts,
    is_upgraded: &dyn Fn(&PackageName) -> bool,
    connection: &Connection,
    remote: &mut Wheelhouse,
) -> Result<Choice> {
    if connection.attach_registries(remote)? {
        remote.ask_indexes(false);
        let choice = choose_best(packages, facts, remote);
        remote.ask_indexes(true);
        if let Ok((wheels, None)) = choice
            && !wheels.iter().any(|wheel| is_upgraded(&wheel.name))
        {
            return Ok((wheels, None));
        }
    }
    choose_best(packages, facts, remote)
}

/// Returns the wheels that satisfy the spec best.
fn choose_best(packages: &Packages, facts: &Facts, remote: &mut Wheelhouse) -> Result<Choice> {
    let evidence = &mut Evidence::default();
    match packages {
        Packages::Required(requirements) => {
            let partial = resolve_partly(requirements, facts, remote, evidence)?;
            Ok((partial.wheels, partial.refusal.map(Error::from)))
        }
        Packages::Listed(wheels) => listed::resolve_partly(wheels, facts, remote, evidence),
        Packages::Locked(lock) => {
            let (wheels, unavailable) = locked::resolve(lock, facts, remote, evidence)?;
            Ok((wheels, unavailable.map(|it| it.failure.into())))
        }
    }
}

/// Prefers the versions of wheels to higher ones, except those of upgraded projects.
fn prefer(
    requirements: &mut Requirements,
    wheels: &[PlannedWheel],
    is_upgraded: &dyn Fn(&PackageName) -> bool,
) {
    for wheel in wheels.iter().filter(|wheel| !is_upgraded(&wheel.name)) {
        let preferred = requirements.preferred.entry(wheel.name.clone());
        preferred.or_insert_with(|| wheel.version.clone());
    }
}
