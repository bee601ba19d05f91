//! Which wheels satisfy a spec: of each project the highest version that fits all that is asked of it.
//!
//! Projects are decided one after the other, in the order in which they are asked for; where a choice turns out to leave no
//! choice for another project, the nearest choice that has to do with it is changed. So the answer depends on nothing but the
//! spec, the interpreter and the wheels that there are.

mod candidates;
mod judge;
pub(super) mod listed;
mod refusal;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use anyhow::Result;
use pep440_rs::{Operator, Version};
use pep508_rs::{ExtraName, PackageName, VersionOrUrl};
use tracing::debug;

use super::wheelhouse::{Metadata, WheelFile, Wheelhouse};
use super::{Asker, Evidence, Facts, PlannedWheel};
use crate::fs::{self, Digest, Stamped};
use crate::report::Failure;
use crate::spec::{Asked, Dependencies, Placed, Requirement, Requirements};
use candidates::Candidates;
use judge::Judge;
use refusal::Refusal;

/// How many of the chosen wheels a warm launch looks at: those that were changed last, which are the likeliest to be written over
/// where they lie. A wheel that is added, removed or replaced changes its folder, and is noticed in any number; so a launch costs
/// the same however large the environment is.
const WATCHED: usize = 8;

/// Chooses the wheels of a spec, sorted by project.
///
/// # Errors
/// No set of wheels satisfies the spec: who asks for what, and each wheel file with why it was not taken.
pub(super) fn resolve(
    requirements: &Requirements,
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
    evidence: &mut Evidence,
) -> Result<Vec<PlannedWheel>> {
    let Requirements { asked, constraints, dependencies, pre_releases, hashes_required } = requirements;
    let mut resolver = Resolver {
        judge: Judge::new(interpreter, wheelhouse),
        hopeless: HashMap::new(),
        dependencies: *dependencies,
        pre_releases: *pre_releases,
        hashes_required: *hashes_required,
    };
    let mut state = State::default();
    let count_here = |asked: &[Placed<Asked>], role: Role| -> Vec<Demand> {
        let demands = asked.iter().map(|placed| Demand::of(placed, role));
        demands.filter(|demand| demand.requirement.marker.evaluate(&interpreter.markers, &[])).collect()
    };
    state.constrain(count_here(constraints, Role::Constraint));
    state.ask(count_here(asked, Role::Requirement));
    let solved = match resolver.solve(state) {
        Ok(solved) => solved,
        Err(conflict) => return Err(resolver.explain(conflict.refusal).into()),
    };
    evidence.warnings.extend(solved.missing_extras());
    let wheels = solved.choices.values().map(|choice| {
        let demands = solved.demands_on(&choice.wheel.name.project).iter();
        let askers = demands.filter(|demand| demand.role == Role::Requirement).map(|demand| demand.asker.clone());
        (choice.wheel.clone(), askers.collect())
    });
    plan(wheels.collect(), resolver.judge, evidence)
}

/// A requirement that counts here, and who asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Demand {
    requirement: Requirement,
    /// The digests that will do; none where any will.
    hashes: Vec<Digest>,
    asker: Asker,
    role: Role,
}

/// Whether a demand brings its project into the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It does.
    Requirement,
    /// It holds if something else does.
    Constraint,
}

impl Demand {
    /// What a spec states.
    fn of(placed: &Placed<Asked>, role: Role) -> Self {
        let Asked { requirement, hashes } = placed.value.clone();
        Self { requirement, hashes, asker: Asker::Spec(placed.place.clone()), role }
    }

    /// Whether a version satisfies it. Pre-releases are a matter of all demands together, and not judged here.
    fn admits(&self, version: &Version) -> bool {
        match &self.requirement.version_or_url {
            Some(VersionOrUrl::VersionSpecifier(specifiers)) => specifiers.contains(version),
            _ => true,
        }
    }

    /// Whether it speaks of a pre-release, and so lets pre-releases in (PEP 440, "Handling of pre-releases").
    fn names_pre_release(&self) -> bool {
        match &self.requirement.version_or_url {
            Some(VersionOrUrl::VersionSpecifier(specifiers)) => specifiers.iter().any(|specifier| {
                let only_excludes = matches!(specifier.operator(), Operator::NotEqual | Operator::NotEqualStar);
                specifier.any_prerelease() && !only_excludes
            }),
            _ => false,
        }
    }

    fn is_from_spec(&self) -> bool {
        matches!(self.asker, Asker::Spec(_))
    }

    /// The requirement without its marker, as a person would write it: `numpy==1.26.4`.
    fn title(&self) -> String {
        let mut bare = self.requirement.clone();
        bare.marker = pep508_rs::MarkerTree::TRUE;
        bare.to_string()
    }
}

/// A wheel that was chosen for a project.
#[derive(Debug, Clone)]
struct Choice {
    wheel: WheelFile,
    metadata: Metadata,
    /// For a pre-release that is tried because no final version would do: the projects whose choice has to do with that.
    because_of: BTreeSet<PackageName>,
}

impl Choice {
    fn is_pre_release(&self) -> bool {
        self.wheel.name.version.any_prerelease()
    }
}

/// What is asked and what is decided so far.
#[derive(Debug, Clone, Default)]
struct State {
    /// All that is asked of each project.
    demands: BTreeMap<PackageName, Vec<Demand>>,
    /// The projects in the order in which they were first asked for.
    order: Vec<PackageName>,
    choices: BTreeMap<PackageName, Choice>,
}

/// Why a state has no solution.
struct Conflict {
    /// The projects whose choice has to do with it: changing another one cannot help.
    involved: BTreeSet<PackageName>,
    refusal: Refusal,
}

impl State {
    fn ask(&mut self, demands: impl IntoIterator<Item = Demand>) {
        for demand in demands {
            let name = demand.requirement.name.clone();
            if !self.order.contains(&name) {
                self.order.push(name.clone());
            }
            let known = self.demands.entry(name).or_default();
            if !known.contains(&demand) {
                known.push(demand);
            }
        }
    }

    /// Notes what holds for projects that something may ask for.
    fn constrain(&mut self, demands: impl IntoIterator<Item = Demand>) {
        for demand in demands {
            self.demands.entry(demand.requirement.name.clone()).or_default().push(demand);
        }
    }

    fn demands_on(&self, project: &PackageName) -> &[Demand] {
        self.demands.get(project).map_or(&[], Vec::as_slice)
    }

    /// The extras of a project that are asked for.
    fn extras_of(&self, project: &PackageName) -> Vec<ExtraName> {
        let asked: BTreeSet<&ExtraName> =
            self.demands_on(project).iter().flat_map(|demand| &demand.requirement.extras).collect();
        asked.into_iter().cloned().collect()
    }

    /// The next project to decide on.
    fn undecided(&self) -> Option<&PackageName> {
        self.order.iter().find(|name| !self.choices.contains_key(*name))
    }

    /// The projects whose choice is why somebody asks for something: the asker's own, and those that asked for the asker's extras.
    fn blame(&self, asker: &Asker) -> BTreeSet<PackageName> {
        let mut blamed = BTreeSet::new();
        let mut open = vec![asker];
        while let Some(asker) = open.pop() {
            let Asker::Wheel { project, .. } = asker else { continue };
            if blamed.insert(project.clone()) {
                let for_extras = self.demands_on(project).iter().filter(|demand| !demand.requirement.extras.is_empty());
                open.extend(for_extras.map(|demand| &demand.asker));
            }
        }
        blamed
    }

    /// The projects whose choice leaves `project` no other candidates: one that asks for it at all, and those that rule wheels out.
    fn blame_for_candidates(&self, project: &PackageName, candidates: &Candidates) -> BTreeSet<PackageName> {
        let demands = self.demands_on(project);
        let is_asked_by_spec = demands.iter().any(Demand::is_from_spec);
        let asking = demands.first().filter(|_| !is_asked_by_spec);
        let ruling_out = candidates.rejected.iter().filter_map(|rejected| demands.get(rejected.demand?));
        asking.into_iter().chain(ruling_out).flat_map(|demand| self.blame(&demand.asker)).collect()
    }

    /// Extras that are asked for and that the chosen wheel does not have, a sentence each.
    fn missing_extras(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (project, choice) in &self.choices {
            let has = |extra: &ExtraName| {
                choice.metadata.extras.iter().any(|known| known.parse().is_ok_and(|known: ExtraName| known == *extra))
            };
            for demand in self.demands_on(project) {
                for extra in demand.requirement.extras.iter().filter(|extra| !has(extra)) {
                    missing.push(format!("`{}` has no extra `{extra}` ({})", choice.wheel.file_name, demand.asker));
                }
            }
        }
        missing
    }
}

struct Resolver<'a> {
    judge: Judge<'a>,
    /// Wheels that no other choice can save, and why.
    hopeless: HashMap<PathBuf, Refusal>,
    dependencies: Dependencies,
    pre_releases: bool,
    hashes_required: bool,
}

impl Resolver<'_> {
    /// Whether pre-releases count as other versions do (PEP 440, "Handling of pre-releases").
    fn pre_releases_count(&self, demands: &[Demand]) -> bool {
        self.pre_releases || demands.iter().any(Demand::names_pre_release)
    }

    /// Decides on all projects that are asked for.
    fn solve(&mut self, state: State) -> Result<State, Conflict> {
        let Some(project) = state.undecided().cloned() else { return self.settle(state) };
        let candidates = Candidates::of(&project, state.demands_on(&project), self);
        let mut involved = state.blame_for_candidates(&project, &candidates);
        let mut first_refusal = None;
        for mut choice in candidates.fitting {
            choice.because_of.clone_from(&involved);
            let conflict = match self.attempt(&state, &project, choice) {
                Ok(solved) => return Ok(solved),
                Err(conflict) => conflict,
            };
            if !conflict.involved.contains(&project) {
                return Err(conflict);
            }
            involved.extend(conflict.involved);
            first_refusal.get_or_insert(conflict.refusal);
        }
        involved.remove(&project);
        let refusal = first_refusal.unwrap_or_else(|| Refusal {
            demands: state.demands_on(&project).to_vec(),
            project,
            rejected: candidates.rejected.into_iter().map(|rejected| rejected.why).collect(),
        });
        Err(Conflict { involved, refusal })
    }

    /// Solves with this choice for a project. What fails by the choice alone is not tried again.
    fn attempt(&mut self, state: &State, project: &PackageName, choice: Choice) -> Result<State, Conflict> {
        let alone = BTreeSet::from([project.clone()]);
        let path = self.judge.wheelhouse.path(&choice.wheel);
        if let Some(refusal) = self.hopeless.get(&path) {
            return Err(Conflict { involved: alone, refusal: refusal.clone() });
        }
        debug!(wheel = choice.wheel.file_name, "trying");
        // What extras bring depends on who asks for them, and whether a pre-release will do on who names one.
        let may_be_hopeless = state.extras_of(project).is_empty() && !choice.is_pre_release();
        let solved = self.choose(state.clone(), project, choice).and_then(|next| self.solve(next));
        solved.inspect_err(|conflict| {
            if may_be_hopeless && conflict.involved == alone {
                self.hopeless.insert(path, conflict.refusal.clone());
            }
        })
    }

    /// A whole answer, unless it has a pre-release in it that nobody asks for while a final version would do.
    fn settle(&mut self, state: State) -> Result<State, Conflict> {
        for (project, choice) in &state.choices {
            let demands = state.demands_on(project);
            if !choice.is_pre_release() || self.pre_releases_count(demands) {
                continue;
            }
            let candidates = Candidates::of(project, demands, self);
            if candidates.fitting.iter().any(|other| !other.is_pre_release()) {
                let refusal = self.contradiction(&state, project);
                let involved = choice.because_of.iter().chain([project]).cloned().collect();
                return Err(Conflict { involved, refusal });
            }
        }
        Ok(state)
    }

    /// Takes a wheel for a project and asks for what it requires.
    fn choose(&mut self, mut state: State, project: &PackageName, choice: Choice) -> Result<State, Conflict> {
        state.choices.insert(project.clone(), choice);
        let mut to_expand = vec![project.clone()];
        while let Some(project) = to_expand.pop() {
            let demands = self.requirements_of(&state, &project);
            for demand in &demands {
                let name = &demand.requirement.name;
                let extras_before = state.extras_of(name);
                state.ask([demand.clone()]);
                let Some(chosen) = state.choices.get(name) else { continue };
                if !demand.admits(&chosen.wheel.name.version) {
                    let involved = state.blame(&demand.asker).into_iter().chain([name.clone()]).collect();
                    return Err(Conflict { involved, refusal: self.contradiction(&state, name) });
                }
                if state.extras_of(name) != extras_before {
                    to_expand.push(name.clone());
                }
            }
        }
        Ok(state)
    }

    /// What the chosen wheel of a project requires here, with the extras that are asked of it.
    fn requirements_of(&self, state: &State, project: &PackageName) -> Vec<Demand> {
        let Some(choice) = state.choices.get(project) else { return Vec::new() };
        if self.dependencies == Dependencies::Ignored {
            return Vec::new();
        }
        let extras = state.extras_of(project);
        let asker = Asker::Wheel {
            project: project.clone(),
            version: choice.wheel.name.version.clone(),
            file_name: choice.wheel.file_name.clone(),
        };
        // That each line is a requirement was seen when the wheel became a candidate.
        let requirements = choice.metadata.requires_dist.iter().filter_map(|line| judge::requirement(line));
        requirements
            .filter(|requirement| requirement.marker.evaluate(&self.judge.interpreter.markers, &extras))
            .map(|requirement| Demand { requirement, hashes: Vec::new(), asker: asker.clone(), role: Role::Requirement })
            .collect()
    }

    /// Why the wheel that was chosen for a project will not do after all: what is asked of it, and why no wheel does all of that.
    fn contradiction(&mut self, state: &State, project: &PackageName) -> Refusal {
        let demands = state.demands_on(project);
        let candidates = Candidates::of(project, demands, self);
        let in_conflict =
            candidates.fitting.iter().map(|choice| format!("`{}` leads to another conflict", choice.wheel.file_name));
        let mut rejected: Vec<String> =
            candidates.rejected.iter().map(|rejected| rejected.why.clone()).chain(in_conflict).collect();
        rejected.sort();
        Refusal { project: project.clone(), demands: demands.to_vec(), rejected }
    }

    fn explain(&self, refusal: Refusal) -> Failure {
        refusal.explain(self.judge.interpreter, self.judge.wheelhouse)
    }
}

/// Wheels, and who asks for each, with their digests. Their stamps, and those of wheels that were rejected, go to
/// the evidence before they are read.
fn plan(wheels: Vec<(WheelFile, Vec<Asker>)>, judge: Judge<'_>, evidence: &mut Evidence) -> Result<Vec<PlannedWheel>> {
    let Judge { wheelhouse, rejected, .. } = judge;
    evidence.stamps.extend(rejected);
    let (wheels, askers): (Vec<WheelFile>, Vec<Vec<Asker>>) = wheels.into_iter().unzip();
    let mut stamps: Vec<Stamped> = wheels.iter().map(|wheel| Stamped::look(wheelhouse.path(wheel))).collect();
    stamps.sort_by_key(|stamped| Reverse(stamped.stamp.map(|stamp| stamp.modified)));
    evidence.stamps.extend(stamps.into_iter().take(WATCHED));
    let digests = wheelhouse.digests(&wheels)?;
    let planned = wheels.into_iter().zip(askers).zip(digests).map(|((wheel, required_by), sha256)| {
        let path = wheelhouse.path(&wheel);
        let size = fs::metadata(&path)?.map_or(0, |metadata| metadata.len());
        Ok(PlannedWheel { name: wheel.name.project, version: wheel.name.version, path, size, sha256, required_by })
    });
    planned.collect()
}
