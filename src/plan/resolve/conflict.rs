//! What is said when there is no answer: of each project in the way who asks for what, each of its
//! files with why it was not taken, and why no other wheel helps.

use std::collections::{BTreeMap, HashSet};

use pep440_rs::Version;
use pep508_rs::PackageName;

use super::candidates::Candidates;
use super::dependency::Dependency;
use super::hint;
use crate::plan::RequiredBy;
use crate::plan::wheelhouse::WheelFile;
use crate::report::Failure;

/// What is in the way of an answer.
pub(super) struct Conflict {
    /// The project that has no wheel for all that is asked of it.
    pub project: PackageName,
    /// All that is asked of it, the spec's constraints last.
    pub dependencies: Vec<Dependency>,
    /// Why those wheels are there that ask for it: for each what asks for it, what asks for that,
    /// and so on to the spec.
    pub reasons: Vec<Vec<Dependency>>,
    /// What wheels ask for that could stand in for those on the way to it, in vain.
    pub instead: Vec<Dependency>,
    /// What the spec asks for that leads to it.
    pub roots: Vec<Dependency>,
}

impl Conflict {
    /// Its place among several: as the spec asks, then by name.
    pub fn rank(&self, candidates: &Candidates<'_>) -> (usize, PackageName) {
        let place = candidates.places_of(&self.project).first().copied();
        (place.unwrap_or(usize::MAX), self.project.clone())
    }
}

/// The whole error.
pub(super) fn explain(conflicts: &[Conflict], candidates: &mut Candidates<'_>) -> Failure {
    let directories: Vec<String> = candidates
        .filter
        .wheelhouse
        .directories()
        .map(|directory| format!("`{}`", directory.display()))
        .collect();
    let place = if directories.is_empty() {
        String::new()
    } else {
        format!(" in {}", directories.join(", "))
    };
    let failure = match conflicts {
        [one] => explain_one(one, &place, candidates),
        several => {
            let what = format!(
                "no wheel{place} fits what is asked of {} projects",
                several.len()
            );
            let mut lines: Vec<String> = several
                .iter()
                .flat_map(|one| summary(one, candidates))
                .collect();
            let mut seen = HashSet::new();
            lines.retain(|line| seen.insert(line.clone()));
            Failure::new(what).because_of(lines)
        }
    };
    let nothing = directories.is_empty().then(|| {
        "no directory of wheels is named, and there is no `wheels` beside the spec".to_owned()
    });
    failure
        .because_of(nothing)
        .hint(hint::of(conflicts, candidates))
}

/// A project in the way, when it is the only one.
fn explain_one(conflict: &Conflict, place: &str, candidates: &mut Candidates<'_>) -> Failure {
    let failure = match &conflict.dependencies[..] {
        [dependency] => Failure::new(format!(
            "no wheel{place} fits `{}` ({})",
            dependency.title(),
            dependency.required_by
        )),
        dependencies => Failure::new(format!(
            "no wheel{place} fits all that is asked of `{}`",
            conflict.project
        ))
        .because_of(dependencies.iter().map(asked)),
    };
    let absent = is_absent(conflict, candidates)
        .then(|| format!("there is no wheel of `{}`", conflict.project));
    let others = instead(conflict, candidates);
    failure
        .because_of(reasons(conflict))
        .because_of(others)
        .because_of(absent)
        .because_of(rejected(conflict, candidates))
}

/// A project in the way, among others.
fn summary(conflict: &Conflict, candidates: &mut Candidates<'_>) -> Vec<String> {
    let mut lines: Vec<String> = conflict.dependencies.iter().map(asked).collect();
    if let Some(last) = lines.last_mut().filter(|_| is_absent(conflict, candidates)) {
        *last = format!("{last}; there is no wheel of `{}`", conflict.project);
    }
    lines.extend(reasons(conflict));
    lines.extend(instead(conflict, candidates));
    lines.extend(
        rejected(conflict, candidates)
            .iter()
            .map(|why| format!("`{}`: {why}", conflict.project)),
    );
    lines
}

fn asked(dependency: &Dependency) -> String {
    format!("`{}` is {}", dependency.title(), dependency.required_by)
}

/// Why those wheels are there that ask for the project, a sentence each.
fn reasons(conflict: &Conflict) -> Vec<String> {
    let sentence = |way_back: &Vec<Dependency>| {
        let (root, between) = way_back.split_last()?;
        Some(match between {
            [] => asked(root),
            [one] => format!("`{}` is required by {}", one.title(), which_is(root)),
            [first, ..] => {
                let required_by = first.required_by.project()?;
                format!(
                    "`{}` is required by `{required_by}`, and so on from {}",
                    first.title(),
                    which_is(root)
                )
            }
        })
    };
    conflict.reasons.iter().filter_map(sentence).collect()
}

fn which_is(dependency: &Dependency) -> String {
    format!(
        "`{}`, which is {}",
        dependency.project(),
        dependency.required_by
    )
}

/// Whether there are directories, and no file of the project in them.
fn is_absent(conflict: &Conflict, candidates: &mut Candidates<'_>) -> bool {
    candidates.files(&conflict.project).is_empty()
        && candidates.filter.wheelhouse.directories().next().is_some()
}

/// Each file of the project and why it was not taken, sorted.
fn rejected(conflict: &Conflict, candidates: &mut Candidates<'_>) -> Vec<String> {
    let files = candidates.files(&conflict.project);
    let mut rejected: Vec<String> = files
        .iter()
        .map(|file| {
            format!(
                "`{}` {}",
                file.file_name,
                why_not(file, &conflict.dependencies, candidates)
            )
        })
        .collect();
    rejected.sort();
    rejected
}

/// Why a file was not taken. Where several demands rule it out, one of the spec's is named, which
/// no choice can change.
fn why_not(
    file: &WheelFile,
    dependencies: &[Dependency],
    candidates: &mut Candidates<'_>,
) -> String {
    let version = &file.name.version;
    let rules_out = |dependency: &&Dependency| !dependency.admits(version);
    let of_spec = dependencies
        .iter()
        .filter(|dependency| dependency.is_from_spec())
        .find(rules_out);
    if let Some(dependency) = of_spec.or_else(|| dependencies.iter().find(rules_out)) {
        return format!(
            "is version {version}, which does not satisfy `{}`",
            dependency.title()
        );
    }
    let unfit = candidates
        .filter
        .tags(file)
        .err()
        .or_else(|| candidates.content(file).err());
    unfit
        .or_else(|| flaw(file, dependencies, candidates))
        .unwrap_or_else(|| "leads to another conflict".to_owned())
}

fn flaw(
    file: &WheelFile,
    dependencies: &[Dependency],
    candidates: &mut Candidates<'_>,
) -> Option<String> {
    let project = &file.name.project;
    let number = candidates
        .of(project)
        .binary_search_by(|candidate| candidate.version.cmp(&file.name.version))
        .ok()?;
    let extras = dependencies
        .iter()
        .flat_map(|dependency| dependency.requirement.extras.iter().cloned())
        .collect();
    candidates.flaw(project, number, &extras)
}

/// Why the wheels do not help that could stand in for those who ask.
fn instead(conflict: &Conflict, candidates: &mut Candidates<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut likewise: BTreeMap<(String, &PackageName), Vec<&Version>> = BTreeMap::new();
    for dependency in &conflict.instead {
        let RequiredBy::Wheel {
            project,
            version,
            file_name,
        } = &dependency.required_by
        else {
            continue;
        };
        if *dependency.project() == conflict.project {
            likewise
                .entry((dependency.title(), project))
                .or_default()
                .push(version);
        } else {
            let why = if candidates.choices(dependency, false).is_empty() {
                ", which no wheel fits"
            } else {
                ", which does not go together either"
            };
            lines.push(format!(
                "`{file_name}` would do for `{project}`, but asks for `{}`{why}",
                dependency.title()
            ));
        }
    }
    lines.sort();
    let likewise = likewise
        .into_iter()
        .map(|((title, project), mut versions)| {
            versions.sort();
            let versions: Vec<String> = versions.into_iter().map(Version::to_string).collect();
            format!(
                "`{title}` is required by `{project}` {} too",
                listed(&versions)
            )
        });
    likewise.chain(lines).collect()
}

/// `1`, `1 and 2`, `1, 2 and 3`.
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
