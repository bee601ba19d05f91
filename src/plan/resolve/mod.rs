//! Resolves a spec to wheels: for each project, the highest version that satisfies all requirements
//! on it.
//!
//! PubGrub finds compatible versions, or proves that there are none. It decides projects with a
//! single candidate first, then the others in the order in which they were required. The answer
//! therefore depends only on the spec, the interpreter's facts and the available wheels.

mod candidates;
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
mod wheel_filter;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use anyhow::Result;
use tracing::debug;

use super::wheelhouse::{WheelFile, Wheelhouse, crawl};
use super::{Evidence, PlannedWheel, RequiredBy};
use crate::fs::Stamped;
use crate::interpreter::Facts;
use crate::report::Failure;
use crate::spec::Requirements;
use candidates::Candidates;
use conflict::Conflict;
use dependency::Role;
use requirement_set::RequirementSet;
use search::Chosen;
use wheel_filter::WheelFilter;

/// The number of chosen wheels that each warm launch checks: the most recently modified ones, which
/// are the most likely to be overwritten in place. A wheel that is added, removed or replaced
/// changes its directory, and vpython notices it whatever the number of wheels. The cost of a
/// launch therefore does not grow with the environment. The other wheels are checked once an hour.
const WATCHED: usize = 8;
/// The number of rejected wheels that each warm launch checks, chosen in the same way.
const REJECTED_WATCHED: usize = 100;

/// The number of searches that each end in a conflict after which [`forced`] finds the conflicts
/// that do not depend on a choice, without a further search for each.
const FORCED_AFTER: usize = 8;
/// The number of requirements above which [`forced`] runs before the first search or after it: each
/// search takes time in proportion to all of them.
const LARGE: usize = 1000;
/// The maximum number of searches of a launch: by then, the error is long enough.
const MAX_SEARCHES: usize = 40;
/// The number of requirements, counted in each search that considers them, after which commands that
/// report all conflicts stop at [`MAX_SEARCHES`] as well. A search of 1,000 requirements can find 1,000
/// conflicts.
const MAX_CONSIDERED: usize = 1_000_000;

/// Chooses the wheels of a spec, sorted by project.
///
/// # Errors
/// No set of wheels satisfies the spec. The error names each requirement with its origin, and each
/// wheel file with the reason for its rejection.
pub(super) fn resolve(
    requirements: &Requirements,
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
    evidence: &mut Evidence,
) -> Result<Vec<PlannedWheel>> {
    request_in_advance(requirements, interpreter, wheelhouse);
    let mut candidates = Candidates::new(requirements, WheelFilter::new(interpreter, wheelhouse));
    candidates.read_pinned();
    let choice = choose(&mut candidates, Effort::Launch);
    candidates.filter.check_io_errors()?;
    if let Some(failure) = choice.failure(&mut candidates) {
        return Err(failure.into());
    }
    let chosen = choice.chosen.unwrap_or_default();
    plan_chosen(&chosen, candidates, evidence)
}

/// Requests what the resolution will probably need of the package indexes, if they are used.
fn request_in_advance(requirements: &Requirements, interpreter: &Facts, wheelhouse: &Wheelhouse) {
    for index in wheelhouse.indexes_to_ask() {
        let asked = requirements.asked.iter();
        let constraints = requirements.constraints.iter();
        crawl(
            index,
            interpreter,
            asked.map(|asked| &asked.value.requirement),
            constraints.map(|asked| &asked.value.requirement),
            requirements.dependencies,
        );
    }
}

/// Returns the wheels of the chosen versions, each with the origins of its requirements.
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
                    .map(|dependency| RequiredBy::clone(&dependency.required_by))
                    .collect(),
            ));
        }
    }
    plan(wheels, candidates.filter, evidence)
}

/// How long [`choose`] looks for conflicts.
#[derive(Clone, Copy)]
enum Effort {
    /// Until there are enough for an error: [`MAX_SEARCHES`].
    Launch,
    /// Until there are no more, or, after [`MAX_SEARCHES`], until [`MAX_CONSIDERED`].
    Report {
        /// The number of earlier searches.
        searches: usize,
        /// The number of requirements that the earlier searches considered.
        considered: usize,
    },
}

impl Effort {
    const REPORT: Self = Self::Report {
        searches: 0,
        considered: 0,
    };
}

/// The result of [`choose`].
struct Choice {
    /// The versions that satisfy all requirements but those in conflict; `None` if the search stopped
    /// before.
    chosen: Option<Chosen>,
    /// The conflicts, in the order of the spec.
    conflicts: Vec<Conflict>,
    /// The number of searches, including earlier ones.
    searches: usize,
    /// The number of requirements that they considered.
    considered: usize,
}

impl Choice {
    /// Returns the error for the conflicts, if there are any.
    fn failure(&self, candidates: &mut Candidates<'_>) -> Option<Failure> {
        if self.conflicts.is_empty() {
            return None;
        }
        let failure = conflict::explain(&self.conflicts, candidates);
        let searches = self.searches;
        let more = self
            .chosen
            .is_none()
            .then(|| format!("there may be more conflicts: {searches} searches found one each"));
        Some(failure.because_of(more))
    }
}

/// Chooses a version of each project. After a conflict, the search is repeated without the
/// conflicting project, until all conflicts are found; the answer then satisfies the remaining
/// requirements.
fn choose(candidates: &mut Candidates<'_>, effort: Effort) -> Choice {
    let mut excluded = BTreeSet::new();
    let mut conflicts: Vec<Conflict> = Vec::new();
    let mut chosen = None;
    let (earlier, considered, max_considered) = match effort {
        Effort::Launch => (0, 0, 0),
        Effort::Report {
            searches,
            considered,
        } => (searches, considered, MAX_CONSIDERED),
    };
    let mut searches = 0;
    let considered = |searches: usize, candidates: &Candidates<'_>| {
        considered + candidates.followed + searches * candidates.asked.len()
    };
    while earlier + searches < MAX_SEARCHES || considered(searches, candidates) < max_considered {
        if is_time_for_forced(searches, candidates) {
            let forced = forced::find(candidates, &excluded);
            excluded.extend(forced.iter().map(|conflict| conflict.project.clone()));
            conflicts.extend(forced);
        }
        searches += 1;
        match search::search(candidates, &excluded) {
            Ok(found) => {
                chosen = Some(found);
                break;
            }
            Err(derivation) => conflicts.push(derivation::find_conflict(&derivation, candidates)),
        }
        excluded.extend(conflicts.last().map(|conflict| conflict.project.clone()));
    }
    conflicts.sort_by_cached_key(|conflict| conflict.rank(candidates));
    let considered = considered(searches, candidates);
    debug!(searches, considered, "considered requirements");
    Choice {
        chosen,
        conflicts,
        searches: earlier + searches,
        considered,
    }
}

/// Returns whether [`forced`] is to run after this number of searches.
fn is_time_for_forced(searches: usize, candidates: &Candidates<'_>) -> bool {
    match searches {
        0 => candidates.asked.len() > LARGE,
        1 => candidates.followed > LARGE,
        _ => searches == FORCED_AFTER,
    }
}

/// Plans wheels, each with the origins of its requirements, and adds their digests. Their stamps
/// and those of the rejected wheels are added to the evidence before the wheels are read.
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
    // Stamps first: a wheel that changes while it is read makes the next launch resolve again.
    evidence
        .stamps
        .extend(wheelhouse.bundles_seen().iter().cloned());
    watch(rejected, REJECTED_WATCHED, evidence);
    let stamps: Vec<Option<Stamped>> = wheels
        .iter()
        .map(|wheel| wheelhouse.stamped(wheel))
        .collect();
    watch(
        stamps.iter().flatten().cloned().collect(),
        WATCHED,
        evidence,
    );
    let digests = wheelhouse.digests(&wheels)?;
    let planned = wheels.into_iter().zip(required_by).zip(stamps).zip(digests);
    let planned = planned.map(|(((wheel, required_by), stamped), sha256)| {
        let path = wheelhouse.path(&wheel);
        let in_layout = wheelhouse.in_layout(&wheel);
        let to_fetch = wheelhouse.to_fetch(&wheel);
        let stamp = stamped.and_then(|stamped| stamped.stamp);
        let in_index = to_fetch.as_ref().and_then(|file| file.size);
        let WheelFile { name, .. } = wheel;
        PlannedWheel {
            name: name.project.clone(),
            version: name.version.clone(),
            path,
            in_layout,
            built: None,
            to_fetch,
            size: stamp.map(|stamp| stamp.size).or(in_index).unwrap_or(0),
            sha256,
            required_by,
        }
    });
    Ok(planned.collect())
}

/// Adds the stamps of wheels to the evidence. Each warm launch checks the newest `at_most` of them.
fn watch(mut wheels: Vec<Stamped>, at_most: usize, evidence: &mut Evidence) {
    wheels.sort_by_key(|stamped| Reverse(stamped.stamp.map(|stamp| stamp.modified)));
    evidence
        .other_wheels
        .extend(wheels.split_off(at_most.min(wheels.len())));
    evidence.stamps.extend(wheels);
}
