//! Adds the dependencies of fixed wheels, as far as there are wheels for them.
//!
//! The resolver chooses among the available wheels, as for any spec, with two exceptions: the
//! version of a fixed wheel never changes, and a dependency without a wheel is left out. Both cause
//! a remark and not an error, since the list has precedence.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use anyhow::Result;
use pep508_rs::{ExtraName, MarkerTree, PackageName};

use crate::plan::RequiredBy;
use crate::plan::resolve::candidates::{Candidates, Wheel};
use crate::plan::resolve::dependency::{Dependency, Role};
use crate::plan::resolve::requirement_set::RequirementSet;
use crate::plan::resolve::search::Chosen;
use crate::plan::resolve::wheel_filter::WheelFilter;
use crate::plan::resolve::{self, Effort};
use crate::plan::wheelhouse::WheelFile;
use crate::report::Failure;
use crate::spec::Requirement;

/// A wheel that is in the environment whatever the other wheels require.
pub(super) struct Fixed {
    /// The wheel.
    pub file: WheelFile,
    /// The origin: a location in the spec, or [`RequiredBy::Seed`].
    pub required_by: RequiredBy,
}

/// Fixed wheels with their dependencies.
pub(super) struct Followed<'a> {
    /// The fixed wheels and their dependencies, sorted by project, each with the origins of its
    /// requirements.
    pub wheels: Vec<(WheelFile, Vec<RequiredBy>)>,
    /// The dependencies without a usable wheel, sorted by the requiring project.
    pub missing: Vec<MissingDependency>,
    /// One sentence for each unsatisfied or invalid requirement.
    pub remarks: Vec<String>,
    /// The filter that the caller passed.
    pub filter: WheelFilter<'a>,
}

/// A required project without a usable wheel.
pub(super) struct MissingDependency {
    /// The project.
    pub project: PackageName,
    /// The project whose wheel requires it.
    pub required_by: PackageName,
}

/// Follows the requirements of fixed wheels, except those on projects that are listed and
/// `missing`, which the caller reports.
///
/// # Errors
/// The dependencies have too many conflicts.
pub(super) fn follow<'a>(
    fixed: &[Fixed],
    missing: &BTreeSet<PackageName>,
    filter: WheelFilter<'a>,
) -> Result<Followed<'a>> {
    let asked: Vec<Dependency> = fixed.iter().map(dependency).collect();
    let mut files: BTreeMap<PackageName, WheelFile> = fixed
        .iter()
        .map(|one| (one.file.name.project.clone(), one.file.clone()))
        .collect();
    let mut filter = filter;
    let (mut searches, mut considered) = (0, 0);
    // Each round fixes the contested dependencies and resolves again.
    loop {
        let mut candidates =
            Candidates::around(files.clone(), missing.clone(), asked.clone(), filter);
        let choice = resolve::choose(
            &mut candidates,
            Effort::Report {
                searches,
                considered,
            },
        );
        (searches, considered) = (choice.searches, choice.considered);
        let Some(mut chosen) = choice.chosen else {
            return Err(too_many(searches));
        };
        for one in fixed {
            chosen.entry(one.file.name.project.clone()).or_insert(0);
        }
        let mut contested = contested(&chosen, &mut candidates);
        contested.retain(|file| !files.contains_key(&file.name.project));
        if contested.is_empty() {
            return Ok(finish(&chosen, fixed, candidates));
        }
        files.extend(
            contested
                .into_iter()
                .map(|file| (file.name.project.clone(), file)),
        );
        filter = candidates.filter;
    }
}

fn too_many(searches: usize) -> anyhow::Error {
    let what = "the dependencies of the listed wheels have too many conflicts";
    Failure::new(what)
        .because_of([format!("{searches} searches found one each")])
        .hint("list the wheels of these dependencies")
        .into()
}

/// Returns a wheel for each required project without a wheel that satisfies all requirements: the
/// best wheel for the first requirement that has one.
fn contested(chosen: &Chosen, candidates: &mut Candidates<'_>) -> Vec<WheelFile> {
    let requirement_set = RequirementSet::of_chosen(chosen, candidates);
    let left_out = requirement_set
        .order
        .iter()
        .filter(|project| !chosen.contains_key(*project));
    let file = |project: &PackageName| {
        let mut dependencies = requirement_set.of(project).iter().map(std::slice::from_ref);
        let number = dependencies
            .find_map(|dependency| candidates.fitting(project, dependency).first().copied())?;
        candidates
            .wheel(project, number)
            .as_ref()
            .as_ref()
            .ok()
            .map(|wheel| wheel.file.clone())
    };
    left_out.filter_map(file).collect()
}

/// Returns the requirement on a fixed wheel.
fn dependency(fixed: &Fixed) -> Dependency {
    let Fixed { file, required_by } = fixed;
    let name = file.name.project.clone();
    let requirement = Requirement {
        name,
        extras: Vec::new(),
        version_or_url: None,
        marker: MarkerTree::TRUE,
        origin: None,
    };
    Dependency {
        requirement: Rc::new(requirement),
        hashes: Rc::default(),
        required_by: Rc::new(required_by.clone()),
        role: Role::Requirement,
    }
}

/// Collects the chosen wheels, and compares them with the requirements as they are written.
fn finish<'a>(chosen: &Chosen, fixed: &[Fixed], mut candidates: Candidates<'a>) -> Followed<'a> {
    let requirement_set = RequirementSet::of_chosen(chosen, &mut candidates);
    let origins_of_fixed: HashMap<&PackageName, &RequiredBy> = fixed
        .iter()
        .map(|one| (&one.file.name.project, &one.required_by))
        .collect();
    let mut followed = (
        Vec::new(),
        Vec::new(),
        requirement_set.missing_extras(chosen, &mut candidates),
    );
    let (wheels, missing, remarks) = &mut followed;
    // Add each chosen wheel, with a remark for each requirement that it leaves unsatisfied.
    for (project, number) in chosen {
        let wheel = candidates.wheel(project, *number);
        let Ok(Wheel { file, content }) = &*wheel else {
            continue;
        };
        let required_by: Vec<RequiredBy> = requirement_set
            .of(project)
            .iter()
            .map(|dependency| RequiredBy::clone(&dependency.required_by))
            .collect();
        let extras: BTreeSet<ExtraName> = requirement_set.extras(project);
        let say = |what: String| match required_by.first() {
            Some(RequiredBy::Spec(place)) => {
                format!("`{}` (listed in {place}) {what}", file.file_name)
            }
            Some(required_by) => format!("`{}` ({required_by}) {what}", file.file_name),
            None => format!("`{}` {what}", file.file_name),
        };
        for extra in [None].into_iter().chain(extras.iter().map(Some)) {
            remarks.extend(content.is_readable(extra).err().map(say));
            // Unlike the resolver, compare with the version specifiers on fixed wheels too.
            for dependency in candidates.requirements_as_written(project, *number, extra) {
                let taken = chosen.get(dependency.project()).and_then(|number| {
                    candidates.file_name_and_version(dependency.project(), *number)
                });
                match taken {
                    Some((_, version)) if dependency.admits(&version) => {}
                    Some((name, _)) => {
                        let role = role(origins_of_fixed.get(dependency.project()).copied());
                        remarks.push(say(format!(
                            "requires `{}`, but `{name}` is {role}",
                            dependency.title()
                        )));
                    }
                    None => {
                        remarks.push(say(format!(
                            "requires `{}`, which is not among the listed wheels",
                            dependency.title()
                        )));
                        missing.push(MissingDependency {
                            project: dependency.project().clone(),
                            required_by: project.clone(),
                        });
                    }
                }
            }
        }
        wheels.push((file.clone(), required_by.clone()));
    }
    let (wheels, missing, remarks) = followed;
    Followed {
        wheels,
        missing,
        remarks,
        filter: candidates.filter,
    }
}

/// Returns the word for why a wheel is in the environment: the origin if it is fixed, or else that
/// the resolver chose it.
fn role(required_by: Option<&RequiredBy>) -> &'static str {
    match required_by {
        Some(RequiredBy::Seed) => "seeded",
        Some(_) => "listed",
        None => "chosen",
    }
}
