//! What comes of requirements as far as they can be met: for a check, which wants to know of each,
//! and not only whether all can be.

use std::path::PathBuf;

use anyhow::Result;
use pep508_rs::PackageName;

use super::candidates::Candidates;
use super::compatibility::WheelFilter;
use super::conflict::Conflict;
use crate::plan::wheelhouse::Wheelhouse;
use crate::plan::{Evidence, Facts, PlannedWheel, RequiredBy};
use crate::report::Failure;
use crate::spec::Requirements;

/// What came of requirements.
#[derive(Debug)]
pub(in crate::plan) struct Partial {
    /// The wheels of what can be had, sorted by project.
    pub wheels: Vec<PlannedWheel>,
    /// What is asked for and cannot be had.
    pub unsatisfied: Vec<Unsatisfied>,
    /// What to ask an index for, to have it.
    pub to_fetch: Vec<String>,
    /// Files of what cannot be had that do not have the digest that is pinned.
    pub other_bytes: Vec<PathBuf>,
    /// What a launch would say of that.
    pub refusal: Option<Failure>,
}

/// A project that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) struct Unsatisfied {
    /// The project.
    pub project: PackageName,
    /// Why, in a word.
    pub kind: UnsatisfiedKind,
    /// Who asks for it.
    pub required_by: Vec<RequiredBy>,
}

/// Why a project cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum UnsatisfiedKind {
    /// No wheel of it fits.
    Missing,
    /// A wheel fits, and has not the digest that is pinned.
    WrongHash,
    /// For each who asks there is a wheel, and for all together there is none.
    Conflict,
}

/// Chooses the wheels of a spec, and puts aside what cannot be had.
///
/// # Errors
/// A wheel that was chosen cannot be read.
pub(in crate::plan) fn resolve_partly(
    requirements: &Requirements,
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
    evidence: &mut Evidence,
) -> Result<Partial> {
    let mut candidates = Candidates::new(requirements, WheelFilter::new(interpreter, wheelhouse));
    let (chosen, conflicts) = super::choose(&mut candidates, usize::MAX);
    let chosen = chosen.unwrap_or_default();
    candidates.filter.check_io_errors()?;
    let unsatisfied = conflicts
        .iter()
        .map(|conflict| unsatisfied(conflict, &mut candidates))
        .collect();
    let to_fetch = super::hint::to_fetch(&conflicts);
    let other_bytes = conflicts
        .iter()
        .flat_map(|conflict| candidates.other_bytes(&conflict.project))
        .collect();
    let refusal =
        (!conflicts.is_empty()).then(|| super::conflict::explain(&conflicts, &mut candidates));
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
        .map(|dependency| dependency.required_by.clone())
        .collect();
    Unsatisfied {
        project: project.clone(),
        kind: kind(conflict, candidates),
        required_by,
    }
}

fn kind(conflict: &Conflict, candidates: &mut Candidates<'_>) -> UnsatisfiedKind {
    let Conflict {
        project,
        dependencies,
        ..
    } = conflict;
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
    // With any digest.
    let fits = admitted.any(|file| {
        candidates.filter.tags(file).is_ok() && candidates.content_with_any_digest(file).is_ok()
    });
    if fits {
        UnsatisfiedKind::WrongHash
    } else {
        UnsatisfiedKind::Missing
    }
}
