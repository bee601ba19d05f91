//! Requirements on one system: a whole resolution decides, as it would for a launch there.

use std::collections::BTreeSet;

use anyhow::Result;
use pep508_rs::PackageName;

use super::super::resolve::attempt::{Attempt, Lack, LackKind, attempt};
use super::super::wheelhouse::Wheelhouse;
use super::super::{Asker, Evidence, Facts};
use super::{Brought, Cell, Findings};
use crate::spec::{Asked, Requirements};

/// Judges requirements.
pub(super) fn find(
    requirements: &Requirements,
    facts: &Facts,
    wheelhouse: &mut Wheelhouse,
) -> Result<Findings> {
    let mut evidence = Evidence::default();
    let attempt = attempt(requirements, facts, wheelhouse, &mut evidence)?;
    let asked = requirements
        .asked
        .iter()
        .map(|asked| cell(&asked.value, facts, &attempt))
        .collect();
    let brought = brought(&attempt);
    let refusal = attempt.refusal.map(Into::into);
    Ok(Findings {
        asked,
        brought,
        refusal,
        warnings: evidence.warnings,
        ..Findings::default()
    })
}

fn cell(asked: &Asked, facts: &Facts, attempt: &Attempt) -> Cell {
    let Asked { requirement, .. } = asked;
    if !crate::spec::holds(&requirement.marker, &facts.markers, &[]) {
        return Cell::Unwanted;
    }
    let lack = attempt
        .lacks
        .iter()
        .find(|lack| lack.project == requirement.name);
    let wheel = attempt
        .wheels
        .iter()
        .find(|wheel| wheel.name == requirement.name);
    match (lack, wheel) {
        (Some(lack), _) => cell_of_lack(lack),
        (None, Some(wheel)) => Cell::Fits(wheel.version.clone()),
        (None, None) => Cell::Unknown,
    }
}

fn cell_of_lack(lack: &Lack) -> Cell {
    match lack.kind {
        LackKind::Missing => Cell::Missing,
        LackKind::WrongHash => Cell::WrongHash,
        LackKind::Conflict => Cell::Conflict,
    }
}

/// What wheels alone ask for: what there is of it, and what cannot be had.
fn brought(attempt: &Attempt) -> Vec<(PackageName, Brought)> {
    let wheels = attempt.wheels.iter().map(|wheel| {
        (
            &wheel.name,
            Cell::Fits(wheel.version.clone()),
            &wheel.required_by,
        )
    });
    let lacks = attempt
        .lacks
        .iter()
        .map(|lack| (&lack.project, cell_of_lack(lack), &lack.askers));
    let brought = wheels.chain(lacks).filter_map(|(project, cell, askers)| {
        let askers: Option<BTreeSet<PackageName>> = askers.iter().map(project_of).collect();
        Some((
            project.clone(),
            Brought {
                cell,
                askers: askers?,
            },
        ))
    });
    brought.collect()
}

/// The project whose wheel asks; none where the spec does.
fn project_of(asker: &Asker) -> Option<PackageName> {
    match asker {
        Asker::Wheel { project, .. } => Some(project.clone()),
        Asker::Spec(_) | Asker::Lock(_) | Asker::Seed => None,
    }
}
