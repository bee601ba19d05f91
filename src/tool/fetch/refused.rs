//! What cannot be fetched: it is asked for once, and listed in the end.

use anyhow::Error;

use super::failed::bare;
use crate::plan::Lacking;
use crate::report::{self, Failure};

/// What cannot be fetched, in the order in which that was found out.
#[derive(Default)]
pub(super) struct Refused {
    /// Each requirement with the title of its system.
    requirements: Vec<(String, String)>,
    /// The seeds among what cannot be fetched, without which environments do.
    seeds: Vec<(String, String)>,
    /// What keeps all from being fetched for a system, with its title.
    systems: Vec<(String, String)>,
    /// What was said of the first.
    first: Option<Failure>,
    /// What was said where the network failed: nothing else is to be tried.
    offline: Option<Failure>,
}

impl Refused {
    /// Notes that a system lacks these requirements, and why they cannot be fetched.
    pub fn add(&mut self, system: &Lacking, requirements: &[String], failure: Failure) {
        let titled = requirements
            .iter()
            .map(|requirement| (system.title.clone(), requirement.clone()));
        let (seeds, asked): (Vec<_>, Vec<_>) =
            titled.partition(|(_, requirement)| system.seeds.contains(requirement));
        for (title, seed) in &seeds {
            report::notice(&format!(
                "pip cannot fetch `{seed}` ({title}); environments go without this seed"
            ));
        }
        self.seeds.extend(seeds);
        if !asked.is_empty() {
            self.requirements.extend(asked);
            self.first.get_or_insert(failure);
        }
    }

    /// Notes that the network failed.
    pub fn note_offline(&mut self, failure: Failure) {
        self.offline = Some(failure);
    }

    /// Whether nothing else is to be tried.
    pub fn is_offline(&self) -> bool {
        self.offline.is_some()
    }

    /// Notes that the spec cannot be followed on a system.
    pub fn add_system(&mut self, title: &str, error: &Error) {
        if self.systems.iter().any(|(known, _)| known == title) {
            return;
        }
        let why = report::one_line(error);
        self.systems.push((title.to_owned(), why.clone()));
        self.first.get_or_insert_with(|| {
            Failure::new(format!("cannot tell what is missing on {title}")).because(why)
        });
    }

    /// What a system lacks besides; none where that is nothing. Where the network fails, nothing of
    /// it is to be tried.
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

    /// The error, which lists them; a single one that was all that is missing is its own.
    pub fn failure(self, nothing_came: bool) -> Option<Failure> {
        let first = self.first?;
        if nothing_came && self.requirements.len() + self.systems.len() == 1 {
            return Some(first);
        }
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
        let what = if nothing_came {
            "pip cannot fetch what is missing"
        } else {
            "pip cannot fetch all that is missing"
        };
        let failure = Failure::new(what).because_of(network.chain(requirements).chain(systems));
        Some(Failure {
            hint: first.hint,
            ..failure
        })
    }
}
