//! The requirements on each project once versions have been chosen: those of the spec, and those of
//! the chosen wheels.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use pep508_rs::{ExtraName, PackageName};

use super::candidates::{Candidates, Wheel};
use super::dependency::Dependency;
use crate::fs::Digest;

/// Requirements, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct RequirementSet {
    by_project: BTreeMap<PackageName, OnProject>,
    /// The projects in the order in which they were first required.
    pub order: Vec<PackageName>,
}

/// The requirements on a project.
#[derive(Debug)]
struct OnProject {
    /// The requirements; there is at least one.
    dependencies: Vec<Dependency>,
    /// The [`identity`] of each requirement, if there are several.
    known: HashSet<Digest>,
    /// The requirement of the spec that leads to the first requirement.
    root: Dependency,
}

/// Returns a digest of a requirement as text, with its role and origin.
fn identity(dependency: &Dependency) -> Digest {
    let text = format!(
        "{}\n{:?} {:?}",
        dependency.title(),
        dependency.role,
        dependency.required_by
    );
    Digest::of(text.as_bytes())
}

impl RequirementSet {
    /// Adds a requirement, unless it is already in the set.
    pub fn insert(&mut self, dependency: Dependency) {
        let project = dependency.project();
        if let Some(on_project) = self.by_project.get_mut(project) {
            let OnProject {
                dependencies,
                known,
                ..
            } = on_project;
            if known.is_empty() {
                known.extend(dependencies.iter().map(identity));
            }
            if known.insert(identity(&dependency)) {
                dependencies.push(dependency);
            }
            return;
        }
        self.order.push(project.clone());
        // The wheel that first required a project precedes the project in the order.
        let required_by = dependency.required_by.project();
        let requiring = required_by.and_then(|project| self.by_project.get(project));
        let on_project = OnProject {
            known: HashSet::new(),
            root: requiring.map_or(&dependency, |known| &known.root).clone(),
            dependencies: vec![dependency.clone()],
        };
        self.by_project.insert(project.clone(), on_project);
    }

    /// Returns the requirements on a project.
    pub fn of(&self, project: &PackageName) -> &[Dependency] {
        self.by_project
            .get(project)
            .map_or(&[], |known| &known.dependencies)
    }

    /// Returns the required extras of a project.
    pub fn extras(&self, project: &PackageName) -> BTreeSet<ExtraName> {
        self.of(project)
            .iter()
            .flat_map(|dependency| &dependency.requirement.extras)
            .cloned()
            .collect()
    }

    /// Collects the requirements of the spec and of the chosen wheels.
    pub fn of_chosen(
        chosen: &BTreeMap<PackageName, usize>,
        candidates: &mut Candidates<'_>,
    ) -> Self {
        let mut requirement_set = Self::default();
        // Each entry is the index of a project in the order, with an extra or none: `open` has the
        // entries that are still to be visited, and `seen` all that were ever added to it.
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
                requirement_set.insert(dependency);
            }
            // Visit the next project or extra, and add its requirements in the next iteration.
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

    /// Returns, for each wheel among the origins, the chain of requirements from that wheel back to
    /// the spec. Of a longer chain it contains the first two and the last.
    pub fn reasons(&self, dependencies: &[Dependency]) -> Vec<Vec<Dependency>> {
        let mut reasons: Vec<Vec<Dependency>> = Vec::new();
        let mut seen = HashSet::new();
        for project in dependencies
            .iter()
            .filter_map(|dependency| dependency.required_by.project())
            .filter(|project| seen.insert(*project))
        {
            // Follow the first requirement on each project towards the spec.
            let chain = std::iter::successors(self.of(project).first(), |dependency| {
                dependency
                    .required_by
                    .project()
                    .and_then(|project| self.of(project).first())
            });
            let mut chain: Vec<Dependency> = chain.take(3).cloned().collect();
            // Instead of the third link, show the spec's requirement, at which the chain ends.
            if let ([_, _, last], Some(known)) = (&mut chain[..], self.by_project.get(project)) {
                *last = known.root.clone();
            }
            reasons.push(chain);
        }
        reasons
    }

    /// Returns a warning for each required extra that the chosen wheel does not have, sorted by
    /// project.
    pub fn missing_extras(
        &self,
        chosen: &BTreeMap<PackageName, usize>,
        candidates: &mut Candidates<'_>,
    ) -> Vec<String> {
        let mut missing = Vec::new();
        for (project, number) in chosen {
            let wheel = candidates.wheel(project, *number);
            // A wheel that cannot be used is reported where it is rejected.
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
