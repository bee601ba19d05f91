//! The requirements on one system, decided by a full resolution, as for a launch there.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use pep508_rs::PackageName;

use super::super::resolve::partial::{Partial, Unsatisfied, UnsatisfiedKind, resolve_partly};
use super::super::wheelhouse::Wheelhouse;
use super::super::{Evidence, RequiredBy};
use super::{Cell, Dependency, Findings};
use crate::interpreter::Facts;
use crate::spec::{Requested, Requirements};

/// Checks requirements.
pub(super) fn find(
    requirements: &Requirements,
    facts: &Facts,
    wheelhouse: &mut Wheelhouse,
) -> Result<Findings> {
    let mut evidence = Evidence::default();
    let partial = resolve_partly(requirements, facts, wheelhouse, &mut evidence)?;
    let outcomes = outcomes(&partial);
    let requested = requirements
        .asked
        .iter()
        .map(|requested| cell(&requested.value, facts, &outcomes))
        .collect();
    let dependencies = dependencies(&partial);
    let refusal = partial.refusal.map(Into::into);
    Ok(Findings {
        requested,
        dependencies,
        refusal,
        warnings: evidence.warnings,
        ..Findings::default()
    })
}

/// Returns the outcome of each project. An unsatisfied project counts as such even if it has a
/// wheel.
fn outcomes(partial: &Partial) -> BTreeMap<&PackageName, Cell> {
    let wheels = partial
        .wheels
        .iter()
        .map(|wheel| (&wheel.name, Cell::Fits(wheel.version.clone())));
    wheels
        .chain(
            partial
                .unsatisfied
                .iter()
                .map(|unsatisfied| (&unsatisfied.project, cell_of_unsatisfied(unsatisfied))),
        )
        .collect()
}

fn cell(requested: &Requested, facts: &Facts, outcomes: &BTreeMap<&PackageName, Cell>) -> Cell {
    let Requested { requirement, .. } = requested;
    if !crate::spec::holds(&requirement.marker, &facts.markers, &[]) {
        return Cell::Unwanted;
    }
    outcomes
        .get(&requirement.name)
        .cloned()
        .unwrap_or(Cell::Unknown)
}

fn cell_of_unsatisfied(unsatisfied: &Unsatisfied) -> Cell {
    match unsatisfied.kind {
        UnsatisfiedKind::Missing => Cell::Missing,
        UnsatisfiedKind::WrongHash => Cell::WrongHash,
        UnsatisfiedKind::Conflict => Cell::Conflict,
    }
}

/// Returns the dependencies that only wheels require: those with a wheel, and those without.
fn dependencies(partial: &Partial) -> BTreeMap<PackageName, Dependency> {
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
            cell_of_unsatisfied(unsatisfied),
            &unsatisfied.required_by,
        )
    });
    // Projects that the spec requires itself have a row of their own.
    let dependencies = wheels
        .chain(unsatisfied)
        .filter_map(|(project, cell, required_by)| {
            let required_by: Option<BTreeSet<PackageName>> =
                required_by.iter().map(project_of).collect();
            Some((
                project.clone(),
                Dependency {
                    cell,
                    required_by: required_by?,
                },
            ))
        });
    dependencies.collect()
}

/// Returns the project of the requiring wheel; `None` for a spec or lock.
fn project_of(required_by: &RequiredBy) -> Option<PackageName> {
    match required_by {
        RequiredBy::Wheel { project, .. } => Some(project.clone()),
        RequiredBy::Spec(_) | RequiredBy::Lock(_) | RequiredBy::Seed => None,
    }
}
