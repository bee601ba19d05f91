//! Which wheels satisfy a spec: of each project the highest version that fits all that is asked of
//! it.
//!
//! PubGrub finds versions that go together, or proves that there are none. What leaves no choice is
//! decided on first, then what is asked for first; so the answer depends on nothing but the spec,
//! the interpreter's facts and the wheels that there are.

mod candidates;
mod compatibility;
mod conflict;
mod dependency;
mod derivation;
mod forced;
mod hint;
pub(super) mod listed;
pub(super) mod locked;
pub(super) mod partial;
mod provider;
mod requirement_set;
mod search;
mod version_set;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use anyhow::Result;

use super::wheelhouse::{WheelFile, Wheelhouse};
use super::{Evidence, Facts, PlannedWheel, RequiredBy};
use crate::fs::Stamped;
use crate::spec::Requirements;
use candidates::Candidates;
use compatibility::WheelFilter;
use conflict::Conflict;
use dependency::Role;
use requirement_set::RequirementSet;
use search::Chosen;

/// How many of the chosen wheels each warm launch looks at: those that were changed last, which are
/// the likeliest to be written over where they lie. A wheel that is added, removed or replaced
/// changes its directory, and is noticed in any number; so a launch costs the same however large
/// the environment is. The others are looked at once an hour.
const WATCHED: usize = 8;
/// How many of the rejected wheels each warm launch looks at, likewise.
const REJECTED_WATCHED: usize = 100;

/// After so many searches that found something in the way each, what no choice has to do with is
/// looked for without another search.
const MANY: usize = 8;
/// Where more than this is asked for, that is done at once: each search takes as long as all of it.
const LARGE: usize = 1000;
/// After so many searches a launch has enough to say.
const PATIENCE: usize = 40;

/// Chooses the wheels of a spec, sorted by project.
///
/// # Errors
/// No set of wheels satisfies the spec: who asks for what, and each wheel file with why it was not
/// taken.
pub(super) fn resolve(
    requirements: &Requirements,
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
    evidence: &mut Evidence,
) -> Result<Vec<PlannedWheel>> {
    let mut candidates = Candidates::new(requirements, WheelFilter::new(interpreter, wheelhouse));
    candidates.read_pinned();
    let (chosen, conflicts) = choose(&mut candidates, PATIENCE);
    candidates.filter.check_io_errors()?;
    if !conflicts.is_empty() {
        let failure = conflict::explain(&conflicts, &mut candidates);
        let more = chosen.is_none().then(|| {
            format!("there may be more: {PATIENCE} searches found something in the way each")
        });
        return Err(failure.because_of(more).into());
    }
    let chosen = chosen.unwrap_or_default();
    plan_chosen(&chosen, candidates, evidence)
}

/// The wheels of what was chosen, and who asks for each.
fn plan_chosen(
    chosen: &Chosen,
    mut candidates: Candidates<'_>,
    evidence: &mut Evidence,
) -> Result<Vec<PlannedWheel>> {
    let requirement_set = RequirementSet::of_chosen(chosen, &mut candidates);
    evidence
        .warnings
        .extend(requirement_set.missing_extras(chosen, &mut candidates));
    let mut wheels = Vec::new();
    for (project, number) in chosen {
        if let Ok(wheel) = &*candidates.wheel(project, *number) {
            let dependencies = requirement_set
                .of(project)
                .iter()
                .filter(|dependency| dependency.role == Role::Requirement);
            wheels.push((
                wheel.file.clone(),
                dependencies
                    .map(|dependency| dependency.required_by.clone())
                    .collect(),
            ));
        }
    }
    plan(wheels, candidates.filter, evidence)
}

/// Chooses a version of each project. Where that cannot be done, the search goes on as if what is
/// in its way were not asked for, until all is found that is in its way; what is chosen then is an
/// answer to the rest. After so many searches as `patience` says there is none.
fn choose(candidates: &mut Candidates<'_>, patience: usize) -> (Option<Chosen>, Vec<Conflict>) {
    let mut given = BTreeSet::new();
    let mut conflicts: Vec<Conflict> = Vec::new();
    let mut answer = None;
    for searches in 0..patience {
        if is_time_for_forced(searches, candidates) {
            let forced = forced::find(candidates, &given);
            given.extend(forced.iter().map(|conflict| conflict.project.clone()));
            conflicts.extend(forced);
        }
        match search::search(candidates, &given) {
            Ok(chosen) => {
                answer = Some(chosen);
                break;
            }
            Err(derivation) => conflicts.push(derivation::find_conflict(&derivation, candidates)),
        }
        given.extend(conflicts.last().map(|conflict| conflict.project.clone()));
    }
    conflicts.sort_by_cached_key(|conflict| conflict.rank(candidates));
    (answer, conflicts)
}

/// Whether, after so many searches, what no choice has to do with is looked for.
fn is_time_for_forced(searches: usize, candidates: &Candidates<'_>) -> bool {
    match searches {
        0 => candidates.asked.len() > LARGE,
        1 => candidates.followed > LARGE,
        _ => searches == MANY,
    }
}

/// Wheels, and who asks for each, with their digests. Their stamps, and those of wheels that were
/// rejected, go to the evidence before they are read.
fn plan(
    wheels: Vec<(WheelFile, Vec<RequiredBy>)>,
    filter: WheelFilter<'_>,
    evidence: &mut Evidence,
) -> Result<Vec<PlannedWheel>> {
    let (wheels, required_by): (Vec<WheelFile>, Vec<Vec<RequiredBy>>) = wheels.into_iter().unzip();
    evidence.warnings.extend(filter.warnings_of(&wheels));
    let WheelFilter {
        wheelhouse,
        rejected,
        ..
    } = filter;
    evidence.stamps.extend_from_slice(wheelhouse.bundles_seen());
    watch(rejected, REJECTED_WATCHED, evidence);
    let stamps: Vec<Stamped> = wheels
        .iter()
        .map(|wheel| wheelhouse.stamped(wheel))
        .collect();
    watch(stamps.clone(), WATCHED, evidence);
    let digests = wheelhouse.digests(&wheels)?;
    let planned = wheels.into_iter().zip(required_by).zip(stamps).zip(digests);
    let planned = planned.map(
        |(((wheel, required_by), Stamped { path, stamp }), sha256)| {
            let WheelFile { name, .. } = wheel;
            let size = stamp.map_or(0, |stamp| stamp.size);
            PlannedWheel {
                name: name.project,
                version: name.version,
                path,
                size,
                sha256,
                required_by,
            }
        },
    );
    Ok(planned.collect())
}

/// Leaves the stamps of wheels, of which each warm launch looks at the newest, so many of them.
fn watch(mut wheels: Vec<Stamped>, at_most: usize, evidence: &mut Evidence) {
    wheels.sort_by_key(|stamped| Reverse(stamped.stamp.map(|stamp| stamp.modified)));
    evidence
        .other_wheels
        .extend(wheels.split_off(at_most.min(wheels.len())));
    evidence.stamps.extend(wheels);
}
