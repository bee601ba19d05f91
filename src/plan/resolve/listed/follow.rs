//! What fixed wheels require, as far as there are wheels for it.
//!
//! The resolver chooses among what is there, as for any spec, but for two things: the version of a
//! fixed wheel is never in question, and what cannot be had is left out. Both are said, and neither
//! is an error: a list is taken as it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pep508_rs::{ExtraName, MarkerTree, PackageName};

use crate::plan::RequiredBy;
use crate::plan::resolve::candidates::{Candidates, Wheel};
use crate::plan::resolve::compatibility::WheelFilter;
use crate::plan::resolve::dependency::{Dependency, Role};
use crate::plan::resolve::requirement_set::RequirementSet;
use crate::plan::resolve::search::Chosen;
use crate::plan::wheelhouse::WheelFile;
use crate::spec::Requirement;

/// A wheel that is in the environment whatever else is.
pub(super) struct Fixed {
    /// The wheel.
    pub file: WheelFile,
    /// Who wants it: the spec, or nobody in particular, as a seed.
    pub required_by: RequiredBy,
}

/// What fixed wheels come to.
pub(super) struct Followed<'a> {
    /// These wheels and those that they bring along, sorted by project, each with those who ask for
    /// it.
    pub wheels: Vec<(WheelFile, Vec<RequiredBy>)>,
    /// What is required and lacking here, in the order of the projects that require it.
    pub lacking: Vec<Lacking>,
    /// What requirements cannot be met by, and what cannot be read, a sentence each.
    pub remarks: Vec<String>,
    /// The judge that was lent.
    pub filter: WheelFilter<'a>,
}

/// A project that a wheel requires, and of which there is no wheel that can be taken.
pub(super) struct Lacking {
    /// The project.
    pub project: PackageName,
    /// The project whose wheel requires it.
    pub required_by: PackageName,
}

/// Follows what the wheels require, but for projects that are listed and missing: these are said
/// elsewhere.
pub(super) fn follow<'a>(
    fixed: &[Fixed],
    missing: &BTreeSet<PackageName>,
    filter: WheelFilter<'a>,
) -> Followed<'a> {
    let asked: Vec<Dependency> = fixed.iter().map(dependency).collect();
    let mut files: BTreeMap<PackageName, WheelFile> = fixed
        .iter()
        .map(|one| (one.file.name.project.clone(), one.file.clone()))
        .collect();
    let mut filter = filter;
    loop {
        let mut candidates =
            Candidates::around(files.clone(), missing.clone(), asked.clone(), filter);
        let (chosen, _) = crate::plan::resolve::choose(&mut candidates, usize::MAX);
        let mut chosen = chosen.unwrap_or_default();
        for one in fixed {
            chosen.entry(one.file.name.project.clone()).or_insert(0);
        }
        let mut contested = contested(&chosen, &mut candidates);
        contested.retain(|file| !files.contains_key(&file.name.project));
        if contested.is_empty() {
            return finish(&chosen, fixed, candidates);
        }
        files.extend(
            contested
                .into_iter()
                .map(|file| (file.name.project.clone(), file)),
        );
        filter = candidates.filter;
    }
}

/// Of each project that is required and that no wheel is right for, whoever asks, the wheel that is
/// right for the first for whom there is one.
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

/// The wish for a fixed wheel.
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
        requirement,
        hashes: Vec::new(),
        required_by: required_by.clone(),
        role: Role::Requirement,
    }
}

fn finish<'a>(chosen: &Chosen, fixed: &[Fixed], mut candidates: Candidates<'a>) -> Followed<'a> {
    let requirement_set = RequirementSet::of_chosen(chosen, &mut candidates);
    let askers_of_fixed: HashMap<&PackageName, &RequiredBy> = fixed
        .iter()
        .map(|one| (&one.file.name.project, &one.required_by))
        .collect();
    let mut followed = (
        Vec::new(),
        Vec::new(),
        requirement_set.missing_extras(chosen, &mut candidates),
    );
    let (wheels, lacking, remarks) = &mut followed;
    for (project, number) in chosen {
        let wheel = candidates.wheel(project, *number);
        let Ok(Wheel { file, content }) = &*wheel else {
            continue;
        };
        let required_by: Vec<RequiredBy> = requirement_set
            .of(project)
            .iter()
            .map(|dependency| dependency.required_by.clone())
            .collect();
        let extras: BTreeSet<ExtraName> = requirement_set.extras(project);
        let say = |what: String| match required_by.first() {
            Some(RequiredBy::Spec(place)) => {
                format!("`{}` {what} (listed in {place})", file.file_name)
            }
            Some(required_by) => format!("`{}` {what} ({required_by})", file.file_name),
            None => format!("`{}` {what}", file.file_name),
        };
        for extra in [None].into_iter().chain(extras.iter().map(Some)) {
            remarks.extend(content.is_readable(extra).err().map(say));
            for dependency in candidates.requirements_as_written(project, *number, extra) {
                let taken = chosen.get(dependency.project()).and_then(|number| {
                    candidates.file_name_and_version(dependency.project(), *number)
                });
                match taken {
                    Some((_, version)) if dependency.admits(&version) => {}
                    Some((name, _)) => {
                        let role = role(askers_of_fixed.get(dependency.project()).copied());
                        remarks.push(say(format!(
                            "requires `{}`, and `{name}` is {role}",
                            dependency.title()
                        )));
                    }
                    None => {
                        remarks.push(say(format!(
                            "requires `{}`, which is not among the listed wheels",
                            dependency.title()
                        )));
                        lacking.push(Lacking {
                            project: dependency.project().clone(),
                            required_by: project.clone(),
                        });
                    }
                }
            }
        }
        wheels.push((file.clone(), required_by.clone()));
    }
    let (wheels, lacking, remarks) = followed;
    Followed {
        wheels,
        lacking,
        remarks,
        filter: candidates.filter,
    }
}

/// What a wheel that is taken is to the list, by who wants it where it is fixed.
fn role(required_by: Option<&RequiredBy>) -> &'static str {
    match required_by {
        Some(RequiredBy::Seed) => "seeded",
        Some(_) => "listed",
        None => "taken",
    }
}
