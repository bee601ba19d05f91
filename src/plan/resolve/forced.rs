//! Conflicts that do not depend on any choice: those of the requirements of the spec, and of the
//! requirements of wheels that are the only candidate of their project.
//!
//! If many wheels are missing, as with an empty wheel directory, these conflicts are all found in
//! one pass instead of one search for each.

use std::collections::BTreeSet;

use pep508_rs::{ExtraName, PackageName};

use super::candidates::Candidates;
use super::conflict::Conflict;
use super::dependency::Dependency;
use super::requirement_set::RequirementSet;

/// Finds these conflicts, except those of `excluded` projects.
pub(super) fn find(
    candidates: &mut Candidates<'_>,
    excluded: &BTreeSet<PackageName>,
) -> Vec<Conflict> {
    let mut requirement_set = RequirementSet::default();
    for dependency in candidates.asked.clone() {
        requirement_set.insert(dependency);
    }
    let mut conflicts = Vec::new();
    let mut place = 0;
    while let Some(project) = requirement_set.order.get(place).cloned() {
        place += 1;
        if excluded.contains(&project) {
            continue;
        }
        let dependencies = decisive(requirement_set.of(&project));
        if !candidates.has_usable_version(&project, &dependencies) {
            conflicts.push(conflict(
                project,
                dependencies,
                &requirement_set,
                candidates,
            ));
        } else if candidates.of(&project).len() == 1 {
            // The only candidate is certain to be chosen, and so its requirements apply.
            let extras: Vec<ExtraName> = requirement_set.extras(&project).into_iter().collect();
            for extra in [None].into_iter().chain(extras.iter().map(Some)) {
                for dependency in candidates.requirements(&project, 0, extra) {
                    requirement_set.insert(dependency);
                }
            }
        }
    }
    conflicts
}

/// Returns the requirements of the spec, or, if the spec has none, those with the same origin as
/// the first one.
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
        Some(chain) => chain.last().cloned().into_iter().collect(),
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
