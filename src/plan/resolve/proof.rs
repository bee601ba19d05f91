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

use super::choices::Choices;
use super::demand::Demand;
use super::provider::{Package, THE_SPEC};
use super::refusal::Obstacle;
use super::search::Proof;
use super::stock::{Stock, choice};
use super::wishes::Wishes;

/// How often another way is tried before the project is named that is in the way of the last one.
const PATIENCE: usize = 1000;

/// Which versions of which packages the proof holds against which projects.
#[derive(Default)]
struct Core(BTreeMap<(Package, PackageName), Choices>);

impl Core {
    /// What is at the leaves of a proof. Parts that several others rest on are read once.
    fn of(proof: &Proof) -> Self {
        let mut core = Self::default();
        let mut seen = HashSet::new();
        let mut open = vec![proof];
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

    fn note(&mut self, package: &Package, versions: &Choices, on: &Package) {
        let (Package::Project(project) | Package::Extra(project, _)) = on else {
            return;
        };
        let known = self
            .0
            .entry((package.clone(), project.clone()))
            .or_insert_with(Choices::empty);
        *known = known.union(versions);
    }

    /// What a version of a package asks for, as far as it has to do with the failure.
    fn demands(&self, package: &Package, number: usize, stock: &mut Stock<'_>) -> Vec<Demand> {
        let (all, version) = match package {
            Package::Spec => (stock.asked.clone(), THE_SPEC),
            Package::Project(project) => (
                stock.requirements(project, number, None),
                choice::version(number),
            ),
            Package::Extra(project, extra) => (
                stock.requirements(project, number, Some(extra)),
                choice::version(number),
            ),
        };
        let counts = |demand: &Demand| {
            let versions = self.0.get(&(package.clone(), demand.project().clone()));
            versions.is_some_and(|versions| versions.contains(&version))
        };
        all.into_iter().filter(counts).collect()
    }
}

/// One way from the spec along the best wheels.
#[derive(Default)]
struct Way {
    wishes: Wishes,
    chosen: BTreeMap<PackageName, usize>,
    asked: BTreeSet<Package>,
}

/// A version that was on the way when something was asked that it does not satisfy, and what that
/// was.
struct Dismissed {
    project: PackageName,
    number: usize,
    by: Box<Demand>,
}

/// What is in the way of an answer, by the proof that there is none.
pub(super) fn find_obstacle(proof: &Proof, stock: &mut Stock<'_>) -> Obstacle {
    let core = Core::of(proof);
    let mut dismissed: Vec<Dismissed> = Vec::new();
    for _ in 0..PATIENCE {
        let mut way = Way::default();
        match way.follow(&core, &dismissed, stock) {
            Ok(project) => return way.obstacle(project, &dismissed, &core, stock),
            // A version that is given up asks for nothing any more.
            Err(another) => {
                let gone = stock.file_name(&another.project, another.number);
                dismissed.retain(|known| known.by.asker.file_name() != gone.as_deref());
                dismissed.push(another);
            }
        }
    }
    let project = core
        .0
        .into_keys()
        .next()
        .map_or_else(|| stock.asked[0].project().clone(), |(_, project)| project);
    let demands = stock
        .asked
        .iter()
        .filter(|demand| *demand.project() == project)
        .cloned()
        .collect();
    Obstacle {
        project,
        demands,
        reasons: Vec::new(),
        instead: Vec::new(),
        roots: stock.asked.clone(),
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
        stock: &mut Stock<'_>,
    ) -> Result<PackageName, Dismissed> {
        self.ask(&Package::Spec, 0, core, stock)?;
        let mut place = 0;
        loop {
            let Some(project) = self.wishes.order.get(place).cloned() else {
                // Where all is decided without a contradiction, a wheel contradicts itself.
                let flawed = self.chosen.iter().find(|(project, number)| {
                    let extras = self.wishes.extras(project);
                    stock.flaw(project, **number, &extras).is_some()
                });
                let flawed = flawed
                    .map(|(project, _)| project.clone())
                    .or_else(|| self.wishes.order.last().cloned());
                return Ok(flawed.unwrap_or_else(|| stock.asked[0].project().clone()));
            };
            place += 1;
            let Some(number) = self.best(&project, dismissed, stock) else {
                return Ok(project);
            };
            self.chosen.insert(project.clone(), number);
            self.ask(&Package::Project(project.clone()), number, core, stock)?;
            self.ask_for_extras(&project, core, stock)?;
        }
    }

    /// Notes what a chosen version asks for, and for what extras of projects that are chosen
    /// already.
    fn ask(
        &mut self,
        package: &Package,
        number: usize,
        core: &Core,
        stock: &mut Stock<'_>,
    ) -> Result<(), Dismissed> {
        if !self.asked.insert(package.clone()) {
            return Ok(());
        }
        for demand in core.demands(package, number, stock) {
            let project = demand.project().clone();
            if let Some(number) = self.chosen.get(&project)
                && !demand.admits(&stock.offers(&project)[*number].version)
            {
                return Err(Dismissed {
                    project,
                    number: *number,
                    by: Box::new(demand),
                });
            }
            let extras = demand.requirement.extras.clone();
            self.wishes.ask(demand);
            if let Some(number) = self.chosen.get(&project).copied() {
                for extra in extras {
                    self.ask(&Package::Extra(project.clone(), extra), number, core, stock)?;
                }
            }
        }
        Ok(())
    }

    fn ask_for_extras(
        &mut self,
        project: &PackageName,
        core: &Core,
        stock: &mut Stock<'_>,
    ) -> Result<(), Dismissed> {
        let Some(number) = self.chosen.get(project).copied() else {
            return Ok(());
        };
        for extra in self.wishes.extras(project) {
            self.ask(&Package::Extra(project.clone(), extra), number, core, stock)?;
        }
        Ok(())
    }

    fn best(
        &self,
        project: &PackageName,
        dismissed: &[Dismissed],
        stock: &mut Stock<'_>,
    ) -> Option<usize> {
        let is_dismissed = |number: usize| {
            dismissed
                .iter()
                .any(|known| known.project == *project && known.number == number)
        };
        stock
            .fitting(project, self.wishes.of(project))
            .into_iter()
            .find(|number| !is_dismissed(*number))
    }

    /// All that there is to say of the project at the end of the way.
    fn obstacle(
        mut self,
        project: PackageName,
        dismissed: &[Dismissed],
        core: &Core,
        stock: &mut Stock<'_>,
    ) -> Obstacle {
        for known in dismissed.iter().filter(|known| known.project == project) {
            self.wishes.ask((*known.by).clone());
        }
        // What the spec asks of it holds whatever is chosen, and so for a wheel that is fetched
        // too.
        let of_spec: Vec<Demand> = stock.asked_of(&project).cloned().collect();
        for demand in of_spec {
            self.wishes.ask(demand);
        }
        let mut demands = self.wishes.of(&project).to_vec();
        demands.sort_by_key(|demand| !demand.is_from_spec());
        let reasons = self.wishes.reasons(&demands);
        let instead = self.instead(&demands, core, stock);
        demands.extend(stock.constraints_on(&project).iter().cloned());
        let roots = core.demands(&Package::Spec, 0, stock);
        Obstacle {
            project,
            demands,
            reasons,
            instead,
            roots,
        }
    }

    /// What the wheels ask for that were not taken on the way and would satisfy what is asked of
    /// their projects: of each the first wish that the proof rests on. What the chosen wheel asks
    /// for as well is left out, unless it is the obstacle itself.
    fn instead(&self, demands: &[Demand], core: &Core, stock: &mut Stock<'_>) -> Vec<Demand> {
        let mut instead = Vec::new();
        for (project, chosen) in &self.chosen {
            let package = Package::Project(project.clone());
            let of_chosen: Vec<String> = core
                .demands(&package, *chosen, stock)
                .iter()
                .map(Demand::title)
                .collect();
            for number in stock
                .fitting(project, self.wishes.of(project))
                .into_iter()
                .filter(|number| number != chosen)
            {
                let Some(first) = core.demands(&package, number, stock).into_iter().next() else {
                    continue;
                };
                let title = first.title();
                let is_obstacle = demands
                    .iter()
                    .any(|demand| demand.title() == title && !demand.is_from_spec());
                if is_obstacle || !of_chosen.contains(&title) {
                    instead.push(first);
                }
            }
        }
        instead
    }
}
