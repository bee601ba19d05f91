//! Which wheels satisfy a spec: of each project the highest version that fits all that is asked of
//! it.
//!
//! PubGrub finds versions that go together, or proves that there are none. What leaves no choice is
//! decided on first, then what is asked for first; so the answer depends on nothing but the spec,
//! the interpreter's facts and the wheels that there are.

pub(super) mod attempt;
mod choices;
mod demand;
mod forced;
mod hint;
mod judge;
pub(super) mod listed;
pub(super) mod locked;
mod proof;
mod provider;
mod refusal;
mod search;
mod stock;
mod wishes;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use anyhow::Result;

use super::wheelhouse::{WheelFile, Wheelhouse};
use super::{Asker, Evidence, Facts, PlannedWheel};
use crate::fs::Stamped;
use crate::spec::Requirements;
use demand::Role;
use judge::Judge;
use refusal::Obstacle;
use search::Chosen;
use stock::Stock;
use wishes::Wishes;

/// How many of the chosen wheels each warm launch looks at: those that were changed last, which are
/// the likeliest to be written over where they lie. A wheel that is added, removed or replaced
/// changes its directory, and is noticed in any number; so a launch costs the same however large
/// the environment is. The others are looked at once an hour.
const WATCHED: usize = 8;

/// After so many searches that found something in the way each, what no choice has to do with is
/// looked for without another search.
const MANY: usize = 8;
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
    let mut stock = Stock::new(requirements, Judge::new(interpreter, wheelhouse));
    stock.read_pinned();
    let (chosen, obstacles) = choose(&mut stock, PATIENCE);
    stock.judge.was_not_hindered()?;
    if !obstacles.is_empty() {
        let failure = refusal::explain(&obstacles, &mut stock);
        let more = chosen.is_none().then(|| {
            format!("there may be more: {PATIENCE} searches found something in the way each")
        });
        return Err(failure.because_of(more).into());
    }
    let chosen = chosen.unwrap_or_default();
    plan_chosen(&chosen, stock, evidence)
}

/// The wheels of what was chosen, and who asks for each.
fn plan_chosen(
    chosen: &Chosen,
    mut stock: Stock<'_>,
    evidence: &mut Evidence,
) -> Result<Vec<PlannedWheel>> {
    let wishes = Wishes::of_chosen(chosen, &mut stock);
    evidence
        .warnings
        .extend(wishes.missing_extras(chosen, &mut stock));
    let mut wheels = Vec::new();
    for (project, number) in chosen {
        if let Ok(wheel) = &*stock.wheel(project, *number) {
            let demands = wishes
                .of(project)
                .iter()
                .filter(|demand| demand.role == Role::Requirement);
            wheels.push((
                wheel.file.clone(),
                demands.map(|demand| demand.asker.clone()).collect(),
            ));
        }
    }
    plan(wheels, stock.judge, evidence)
}

/// Chooses a version of each project. Where that cannot be done, the search goes on as if what is
/// in its way were not asked for, until all is found that is in its way; what is chosen then is an
/// answer to the rest. After so many searches as `patience` says there is none.
fn choose(stock: &mut Stock<'_>, patience: usize) -> (Option<Chosen>, Vec<Obstacle>) {
    let mut given = BTreeSet::new();
    let mut obstacles: Vec<Obstacle> = Vec::new();
    let mut answer = None;
    for searches in 1..=patience {
        match search::search(stock, &given) {
            Ok(chosen) => {
                answer = Some(chosen);
                break;
            }
            Err(proof) => obstacles.push(proof::find_obstacle(&proof, stock)),
        }
        given.extend(obstacles.last().map(|obstacle| obstacle.project.clone()));
        if searches == MANY {
            let forced = forced::find(stock, &given);
            given.extend(forced.iter().map(|obstacle| obstacle.project.clone()));
            obstacles.extend(forced);
        }
    }
    obstacles.sort_by_cached_key(|obstacle| obstacle.rank(stock));
    (answer, obstacles)
}

/// Wheels, and who asks for each, with their digests. Their stamps, and those of wheels that were
/// rejected, go to the evidence before they are read.
fn plan(
    wheels: Vec<(WheelFile, Vec<Asker>)>,
    judge: Judge<'_>,
    evidence: &mut Evidence,
) -> Result<Vec<PlannedWheel>> {
    let (wheels, askers): (Vec<WheelFile>, Vec<Vec<Asker>>) = wheels.into_iter().unzip();
    evidence.warnings.extend(judge.warnings_of(&wheels));
    let Judge {
        wheelhouse,
        rejected,
        ..
    } = judge;
    evidence.stamps.extend_from_slice(wheelhouse.bundles_seen());
    evidence.stamps.extend(rejected);
    let stamps: Vec<Stamped> = wheels
        .iter()
        .map(|wheel| wheelhouse.stamped(wheel))
        .collect();
    let mut newest = stamps.clone();
    newest.sort_by_key(|stamped| Reverse(stamped.stamp.map(|stamp| stamp.modified)));
    evidence
        .other_wheels
        .extend(newest.split_off(WATCHED.min(newest.len())));
    evidence.stamps.extend(newest);
    let digests = wheelhouse.digests(&wheels)?;
    let planned = wheels.into_iter().zip(askers).zip(stamps).zip(digests);
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
