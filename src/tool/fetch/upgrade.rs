//! `fetch --upgrade`: fetches the newest versions that a spec permits, even if older versions that
//! satisfy it are present.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use pep508_rs::PackageName;

use super::indexes::refusal_of_elsewhere;
use super::pip::{Pip, Request};
use super::staging::Staging;
use super::{destination, follow, no_destination};
use crate::invocation::{Fetch, Invocation, WheelhouseReference};
use crate::plan::{self, Present};
use crate::process::Process;
use crate::report::{self, Failure};
use crate::spec::{self, Packages, Requirements, Spec};
use crate::tool::lock;

/// The notice if there are no newer versions.
pub(super) const NOTHING: &str =
    "nothing to upgrade: the newest versions that the spec permits are present";

/// Fetches newer versions of the present wheels, then the wheels that these require, and prints the
/// new files. Returns whether all wheels are present.
pub(super) fn run(
    options: &Fetch,
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<bool> {
    let names = lock::names(&options.upgrade, "fetch")?;
    let Some(requirements) = upgradable(spec) else {
        return Ok(true);
    };
    let systems = plan::present(spec, requirements, invocation, process, memo)?;
    refuse_unknown(&names, &systems)?;
    let projects: Vec<String> = names.iter().map(ToString::to_string).collect();
    if let Some((_, failure)) = refusal_of_elsewhere(&projects, spec) {
        return Err(failure.into());
    }
    // A project that comes from elsewhere has no newer version on an index.
    let is_upgraded = |name: &PackageName| {
        let is_all = options.upgrade.iter().any(String::is_empty);
        is_all && !spec.indexes.elsewhere.contains_key(name) || names.contains(name)
    };
    let mut has_new_files = false;
    if let Some(here) = systems.first().filter(|_| !spec.packages.is_empty()) {
        let destination = destination(spec, invocation).ok_or_else(no_destination)?;
        report::notice(&format!(
            "fetching newer versions into `{}`",
            destination.display()
        ));
        let pip = Pip::of(&here.facts, &options.pip_options, invocation, process)?;
        let of_caller = invocation.wheels.of_caller.iter();
        let of_spec = spec.wheelhouses.iter().map(|placed| &placed.value);
        let own = of_caller
            .chain(of_spec)
            .filter_map(WheelhouseReference::directory);
        // pip picks the highest version of all sources, so it does not download present wheels.
        let directories: Vec<&Path> = own.chain([&*destination]).collect();
        // One call of pip for each system.
        for system in &systems {
            let mut lines = lines(requirements, system, is_upgraded);
            lines.retain(|line| refusal_of_elsewhere(std::slice::from_ref(line), spec).is_none());
            if lines.is_empty() {
                continue;
            }
            let kept = kept(requirements, system, is_upgraded);
            let pre_releases = requirements.pre_releases;
            let request = Request {
                system: &system.facts,
                lines: &lines,
                kept: &kept,
                directories: &directories,
                pre_releases,
            };
            let staging = Staging::make(&destination)?;
            let fetched = pip.fetch(&request, follow(&system.facts, spec), staging.path())?;
            fetched.map_err(|failed| failed.failure(&lines))?;
            for file in staging.move_in(&destination, &BTreeSet::new())? {
                report::print(format!("{}\n", file.display()).as_bytes())?;
                has_new_files = true;
            }
        }
    }
    if !has_new_files {
        report::notice(NOTHING);
        return Ok(true);
    }
    super::fill(options, spec, invocation, process, memo)
}

/// Returns the requirements of a spec that leave versions open; otherwise says that there are none.
fn upgradable(spec: &Spec) -> Option<&Requirements> {
    match &spec.packages {
        Packages::Required(requirements) if !requirements.hashes_required => Some(requirements),
        _ => {
            report::notice("nothing to upgrade: the spec pins every version");
            None
        }
    }
}

/// Checks whether there is something to upgrade, and that each name is that of a project in use.
///
/// # Errors
/// A name is of no project in use.
pub(super) fn is_possible(
    names: &[PackageName],
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<bool> {
    let Some(requirements) = upgradable(spec) else {
        return Ok(false);
    };
    if !names.is_empty() {
        let systems = plan::present(spec, requirements, invocation, process, memo)?;
        refuse_unknown(names, &systems)?;
    }
    Ok(true)
}

/// Returns the requirements to pass to pip for one system: on this machine, all requirements of the
/// spec; on others, where pip does not follow dependencies, only those to upgrade.
fn lines(
    requirements: &Requirements,
    system: &Present,
    is_upgraded: impl Fn(&PackageName) -> bool,
) -> Vec<String> {
    let asked = requirements
        .asked
        .iter()
        .map(|asked| &asked.value.requirement);
    let here = asked.filter(|asked| spec::holds(&asked.marker, &system.facts.markers, &[]));
    let wanted = here.filter(|asked| !system.facts.is_elsewhere() || is_upgraded(&asked.name));
    wanted
        .map(|asked| {
            spec::Requirement {
                marker: pep508_rs::MarkerTree::TRUE,
                ..asked.clone()
            }
            .to_string()
        })
        .collect()
}

/// Returns the constraints for pip on one system: the versions of the projects that are not to be
/// upgraded, and the spec's own constraints.
fn kept(
    requirements: &Requirements,
    system: &Present,
    is_upgraded: impl Fn(&PackageName) -> bool,
) -> Vec<String> {
    let others = system
        .versions
        .iter()
        .filter(|(name, _)| !is_upgraded(name));
    let constraints = requirements
        .constraints
        .iter()
        .map(|constraint| &constraint.value.requirement);
    let here = constraints
        .filter(|constraint| spec::holds(&constraint.marker, &system.facts.markers, &[]));
    // pip rejects extras in constraints.
    let bare = |one: &spec::Requirement| spec::Requirement {
        marker: pep508_rs::MarkerTree::TRUE,
        extras: Vec::new(),
        ..one.clone()
    };
    others
        .map(|(name, version)| format!("{name}=={version}"))
        .chain(here.map(|one| bare(one).to_string()))
        .collect()
}

/// Fails if no system uses one of the names: it is a mistake, or was not meant as a project name.
fn refuse_unknown(names: &[PackageName], systems: &[Present]) -> Result<()> {
    let known: Vec<&str> = systems
        .iter()
        .flat_map(|system| &system.versions)
        .map(|(name, _)| name.as_ref())
        .collect();
    let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_ref())) else {
        return Ok(());
    };
    let hint = match report::nearest(unknown.as_ref(), known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            format!("words after `--upgrade` are project names; write a script as `./{unknown}`")
        }
    };
    let failure = Failure::new(format!(
        "cannot upgrade `{unknown}`: neither the spec nor any wheel requires it"
    ));
    Err(failure.hint(hint).into())
}
