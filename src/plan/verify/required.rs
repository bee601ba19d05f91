//! Requirements on one system: a whole resolution decides, as it would for a launch there. Where it fails, each requirement is tried by
//! itself and with those before it, so that it is known which of them cannot be met.

use super::super::resolve;
use super::super::wheelhouse::Wheelhouse;
use super::super::{Evidence, Facts, PlannedWheel};
use super::{Cell, Findings, brought};
use crate::spec::{Asked, Dependencies, Placed, Requirements};

/// Judges requirements.
pub(super) fn find(requirements: &Requirements, facts: &Facts, wheelhouse: &mut Wheelhouse) -> Findings {
    let mut evidence = Evidence::default();
    let counts = |asked: &Asked| asked.requirement.marker.evaluate(&facts.markers, &[]);
    let (failed, wheels, refusal) = match resolve::resolve(requirements, facts, wheelhouse, &mut evidence) {
        Ok(wheels) => (vec![None; requirements.asked.len()], wheels, None),
        Err(refusal) => {
            let (failed, wheels) = Attempts { requirements, facts, wheelhouse }.narrow_down();
            (failed, wheels, Some(refusal))
        }
    };
    let asked = requirements.asked.iter().zip(failed).map(|(Placed { value, .. }, failed)| match failed {
        _ if !counts(value) => Cell::Unwanted,
        Some(cell) => cell,
        None => {
            let wheel = wheels.iter().find(|wheel| wheel.name == value.requirement.name);
            wheel.map_or(Cell::Unknown, |wheel| Cell::Fits(wheel.version.clone()))
        }
    });
    Findings { asked: asked.collect(), brought: brought(&wheels), refusal, warnings: evidence.warnings }
}

/// Resolutions of parts of what is asked for.
struct Attempts<'a> {
    requirements: &'a Requirements,
    facts: &'a Facts,
    wheelhouse: &'a mut Wheelhouse,
}

impl Attempts<'_> {
    /// Why each requirement cannot be met, none where it can, and the wheels for those that can be met together.
    fn narrow_down(mut self) -> (Vec<Option<Cell>>, Vec<PlannedWheel>) {
        let mut met = Requirements { asked: Vec::new(), ..self.requirements.clone() };
        let mut wheels = Vec::new();
        let mut failed = Vec::new();
        for asked in &self.requirements.asked {
            met.asked.push(asked.clone());
            if let Some(chosen) = self.resolve(&met) {
                wheels = chosen;
                failed.push(None);
            } else {
                met.asked.pop();
                failed.push(Some(self.reason(asked)));
            }
        }
        (failed, wheels)
    }

    /// Why a requirement cannot be met beside those before it.
    fn reason(&mut self, asked: &Placed<Asked>) -> Cell {
        let alone = Requirements { asked: vec![asked.clone()], ..self.requirements.clone() };
        if self.resolve(&alone).is_some() {
            return Cell::Conflict;
        }
        if self.resolve(&unpinned(&alone)).is_some() {
            return Cell::WrongHash;
        }
        let without_dependencies = Requirements { dependencies: Dependencies::Ignored, ..alone };
        if self.resolve(&without_dependencies).is_some() { Cell::Incomplete } else { Cell::Missing }
    }

    fn resolve(&mut self, requirements: &Requirements) -> Option<Vec<PlannedWheel>> {
        resolve::resolve(requirements, self.facts, self.wheelhouse, &mut Evidence::default()).ok()
    }
}

/// The same, whatever digests the wheels have.
fn unpinned(requirements: &Requirements) -> Requirements {
    let mut requirements = requirements.clone();
    requirements.hashes_required = false;
    for asked in requirements.asked.iter_mut().chain(&mut requirements.constraints) {
        asked.value.hashes.clear();
    }
    requirements
}
