//! What there is to choose from: the versions of each project that the interpreter can take, the wheel of each, and what that wheel
//! asks for. A wheel is opened when its version is first considered.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use pep440_rs::Version;
use pep508_rs::{ExtraName, PackageName};

use super::choices::Choices;
use super::demand::{Demand, Role};
use super::judge::{Content, Judge};
use crate::fs::Digest;
use crate::plan::Asker;
use crate::plan::wheelhouse::WheelFile;
use crate::spec::{Asked, Dependencies, Placed, Requirements};

/// The spec's question, and what there is to answer it with.
pub(super) struct Shelf<'a> {
    /// The interpreter that wheels are held against, and the wheels.
    pub judge: Judge<'a>,
    /// What the spec asks for, in its order.
    pub asked: Vec<Demand>,
    /// What the spec says of projects that something may ask for.
    constraints: BTreeMap<PackageName, Vec<Demand>>,
    dependencies: Dependencies,
    pre_releases: bool,
    hashes_required: bool,
    projects: HashMap<PackageName, Rc<Vec<Offer>>>,
    wheels: HashMap<(PackageName, usize), Rc<Result<Wheel, Vec<String>>>>,
}

/// A version of a project, with the wheels of that version that the interpreter can take by their tags.
pub(super) struct Offer {
    /// The version.
    pub version: Version,
    /// Its wheels, that which fits best first.
    files: Vec<WheelFile>,
}

/// The wheel that stands for a version.
pub(super) struct Wheel {
    /// The wheel.
    pub file: WheelFile,
    /// What it says of itself.
    pub content: Content,
}

impl<'a> Shelf<'a> {
    /// What a spec asks for, held against the wheels that there are.
    pub fn new(requirements: &Requirements, judge: Judge<'a>) -> Self {
        let Requirements { asked, constraints, dependencies, pre_releases, hashes_required } = requirements;
        let count_here = |asked: &[Placed<Asked>], role: Role| -> Vec<Demand> {
            let demands = asked.iter().map(|placed| Demand::of(placed, role));
            demands.filter(|demand| demand.requirement.marker.evaluate(&judge.interpreter.markers, &[])).collect()
        };
        let mut by_project: BTreeMap<PackageName, Vec<Demand>> = BTreeMap::new();
        for demand in count_here(constraints, Role::Constraint) {
            by_project.entry(demand.project().clone()).or_default().push(demand);
        }
        let asked = count_here(asked, Role::Requirement);
        Self {
            judge,
            asked,
            constraints: by_project,
            dependencies: *dependencies,
            pre_releases: *pre_releases,
            hashes_required: *hashes_required,
            projects: HashMap::new(),
            wheels: HashMap::new(),
        }
    }

    /// What the spec says of a project in case that something asks for it.
    pub fn constraints_on(&self, project: &PackageName) -> &[Demand] {
        self.constraints.get(project).map_or(&[], Vec::as_slice)
    }

    /// The versions of a project, the lowest first. Their places are their numbers.
    pub fn offers(&mut self, project: &PackageName) -> Rc<Vec<Offer>> {
        if let Some(known) = self.projects.get(project) {
            return Rc::clone(known);
        }
        let mut by_version: BTreeMap<Version, Vec<(usize, WheelFile)>> = BTreeMap::new();
        for file in self.judge.wheelhouse.wheels(project).to_vec() {
            if let Ok(rank) = self.judge.tags(&file) {
                by_version.entry(file.name.version.clone()).or_default().push((rank, file));
            }
        }
        let offers = by_version.into_iter().map(|(version, mut files)| {
            // The best tag, then the highest build, then the first name.
            files.sort_by_cached_key(|(rank, file)| (*rank, Reverse(file.name.build.clone()), file.file_name.clone()));
            Offer { version, files: files.into_iter().map(|(_, file)| file).collect() }
        });
        let offers = Rc::new(offers.collect::<Vec<_>>());
        self.projects.insert(project.clone(), Rc::clone(&offers));
        offers
    }

    /// The wheel that stands for a version: of those that will do the one that fits best; or why none will, a sentence each.
    pub fn wheel(&mut self, project: &PackageName, number: usize) -> Rc<Result<Wheel, Vec<String>>> {
        let key = (project.clone(), number);
        if let Some(known) = self.wheels.get(&key) {
            return Rc::clone(known);
        }
        let mut refused = Vec::new();
        let mut found = None;
        for file in &self.offers(project)[number].files {
            match self.content(file) {
                Ok(content) => {
                    found = Some(Wheel { file: file.clone(), content });
                    break;
                }
                Err(why) => refused.push(format!("`{}` {why}", file.file_name)),
            }
        }
        let wheel = Rc::new(found.ok_or(refused));
        self.wheels.insert(key, Rc::clone(&wheel));
        wheel
    }

    /// The name of the wheel that stands for a version.
    pub fn file_name(&mut self, project: &PackageName, number: usize) -> Option<String> {
        self.wheel(project, number).as_ref().as_ref().ok().map(|wheel| wheel.file.file_name.clone())
    }

    /// What a wheel says of itself, or why it will not do: its digest, then what is in it.
    pub fn content(&mut self, file: &WheelFile) -> Result<Content, String> {
        self.judge_digest(file)?;
        self.judge.content(file)?.with_requirements().inspect_err(|_| self.judge.note_rejection(file))
    }

    /// Whether the wheel's digest is among those that are pinned; each demand of the spec that pins any must have it.
    fn judge_digest(&mut self, file: &WheelFile) -> Result<(), String> {
        let project = &file.name.project;
        let of_spec = self.asked.iter().filter(|demand| demand.project() == project).chain(self.constraints_on(project));
        let pins: Vec<(Vec<Digest>, Asker)> = of_spec
            .filter(|demand| !demand.hashes.is_empty())
            .map(|demand| (demand.hashes.clone(), demand.asker.clone()))
            .collect();
        match (&pins[..], self.hashes_required) {
            ([], false) => Ok(()),
            ([], true) => Err("has no digest in the spec, which must name the digests of all wheels".into()),
            (pins, _) => self.judge.digest_is_pinned(file, pins),
        }
    }

    /// What the wheel of a version asks for: itself, or where an extra is named what it asks for that extra besides. Nothing, where
    /// there is no such wheel.
    pub fn requirements(&mut self, project: &PackageName, number: usize, extra: Option<&ExtraName>) -> Vec<Demand> {
        let wheel = self.wheel(project, number);
        let Ok(Wheel { file, content }) = &*wheel else { return Vec::new() };
        if self.dependencies == Dependencies::Ignored {
            return Vec::new();
        }
        let markers = &self.judge.interpreter.markers;
        let asker = Asker::Wheel {
            project: project.clone(),
            version: file.name.version.clone(),
            file_name: file.file_name.clone(),
        };
        let counts = |extras: &[ExtraName], demand: &crate::spec::Requirement| demand.marker.evaluate(markers, extras);
        let requirements = content.requirements.iter().filter(|requirement| match extra {
            None => counts(&[], requirement),
            Some(extra) => counts(std::slice::from_ref(extra), requirement) && !counts(&[], requirement),
        });
        let demand = |requirement: &crate::spec::Requirement| Demand {
            requirement: requirement.clone(),
            hashes: Vec::new(),
            asker: asker.clone(),
            role: Role::Requirement,
        };
        requirements.map(demand).collect()
    }

    /// Whether a demand on a project lets its pre-releases in, be it because the spec does.
    pub fn lets_pre_releases_in(&self, demand: &Demand) -> bool {
        let of_spec = self.constraints_on(demand.project());
        self.pre_releases || demand.names_pre_release() || of_spec.iter().any(Demand::names_pre_release)
    }

    /// Whether a version satisfies a demand and what the spec says of the project besides.
    fn admits(&self, demand: &Demand, version: &Version) -> bool {
        demand.admits(version) && self.constraints_on(demand.project()).iter().all(|constraint| constraint.admits(version))
    }

    /// What a demand leaves of its project.
    pub fn choices(&mut self, demand: &Demand) -> Choices {
        let offers = self.offers(demand.project());
        let admitted = offers.iter().enumerate().filter(|(_, offer)| self.admits(demand, &offer.version));
        let mut choices: Choices = admitted.clone().map(|(number, _)| choice::version(number)).collect();
        if choices.is_empty() || !has_both(&offers) {
            return choices;
        }
        let finals = admitted.filter(|(_, offer)| !offer.version.any_prerelease());
        finals.for_each(|(number, _)| choices.insert(choice::admitted(number)));
        if !self.lets_pre_releases_in(demand) {
            choices.insert(choice::NO_PRE_RELEASE_NAMED);
        }
        choices
    }

    /// One version of a project and no other, while nothing is said of what is asked for.
    pub fn exactly(&mut self, project: &PackageName, number: usize) -> Choices {
        let admitted = (0..self.offers(project).len()).map(choice::admitted);
        admitted.chain([choice::version(number), choice::NO_PRE_RELEASE_NAMED]).collect()
    }
}

/// Whether there are final versions and pre-releases, so that it matters who names one.
fn has_both(offers: &[Offer]) -> bool {
    let is_pre_release = |offer: &Offer| offer.version.any_prerelease();
    offers.iter().any(is_pre_release) && !offers.iter().all(is_pre_release)
}

/// The numbers in a set of [`Choices`]. Only versions are ever chosen; the others tell what is asked of a project, whatever has turned
/// out since about the versions themselves.
pub(super) mod choice {
    /// It is in the set as long as no demand names a pre-release.
    pub const NO_PRE_RELEASE_NAMED: u32 = 0;

    /// The version with that number.
    pub fn version(number: usize) -> u32 {
        u32::try_from(2 * number + 1).unwrap_or(u32::MAX)
    }

    /// It is in the set as long as all demands admit the final version with that number.
    pub fn admitted(number: usize) -> u32 {
        version(number) + 1
    }

    /// The number of a version.
    pub fn number(version: u32) -> usize {
        (version / 2) as usize
    }
}
