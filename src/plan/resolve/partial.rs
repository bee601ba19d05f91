//! Resolves requirements as far as they can be satisfied. `verify` and `fetch` use it, since they
//! report on each requirement, and not only whether all of them can be satisfied.

use std::path::PathBuf;

use anyhow::Result;
use pep508_rs::PackageName;

use super::candidates::Candidates;
use super::conflict::Conflict;
use super::wheel_filter::WheelFilter;
use crate::interpreter::Facts;
use crate::plan::wheelhouse::Wheelhouse;
use crate::plan::{Evidence, PlannedWheel, RequiredBy};
use crate::report::Failure;
use crate::spec::Requirements;

/// The answer to requirements that may be satisfied only in part.
#[derive(Debug)]
pub(in crate::plan) struct Partial {
    /// The wheels of the satisfied requirements, sorted by project.
    pub wheels: Vec<PlannedWheel>,
    /// The projects without a compatible wheel.
    pub unsatisfied: Vec<Unsatisfied>,
    /// The requirements to fetch from an index for these projects.
    pub to_fetch: Vec<String>,
    /// The files of these projects whose digest is not the pinned one.
    pub other_bytes: Vec<PathBuf>,
    /// The error of a launch.
    pub refusal: Option<Failure>,
}

/// A project whose requirements no wheel satisfies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) struct Unsatisfied {
    /// The project.
    pub project: PackageName,
    /// The reason.
    pub kind: UnsatisfiedKind,
    /// The origins of the requirements.
    pub required_by: Vec<RequiredBy>,
}

/// The reason why no wheel satisfies the requirements on a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum UnsatisfiedKind {
    /// The project has no compatible wheel.
    Missing,
    /// A wheel is compatible, but its digest is not the pinned one.
    WrongHash,
    /// Each requirement is satisfied by a wheel, but no wheel satisfies all of them.
    Conflict,
}

/// Chooses the wheels of a spec, and sets aside the requirements that cannot be satisfied.
///
/// # Errors
/// A wheel cannot be read.
pub(in crate::plan) fn resolve_partly(
    requirements: &Requirements,
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
    evidence: &mut Evidence,
) -> Result<Partial> {
    super::request_in_advance(requirements, interpreter, wheelhouse);
    let mut candidates = Candidates::new(requirements, WheelFilter::new(interpreter, wheelhouse));
    let choice = super::choose(&mut candidates, super::Effort::REPORT);
    candidates.filter.check_io_errors()?;
    // Describe the conflicts before `plan_chosen` consumes the candidates.
    let conflicts = &choice.conflicts;
    let unsatisfied = conflicts
        .iter()
        .map(|conflict| unsatisfied(conflict, &mut candidates))
        .collect();
    let to_fetch = super::hint::to_fetch(conflicts);
    let other_bytes = conflicts
        .iter()
        .flat_map(|conflict| candidates.other_bytes(&conflict.project))
        .collect();
    let refusal = choice.failure(&mut candidates);
    let chosen = choice.chosen.unwrap_or_default();
    let wheels = super::plan_chosen(&chosen, candidates, evidence)?;
    Ok(Partial {
        wheels,
        unsatisfied,
        to_fetch,
        other_bytes,
        refusal,
    })
}

fn unsatisfied(conflict: &Conflict, candidates: &mut Candidates<'_>) -> Unsatisfied {
    let Conflict {
        project,
        dependencies,
        ..
    } = conflict;
    let required_by = dependencies
        .iter()
        .map(|dependency| RequiredBy::clone(&dependency.required_by))
        .collect();
    Unsatisfied {
        project: project.clone(),
        kind: kind(conflict, candidates),
        required_by,
    }
}

/// Classifies a conflict.
fn kind(conflict: &Conflict, candidates: &mut Candidates<'_>) -> UnsatisfiedKind {
    let Conflict {
        project,
        dependencies,
        ..
    } = conflict;
    // If a usable version satisfies each requirement, only their combination fails.
    let versions = candidates.of(project);
    let usable: Vec<_> = (0..versions.len())
        .filter(|number| candidates.wheel(project, *number).is_ok())
        .collect();
    if dependencies.iter().all(|dependency| {
        usable
            .iter()
            .any(|number| dependency.admits(&versions[*number].version))
    }) {
        return UnsatisfiedKind::Conflict;
    }
    let files = candidates.files(project);
    let mut admitted = files.iter().filter(|file| {
        dependencies
            .iter()
            .all(|dependency| dependency.admits(&file.name.version))
    });
    // Otherwise, look for a wheel that would be usable with any digest.
    let fits = admitted.any(|file| {
        candidates.filter.tags(file).is_ok() && candidates.content_with_any_digest(file).is_ok()
    });
    if fits {
        UnsatisfiedKind::WrongHash
    } else {
        UnsatisfiedKind::Missing
    }
}
