//! Checks each listed wheel, the seeds, and their dependencies. In contrast to a launch, missing
//! wheels do not end the check.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use pep440_rs::Version;
use pep508_rs::PackageName;

use super::follow::{self, Fixed, Followed};
use super::{Wanted, choose, seed, wanted};
use crate::interpreter::Facts;
use crate::plan::RequiredBy;
use crate::plan::resolve::wheel_filter::WheelFilter;
use crate::plan::wheelhouse::Wheelhouse;
use crate::spec::{ListedWheel, Located};

/// The result of the check of a listed wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) enum Verdict {
    /// The wheel does not apply on this interpreter.
    Unwanted,
    /// There is a compatible file of this version.
    Fits(Version),
    /// No file is compatible.
    Missing,
    /// The list has another version of the project too, and both apply.
    Clash,
}

/// The result of the check of a list.
#[derive(Debug)]
pub(in crate::plan) struct Verdicts {
    /// The result for each listed wheel, in the list's order.
    pub listed: Vec<Verdict>,
    /// The seeds that are not listed, each with the version that is used, or `None` if there is no
    /// wheel.
    pub seeds: Vec<(PackageName, Option<Version>)>,
    /// The other dependencies, each with the version that is used, or `None` if there is no wheel,
    /// and with the projects that require it.
    pub required: BTreeMap<PackageName, (Option<Version>, BTreeSet<PackageName>)>,
    /// One sentence for each unsatisfied requirement.
    pub warnings: Vec<String>,
}

/// Checks each wheel of a list, in its order.
///
/// # Errors
/// The dependencies of the wheels have too many conflicts.
pub(in crate::plan) fn verify(
    listed: &[Located<ListedWheel>],
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
) -> Result<Verdicts> {
    let mut filter = WheelFilter::new(interpreter, wheelhouse);
    let is_wanted: Vec<bool> = listed
        .iter()
        .map(|wheel| wanted::is_wanted(&wheel.value, &filter.tags))
        .collect();
    let all_wanted = || {
        listed
            .iter()
            .zip(&is_wanted)
            .filter(|(_, is_wanted)| **is_wanted)
            .map(|(wheel, _)| wheel)
    };
    // Choose a file for each wheel that applies and does not clash.
    let clashing = clashing(all_wanted());
    let clashes = |one: &ListedWheel| clashing.contains(&one.project);
    let mut fixed: Vec<Fixed> = Vec::new();
    let mut there: BTreeSet<PackageName> = BTreeSet::new();
    let mut verdicts = Vec::new();
    for (wheel, is_wanted) in listed.iter().zip(&is_wanted) {
        let file = if *is_wanted && !clashes(&wheel.value) {
            choose(&wheel.value, &mut filter).ok()
        } else {
            None
        };
        verdicts.push(match &file {
            _ if !is_wanted => Verdict::Unwanted,
            Some(file) => Verdict::Fits(file.name.version.clone()),
            None if clashes(&wheel.value) => Verdict::Clash,
            None => Verdict::Missing,
        });
        if let Some(file) = file
            && there.insert(file.name.project.clone())
        {
            fixed.push(Fixed {
                file,
                required_by: RequiredBy::Spec(wheel.place.clone()),
            });
        }
    }
    // Add the seeds.
    let wanted: Wanted<'_> = all_wanted()
        .map(|wheel| (wheel.value.project.clone(), wheel))
        .collect();
    let missing: BTreeSet<PackageName> = wanted
        .keys()
        .filter(|project| !there.contains(project))
        .cloned()
        .collect();
    let unseeded = seed(&mut fixed, &wanted, &mut filter);
    there.extend(fixed.iter().map(|one| one.file.name.project.clone()));
    let seeded = fixed
        .iter()
        .filter(|one| one.required_by == RequiredBy::Seed);
    let mut seeds: Vec<(PackageName, Option<Version>)> = seeded
        .map(|one| {
            (
                one.file.name.project.clone(),
                Some(one.file.name.version.clone()),
            )
        })
        .collect();
    seeds.extend(unseeded.into_iter().map(|seed| (seed.project, None)));
    // Add the dependencies, with and without wheels.
    let Followed {
        wheels,
        missing,
        remarks,
        filter,
    } = follow::follow(&fixed, &missing, filter)?;
    let files: Vec<_> = wheels.iter().map(|(file, _)| file.clone()).collect();
    let mut required: BTreeMap<PackageName, (Option<Version>, BTreeSet<PackageName>)> =
        BTreeMap::new();
    for (file, required_by) in wheels {
        let project = file.name.project.clone();
        if !there.contains(&project) {
            required.insert(
                project,
                (
                    Some(file.name.version.clone()),
                    required_by
                        .iter()
                        .filter_map(RequiredBy::project)
                        .cloned()
                        .collect(),
                ),
            );
        }
    }
    for dependency in missing {
        required
            .entry(dependency.project)
            .or_default()
            .1
            .insert(dependency.required_by);
    }
    Ok(Verdicts {
        listed: verdicts,
        seeds,
        required,
        warnings: [remarks, filter.warnings_of(&files)].concat(),
    })
}

/// Returns the projects that are listed in different versions.
fn clashing<'a>(
    wheels: impl Iterator<Item = &'a Located<ListedWheel>>,
) -> BTreeSet<&'a PackageName> {
    let mut first: BTreeMap<&PackageName, &Version> = BTreeMap::new();
    let differs = |wheel: &&'a Located<ListedWheel>| {
        let ListedWheel {
            project, wanted, ..
        } = &wheel.value;
        *first.entry(project).or_insert(wanted) != wanted
    };
    wheels
        .filter(differs)
        .map(|wheel| &wheel.value.project)
        .collect()
}
