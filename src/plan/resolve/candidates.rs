//! What there is to choose from: the versions of each project that the interpreter can take, the
//! wheel of each, and what that wheel asks for. A wheel is opened when its version is first
//! considered.

mod pinned;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use pep440_rs::Version;
use pep508_rs::{ExtraName, PackageName};

use super::compatibility::{Content, Pin, WheelFilter};
use super::dependency::{Dependency, Role};
use super::version_set::Versions;
use crate::plan::RequiredBy;
use crate::plan::wheelhouse::WheelFile;
use crate::spec::{Dependencies, Located, Requested, Requirements, holds};

/// The spec's question, and what there is to answer it with.
pub(super) struct Candidates<'a> {
    /// The interpreter that wheels are held against, and the wheels.
    pub filter: WheelFilter<'a>,
    /// What the spec asks for, in its order.
    pub asked: Vec<Dependency>,
    /// Which of these are about a project.
    asked_of: HashMap<PackageName, Vec<usize>>,
    /// What the spec says of projects that something may ask for.
    constraints: BTreeMap<PackageName, Vec<Dependency>>,
    dependencies: Dependencies,
    pre_releases: bool,
    hashes_required: bool,
    /// Versions that are taken before higher ones, where they will do.
    pub preferred: BTreeMap<PackageName, Version>,
    /// The wheels that are taken whatever is asked of their projects, and whatever they require.
    fixed: BTreeMap<PackageName, WheelFile>,
    /// The projects of which nothing is wanted, whatever requires them.
    ignored: BTreeSet<PackageName>,
    projects: HashMap<PackageName, Rc<Vec<Candidate>>>,
    /// The digests that the spec pins for a project, and where it does.
    pins: HashMap<PackageName, Rc<Vec<Pin>>>,
    /// Which versions of a project the constraints admit.
    constrained: HashMap<PackageName, Rc<Vec<bool>>>,
    wheels: HashMap<(PackageName, usize), Rc<Result<Wheel, Vec<String>>>>,
    /// How many requirements of wheels were read, those that were read again too.
    pub followed: usize,
}

/// A version of a project, with the wheels of that version that the interpreter can take by their
/// tags.
pub(super) struct Candidate {
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

impl<'a> Candidates<'a> {
    /// What a spec asks for, held against the wheels that there are.
    pub fn new(requirements: &Requirements, filter: WheelFilter<'a>) -> Self {
        let Requirements {
            asked,
            constraints,
            dependencies,
            pre_releases,
            hashes_required,
            preferred,
        } = requirements;
        let count_here = |asked: &[Located<Requested>], role: Role| -> Vec<Dependency> {
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
        let mut by_project: BTreeMap<PackageName, Vec<Dependency>> = BTreeMap::new();
        for dependency in count_here(constraints, Role::Constraint) {
            by_project
                .entry(dependency.project().clone())
                .or_default()
                .push(dependency);
        }
        let asked = count_here(asked, Role::Requirement);
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
            followed: 0,
        }
    }

    /// What wheels require that are taken as they are, but for projects to be ignored; each project
    /// of `asked` is in the answer.
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

    /// Reads the wheels that a demand with digests may come to, all at once, which is faster than
    /// one by one when each is considered.
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
        // A wheel that cannot be read is told of when it is considered.
        let _ = self.filter.wheelhouse.digests(&pinned);
    }

    /// The places in [`Self::asked`] of what the spec asks of a project.
    pub fn places_of(&self, project: &PackageName) -> &[usize] {
        self.asked_of.get(project).map_or(&[], Vec::as_slice)
    }

    /// What the spec asks of a project.
    pub fn asked_of<'s>(
        &'s self,
        project: &PackageName,
    ) -> impl Iterator<Item = &'s Dependency> + use<'s, 'a> {
        let places = self.asked_of.get(project).into_iter().flatten();
        places.map(|place| &self.asked[*place])
    }

    /// What the spec says of a project in case that something asks for it.
    pub fn constraints_on(&self, project: &PackageName) -> &[Dependency] {
        self.constraints.get(project).map_or(&[], Vec::as_slice)
    }

    /// The files of a project among which there is a choice: where one is fixed, that alone.
    pub fn files(&mut self, project: &PackageName) -> Vec<WheelFile> {
        match self.fixed.get(project) {
            Some(file) => vec![file.clone()],
            None => self.filter.files(project),
        }
    }

    /// The versions of a project, the lowest first. Their places are their numbers.
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
            // The best tag, then the highest build, then the first name.
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

    /// The wheel that stands for a version: of those that will do the one that fits best; or why
    /// none will, a sentence each.
    pub fn wheel(
        &mut self,
        project: &PackageName,
        number: usize,
    ) -> Rc<Result<Wheel, Vec<String>>> {
        let key = (project.clone(), number);
        if let Some(known) = self.wheels.get(&key) {
            return Rc::clone(known);
        }
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

    /// The name of the wheel that stands for a version.
    pub fn file_name(&mut self, project: &PackageName, number: usize) -> Option<String> {
        self.wheel(project, number)
            .as_ref()
            .as_ref()
            .ok()
            .map(|wheel| wheel.file.file_name.clone())
    }

    /// The name of the wheel that stands for a version, and that version.
    pub fn file_name_and_version(
        &mut self,
        project: &PackageName,
        number: usize,
    ) -> Option<(String, Version)> {
        let wheel = self.wheel(project, number);
        wheel.as_ref().as_ref().ok().map(|wheel| {
            (
                wheel.file.file_name.clone(),
                wheel.file.name.version.clone(),
            )
        })
    }

    /// What a wheel says of itself, or why it will not do: its digest, then what is in it.
    pub fn content(&mut self, file: &WheelFile) -> Result<Content, String> {
        self.judge_digest(file)?;
        self.content_with_any_digest(file)
    }

    /// The same, whatever digests are pinned. What the wheel requires is judged only where it is
    /// followed.
    pub fn content_with_any_digest(&mut self, file: &WheelFile) -> Result<Content, String> {
        let content = Content::of(self.filter.content(file)?, &self.filter.interpreter.markers);
        self.is_followable(file, &content, None)
            .inspect_err(|_| self.filter.note_rejection(file))?;
        Ok(content)
    }

    /// Why nothing can come of a wheel although it would do alone: what it requires of itself, or
    /// for the extras that are asked for.
    pub fn flaw(
        &mut self,
        project: &PackageName,
        number: usize,
        extras: &BTreeSet<ExtraName>,
    ) -> Option<String> {
        for extra in [None].into_iter().chain(extras.iter().map(Some)) {
            let wheel = self.wheel(project, number);
            let Ok(Wheel { file, content }) = &*wheel else {
                return None;
            };
            if let Some(why) = self.is_followable(file, content, extra).err() {
                return Some(why);
            }
            let dependencies = self.requirements(project, number, extra);
            let of_itself = dependencies.iter().find(|dependency| {
                dependency.project() == project && !dependency.admits(&file.name.version)
            });
            if let Some(dependency) = of_itself {
                return Some(format!(
                    "requires `{}`, which it is not itself",
                    dependency.title()
                ));
            }
        }
        None
    }

    /// Whether what the wheel of a version requires for an extra can be followed. A wheel that
    /// cannot leaves its stamp.
    pub fn can_follow_extra(
        &mut self,
        project: &PackageName,
        number: usize,
        extra: &ExtraName,
    ) -> bool {
        let wheel = self.wheel(project, number);
        let Ok(Wheel { file, content }) = &*wheel else {
            return true;
        };
        self.is_followable(file, content, Some(extra))
            .inspect_err(|_| self.filter.note_rejection(file))
            .is_ok()
    }

    /// That what a wheel requires can be followed, if it is: for itself, or for an extra besides.
    fn is_followable(
        &self,
        file: &WheelFile,
        content: &Content,
        extra: Option<&ExtraName>,
    ) -> Result<(), String> {
        match self.dependencies {
            _ if self.fixed.contains_key(&file.name.project) => Ok(()),
            Dependencies::Followed => content.is_readable(extra),
            Dependencies::Ignored => Ok(()),
        }
    }

    /// What the wheel of a version asks for: itself, or where an extra is named what it asks for
    /// that extra besides. Nothing, where there is no such wheel. A project whose wheel is fixed is
    /// asked for in whatever version that is.
    pub fn requirements(
        &mut self,
        project: &PackageName,
        number: usize,
        extra: Option<&ExtraName>,
    ) -> Vec<Dependency> {
        let mut dependencies = self.requirements_as_written(project, number, extra);
        for dependency in &mut dependencies {
            let fixed = self.fixed.get(dependency.project());
            if fixed.is_some_and(|file| !dependency.admits(&file.name.version)) {
                dependency.requirement.version_or_url = None;
            }
        }
        dependencies
    }

    /// The same, also where it asks for another version than the fixed one.
    pub fn requirements_as_written(
        &mut self,
        project: &PackageName,
        number: usize,
        extra: Option<&ExtraName>,
    ) -> Vec<Dependency> {
        let wheel = self.wheel(project, number);
        let Ok(Wheel { file, content }) = &*wheel else {
            return Vec::new();
        };
        if self.dependencies == Dependencies::Ignored {
            return Vec::new();
        }
        let markers = &self.filter.interpreter.markers;
        let required_by = RequiredBy::Wheel {
            project: project.clone(),
            version: file.name.version.clone(),
            file_name: file.file_name.clone(),
        };
        let dependency = |requirement: &crate::spec::Requirement| Dependency {
            requirement: requirement.clone(),
            hashes: Vec::new(),
            required_by: required_by.clone(),
            role: Role::Requirement,
        };
        let requirements: Vec<&crate::spec::Requirement> = match extra {
            Some(extra) => content.required_for(extra, markers).collect(),
            None => content
                .requirements
                .iter()
                .filter(|known| holds(&known.marker, markers, &[]))
                .collect(),
        };
        let dependencies: Vec<Dependency> = requirements
            .into_iter()
            .filter(|known| !self.ignored.contains(&known.name))
            .map(dependency)
            .collect();
        self.followed += dependencies.len();
        dependencies
    }

    /// Whether a demand on a project lets its pre-releases in, be it because the spec does.
    pub fn lets_pre_releases_in(&self, dependency: &Dependency) -> bool {
        let of_spec = self.constraints_on(dependency.project());
        self.pre_releases
            || dependency.names_pre_release()
            || of_spec.iter().any(Dependency::names_pre_release)
    }

    /// The versions that satisfy all these demands on a project and have a wheel, best first.
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
            .any(|dependency| self.lets_pre_releases_in(dependency))
        {
            fitting.sort_by_key(|number| versions[*number].version.any_prerelease());
        }
        fitting
    }

    /// Whether any version satisfies all these demands on a project and has a wheel.
    pub fn is_there_one(&mut self, project: &PackageName, dependencies: &[Dependency]) -> bool {
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

    /// Which versions of a project what the spec says of it besides admits.
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

    /// What a demand leaves of its project. Where finals come first, a pre-release that it does not
    /// name is left only if it leaves no final version.
    pub fn choices(&mut self, dependency: &Dependency, finals_first: bool) -> Versions {
        let project = dependency.project();
        let (versions, constrained) = (self.of(project), self.constrained(project));
        let is_admitted =
            |number: &usize| constrained[*number] && dependency.admits(&versions[*number].version);
        let mut admitted: Vec<usize> = (0..versions.len()).filter(is_admitted).collect();
        let names_none = !self.lets_pre_releases_in(dependency);
        let is_final = |number: &usize| !versions[*number].version.any_prerelease();
        if names_none
            && finals_first
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

    /// One version of a project and no other, while nothing is said of what is asked for.
    pub fn exactly(number: usize) -> Versions {
        [choice::version(number), choice::NO_PRE_RELEASE_NAMED]
            .into_iter()
            .collect()
    }
}

/// The numbers in a set of [`Versions`].
pub(super) mod choice {
    /// It is never chosen. It is in the set as long as no demand names a pre-release.
    pub const NO_PRE_RELEASE_NAMED: u32 = 0;

    /// The version with that number.
    pub fn version(number: usize) -> u32 {
        u32::try_from(number + 1).unwrap_or(u32::MAX)
    }

    /// The number of a version.
    pub fn number(version: u32) -> usize {
        version as usize - 1
    }
}
