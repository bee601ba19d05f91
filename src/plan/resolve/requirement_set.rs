//! What is asked of each project once versions have been chosen: by the spec, and by the wheels
//! that it leads to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use pep508_rs::{ExtraName, PackageName};

use super::candidates::{Candidates, Wheel};
use super::dependency::Dependency;
use crate::fs::Digest;

/// All that is asked for, in the order in which it was asked.
#[derive(Debug, Default)]
pub(super) struct RequirementSet {
    by_project: BTreeMap<PackageName, Vec<Dependency>>,
    /// Digests of what was asked, as it is written, and by whom.
    known: HashSet<Digest>,
    /// The projects in the order in which they were first asked for.
    pub order: Vec<PackageName>,
}

impl RequirementSet {
    /// Adds what somebody asks for; what is known already is not added again.
    pub fn ask(&mut self, dependency: Dependency) {
        let project = dependency.project();
        if !self.by_project.contains_key(project) {
            self.order.push(project.clone());
        }
        let wish = format!(
            "{}\n{:?} {:?}",
            dependency.title(),
            dependency.role,
            dependency.required_by
        );
        if self.known.insert(Digest::of(wish.as_bytes())) {
            self.by_project
                .entry(project.clone())
                .or_default()
                .push(dependency);
        }
    }

    /// What is asked of a project.
    pub fn of(&self, project: &PackageName) -> &[Dependency] {
        self.by_project.get(project).map_or(&[], Vec::as_slice)
    }

    /// The extras of a project that are asked for.
    pub fn extras(&self, project: &PackageName) -> BTreeSet<ExtraName> {
        self.of(project)
            .iter()
            .flat_map(|dependency| &dependency.requirement.extras)
            .cloned()
            .collect()
    }

    /// What the spec and the chosen wheels ask for.
    pub fn of_chosen(
        chosen: &BTreeMap<PackageName, usize>,
        candidates: &mut Candidates<'_>,
    ) -> Self {
        let mut requirement_set = Self::default();
        // Projects by their places in the order, and their extras: those to go on with, and all
        // that ever were among them.
        let mut places: HashMap<PackageName, usize> = HashMap::new();
        let mut open: BTreeSet<(usize, Option<ExtraName>)> = BTreeSet::new();
        let mut seen: HashSet<(usize, Option<ExtraName>)> = HashSet::new();
        let mut dependencies = candidates.asked.clone();
        loop {
            for dependency in dependencies {
                let next = places.len();
                let place = *places.entry(dependency.project().clone()).or_insert(next);
                let extras = dependency.requirement.extras.iter().cloned().map(Some);
                open.extend(
                    [None]
                        .into_iter()
                        .chain(extras)
                        .map(|extra| (place, extra))
                        .filter(|part| seen.insert(part.clone())),
                );
                requirement_set.ask(dependency);
            }
            let Some((place, extra)) = open.pop_first() else {
                return requirement_set;
            };
            let project = &requirement_set.order[place];
            dependencies = match chosen.get(project) {
                Some(number) => candidates.requirements(project, *number, extra.as_ref()),
                None => Vec::new(),
            };
        }
    }

    /// Why those wheels are there that ask for a project: for each the way back to the spec.
    pub fn reasons(&self, dependencies: &[Dependency]) -> Vec<Vec<Dependency>> {
        let mut reasons: Vec<Vec<Dependency>> = Vec::new();
        let mut seen = HashSet::new();
        for project in dependencies
            .iter()
            .filter_map(|dependency| dependency.required_by.project())
            .filter(|project| seen.insert(*project))
        {
            let way_back = std::iter::successors(self.of(project).first(), |dependency| {
                dependency
                    .required_by
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
        candidates: &mut Candidates<'_>,
    ) -> Vec<String> {
        let mut missing = Vec::new();
        for (project, number) in chosen {
            let wheel = candidates.wheel(project, *number);
            let Ok(Wheel { file, content }) = &*wheel else {
                continue;
            };
            for dependency in self.of(project) {
                for extra in dependency
                    .requirement
                    .extras
                    .iter()
                    .filter(|extra| !content.extras.contains(extra))
                {
                    missing.push(format!(
                        "`{}` has no extra `{extra}` ({})",
                        file.file_name, dependency.required_by
                    ));
                }
            }
        }
        missing
    }
}
