//! Requirements on one system: a whole resolution decides, as it would for a launch there.

use std::collections::BTreeSet;

use anyhow::Result;
use pep508_rs::PackageName;

use super::super::resolve::partial::{Partial, Unsatisfied, UnsatisfiedKind, resolve_partly};
use super::super::wheelhouse::Wheelhouse;
use super::super::{Evidence, Facts, RequiredBy};
use super::{Brought, Cell, Findings};
use crate::spec::{Requested, Requirements};

/// Judges requirements.
pub(super) fn find(
    requirements: &Requirements,
    facts: &Facts,
    wheelhouse: &mut Wheelhouse,
) -> Result<Findings> {
    let mut evidence = Evidence::default();
    let partial = resolve_partly(requirements, facts, wheelhouse, &mut evidence)?;
    let asked = requirements
        .asked
        .iter()
        .map(|asked| cell(&asked.value, facts, &partial))
        .collect();
    let brought = brought(&partial);
    let refusal = partial.refusal.map(Into::into);
    Ok(Findings {
        asked,
        brought,
        refusal,
        warnings: evidence.warnings,
        ..Findings::default()
    })
}

fn cell(asked: &Requested, facts: &Facts, partial: &Partial) -> Cell {
    let Requested { requirement, .. } = asked;
    if !crate::spec::holds(&requirement.marker, &facts.markers, &[]) {
        return Cell::Unwanted;
    }
    let unsatisfied = partial
        .unsatisfied
        .iter()
        .find(|unsatisfied| unsatisfied.project == requirement.name);
    let wheel = partial
        .wheels
        .iter()
        .find(|wheel| wheel.name == requirement.name);
    match (unsatisfied, wheel) {
        (Some(unsatisfied), _) => cell_of_lack(unsatisfied),
        (None, Some(wheel)) => Cell::Fits(wheel.version.clone()),
        (None, None) => Cell::Unknown,
    }
}

fn cell_of_lack(unsatisfied: &Unsatisfied) -> Cell {
    match unsatisfied.kind {
        UnsatisfiedKind::Missing => Cell::Missing,
        UnsatisfiedKind::WrongHash => Cell::WrongHash,
        UnsatisfiedKind::Conflict => Cell::Conflict,
    }
}

/// What wheels alone ask for: what there is of it, and what cannot be had.
fn brought(partial: &Partial) -> Vec<(PackageName, Brought)> {
    let wheels = partial.wheels.iter().map(|wheel| {
        (
            &wheel.name,
            Cell::Fits(wheel.version.clone()),
            &wheel.required_by,
        )
    });
    let unsatisfied = partial.unsatisfied.iter().map(|unsatisfied| {
        (
            &unsatisfied.project,
            cell_of_lack(unsatisfied),
            &unsatisfied.required_by,
        )
    });
    let brought = wheels
        .chain(unsatisfied)
        .filter_map(|(project, cell, required_by)| {
            let required_by: Option<BTreeSet<PackageName>> =
                required_by.iter().map(project_of).collect();
            Some((
                project.clone(),
                Brought {
                    cell,
                    required_by: required_by?,
                },
            ))
        });
    brought.collect()
}

/// The project whose wheel asks; none where the spec does.
fn project_of(required_by: &RequiredBy) -> Option<PackageName> {
    match required_by {
        RequiredBy::Wheel { project, .. } => Some(project.clone()),
        RequiredBy::Spec(_) | RequiredBy::Lock(_) | RequiredBy::Seed => None,
    }
}
