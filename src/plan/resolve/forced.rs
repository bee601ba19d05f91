//! Obstacles that no choice has to do with: what the spec asks for, and what the wheels ask for of
//! which there is only one each.
//!
//! Where much is missing, as with an empty directory of wheels, these are found at once, and not by
//! one search for each.

use std::collections::BTreeSet;

use pep508_rs::{ExtraName, PackageName};

use super::demand::Demand;
use super::refusal::Obstacle;
use super::stock::Stock;
use super::wishes::Wishes;

/// Finds them, but for the projects that are `given`.
pub(super) fn find(stock: &mut Stock<'_>, given: &BTreeSet<PackageName>) -> Vec<Obstacle> {
    let mut wishes = Wishes::default();
    for demand in stock.asked.clone() {
        wishes.ask(demand);
    }
    let mut obstacles = Vec::new();
    let mut place = 0;
    while let Some(project) = wishes.order.get(place).cloned() {
        place += 1;
        if given.contains(&project) {
            continue;
        }
        let demands = decisive(wishes.of(&project));
        if !stock.is_there_one(&project, &demands) {
            obstacles.push(obstacle(project, demands, &wishes, stock));
        } else if stock.offers(&project).len() == 1 {
            let extras: Vec<ExtraName> = wishes.extras(&project).into_iter().collect();
            for extra in [None].into_iter().chain(extras.iter().map(Some)) {
                for demand in stock.requirements(&project, 0, extra) {
                    wishes.ask(demand);
                }
            }
        }
    }
    obstacles
}

/// What the spec asks, or else what the first asks who does.
fn decisive(demands: &[Demand]) -> Vec<Demand> {
    let Some(first) = demands.first() else {
        return Vec::new();
    };
    demands
        .iter()
        .filter(|demand| {
            demand.asker == first.asker || first.is_from_spec() && demand.is_from_spec()
        })
        .cloned()
        .collect()
}

fn obstacle(
    project: PackageName,
    mut demands: Vec<Demand>,
    wishes: &Wishes,
    stock: &Stock<'_>,
) -> Obstacle {
    let reasons = wishes.reasons(&demands);
    let roots = match reasons.first() {
        Some(way_back) => way_back.last().cloned().into_iter().collect(),
        None => demands.clone(),
    };
    demands.extend(stock.constraints_on(&project).iter().cloned());
    Obstacle {
        project,
        demands,
        reasons,
        instead: Vec::new(),
        roots,
    }
}
