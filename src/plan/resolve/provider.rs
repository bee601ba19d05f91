//! The dependency provider for PubGrub: the packages, the version to try next, and the dependencies
//! of each version.
//!
//! The spec is a package, and so are each project and each extra of a project. The package of an
//! extra has the versions of its project. It depends on exactly that version of the project, and on
//! the requirements of the extra. Nothing here depends on the order of a hash table or on the time.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;

use pep508_rs::{ExtraName, PackageName};
use pubgrub::{Dependencies, DependencyProvider, PackageResolutionStatistics, VersionSet as _};
use tracing::debug;

use super::candidates::{Candidates, choice};
use super::dependency::{Dependency, PreReleases};
use super::version_set::Versions;

/// The number of conflicts after which a project is decided before the others, so that its further
/// conflicts are found early.
const CONTENDED: u32 = 8;

/// The only version of the spec, and of a part.
pub(super) const THE_SPEC: u32 = 0;

/// The maximum number of edges of a package; one with more gets parts, each of them a package. For
/// each edge, PubGrub scans the list of packages that it has not decided yet.
const PART: usize = 1000;

/// A package in the sense of PubGrub. The names are shared, because PubGrub and [`Provider`] keep
/// several copies of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Package {
    /// The spec, which is the root.
    Spec,
    /// A project.
    Project(Rc<PackageName>),
    /// An extra of a project, in addition to the project itself.
    Extra(Rc<(PackageName, ExtraName)>),
    /// A part of the edges of a package version, by its number.
    Part(Rc<(Package, u32)>, usize),
}

impl Package {
    /// Returns the package of a project.
    pub fn of_project(project: &PackageName) -> Self {
        Self::Project(Rc::new(project.clone()))
    }

    /// Returns the package of an extra of a project.
    pub fn of_extra(project: &PackageName, extra: &ExtraName) -> Self {
        Self::Extra(Rc::new((project.clone(), extra.clone())))
    }

    /// Returns the project of a project or extra.
    pub fn project(&self) -> Option<&PackageName> {
        match self {
            Self::Project(project) => Some(project),
            Self::Extra(extra) => Some(&extra.0),
            Self::Spec | Self::Part(..) => None,
        }
    }
}

impl fmt::Display for Package {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec => formatter.write_str("the spec"),
            Self::Project(project) => project.fmt(formatter),
            Self::Extra(extra) => write!(formatter, "{}[{}]", extra.0, extra.1),
            Self::Part(whole, number) => write!(formatter, "part {number} of {}", whole.0),
        }
    }
}

/// The marker for a version without a usable wheel; the reason is found for the error message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unusable;

impl fmt::Display for Unusable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("unusable")
    }
}

/// The candidates, as PubGrub queries them.
pub(super) struct Provider<'a, 'b> {
    candidates: RefCell<&'a mut Candidates<'b>>,
    /// The projects whose requirements are ignored.
    excluded: &'a BTreeSet<PackageName>,
    /// The projects for which a pre-release must not replace a final version.
    finals_first: &'a BTreeSet<PackageName>,
    /// The last decision for each project.
    decided: RefCell<HashMap<PackageName, u32>>,
    /// The order in which packages were first required.
    places: RefCell<HashMap<Package, usize>>,
    /// The edges of each part.
    parts: RefCell<HashMap<Package, Vec<Edge>>>,
}

/// A required package, and the versions of it that satisfy the requirement.
type Edge = (Package, Versions);

impl<'a, 'b> Provider<'a, 'b> {
    /// Creates a provider for one run of PubGrub.
    pub fn new(
        candidates: &'a mut Candidates<'b>,
        excluded: &'a BTreeSet<PackageName>,
        finals_first: &'a BTreeSet<PackageName>,
    ) -> Self {
        Self {
            candidates: RefCell::new(candidates),
            excluded,
            finals_first,
            decided: RefCell::default(),
            places: RefCell::default(),
            parts: RefCell::default(),
        }
    }

    /// Chooses the version of a project to try next among those that are left: the preferred
    /// version, else the highest one, and a final version unless a requirement names a pre-release.
    fn choose(&self, project: &PackageName, left: &Versions) -> Option<u32> {
        let mut candidates = self.candidates.borrow_mut();
        let versions = candidates.of(project);
        let preferred_version = candidates.preferred.get(project).cloned();
        let is_preferred =
            |number: &usize| preferred_version.as_ref() == Some(&versions[*number].version);
        let by_height = (0..versions.len())
            .rev()
            .filter(|number| left.contains(&choice::version(*number)));
        let is_final = |number: &usize| !versions[*number].version.any_prerelease();
        let finals = by_height
            .clone()
            .filter(|number| is_final(number) && left.contains(&choice::NO_PRE_RELEASE_NAMED));
        // Versions with a broken wheel are skipped here. If they were reported to PubGrub one by
        // one, it would scan all packages before each next one.
        let preferred_final = finals.clone().find(is_preferred);
        let preferred = || by_height.clone().find(is_preferred);
        let mut is_usable = |number: &usize| candidates.wheel(project, *number).is_ok();
        let of_finals = first_usable(preferred_final, finals, &mut is_usable);
        of_finals
            .or_else(|| first_usable(preferred(), by_height.clone(), &mut is_usable))
            .map(choice::version)
    }

    /// Converts requirements to the edges of a package; `None` if they contradict the package's own
    /// version, `own`.
    fn dependencies(
        &self,
        dependencies: &[Dependency],
        own: Option<(&PackageName, u32)>,
    ) -> Option<Vec<Edge>> {
        let mut candidates = self.candidates.borrow_mut();
        let mut places = self.places.borrow_mut();
        let mut edges: Vec<Edge> = Vec::new();
        let mut known: HashMap<Package, usize> = HashMap::new();
        // Several requirements on one package become one edge.
        let mut depend = |package: Package, choices: &Versions| {
            let place = places.len();
            places.entry(package.clone()).or_insert(place);
            if let Some(index) = known.get(&package) {
                edges[*index].1 = edges[*index].1.intersection(choices);
            } else {
                known.insert(package.clone(), edges.len());
                edges.push((package, choices.clone()));
            }
        };
        for dependency in dependencies {
            let project = dependency.project();
            if self.excluded.contains(project) {
                continue;
            }
            let unnamed = if self.finals_first.contains(project) {
                PreReleases::LastResort
            } else {
                PreReleases::Equal
            };
            let choices = candidates.choices(dependency, unnamed);
            match own {
                Some((own, version)) if own == project && !choices.contains(&version) => {
                    return None;
                }
                Some((own, _)) if own == project => {}
                _ => depend(Package::of_project(project), &choices),
            }
            for extra in &dependency.requirement.extras {
                depend(Package::of_extra(project, extra), &choices);
            }
        }
        Some(edges)
    }

    /// Returns the edges of a version, or, if there are many, its parts, which have them.
    fn in_parts(&self, package: &Package, version: u32, mut edges: Vec<Edge>) -> Vec<Edge> {
        if edges.len() <= PART {
            return edges;
        }
        let whole = Rc::new((package.clone(), version));
        let mut parts = self.parts.borrow_mut();
        let mut list = Vec::new();
        while !edges.is_empty() {
            let part = Package::Part(Rc::clone(&whole), list.len());
            let rest = edges.split_off(PART.min(edges.len()));
            parts.insert(part.clone(), std::mem::replace(&mut edges, rest));
            list.push((part, Versions::singleton(THE_SPEC)));
        }
        list
    }
}

/// Returns the preferred version if it is usable, else the first usable one of all.
fn first_usable(
    preferred: Option<usize>,
    mut all: impl Iterator<Item = usize>,
    is_usable: &mut impl FnMut(&usize) -> bool,
) -> Option<usize> {
    preferred
        .filter(&mut *is_usable)
        .or_else(|| all.find(is_usable))
}

impl DependencyProvider for Provider<'_, '_> {
    type P = Package;
    type V = u32;
    type VS = Versions;
    type Priority = (bool, bool, Reverse<usize>);
    type M = Unusable;
    type Err = Infallible;

    /// Prefers contended projects, then projects with at most one version left, then the order in
    /// which the projects were first required: those of the spec come before those of wheels.
    fn prioritize(
        &self,
        package: &Package,
        left: &Versions,
        conflicts: &PackageResolutionStatistics,
    ) -> Self::Priority {
        let place = self.places.borrow().get(package).copied().unwrap_or(0);
        let Some(project) = package.project() else {
            return (true, true, Reverse(place));
        };
        let versions = self.candidates.borrow_mut().of(project);
        let left = (0..versions.len())
            .filter(|number| left.contains(&choice::version(*number)))
            .take(2)
            .count();
        (
            conflicts.conflict_count() >= CONTENDED,
            left < 2,
            Reverse(place),
        )
    }

    fn choose_version(
        &self,
        package: &Package,
        left: &Versions,
    ) -> Result<Option<u32>, Infallible> {
        let choice = match package {
            Package::Spec | Package::Part(..) => Some(THE_SPEC),
            Package::Project(project) => self.choose(project, left),
            // The project is decided before its extras.
            Package::Extra(extra) => {
                let project = &extra.0;
                let decided = self.decided.borrow().get(project).copied();
                decided
                    .filter(|version| left.contains(version))
                    .or_else(|| self.choose(project, left))
            }
        };
        if let (Package::Project(project), Some(version)) = (package, choice) {
            self.decided
                .borrow_mut()
                .insert(PackageName::clone(project), version);
        }
        Ok(choice)
    }

    fn get_dependencies(
        &self,
        package: &Package,
        version: &u32,
    ) -> Result<Dependencies<Package, Versions, Unusable>, Infallible> {
        let edges = match package {
            Package::Spec => {
                let asked = self.candidates.borrow().asked.clone();
                self.dependencies(&asked, None)
            }
            Package::Project(project) => {
                let number = choice::number(*version);
                // PubGrub goes on with the next version.
                if self.candidates.borrow_mut().wheel(project, number).is_err() {
                    return Ok(Dependencies::Unavailable(Unusable));
                }
                let dependencies = self
                    .candidates
                    .borrow_mut()
                    .requirements(project, number, None);
                debug!(%project, version = %self.candidates.borrow_mut().of(project)[number].version, "trying");
                self.dependencies(&dependencies, Some((project, *version)))
            }
            Package::Extra(extra) => {
                let (project, extra) = &**extra;
                let number = choice::number(*version);
                if !self
                    .candidates
                    .borrow_mut()
                    .can_follow_extra(project, number, extra)
                {
                    return Ok(Dependencies::Unavailable(Unusable));
                }
                let dependencies =
                    self.candidates
                        .borrow_mut()
                        .requirements(project, number, Some(extra));
                // An extra requires its own project, in the same version.
                let itself = (Package::of_project(project), Candidates::exactly(number));
                let others = self.dependencies(&dependencies, Some((project, *version)));
                others.map(|others| [itself].into_iter().chain(others).collect())
            }
            // PubGrub queries each version of a package once.
            Package::Part(..) => self.parts.borrow_mut().remove(package),
        };
        let available = |list| {
            Dependencies::Available(self.in_parts(package, *version, list).into_iter().collect())
        };
        Ok(edges.map_or(Dependencies::Unavailable(Unusable), available))
    }
}
