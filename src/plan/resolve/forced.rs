//! Obstacles that no choice has to do with: what the spec asks for, and what the wheels ask for of
//! which there is only one each.
//!
//! Where much is missing, as with an empty directory of wheels, these are found at once, and not by
//! one search for each.

use std::collections::BTreeSet;

use pep508_rs::{ExtraName, PackageName};

use super::candidates::Candidates;
use super::conflict::Conflict;
use super::dependency::Dependency;
use super::requirement_set::RequirementSet;

/// Finds them, but for the projects that are `given`.
pub(super) fn find(
    candidates: &mut Candidates<'_>,
    given: &BTreeSet<PackageName>,
) -> Vec<Conflict> {
    let mut requirement_set = RequirementSet::default();
    for dependency in candidates.asked.clone() {
        requirement_set.ask(dependency);
    }
    let mut conflicts = Vec::new();
    let mut place = 0;
    while let Some(project) = requirement_set.order.get(place).cloned() {
        place += 1;
        if given.contains(&project) {
            continue;
        }
        let dependencies = decisive(requirement_set.of(&project));
        if !candidates.is_there_one(&project, &dependencies) {
            conflicts.push(conflict(
                project,
                dependencies,
                &requirement_set,
                candidates,
            ));
        } else if candidates.of(&project).len() == 1 {
            let extras: Vec<ExtraName> = requirement_set.extras(&project).into_iter().collect();
            for extra in [None].into_iter().chain(extras.iter().map(Some)) {
                for dependency in candidates.requirements(&project, 0, extra) {
                    requirement_set.ask(dependency);
                }
            }
        }
    }
    conflicts
}

/// What the spec asks, or else what the first asks who does.
fn decisive(dependencies: &[Dependency]) -> Vec<Dependency> {
    let Some(first) = dependencies.first() else {
        return Vec::new();
    };
    dependencies
        .iter()
        .filter(|dependency| {
            dependency.required_by == first.required_by
                || first.is_from_spec() && dependency.is_from_spec()
        })
        .cloned()
        .collect()
}

fn conflict(
    project: PackageName,
    mut dependencies: Vec<Dependency>,
    requirement_set: &RequirementSet,
    candidates: &Candidates<'_>,
) -> Conflict {
    let reasons = requirement_set.reasons(&dependencies);
    let roots = match reasons.first() {
        Some(way_back) => way_back.last().cloned().into_iter().collect(),
        None => dependencies.clone(),
    };
    dependencies.extend(candidates.constraints_on(&project).iter().cloned());
    Conflict {
        project,
        dependencies,
        reasons,
        instead: Vec::new(),
        roots,
    }
}
