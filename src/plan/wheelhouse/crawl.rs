//! Requests in advance what the resolver will probably need of the package indexes: the lists of
//! projects, and the metadata of the best wheel of each, from the requirements on.
//!
//! The resolver asks for one thing after the other, and each answer takes a round trip. The crawl
//! follows all requirements at once, as if the best version of each project were chosen. What it
//! has requested stays in memory; the result of the resolution does not depend on it.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use pep508_rs::{ExtraName, PackageName, VersionOrUrl};

use crate::interpreter::{Facts, Tags};
use crate::plan::by_name::WheelIndex;
use crate::remote::index::{IndexFile, Listing, WheelMetadata};
use crate::remote::{CONNECTIONS, in_parallel};
use crate::spec::{Dependencies, Requirement, holds};
use crate::wheel::{Metadata, WheelName, read_requirement, read_specifiers};

/// A crawl of the indexes for one interpreter.
struct Crawl<'a> {
    index: &'a WheelIndex,
    interpreter: &'a Facts,
    tags: Tags,
    /// The requirements of the spec and its constraints.
    of_spec: HashMap<PackageName, Vec<&'a Requirement>>,
    dependencies: Dependencies,
    state: Mutex<State>,
    /// Signals a new requirement, and the end.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Requirement>,
    /// The projects that were visited, each with the extras that were followed.
    visited: HashMap<PackageName, HashSet<ExtraName>>,
    /// The number of requirements that threads work on.
    active: usize,
}

/// Requests the lists of projects until one fails, or `is_wanted` returns false.
pub(in crate::plan) fn request_lists(
    index: &WheelIndex,
    projects: &[PackageName],
    is_wanted: &(dyn Fn() -> bool + Sync),
) {
    let has_failed = AtomicBool::new(false);
    in_parallel(CONNECTIONS, projects, |project| {
        if is_wanted() && !has_failed.load(Ordering::Relaxed) {
            let has_list = index.project(project).is_ok();
            has_failed.fetch_or(!has_list, Ordering::Relaxed);
        }
    });
}

/// Requests what requirements will probably need. Errors are left to the resolver, which asks
/// again.
pub(in crate::plan) fn crawl<'a>(
    index: &'a WheelIndex,
    interpreter: &'a Facts,
    requirements: impl IntoIterator<Item = &'a Requirement>,
    constraints: impl IntoIterator<Item = &'a Requirement>,
    dependencies: Dependencies,
) {
    // No extra applies to what the spec itself requires.
    let applies =
        |requirement: &&Requirement| holds(&requirement.marker, &interpreter.markers, &[]);
    let requirements: Vec<&Requirement> = requirements.into_iter().filter(applies).collect();
    // Everything that the spec says about a project restricts which of its wheels is best.
    let mut of_spec: HashMap<PackageName, Vec<&Requirement>> = HashMap::new();
    let constraints = constraints.into_iter().filter(applies);
    for requirement in requirements.iter().copied().chain(constraints) {
        let known = of_spec.entry(requirement.name.clone()).or_default();
        known.push(requirement);
    }
    let crawl = Crawl {
        index,
        interpreter,
        tags: Tags::of(interpreter),
        of_spec,
        dependencies,
        state: Mutex::default(),
        changed: Condvar::new(),
    };
    let requirements = requirements.into_iter().cloned();
    crawl.state().add(requirements.collect());
    // One thread for each connection: it mostly waits for the server.
    in_parallel(CONNECTIONS, &[(); CONNECTIONS], |()| crawl.work());
}

impl State {
    /// Adds requirements on projects and extras that were not visited.
    fn add(&mut self, requirements: Vec<Requirement>) {
        for requirement in requirements {
            let is_new = !self.visited.contains_key(&requirement.name);
            let extras = self.visited.entry(requirement.name.clone()).or_default();
            let known = extras.len();
            extras.extend(requirement.extras.iter().cloned());
            if is_new || extras.len() > known {
                self.waiting.push_back(requirement);
            }
        }
    }
}

impl Crawl<'_> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows requirements until none is left, and no thread can find more.
    fn work(&self) {
        let mut state = self.state();
        loop {
            let Some(requirement) = state.waiting.pop_front() else {
                // No thread can find more requirements: wake those that wait, so that they end too.
                if state.active == 0 {
                    self.changed.notify_all();
                    return;
                }
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.active += 1;
            // Do not keep the lock while waiting for the server.
            drop(state);
            let found = self.visit(&requirement).unwrap_or_default();
            state = self.state();
            state.active -= 1;
            state.add(found);
            self.changed.notify_all();
        }
    }

    /// Returns the requirements of the best wheel for a requirement.
    fn visit(&self, requirement: &Requirement) -> Option<Vec<Requirement>> {
        let listing = self.index.project(&requirement.name).ok()??;
        let (file, name) = self.best(&listing, requirement)?;
        if self.dependencies == Dependencies::Ignored {
            return None;
        }
        let metadata = match self.index.metadata(&listing, file).ok()? {
            WheelMetadata::Content(text) => Metadata::parse(&text, &name).ok()?,
            // To download a whole wheel on a guess would cost more than it saves.
            WheelMetadata::NeedsWheel => return None,
        };
        let lines = metadata.requires_dist.iter();
        let requirements = lines.filter_map(|line| read_requirement(line));
        let applies = |found: &Requirement| {
            holds(
                &found.marker,
                &self.interpreter.markers,
                &requirement.extras,
            )
        };
        Some(requirements.filter(applies).collect())
    }

    /// Returns the wheel of the highest version that a requirement and the spec admit.
    fn best<'l>(
        &self,
        listing: &'l Listing,
        requirement: &Requirement,
    ) -> Option<(&'l IndexFile, WheelName)> {
        let of_spec = self.of_spec.get(&requirement.name);
        // The ranges of the spec, and that of the requirement itself.
        let ranges: Vec<_> = of_spec
            .into_iter()
            .flatten()
            .copied()
            .chain([requirement])
            .filter_map(|requirement| match &requirement.version_or_url {
                Some(VersionOrUrl::VersionSpecifier(range)) => Some(range),
                _ => None,
            })
            .collect();
        let python = self.interpreter.version();
        let fits = |file: &IndexFile| {
            let range = file.requires_python.as_deref().and_then(read_specifiers);
            range.is_none_or(|range| range.contains(python))
        };
        let files = listing.project.wheels.iter();
        let named = files.filter_map(|file| Some((file, WheelName::parse(&file.file_name).ok()?)));
        let fitting = named.filter_map(|(file, name)| {
            let rank = name.rank(&self.tags)?;
            let is_admitted = ranges.iter().all(|range| range.contains(&name.version));
            (is_admitted && file.yanked.is_none() && fits(file)).then_some((file, name, rank))
        });
        // In the order of the resolver: final versions, then higher ones, then better tags.
        let best = fitting.max_by_key(|(_, name, rank)| {
            let is_final = !name.version.any_prerelease();
            (is_final, name.version.clone(), Reverse(*rank))
        });
        best.map(|(file, name, _)| (file, name))
    }
}
