//! The candidates of the resolver: the versions of each project with compatible tags, the wheel of
//! each version, and the requirements of that wheel. A wheel is opened when its version is first
//! considered.

mod content;
mod pinned;

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use pep440_rs::Version;
use pep508_rs::PackageName;

use super::dependency::{Dependency, PreReleases, Role};
use super::version_set::Versions;
use super::wheel_filter::{Content, Pin, WheelFilter};
use crate::plan::wheelhouse::WheelFile;
use crate::spec::{Dependencies, Located, Requested, Requirements, holds};

/// The requirements of a spec, and the wheels that can satisfy them.
pub(super) struct Candidates<'a> {
    /// The interpreter and the available wheels.
    pub filter: WheelFilter<'a>,
    /// The requirements of the spec, in its order.
    pub asked: Vec<Dependency>,
    /// The indexes in `asked` of the requirements on each project.
    asked_of: HashMap<PackageName, Vec<usize>>,
    /// The constraints of the spec, by project.
    constraints: BTreeMap<PackageName, Vec<Dependency>>,
    dependencies: Dependencies,
    pre_releases: bool,
    hashes_required: bool,
    /// The versions that are tried before higher ones.
    pub preferred: BTreeMap<PackageName, Version>,
    /// The wheels that are used whatever the requirements on their projects are, and whatever they
    /// require themselves.
    fixed: BTreeMap<PackageName, WheelFile>,
    /// The projects whose requirements are ignored.
    ignored: BTreeSet<PackageName>,
    projects: HashMap<PackageName, Rc<Vec<Candidate>>>,
    /// The digests that the spec pins for a project, with the locations of the pins.
    pins: HashMap<PackageName, Rc<Vec<Pin>>>,
    /// Whether the constraints admit each version of a project.
    constrained: HashMap<PackageName, Rc<Vec<bool>>>,
    wheels: HashMap<(PackageName, usize), Rc<Result<Wheel, Vec<String>>>>,
    /// The projects that wheels require by URLs that are not followed.
    pub required_by_url: RefCell<BTreeSet<PackageName>>,
    /// The number of requirements of wheels that were read, counting repeated reads.
    pub followed: usize,
}

/// A version of a project, with the wheels of that version whose tags are compatible.
pub(super) struct Candidate {
    /// The version.
    pub version: Version,
    /// The wheels, the best match first.
    files: Box<[WheelFile]>,
}

/// The wheel of a version.
pub(super) struct Wheel {
    /// The file.
    pub file: WheelFile,
    /// The metadata.
    pub content: Content,
}

impl<'a> Candidates<'a> {
    /// Collects the requirements and constraints of a spec that apply on the interpreter.
    pub fn new(requirements: &Requirements, filter: WheelFilter<'a>) -> Self {
        let Requirements {
            asked,
            constraints,
            dependencies,
            pre_releases,
            hashes_required,
            preferred,
        } = requirements;
        let applicable = |asked: &[Located<Requested>], role: Role| -> Vec<Dependency> {
            let dependencies = asked.iter().map(|placed| Dependency::of(placed, role));
            dependencies
                .filter(|dependency| {
                    holds(
                        &dependency.requirement.marker,
                        &filter.interpreter.markers,
                        &[],
                    )
                })
                .collect()
        };
        // Index the constraints and requirements by project.
        let mut by_project: BTreeMap<PackageName, Vec<Dependency>> = BTreeMap::new();
        for dependency in applicable(constraints, Role::Constraint) {
            by_project
                .entry(dependency.project().clone())
                .or_default()
                .push(dependency);
        }
        let asked = applicable(asked, Role::Requirement);
        let mut asked_of: HashMap<PackageName, Vec<usize>> = HashMap::new();
        for (place, dependency) in asked.iter().enumerate() {
            asked_of
                .entry(dependency.project().clone())
                .or_default()
                .push(place);
        }
        Self {
            filter,
            asked,
            asked_of,
            constraints: by_project,
            dependencies: *dependencies,
            pre_releases: *pre_releases,
            hashes_required: *hashes_required,
            preferred: preferred.clone(),
            fixed: BTreeMap::new(),
            ignored: BTreeSet::new(),
            projects: HashMap::new(),
            pins: HashMap::new(),
            constrained: HashMap::new(),
            wheels: HashMap::new(),
            required_by_url: RefCell::default(),
            followed: 0,
        }
    }

    /// Collects the requirements of fixed wheels, except those on `ignored` projects. The answer
    /// contains each project of `asked`.
    pub fn around(
        fixed: BTreeMap<PackageName, WheelFile>,
        ignored: BTreeSet<PackageName>,
        asked: Vec<Dependency>,
        filter: WheelFilter<'a>,
    ) -> Self {
        Self {
            asked,
            fixed,
            ignored,
            ..Self::new(&Requirements::default(), filter)
        }
    }

    /// Computes the digests of all wheels that may satisfy a requirement with digests. Reading them
    /// in parallel is faster than reading each one when it is considered.
    pub fn read_pinned(&mut self) {
        let of_spec = self.asked.iter().chain(self.constraints.values().flatten());
        let mut pinned: Vec<WheelFile> = Vec::new();
        let mut known: HashSet<WheelFile> = HashSet::new();
        for dependency in of_spec.filter(|dependency| !dependency.hashes.is_empty()) {
            let files = self.filter.wheelhouse.wheels(dependency.project()).iter();
            let files = files.filter(|file| {
                dependency.admits(&file.name.version) && self.filter.tags(file).is_ok()
            });
            pinned.extend(files.filter(|file| known.insert((*file).clone())).cloned());
        }
        // A wheel that cannot be read is reported when it is considered.
        let _ = self.filter.wheelhouse.digests(&pinned);
    }

    /// Returns the indexes in [`Self::asked`] of the spec's requirements on a project.
    pub fn places_of(&self, project: &PackageName) -> &[usize] {
        self.asked_of.get(project).map_or(&[], Vec::as_slice)
    }

    /// Returns the spec's requirements on a project.
    pub fn asked_of<'s>(
        &'s self,
        project: &PackageName,
    ) -> impl Iterator<Item = &'s Dependency> + use<'s, 'a> {
        let places = self.asked_of.get(project).into_iter().flatten();
        places.map(|place| &self.asked[*place])
    }

    /// Returns the spec's constraints on a project.
    pub fn constraints_on(&self, project: &PackageName) -> &[Dependency] {
        self.constraints.get(project).map_or(&[], Vec::as_slice)
    }

    /// Returns the files of a project: only the fixed one if there is one.
    pub fn files(&mut self, project: &PackageName) -> Vec<WheelFile> {
        match self.fixed.get(project) {
            Some(file) => vec![file.clone()],
            None => self.filter.files(project),
        }
    }

    /// Returns the versions of a project, the lowest first. The number of a version is its index.
    pub fn of(&mut self, project: &PackageName) -> Rc<Vec<Candidate>> {
        if let Some(known) = self.projects.get(project) {
            return Rc::clone(known);
        }
        let mut by_version: BTreeMap<Version, Vec<(usize, WheelFile)>> = BTreeMap::new();
        for file in self.files(project) {
            if let Ok(rank) = self.filter.tags(&file) {
                by_version
                    .entry(file.name.version.clone())
                    .or_default()
                    .push((rank, file));
            }
        }
        let versions = by_version.into_iter().map(|(version, mut files)| {
            // The best tag, then the highest build tag, then the first file name.
            files.sort_by_cached_key(|(rank, file)| {
                (
                    *rank,
                    Reverse(file.name.build.clone()),
                    file.file_name.clone(),
                )
            });
            Candidate {
                version,
                files: files.into_iter().map(|(_, file)| file).collect(),
            }
        });
        let versions = Rc::new(versions.collect::<Vec<_>>());
        self.projects.insert(project.clone(), Rc::clone(&versions));
        versions
    }

    /// Returns the wheel of a version: the best match among the usable ones, or one sentence for
    /// each wheel with the reason why it is unusable.
    pub fn wheel(
        &mut self,
        project: &PackageName,
        number: usize,
    ) -> Rc<Result<Wheel, Vec<String>>> {
        let key = (project.clone(), number);
        if let Some(known) = self.wheels.get(&key) {
            return Rc::clone(known);
        }
        // Take the first usable file, and collect the reasons for the others.
        let mut refused = Vec::new();
        let mut found = None;
        for file in &self.of(project)[number].files {
            match self.content(file) {
                Ok(content) => {
                    found = Some(Wheel {
                        file: file.clone(),
                        content,
                    });
                    break;
                }
                Err(why) => refused.push(format!("`{}` {why}", file.file_name)),
            }
        }
        let wheel = Rc::new(found.ok_or(refused));
        self.wheels.insert(key, Rc::clone(&wheel));
        wheel
    }

    /// Returns the file name of the wheel of a version.
    pub fn file_name(&mut self, project: &PackageName, number: usize) -> Option<Arc<str>> {
        self.wheel(project, number)
            .as_ref()
            .as_ref()
            .ok()
            .map(|wheel| Arc::clone(&wheel.file.file_name))
    }

    /// Returns the file name of the wheel of a version, with the version.
    pub fn file_name_and_version(
        &mut self,
        project: &PackageName,
        number: usize,
    ) -> Option<(String, Version)> {
        let wheel = self.wheel(project, number);
        wheel.as_ref().as_ref().ok().map(|wheel| {
            (
                wheel.file.file_name.to_string(),
                wheel.file.name.version.clone(),
            )
        })
    }

    /// Returns whether a requirement allows pre-releases of its project, or the spec does.
    pub fn allows_pre_releases(&self, dependency: &Dependency) -> bool {
        let of_spec = self.constraints_on(dependency.project());
        self.pre_releases
            || dependency.names_pre_release()
            || of_spec.iter().any(Dependency::names_pre_release)
    }

    /// Returns the versions of a project that satisfy the requirements and have a usable wheel, the
    /// best first.
    pub fn fitting(&mut self, project: &PackageName, dependencies: &[Dependency]) -> Vec<usize> {
        let versions = self.of(project);
        let constraints = self.constraints_on(project);
        let admitted = |number: &usize| {
            dependencies
                .iter()
                .chain(constraints)
                .all(|dependency| dependency.admits(&versions[*number].version))
        };
        let mut fitting: Vec<usize> = (0..versions.len()).rev().filter(admitted).collect();
        fitting.retain(|number| self.wheel(project, *number).is_ok());
        if !dependencies
            .iter()
            .any(|dependency| self.allows_pre_releases(dependency))
        {
            fitting.sort_by_key(|number| versions[*number].version.any_prerelease());
        }
        fitting
    }

    /// Returns whether any version of a project satisfies the requirements and has a usable wheel.
    pub fn has_usable_version(
        &mut self,
        project: &PackageName,
        dependencies: &[Dependency],
    ) -> bool {
        let (versions, constrained) = (self.of(project), self.constrained(project));
        let admitted = |number: &usize| {
            constrained[*number]
                && dependencies
                    .iter()
                    .all(|dependency| dependency.admits(&versions[*number].version))
        };
        (0..versions.len())
            .rev()
            .filter(admitted)
            .any(|number| self.wheel(project, number).is_ok())
    }

    /// Returns, for each version of a project, whether the spec's constraints admit it.
    fn constrained(&mut self, project: &PackageName) -> Rc<Vec<bool>> {
        if let Some(known) = self.constrained.get(project) {
            return Rc::clone(known);
        }
        let versions = self.of(project);
        let constraints = self.constraints_on(project);
        let is_admitted = |candidate: &Candidate| {
            constraints
                .iter()
                .all(|constraint| constraint.admits(&candidate.version))
        };
        let constrained: Rc<Vec<bool>> = Rc::new(versions.iter().map(is_admitted).collect());
        self.constrained
            .insert(project.clone(), Rc::clone(&constrained));
        constrained
    }

    /// Returns the versions that a requirement admits.
    pub fn choices(&mut self, dependency: &Dependency, unnamed: PreReleases) -> Versions {
        let project = dependency.project();
        let (versions, constrained) = (self.of(project), self.constrained(project));
        let is_admitted =
            |number: &usize| constrained[*number] && dependency.admits(&versions[*number].version);
        let mut admitted: Vec<usize> = (0..versions.len()).filter(is_admitted).collect();
        // Drop pre-releases if there is a final version to prefer.
        let names_none = !self.allows_pre_releases(dependency);
        let is_final = |number: &usize| !versions[*number].version.any_prerelease();
        if names_none
            && unnamed == PreReleases::LastResort
            && admitted
                .iter()
                .any(|number| is_final(number) && self.wheel(project, *number).is_ok())
        {
            admitted.retain(is_final);
        }
        let marker =
            (names_none && !admitted.iter().all(is_final)).then_some(choice::NO_PRE_RELEASE_NAMED);
        admitted
            .into_iter()
            .map(choice::version)
            .chain(marker)
            .collect()
    }

    /// Returns the set of one version. It includes the marker, so that an intersection with it
    /// keeps the marker of the other set.
    pub fn exactly(number: usize) -> Versions {
        [choice::version(number), choice::NO_PRE_RELEASE_NAMED]
            .into_iter()
            .collect()
    }
}

/// The numbers in a set of [`Versions`].
pub(super) mod choice {
    /// A marker that is never chosen. It is in the set as long as no requirement names a
    /// pre-release.
    pub const NO_PRE_RELEASE_NAMED: u32 = 0;

    /// Converts an index in [`super::Candidates::of`] to a number in the set.
    pub fn version(number: usize) -> u32 {
        u32::try_from(number + 1).unwrap_or(u32::MAX)
    }

    /// Converts a number in the set to an index in [`super::Candidates::of`].
    pub fn number(version: u32) -> usize {
        version as usize - 1
    }
}
