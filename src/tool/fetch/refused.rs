//! The requirements that cannot be fetched: each is tried once, and all are listed at the end.

use anyhow::Error;

use super::failed::bare;
use crate::plan::Lacking;
use crate::report::{self, Failure};

/// The requirements and systems that cannot be fetched, in the order of discovery.
#[derive(Default)]
pub(super) struct Refused {
    /// The title of the system and the requirement, for each requirement.
    requirements: Vec<(String, String)>,
    /// The same for seeds. Environments are built without them.
    seeds: Vec<(String, String)>,
    /// The titles of systems for which nothing can be fetched, and the reasons.
    systems: Vec<(String, String)>,
    /// The first error.
    first: Option<Failure>,
    /// The error of a network failure, after which nothing else is tried.
    offline: Option<Failure>,
}

impl Refused {
    /// Records requirements that cannot be fetched for a system, and the reason.
    pub fn add(&mut self, system: &Lacking, requirements: &[String], failure: Failure) {
        let titled = requirements
            .iter()
            .map(|requirement| (system.title.clone(), requirement.clone()));
        let (seeds, asked): (Vec<_>, Vec<_>) =
            titled.partition(|(_, requirement)| system.seeds.contains(requirement));
        for (title, seed) in &seeds {
            report::notice(&format!(
                "pip cannot fetch `{seed}` ({title}); environments are built without this seed"
            ));
        }
        self.seeds.extend(seeds);
        if !asked.is_empty() {
            self.requirements.extend(asked);
            self.first.get_or_insert(failure);
        }
    }

    /// Records that the network failed.
    pub fn note_offline(&mut self, failure: Failure) {
        self.offline = Some(failure);
    }

    /// Checks whether the network has failed, so that nothing else is tried.
    pub fn is_offline(&self) -> bool {
        self.offline.is_some()
    }

    /// Records that the spec cannot be evaluated for a system.
    pub fn add_system(&mut self, title: &str, error: &Error) {
        if self.systems.iter().any(|(known, _)| known == title) {
            return;
        }
        let why = report::one_line(error);
        self.systems.push((title.to_owned(), why.clone()));
        self.first.get_or_insert_with(|| {
            Failure::new(format!(
                "cannot determine which wheels are missing on {title}"
            ))
            .because(why)
        });
    }

    /// Removes the recorded requirements from those that a system lacks. Returns `None` if none
    /// are left. After a network failure, records all of them as not fetchable.
    pub fn without(&mut self, mut system: Lacking) -> Option<Lacking> {
        let refused = || self.requirements.iter().chain(&self.seeds);
        let is_refused =
            |one: &String| refused().any(|(title, known)| *title == system.title && known == one);
        system
            .requirements
            .retain(|requirement| !is_refused(requirement));
        if let Some(failure) = self.offline.clone() {
            let requirements = std::mem::take(&mut system.requirements);
            self.add(&system, &requirements, failure);
        }
        (!system.requirements.is_empty()).then_some(system)
    }

    /// Returns the error that lists everything recorded. If pip fetched nothing and only one
    /// requirement or system is recorded, returns its own error.
    pub fn failure(self, nothing_fetched: bool) -> Option<Failure> {
        let first = self.first?;
        if nothing_fetched && self.requirements.len() + self.systems.len() == 1 {
            return Some(first);
        }
        // List the network failure first, then the requirements, then the systems.
        let requirements = self
            .requirements
            .iter()
            .map(|(title, requirement)| format!("{} ({title})", bare(requirement)));
        let systems = self
            .systems
            .iter()
            .map(|(title, why)| format!("{why} ({title})"));
        let network = self
            .offline
            .iter()
            .flat_map(|failure| failure.causes.clone());
        let what = if nothing_fetched {
            "pip cannot fetch the missing wheels"
        } else {
            "pip cannot fetch all of the missing wheels"
        };
        let failure = Failure::new(what).because_of(network.chain(requirements).chain(systems));
        Some(Failure {
            hint: first.hint,
            ..failure
        })
    }
}
