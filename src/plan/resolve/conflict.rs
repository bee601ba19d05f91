//! Conflicts, and the error for them: for each conflicting project the requirements with their
//! origins, each file with the reason why it was rejected, and why no other wheel helps.

use std::collections::{BTreeMap, HashSet};

use pep440_rs::Version;
use pep508_rs::PackageName;

use super::candidates::Candidates;
use super::dependency::{Dependency, PreReleases};
use super::hint;
use crate::plan::RequiredBy;
use crate::plan::wheelhouse::WheelFile;
use crate::report::Failure;

/// A project without a wheel that satisfies all requirements on it.
pub(super) struct Conflict {
    /// The project.
    pub project: PackageName,
    /// The requirements, with the spec's constraints last.
    pub dependencies: Vec<Dependency>,
    /// For each requiring wheel, the chain of requirements from that wheel back to the spec; of a
    /// longer chain the first two and the last.
    pub reasons: Vec<Vec<Dependency>>,
    /// The requirements of alternative wheels that fail as well.
    pub instead: Vec<Dependency>,
    /// The requirements of the spec that lead to the conflict.
    pub roots: Vec<Dependency>,
}

impl Conflict {
    /// Returns the sort key among several conflicts: the order of the spec, then the name.
    pub fn rank(&self, candidates: &Candidates<'_>) -> (usize, PackageName) {
        let place = candidates.places_of(&self.project).first().copied();
        (place.unwrap_or(usize::MAX), self.project.clone())
    }
}

/// Returns the error for all conflicts.
pub(super) fn explain(conflicts: &[Conflict], candidates: &mut Candidates<'_>) -> Failure {
    let places = candidates.filter.wheelhouse.places();
    let has_places = places.is_some();
    let place = places.map_or_else(String::new, |places| format!(" {places}"));
    let failure = match conflicts {
        [one] => explain_one(one, &place, candidates),
        several => {
            let what = format!(
                "no wheel{place} fits the requirements on {} projects",
                several.len()
            );
            let mut lines: Vec<String> = several
                .iter()
                .flat_map(|one| summary(one, candidates))
                .collect();
            // Conflicts may have the same reasons.
            let mut seen = HashSet::new();
            lines.retain(|line| seen.insert(line.clone()));
            Failure::new(what).because_of(lines)
        }
    };
    let nothing = (!has_places).then(|| candidates.filter.wheelhouse.why_no_places());
    failure
        .because_of(nothing)
        .hint(hint::of(conflicts, candidates))
}

/// Returns the error for a single conflict.
fn explain_one(conflict: &Conflict, place: &str, candidates: &mut Candidates<'_>) -> Failure {
    let failure = match &conflict.dependencies[..] {
        [dependency] => Failure::new(format!(
            "no wheel{place} fits `{}` ({})",
            dependency.title(),
            dependency.required_by
        )),
        dependencies => Failure::new(format!(
            "no wheel{place} fits all requirements on `{}`",
            conflict.project
        ))
        .because_of(dependencies.iter().map(requirement_line)),
    };
    let absent = absent(conflict, candidates);
    let others = instead(conflict, candidates);
    failure
        .because_of(reasons(conflict))
        .because_of(others)
        .because_of(absent)
        .because_of(rejected(conflict, candidates))
}

/// Returns the lines for one of several conflicts.
fn summary(conflict: &Conflict, candidates: &mut Candidates<'_>) -> Vec<String> {
    let mut lines: Vec<String> = conflict.dependencies.iter().map(requirement_line).collect();
    if let (Some(last), Some(absent)) = (lines.last_mut(), absent(conflict, candidates)) {
        *last = format!("{last}; {absent}");
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

fn requirement_line(dependency: &Dependency) -> String {
    format!("`{}` is {}", dependency.title(), dependency.required_by)
}

/// Returns one sentence for each requiring wheel that says why the wheel itself is required.
fn reasons(conflict: &Conflict) -> Vec<String> {
    let sentence = |chain: &Vec<Dependency>| {
        let (root, between) = chain.split_last()?;
        Some(match between {
            [] => requirement_line(root),
            [one] => format!("`{}` is required by {}", one.title(), which_is(root)),
            [first, ..] => {
                let required_by = first.required_by.project()?;
                format!(
                    "`{}` is required by `{required_by}`, a dependency of {}",
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

/// Returns a sentence if there are wheel directories or indexes, but no wheel of the project.
fn absent(conflict: &Conflict, candidates: &mut Candidates<'_>) -> Option<String> {
    let Conflict { project, .. } = conflict;
    if !candidates.files(project).is_empty() {
        return None;
    }
    let wheelhouse = &candidates.filter.wheelhouse;
    wheelhouse.why_none_on_index(project).or_else(|| {
        wheelhouse.directories().next()?;
        Some(format!("there is no wheel of `{project}`"))
    })
}

/// The number of wheels of an index that an error names, the newest ones: to judge one may take a
/// request.
const NAMED_OF_INDEX: usize = 5;

/// The number of versions without an offered wheel that an error names.
const PASSED_OVER: usize = 3;

/// Returns each file of the project with the reason why it was rejected, sorted.
fn rejected(conflict: &Conflict, candidates: &mut Candidates<'_>) -> Vec<String> {
    let (mut of_index, mut files): (Vec<WheelFile>, Vec<WheelFile>) = candidates
        .files(&conflict.project)
        .into_iter()
        .partition(WheelFile::is_remote);
    of_index.sort_by(|one, other| other.name.version.cmp(&one.name.version));
    let more = of_index.split_off(NAMED_OF_INDEX.min(of_index.len())).len();
    files.extend(of_index);
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
    rejected.extend((more > 0).then(|| format!("{more} older wheels do not fit either")));
    rejected.splice(0..0, passed_over(conflict, candidates));
    rejected
}

/// Returns the newest versions on an index that would satisfy the requirements and are not offered,
/// each with the reason.
fn passed_over(conflict: &Conflict, candidates: &Candidates<'_>) -> Vec<String> {
    let Conflict {
        project,
        dependencies,
        ..
    } = conflict;
    let wheelhouse = &candidates.filter.wheelhouse;
    // Without any wheel, `absent` says why.
    if wheelhouse.wheels(project).is_empty() {
        return Vec::new();
    }
    let versions = wheelhouse.passed_over_on_index(project).into_iter();
    let admitted = versions.filter(|(version, _)| {
        let mut dependencies = dependencies.iter();
        dependencies.all(|dependency| dependency.admits(version))
    });
    admitted
        .take(PASSED_OVER)
        .map(|(version, why)| format!("`{project}` {version} {why}"))
        .collect()
}

/// Returns the reason why a file was rejected. If several requirements exclude it, one of the spec
/// is named, since no choice can change that.
fn why_not(
    file: &WheelFile,
    dependencies: &[Dependency],
    candidates: &mut Candidates<'_>,
) -> String {
    // First, the requirements that exclude the version.
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
    // Then the tags, the content, and the requirements of the wheel itself.
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

/// Returns the reasons why the alternatives to the requiring wheels do not help.
fn instead(conflict: &Conflict, candidates: &mut Candidates<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut likewise: BTreeMap<(String, &PackageName), Vec<&Version>> = BTreeMap::new();
    for dependency in &conflict.instead {
        let RequiredBy::Wheel {
            project,
            version,
            file_name,
        } = &*dependency.required_by
        else {
            continue;
        };
        // Versions of one project with the same requirement share a line.
        if *dependency.project() == conflict.project {
            likewise
                .entry((dependency.title(), project))
                .or_default()
                .push(version);
        } else {
            let why = if candidates
                .choices(dependency, PreReleases::Equal)
                .is_empty()
            {
                ", which no wheel fits"
            } else {
                ", which leads to a conflict too"
            };
            lines.push(format!(
                "`{file_name}` fits `{project}`, but requires `{}`{why}",
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
