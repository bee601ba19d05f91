//! The hint of the error for conflicts: the likeliest fixes, in one line.

use std::collections::{BTreeSet, HashSet};

use pep440_rs::{Operator, Version, VersionSpecifiers};
use pep508_rs::PackageName;
use pubgrub::Ranges;

use super::candidates::Candidates;
use super::conflict::Conflict;
use super::dependency::Dependency;
use crate::plan::RequiredBy;
use crate::spec::{is_uv_lock, ways_around_digests};
use crate::wheel::read_specifiers;

/// The hint for a file that Git LFS has not fetched yet.
pub(super) const PULL_FROM_LFS: &str = "`git lfs pull` fetches the file";

/// Returns the likeliest fixes: wheels to fetch, a bound to loosen, another version of Python.
pub(super) fn of(conflicts: &[Conflict], candidates: &mut Candidates<'_>) -> String {
    if candidates.filter.wheelhouse.of_indexes().is_some() {
        return of_index(conflicts, candidates);
    }
    let Some(directory) = candidates
        .filter
        .wheelhouse
        .directories()
        .next()
        .map(|directory| directory.display().to_string())
    else {
        // Without a wheel directory, no other fix helps.
        let name = "name a wheel directory: `wheels = [\"…\"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`";
        let fetch = candidates.filter.wheelhouse.fetch_command().map(|command| {
            format!("create and fill one: `{command}`, or fetch at launch: `-vpython-fetch`, or ")
        });
        let forbidden = candidates.filter.wheelhouse.fetching_forbidden();
        let forbidden = forbidden.map(|why| format!("; nothing can be fetched: {why}"));
        return [
            fetch.unwrap_or_default(),
            name.into(),
            forbidden.unwrap_or_default(),
        ]
        .concat();
    };
    if conflicts
        .iter()
        .any(|conflict| is_in_lfs(&conflict.project, candidates))
    {
        return PULL_FROM_LFS.to_owned();
    }
    // A digest that differs from a LUCI or uv lock file has its own fixes.
    let is_foreign = conflicts
        .iter()
        .any(|conflict| has_foreign_digest(&conflict.project, candidates));
    if let Some(command) = candidates
        .filter
        .wheelhouse
        .fetch_command()
        .filter(|_| is_foreign)
    {
        return ways_around_digests(command);
    }
    // All other fixes, the likeliest first.
    let mut fixes = Vec::new();
    if let [conflict] = conflicts
        && let Some(minor) = other_minor(conflict, candidates)
    {
        let [_, own, _] = candidates.filter.interpreter.release;
        fixes.push(format!("add a cp3{own} wheel to `{directory}`"));
        fixes.push(format!("set `requires-python = \"==3.{minor}.*\"`"));
    } else {
        fixes.extend(fetch(conflicts, candidates));
    }
    fixes.extend(
        conflicts
            .iter()
            .find_map(|conflict| loosen(conflict, candidates)),
    );
    if let [conflict] = conflicts {
        fixes.extend(
            required_python(conflict, candidates)
                .map(|range| format!("set `requires-python = \"{range}\"`")),
        );
    }
    fixes.join(", or ")
}

/// Returns the likeliest fixes if the package indexes have no fitting wheels either.
fn of_index(conflicts: &[Conflict], candidates: &mut Candidates<'_>) -> String {
    let mut fixes = Vec::new();
    if let [conflict] = conflicts
        && let Some(minor) = other_minor(conflict, candidates)
    {
        fixes.push(format!("set `requires-python = \"==3.{minor}.*\"`"));
    }
    fixes.extend(
        conflicts
            .iter()
            .find_map(|conflict| loosen(conflict, candidates)),
    );
    let by_url = candidates.required_by_url.borrow();
    fixes.extend(
        by_url
            .iter()
            .map(|name| format!("require `{name}` in the spec too, by its URL or by name")),
    );
    let wheelhouse = &candidates.filter.wheelhouse;
    let has_sources = conflicts
        .iter()
        .any(|conflict| wheelhouse.has_sources_on_index(&conflict.project));
    let command = wheelhouse.fetch_command().filter(|_| has_sources);
    fixes.extend(command.map(|command| {
        let (tool, script) = command.split_once(" fetch").unwrap_or((command, ""));
        format!(
            "build wheels from sources with the interpreter's pip: `{tool} fetch --build{script}`"
        )
    }));
    if fixes.is_empty() {
        "check the name of the project, and the index (`PIP_INDEX_URL`, `index` in the spec)"
            .to_owned()
    } else {
        fixes.join(", or ")
    }
}

/// Returns whether a file of the project with compatible tags is still a pointer of Git LFS.
fn is_in_lfs(project: &PackageName, candidates: &Candidates<'_>) -> bool {
    let wheelhouse = &candidates.filter.wheelhouse;
    let mut fitting = wheelhouse
        .wheels(project)
        .iter()
        .filter(|file| candidates.filter.tags(file).is_ok());
    fitting.any(|file| wheelhouse.is_in_lfs(file))
}

/// Returns whether a wheel of the project with compatible tags has another digest than the one that
/// a LUCI or uv lock file pins.
fn has_foreign_digest(project: &PackageName, candidates: &mut Candidates<'_>) -> bool {
    candidates.is_pinned_by(project, is_uv_lock) && !candidates.other_bytes(project).is_empty()
}

/// Returns the command that fetches the missing wheels.
fn fetch(conflicts: &[Conflict], candidates: &Candidates<'_>) -> Option<String> {
    let what = match conflicts {
        [one] if can_be_satisfied(&one.dependencies) => "fetch one",
        [_] => "fetch others",
        _ => "fetch what is missing",
    };
    Some(format!(
        "{what}: `{}`",
        candidates.filter.wheelhouse.fetch_command()?
    ))
}

/// Returns the requirements to fetch from an index to resolve conflicts. If no version can satisfy
/// all requirements on a project, other wheels of the requiring projects are needed; these follow
/// from the requirements of the spec.
pub(super) fn to_fetch(conflicts: &[Conflict]) -> Vec<String> {
    let (mut wanted, mut seen) = (Vec::new(), HashSet::new());
    for conflict in conflicts {
        let dependencies = if can_be_satisfied(&conflict.dependencies) {
            &conflict.dependencies
        } else {
            &conflict.roots
        };
        // With digests, pip accepts only requirements with an exact version, and the digests belong
        // to these.
        let is_pinned = dependencies
            .iter()
            .any(|dependency| !dependency.hashes.is_empty())
            && dependencies.iter().any(is_exact);
        for dependency in dependencies
            .iter()
            .filter(|dependency| !is_pinned || is_exact(dependency))
        {
            let title = dependency.title();
            if seen.insert(title.clone()) {
                wanted.push(title);
            }
        }
    }
    wanted
}

/// Returns whether a requirement names one version, as pip requires for a digest.
fn is_exact(dependency: &Dependency) -> bool {
    dependency
        .specifiers()
        .iter()
        .any(|specifier| *specifier.operator() == Operator::Equal)
}

/// Returns whether any version could satisfy the requirements.
fn can_be_satisfied(dependencies: &[Dependency]) -> bool {
    let specifiers = dependencies.iter().flat_map(Dependency::specifiers);
    let range = specifiers.fold(Ranges::full(), |range: Ranges<Version>, specifier| {
        range.intersection(&specifier.clone().into())
    });
    !range.is_empty()
}

/// Returns the hint to loosen a requirement of the spec, if that requirement alone excludes a
/// usable wheel.
fn loosen(conflict: &Conflict, candidates: &mut Candidates<'_>) -> Option<String> {
    let versions = candidates.of(&conflict.project);
    let only_excluding = |number: usize| {
        let mut dependencies = conflict
            .dependencies
            .iter()
            .enumerate()
            .filter(|(_, dependency)| !dependency.admits(&versions[number].version));
        dependencies
            .next()
            .filter(|_| dependencies.next().is_none())
            .filter(|(_, dependency)| dependency.is_from_spec())
    };
    // Take the first such requirement in the spec, with the lowest version that has a usable wheel.
    let alone = (0..versions.len()).filter_map(|number| Some((only_excluding(number)?, number)));
    let mut alone: Vec<((usize, &Dependency), usize)> = alone.collect();
    alone.sort_by_key(|((place, _), number)| (*place, *number));
    let ((_, dependency), _) = alone
        .into_iter()
        .find(|(_, number)| candidates.wheel(&conflict.project, *number).is_ok())?;
    let RequiredBy::Spec(place) = &*dependency.required_by else {
        return None;
    };
    Some(format!("loosen `{}` in {place}", dependency.title()))
}

/// Returns the highest other minor version of CPython for which the project has a wheel that
/// satisfies all requirements.
fn other_minor(conflict: &Conflict, candidates: &Candidates<'_>) -> Option<u64> {
    let [_, own, _] = candidates.filter.interpreter.release;
    // Wheels that are compatible with this interpreter say nothing about another one.
    let misfits = candidates
        .filter
        .wheelhouse
        .wheels(&conflict.project)
        .iter()
        .filter(|file| candidates.filter.tags(file).is_err());
    let admitted = misfits.filter(|file| {
        conflict
            .dependencies
            .iter()
            .all(|dependency| dependency.admits(&file.name.version))
    });
    admitted
        .flat_map(|file| file.name.cpython_minors())
        .filter(|minor| *minor != u64::from(own))
        .max()
}

/// Returns the range of Python versions that a wheel of the project requires, if the wheel is
/// usable otherwise.
fn required_python(conflict: &Conflict, candidates: &mut Candidates<'_>) -> Option<String> {
    let files = candidates
        .filter
        .wheelhouse
        .wheels(&conflict.project)
        .to_vec();
    let mut ranges = BTreeSet::new();
    for file in files {
        let is_admitted = conflict
            .dependencies
            .iter()
            .all(|dependency| dependency.admits(&file.name.version));
        // To judge a wheel of an index may take a request.
        if is_admitted
            && !file.is_remote()
            && candidates.filter.tags(&file).is_ok()
            && let Ok(metadata) = candidates.filter.wheelhouse.metadata(&file)
        {
            let written = metadata.requires_python.unwrap_or_default();
            let range = read_specifiers(&written)
                .filter(|range| !range.contains(candidates.filter.interpreter.version()));
            // A range that needed repair is not valid in a spec either.
            let is_plain = written.parse::<VersionSpecifiers>().is_ok();
            ranges.extend(range.map(|range| {
                (
                    file.name.version.clone(),
                    if is_plain { written } else { range.to_string() },
                )
            }));
        }
    }
    ranges.pop_last().map(|(_, range)| range)
}
