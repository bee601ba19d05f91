//! What to try when there is no answer: the likeliest mendings, in one line.

use std::collections::{BTreeSet, HashSet};

use pep440_rs::{Operator, Version, VersionSpecifiers};
use pep508_rs::PackageName;
use pubgrub::Ranges;

use super::candidates::Candidates;
use super::conflict::Conflict;
use super::dependency::Dependency;
use crate::plan::RequiredBy;
use crate::plan::wheelhouse::read_specifiers;
use crate::spec::{is_uv_lock, ways_around_digests};

/// What to try where Git LFS has a file that is not fetched.
pub(super) const PULL_FROM_LFS: &str = "`git lfs pull` fetches the file";

/// The likeliest mendings: wheels to fetch, a bound to loosen, another python.
pub(super) fn of(conflicts: &[Conflict], candidates: &mut Candidates<'_>) -> String {
    let Some(directory) = candidates
        .filter
        .wheelhouse
        .directories()
        .next()
        .map(|directory| directory.display().to_string())
    else {
        let name = "name a directory of wheels: `wheels = [\"…\"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`";
        let fetch = candidates
            .filter
            .wheelhouse
            .fetch_command()
            .map(|command| format!("make and fill one: `{command}`, or "));
        return format!("{}{name}", fetch.unwrap_or_default());
    };
    if conflicts
        .iter()
        .any(|conflict| is_in_lfs(&conflict.project, candidates))
    {
        return PULL_FROM_LFS.to_owned();
    }
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
    let mut mendings = Vec::new();
    if let [conflict] = conflicts
        && let Some(minor) = other_minor(conflict, candidates)
    {
        let [_, own, _] = candidates.filter.interpreter.release;
        mendings.push(format!("add a cp3{own} wheel to `{directory}`"));
        mendings.push(format!("set `requires-python = \"==3.{minor}.*\"`"));
    } else {
        mendings.extend(fetch(conflicts, candidates));
    }
    mendings.extend(
        conflicts
            .iter()
            .find_map(|conflict| loosen(conflict, candidates)),
    );
    if let [conflict] = conflicts {
        mendings.extend(
            wanted_python(conflict, candidates)
                .map(|range| format!("set `requires-python = \"{range}\"`")),
        );
    }
    mendings.join(", or ")
}

/// Whether a file of the project that the interpreter could take is yet to be fetched by Git LFS.
fn is_in_lfs(project: &PackageName, candidates: &Candidates<'_>) -> bool {
    let wheelhouse = &candidates.filter.wheelhouse;
    let mut fitting = wheelhouse
        .wheels(project)
        .iter()
        .filter(|file| candidates.filter.tags(file).is_ok());
    fitting.any(|file| wheelhouse.is_in_lfs(file))
}

/// Whether a wheel of the project that the interpreter could take has another digest than a lock of
/// LUCI's pins.
fn has_foreign_digest(project: &PackageName, candidates: &mut Candidates<'_>) -> bool {
    candidates.is_pinned_by(project, is_uv_lock) && !candidates.other_bytes(project).is_empty()
}

/// The command that brings what is missing.
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

/// What to ask an index for, to get rid of these obstacles. Where no version can satisfy all that
/// is asked of a project, other wheels of those who ask are needed, and which these are is found
/// out from what the spec asks for.
pub(super) fn to_fetch(conflicts: &[Conflict]) -> Vec<String> {
    let (mut wanted, mut seen) = (Vec::new(), HashSet::new());
    for conflict in conflicts {
        let dependencies = if can_be_satisfied(&conflict.dependencies) {
            &conflict.dependencies
        } else {
            &conflict.roots
        };
        // Where there are digests, pip takes no requirement without an exact version, and the
        // digests go with that.
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

/// Whether a demand names one version, as pip wants it beside a digest.
fn is_exact(dependency: &Dependency) -> bool {
    dependency
        .specifiers()
        .iter()
        .any(|specifier| *specifier.operator() == Operator::Equal)
}

/// Whether any version at all could satisfy these demands.
fn can_be_satisfied(dependencies: &[Dependency]) -> bool {
    let specifiers = dependencies.iter().flat_map(Dependency::specifiers);
    let range = specifiers.fold(Ranges::full(), |range: Ranges<Version>, specifier| {
        range.intersection(&specifier.clone().into())
    });
    !range.is_empty()
}

/// A demand of the spec that alone keeps a wheel out.
fn loosen(conflict: &Conflict, candidates: &mut Candidates<'_>) -> Option<String> {
    let versions = candidates.of(&conflict.project);
    let keeping_out = |number: usize| {
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
    let alone = (0..versions.len()).filter_map(|number| Some((keeping_out(number)?, number)));
    let mut alone: Vec<((usize, &Dependency), usize)> = alone.collect();
    alone.sort_by_key(|((place, _), number)| (*place, *number));
    let ((_, dependency), _) = alone
        .into_iter()
        .find(|(_, number)| candidates.wheel(&conflict.project, *number).is_ok())?;
    let RequiredBy::Spec(place) = &dependency.required_by else {
        return None;
    };
    Some(format!("loosen `{}` in {place}", dependency.title()))
}

/// The highest other minor version of CPython that a wheel of the project is built for, where that
/// wheel would satisfy all demands.
fn other_minor(conflict: &Conflict, candidates: &Candidates<'_>) -> Option<u64> {
    let [_, own, _] = candidates.filter.interpreter.release;
    // A wheel that fits this interpreter helps no other.
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

/// The range of Python versions that a wheel of the project wants, where nothing else is in its
/// way.
fn wanted_python(conflict: &Conflict, candidates: &mut Candidates<'_>) -> Option<String> {
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
        if is_admitted
            && candidates.filter.tags(&file).is_ok()
            && let Ok(metadata) = candidates.filter.wheelhouse.metadata(&file)
        {
            let written = metadata.requires_python.unwrap_or_default();
            let range = read_specifiers(&written)
                .filter(|range| !range.contains(candidates.filter.interpreter.version()));
            // What had to be mended is no range for a spec either.
            let is_plain = written.parse::<VersionSpecifiers>().is_ok();
            ranges.extend(range.map(|range| {
                (
                    file.name.version,
                    if is_plain { written } else { range.to_string() },
                )
            }));
        }
    }
    ranges.pop_last().map(|(_, range)| range)
}
