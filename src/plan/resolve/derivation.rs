//! Reading PubGrub's proof that there is no answer: which project is in the way, and what is asked
//! of it.
//!
//! A proof tells which wishes have to do with the failure, and leaves out all others. Along these
//! the best wheels are followed, as a person would: from the spec to a project that has no wheel
//! for all that is asked of it on this way. That project is named, with those who ask; and so is
//! what the other wheels on the way ask for, since each of them must fail as well.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use pep508_rs::PackageName;
use pubgrub::{DerivationTree, External, VersionSet};

use super::candidates::{Candidates, choice};
use super::conflict::Conflict;
use super::dependency::Dependency;
use super::provider::{Package, THE_SPEC};
use super::requirement_set::RequirementSet;
use super::search::Derivation;
use super::version_set::Versions;

/// How often another way is tried before the project is named that is in the way of the last one.
const PATIENCE: usize = 1000;

/// Which versions of which packages the proof holds against which projects.
#[derive(Default)]
struct Core(BTreeMap<(Package, PackageName), Versions>);

impl Core {
    /// What is at the leaves of a proof. Parts that several others rest on are read once.
    fn of(derivation: &Derivation) -> Self {
        let mut core = Self::default();
        let mut seen = HashSet::new();
        let mut open = vec![derivation];
        while let Some(part) = open.pop() {
            match part {
                DerivationTree::External(External::FromDependencyOf(package, versions, on, _)) => {
                    core.note(package, versions, on);
                }
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
        let (Package::Project(project) | Package::Extra(project, _)) = on else {
            return;
        };
        let known = self
            .0
            .entry((package.clone(), project.clone()))
            .or_insert_with(Versions::empty);
        *known = known.union(versions);
    }

    /// What a version of a package asks for, as far as it has to do with the failure.
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
            Package::Extra(project, extra) => (
                candidates.requirements(project, number, Some(extra)),
                choice::version(number),
            ),
            // They are known by their wholes.
            Package::Part(..) => (Vec::new(), THE_SPEC),
        };
        let counts = |dependency: &Dependency| {
            let versions = self.0.get(&(package.clone(), dependency.project().clone()));
            versions.is_some_and(|versions| versions.contains(&version))
        };
        all.into_iter().filter(counts).collect()
    }
}

/// One way from the spec along the best wheels.
#[derive(Default)]
struct Way {
    requirement_set: RequirementSet,
    chosen: BTreeMap<PackageName, usize>,
    asked: BTreeSet<Package>,
}

/// A version that was on the way when something was asked that it does not satisfy, and what that
/// was.
struct Dismissed {
    project: PackageName,
    number: usize,
    by: Box<Dependency>,
}

/// What is in the way of an answer, by the proof that there is none.
pub(super) fn find_conflict(derivation: &Derivation, candidates: &mut Candidates<'_>) -> Conflict {
    let core = Core::of(derivation);
    let mut dismissed: Vec<Dismissed> = Vec::new();
    for _ in 0..PATIENCE {
        let mut way = Way::default();
        match way.follow(&core, &dismissed, candidates) {
            Ok(project) => return way.conflict(project, &dismissed, &core, candidates),
            // A version that is given up asks for nothing any more.
            Err(another) => {
                let gone = candidates.file_name(&another.project, another.number);
                dismissed.retain(|known| known.by.required_by.file_name() != gone.as_deref());
                dismissed.push(another);
            }
        }
    }
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

impl Way {
    /// Goes on to the project that has no wheel.
    ///
    /// # Errors
    /// A version that was chosen will not do after all, and another way is to be tried without it.
    fn follow(
        &mut self,
        core: &Core,
        dismissed: &[Dismissed],
        candidates: &mut Candidates<'_>,
    ) -> Result<PackageName, Dismissed> {
        self.ask(&Package::Spec, 0, core, candidates)?;
        let mut place = 0;
        loop {
            let Some(project) = self.requirement_set.order.get(place).cloned() else {
                // Where all is decided without a contradiction, a wheel contradicts itself.
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
            self.ask(&Package::Project(project.clone()), number, core, candidates)?;
            self.ask_for_extras(&project, core, candidates)?;
        }
    }

    /// Notes what a chosen version asks for, and for what extras of projects that are chosen
    /// already.
    fn ask(
        &mut self,
        package: &Package,
        number: usize,
        core: &Core,
        candidates: &mut Candidates<'_>,
    ) -> Result<(), Dismissed> {
        if !self.asked.insert(package.clone()) {
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
            self.requirement_set.ask(dependency);
            if let Some(number) = self.chosen.get(&project).copied() {
                for extra in extras {
                    self.ask(
                        &Package::Extra(project.clone(), extra),
                        number,
                        core,
                        candidates,
                    )?;
                }
            }
        }
        Ok(())
    }

    fn ask_for_extras(
        &mut self,
        project: &PackageName,
        core: &Core,
        candidates: &mut Candidates<'_>,
    ) -> Result<(), Dismissed> {
        let Some(number) = self.chosen.get(project).copied() else {
            return Ok(());
        };
        for extra in self.requirement_set.extras(project) {
            self.ask(
                &Package::Extra(project.clone(), extra),
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

    /// All that there is to say of the project at the end of the way.
    fn conflict(
        mut self,
        project: PackageName,
        dismissed: &[Dismissed],
        core: &Core,
        candidates: &mut Candidates<'_>,
    ) -> Conflict {
        for known in dismissed.iter().filter(|known| known.project == project) {
            self.requirement_set.ask((*known.by).clone());
        }
        // What the spec asks of it holds whatever is chosen, and so for a wheel that is fetched
        // too.
        let of_spec: Vec<Dependency> = candidates.asked_of(&project).cloned().collect();
        for dependency in of_spec {
            self.requirement_set.ask(dependency);
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

    /// What the wheels ask for that were not taken on the way and would satisfy what is asked of
    /// their projects: of each the first wish that the proof rests on. What the chosen wheel asks
    /// for as well is left out, unless it is the obstacle itself.
    fn instead(
        &self,
        dependencies: &[Dependency],
        core: &Core,
        candidates: &mut Candidates<'_>,
    ) -> Vec<Dependency> {
        let mut instead = Vec::new();
        for (project, chosen) in &self.chosen {
            let package = Package::Project(project.clone());
            let of_chosen: Vec<String> = core
                .dependencies(&package, *chosen, candidates)
                .iter()
                .map(Dependency::title)
                .collect();
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
                let is_obstacle = dependencies
                    .iter()
                    .any(|dependency| dependency.title() == title && !dependency.is_from_spec());
                if is_obstacle || !of_chosen.contains(&title) {
                    instead.push(first);
                }
            }
        }
        instead
    }
}
