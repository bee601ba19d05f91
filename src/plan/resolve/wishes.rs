//! What is asked of each project once versions have been chosen: by the spec, and by the wheels
//! that it leads to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use pep508_rs::{ExtraName, PackageName};

use super::demand::Demand;
use super::stock::{Stock, Wheel};

/// All that is asked for, in the order in which it was asked.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    by_project: BTreeMap<PackageName, Vec<Demand>>,
    /// What was asked, as it is written, and by whom.
    known: HashSet<(String, String)>,
    /// The projects in the order in which they were first asked for.
    pub order: Vec<PackageName>,
}

impl Wishes {
    /// Adds what somebody asks for; what is known already is not added again.
    pub fn ask(&mut self, demand: Demand) {
        let project = demand.project();
        if !self.by_project.contains_key(project) {
            self.order.push(project.clone());
        }
        if self.known.insert((
            demand.title(),
            format!("{:?} {:?}", demand.role, demand.asker),
        )) {
            self.by_project
                .entry(project.clone())
                .or_default()
                .push(demand);
        }
    }

    /// What is asked of a project.
    pub fn of(&self, project: &PackageName) -> &[Demand] {
        self.by_project.get(project).map_or(&[], Vec::as_slice)
    }

    /// The extras of a project that are asked for.
    pub fn extras(&self, project: &PackageName) -> BTreeSet<ExtraName> {
        self.of(project)
            .iter()
            .flat_map(|demand| &demand.requirement.extras)
            .cloned()
            .collect()
    }

    /// What the spec and the chosen wheels ask for.
    pub fn of_chosen(chosen: &BTreeMap<PackageName, usize>, stock: &mut Stock<'_>) -> Self {
        let mut wishes = Self::default();
        // Projects by their places in the order, and their extras: those to go on with, and all
        // that ever were among them.
        let mut places: HashMap<PackageName, usize> = HashMap::new();
        let mut open: BTreeSet<(usize, Option<ExtraName>)> = BTreeSet::new();
        let mut seen: HashSet<(usize, Option<ExtraName>)> = HashSet::new();
        let mut demands = stock.asked.clone();
        loop {
            for demand in demands {
                let next = places.len();
                let place = *places.entry(demand.project().clone()).or_insert(next);
                let extras = demand.requirement.extras.iter().cloned().map(Some);
                open.extend(
                    [None]
                        .into_iter()
                        .chain(extras)
                        .map(|extra| (place, extra))
                        .filter(|part| seen.insert(part.clone())),
                );
                wishes.ask(demand);
            }
            let Some((place, extra)) = open.pop_first() else {
                return wishes;
            };
            let project = &wishes.order[place];
            demands = match chosen.get(project) {
                Some(number) => stock.requirements(project, *number, extra.as_ref()),
                None => Vec::new(),
            };
        }
    }

    /// Why those wheels are there that ask for a project: for each the way back to the spec.
    pub fn reasons(&self, demands: &[Demand]) -> Vec<Vec<Demand>> {
        let mut reasons: Vec<Vec<Demand>> = Vec::new();
        let mut seen = HashSet::new();
        for project in demands
            .iter()
            .filter_map(|demand| demand.asker.project())
            .filter(|project| seen.insert(*project))
        {
            let way_back = std::iter::successors(self.of(project).first(), |demand| {
                demand
                    .asker
                    .project()
                    .and_then(|project| self.of(project).first())
            });
            // It ends, since who asked first for a project was on the way before it.
            reasons.push(way_back.cloned().collect());
        }
        reasons
    }

    /// Extras that are asked for and that the chosen wheel does not have, a sentence each, in the
    /// order of the projects' names.
    pub fn missing_extras(
        &self,
        chosen: &BTreeMap<PackageName, usize>,
        stock: &mut Stock<'_>,
    ) -> Vec<String> {
        let mut missing = Vec::new();
        for (project, number) in chosen {
            let wheel = stock.wheel(project, *number);
            let Ok(Wheel { file, content }) = &*wheel else {
                continue;
            };
            for demand in self.of(project) {
                for extra in demand
                    .requirement
                    .extras
                    .iter()
                    .filter(|extra| !content.extras.contains(extra))
                {
                    missing.push(format!(
                        "`{}` has no extra `{extra}` ({})",
                        file.file_name, demand.asker
                    ));
                }
            }
        }
        missing
    }
}
