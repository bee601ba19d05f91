//! What is asked of each project once versions have been chosen: by the spec, and by the wheels that it leads to.

use std::collections::{BTreeMap, BTreeSet};

use pep508_rs::{ExtraName, PackageName};

use super::demand::Demand;
use super::stock::{Stock, Wheel};

/// All that is asked for, in the order in which it was asked.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    by_project: BTreeMap<PackageName, Vec<Demand>>,
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
        let known = self.by_project.entry(project.clone()).or_default();
        if !known.contains(&demand) {
            known.push(demand);
        }
    }

    /// What is asked of a project.
    pub fn of(&self, project: &PackageName) -> &[Demand] {
        self.by_project.get(project).map_or(&[], Vec::as_slice)
    }

    /// The extras of a project that are asked for.
    pub fn extras(&self, project: &PackageName) -> BTreeSet<ExtraName> {
        self.of(project).iter().flat_map(|demand| &demand.requirement.extras).cloned().collect()
    }

    /// What the spec and the chosen wheels ask for.
    pub fn of_chosen(chosen: &BTreeMap<PackageName, usize>, stock: &mut Stock<'_>) -> Self {
        let mut wishes = Self::default();
        stock.asked.iter().cloned().for_each(|demand| wishes.ask(demand));
        let mut done: BTreeSet<(PackageName, Option<ExtraName>)> = BTreeSet::new();
        loop {
            let parts = wishes.order.iter().flat_map(|project| {
                let extras = wishes.extras(project).into_iter().map(Some);
                [None].into_iter().chain(extras).map(|extra| (project.clone(), extra)).collect::<Vec<_>>()
            });
            let Some((project, extra)) = parts.into_iter().find(|part| !done.contains(part)) else { return wishes };
            if let Some(number) = chosen.get(&project) {
                stock.requirements(&project, *number, extra.as_ref()).into_iter().for_each(|demand| wishes.ask(demand));
            }
            done.insert((project, extra));
        }
    }

    /// Extras that are asked for and that the chosen wheel does not have, a sentence each, in the order of the projects' names.
    pub fn missing_extras(&self, chosen: &BTreeMap<PackageName, usize>, stock: &mut Stock<'_>) -> Vec<String> {
        let mut missing = Vec::new();
        for (project, number) in chosen {
            let wheel = stock.wheel(project, *number);
            let Ok(Wheel { file, content }) = &*wheel else { continue };
            for demand in self.of(project) {
                for extra in demand.requirement.extras.iter().filter(|extra| !content.extras.contains(extra)) {
                    missing.push(format!("`{}` has no extra `{extra}` ({})", file.file_name, demand.asker));
                }
            }
        }
        missing
    }
}
