//! What comes of requirements as far as they can be met: for a check, which wants to know of each,
//! and not only whether all can be.

use std::path::PathBuf;

use anyhow::Result;
use pep508_rs::PackageName;

use super::judge::Judge;
use super::refusal::Obstacle;
use super::stock::Stock;
use crate::plan::wheelhouse::Wheelhouse;
use crate::plan::{Asker, Evidence, Facts, PlannedWheel};
use crate::report::Failure;
use crate::spec::Requirements;

/// What came of requirements.
#[derive(Debug)]
pub(in crate::plan) struct Attempt {
    /// The wheels of what can be had, sorted by project.
    pub wheels: Vec<PlannedWheel>,
    /// What is asked for and cannot be had.
    pub lacks: Vec<Lack>,
    /// What to ask an index for, to have it.
    pub to_fetch: Vec<String>,
    /// Files of what cannot be had that do not have the digest that is pinned.
    pub other_bytes: Vec<PathBuf>,
    /// What a launch would say of that.
    pub refusal: Option<Failure>,
}

/// A project that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) struct Lack {
    /// The project.
    pub project: PackageName,
    /// Why, in a word.
    pub kind: LackKind,
    /// Who asks for it.
    pub askers: Vec<Asker>,
}

/// Why a project cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum LackKind {
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
pub(in crate::plan) fn attempt(
    requirements: &Requirements,
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
    evidence: &mut Evidence,
) -> Result<Attempt> {
    let mut stock = Stock::new(requirements, Judge::new(interpreter, wheelhouse));
    let (chosen, obstacles) = super::choose(&mut stock, usize::MAX);
    let chosen = chosen.unwrap_or_default();
    stock.judge.was_not_hindered()?;
    let lacks = obstacles
        .iter()
        .map(|obstacle| lack(obstacle, &mut stock))
        .collect();
    let to_fetch = super::hint::to_fetch(&obstacles);
    let other_bytes = obstacles
        .iter()
        .flat_map(|obstacle| stock.other_bytes(&obstacle.project))
        .collect();
    let refusal = (!obstacles.is_empty()).then(|| super::refusal::explain(&obstacles, &mut stock));
    let wheels = super::plan_chosen(&chosen, stock, evidence)?;
    Ok(Attempt {
        wheels,
        lacks,
        to_fetch,
        other_bytes,
        refusal,
    })
}

fn lack(obstacle: &Obstacle, stock: &mut Stock<'_>) -> Lack {
    let Obstacle {
        project, demands, ..
    } = obstacle;
    let askers = demands.iter().map(|demand| demand.asker.clone()).collect();
    Lack {
        project: project.clone(),
        kind: kind(obstacle, stock),
        askers,
    }
}

fn kind(obstacle: &Obstacle, stock: &mut Stock<'_>) -> LackKind {
    let Obstacle {
        project, demands, ..
    } = obstacle;
    let offers = stock.offers(project);
    let usable: Vec<_> = (0..offers.len())
        .filter(|number| stock.wheel(project, *number).is_ok())
        .collect();
    if demands.iter().all(|demand| {
        usable
            .iter()
            .any(|number| demand.admits(&offers[*number].version))
    }) {
        return LackKind::Conflict;
    }
    let files = stock.files(project);
    let mut admitted = files.iter().filter(|file| {
        demands
            .iter()
            .all(|demand| demand.admits(&file.name.version))
    });
    // With any digest.
    let fits = admitted
        .any(|file| stock.judge.tags(file).is_ok() && stock.content_with_any_digest(file).is_ok());
    if fits {
        LackKind::WrongHash
    } else {
        LackKind::Missing
    }
}
