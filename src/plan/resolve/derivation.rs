//! Finds the conflicting project, and the requirements on it, in PubGrub's proof that there is no
//! answer.
//!
//! The proof contains only the requirements that contribute to the failure. From the spec, vpython
//! follows these requirements along the best wheels, as a person would, until a project has no
//! wheel that satisfies all requirements found so far. The conflict names that project and the
//! origins of its requirements. It also names the requirements of the other wheels on the path,
//! since each of those wheels must fail as well.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use pep508_rs::{ExtraName, PackageName};
use pubgrub::{DerivationTree, External, VersionSet};

use super::candidates::{Candidates, choice};
use super::conflict::Conflict;
use super::dependency::Dependency;
use super::provider::{Package, THE_SPEC};
use super::requirement_set::RequirementSet;
use super::search::Derivation;
use super::version_set::Versions;

/// The maximum number of walks before any project of the proof is reported.
const MAX_WALKS: usize = 1000;

/// The requirements at the leaves of a proof: for each package and each project that it requires,
/// the versions of the package that require it.
#[derive(Default)]
struct Core(BTreeMap<(Package, PackageName), Versions>);

impl Core {
    /// Collects the leaves of a proof. Shared subtrees are visited once.
    fn of(derivation: &Derivation) -> Self {
        let mut core = Self::default();
        let mut seen = HashSet::new();
        let mut open = vec![derivation];
        while let Some(part) = open.pop() {
            match part {
                DerivationTree::External(External::FromDependencyOf(package, versions, on, _)) => {
                    core.note(package, versions, on);
                }
                // The other leaves name no requirement.
                DerivationTree::External(_) => {}
                DerivationTree::Derived(derived) => {
                    let causes = [&derived.cause1, &derived.cause2];
                    open.extend(
                        causes
                            .into_iter()
                            .filter(|cause| seen.insert(Arc::as_ptr(cause)))
                            .map(|cause| &**cause),
                    );
                }
            }
        }
        core
    }

    fn note(&mut self, package: &Package, versions: &Versions, on: &Package) {
        if let Package::Part(whole, _) = package {
            let (package, version) = &**whole;
            return self.note(package, &Versions::singleton(*version), on);
        }
        let Some(project) = on.project() else {
            return;
        };
        let known = self
            .0
            .entry((package.clone(), project.clone()))
            .or_insert_with(Versions::empty);
        *known = known.union(versions);
    }

    /// Returns the requirements of a version of a package that contribute to the failure.
    fn dependencies(
        &self,
        package: &Package,
        number: usize,
        candidates: &mut Candidates<'_>,
    ) -> Vec<Dependency> {
        let (all, version) = match package {
            Package::Spec => (candidates.asked.clone(), THE_SPEC),
            Package::Project(project) => (
                candidates.requirements(project, number, None),
                choice::version(number),
            ),
            Package::Extra(extra) => (
                candidates.requirements(&extra.0, number, Some(&extra.1)),
                choice::version(number),
            ),
            // Parts are recorded under their whole packages.
            Package::Part(..) => (Vec::new(), THE_SPEC),
        };
        let counts = |dependency: &Dependency| {
            let versions = self.0.get(&(package.clone(), dependency.project().clone()));
            versions.is_some_and(|versions| versions.contains(&version))
        };
        all.into_iter().filter(counts).collect()
    }
}

/// A walk from the spec along the best wheels.
#[derive(Default)]
struct Walk {
    requirement_set: RequirementSet,
    chosen: BTreeMap<PackageName, usize>,
    visited: BTreeSet<Package>,
}

/// A version that was chosen before a requirement was found that it does not satisfy, with that
/// requirement.
struct Dismissed {
    project: PackageName,
    number: usize,
    by: Box<Dependency>,
}

/// Returns the conflict that a proof shows.
pub(super) fn find_conflict(derivation: &Derivation, candidates: &mut Candidates<'_>) -> Conflict {
    let core = Core::of(derivation);
    let mut dismissed: Vec<Dismissed> = Vec::new();
    for _ in 0..MAX_WALKS {
        let mut walk = Walk::default();
        match walk.follow(&core, &dismissed, candidates) {
            Ok(project) => return walk.conflict(project, &dismissed, &core, candidates),
            // The requirements of a dismissed version no longer dismiss other versions.
            Err(another) => {
                let gone = candidates.file_name(&another.project, another.number);
                dismissed.retain(|known| known.by.required_by.file_name() != gone.as_deref());
                dismissed.push(another);
            }
        }
    }
    // Fallback: the first project of the proof.
    let project = core.0.into_keys().next().map_or_else(
        || candidates.asked[0].project().clone(),
        |(_, project)| project,
    );
    let dependencies = candidates
        .asked
        .iter()
        .filter(|dependency| *dependency.project() == project)
        .cloned()
        .collect();
    Conflict {
        project,
        dependencies,
        reasons: Vec::new(),
        instead: Vec::new(),
        roots: candidates.asked.clone(),
    }
}

impl Walk {
    /// Follows the requirements to the project that has no wheel.
    ///
    /// # Errors
    /// A chosen version does not satisfy a later requirement. The caller tries another path
    /// without that version.
    fn follow(
        &mut self,
        core: &Core,
        dismissed: &[Dismissed],
        candidates: &mut Candidates<'_>,
    ) -> Result<PackageName, Dismissed> {
        self.visit(&Package::Spec, 0, core, candidates)?;
        let mut place = 0;
        loop {
            let Some(project) = self.requirement_set.order.get(place).cloned() else {
                // All projects are decided without a conflict, so a wheel conflicts with itself.
                let flawed = self.chosen.iter().find(|(project, number)| {
                    let extras = self.requirement_set.extras(project);
                    candidates.flaw(project, **number, &extras).is_some()
                });
                let flawed = flawed
                    .map(|(project, _)| project.clone())
                    .or_else(|| self.requirement_set.order.last().cloned());
                return Ok(flawed.unwrap_or_else(|| candidates.asked[0].project().clone()));
            };
            place += 1;
            let Some(number) = self.best(&project, dismissed, candidates) else {
                return Ok(project);
            };
            self.chosen.insert(project.clone(), number);
            self.visit(&Package::of_project(&project), number, core, candidates)?;
            let extras = self.requirement_set.extras(&project);
            self.visit_extras(&project, extras, core, candidates)?;
        }
    }

    /// Adds the requirements of a chosen version, including those of the extras that it requires of
    /// projects that are already chosen.
    fn visit(
        &mut self,
        package: &Package,
        number: usize,
        core: &Core,
        candidates: &mut Candidates<'_>,
    ) -> Result<(), Dismissed> {
        if !self.visited.insert(package.clone()) {
            return Ok(());
        }
        for dependency in core.dependencies(package, number, candidates) {
            let project = dependency.project().clone();
            if let Some(number) = self.chosen.get(&project)
                && !dependency.admits(&candidates.of(&project)[*number].version)
            {
                return Err(Dismissed {
                    project,
                    number: *number,
                    by: Box::new(dependency),
                });
            }
            let extras = dependency.requirement.extras.clone();
            self.requirement_set.insert(dependency);
            // If the project is already chosen, its extras are not visited later.
            self.visit_extras(&project, extras, core, candidates)?;
        }
        Ok(())
    }

    /// Visits extras of a project, if it is chosen.
    fn visit_extras(
        &mut self,
        project: &PackageName,
        extras: impl IntoIterator<Item = ExtraName>,
        core: &Core,
        candidates: &mut Candidates<'_>,
    ) -> Result<(), Dismissed> {
        let Some(number) = self.chosen.get(project).copied() else {
            return Ok(());
        };
        for extra in extras {
            self.visit(
                &Package::of_extra(project, &extra),
                number,
                core,
                candidates,
            )?;
        }
        Ok(())
    }

    fn best(
        &self,
        project: &PackageName,
        dismissed: &[Dismissed],
        candidates: &mut Candidates<'_>,
    ) -> Option<usize> {
        let is_dismissed = |number: usize| {
            dismissed
                .iter()
                .any(|known| known.project == *project && known.number == number)
        };
        candidates
            .fitting(project, self.requirement_set.of(project))
            .into_iter()
            .find(|number| !is_dismissed(*number))
    }

    /// Describes the conflict on the project at the end of the path.
    fn conflict(
        mut self,
        project: PackageName,
        dismissed: &[Dismissed],
        core: &Core,
        candidates: &mut Candidates<'_>,
    ) -> Conflict {
        for known in dismissed.iter().filter(|known| known.project == project) {
            self.requirement_set.insert((*known.by).clone());
        }
        // The requirements of the spec apply whatever is chosen, and so also to a wheel that is
        // fetched later.
        let of_spec: Vec<Dependency> = candidates.asked_of(&project).cloned().collect();
        for dependency in of_spec {
            self.requirement_set.insert(dependency);
        }
        let mut dependencies = self.requirement_set.of(&project).to_vec();
        dependencies.sort_by_key(|dependency| !dependency.is_from_spec());
        let reasons = self.requirement_set.reasons(&dependencies);
        let instead = self.instead(&dependencies, core, candidates);
        dependencies.extend(candidates.constraints_on(&project).iter().cloned());
        let roots = core.dependencies(&Package::Spec, 0, candidates);
        Conflict {
            project,
            dependencies,
            reasons,
            instead,
            roots,
        }
    }

    /// Returns the requirements of the alternative wheels, those that satisfy the requirements on
    /// their projects but are not on the path: for each, the first requirement in the proof. A
    /// requirement that the chosen wheel shares is left out, unless it is part of the conflict.
    fn instead(
        &self,
        dependencies: &[Dependency],
        core: &Core,
        candidates: &mut Candidates<'_>,
    ) -> Vec<Dependency> {
        let mut instead = Vec::new();
        for (project, chosen) in &self.chosen {
            let package = Package::of_project(project);
            let of_chosen: Vec<String> = core
                .dependencies(&package, *chosen, candidates)
                .iter()
                .map(Dependency::title)
                .collect();
            // The alternatives to the chosen wheel.
            for number in candidates
                .fitting(project, self.requirement_set.of(project))
                .into_iter()
                .filter(|number| number != chosen)
            {
                let Some(first) = core
                    .dependencies(&package, number, candidates)
                    .into_iter()
                    .next()
                else {
                    continue;
                };
                let title = first.title();
                let is_conflicting = dependencies
                    .iter()
                    .any(|dependency| dependency.title() == title && !dependency.is_from_spec());
                if is_conflicting || !of_chosen.contains(&title) {
                    instead.push(first);
                }
            }
        }
        instead
    }
}
