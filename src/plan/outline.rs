//! The outline of a list of wheels, some of which may be missing: enough to convert the list to
//! another format.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use pep440_rs::Version;
use pep508_rs::PackageName;

use super::resolve::listed::{self, Verdict};
use super::wheelhouse::Wheelhouse;
use super::{Evidence, Seed};
use crate::interpreter::Facts;
use crate::invocation::Invocation;
use crate::spec::{Packages, Spec};

/// The contents of a list of wheels, as far as the wheels are present.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Whether missing wheels are the only reason why it is not a plan.
    pub lacks_wheels: bool,
    /// The seeds for which there are wheels.
    pub seeds: Vec<Seed>,
    /// The dependencies of the wheels: each project with its version, and the projects that require
    /// it.
    pub required: BTreeMap<PackageName, (Version, BTreeSet<PackageName>)>,
}

/// Outlines a list of wheels. `memo` is the directory for cached facts.
///
/// # Errors
/// A wheel directory does not exist or cannot be read, or the dependencies of the wheels have too many
/// conflicts.
pub fn outline(
    spec: &Spec,
    interpreter: &Facts,
    invocation: &Invocation,
    memo: &Path,
) -> Result<Outline> {
    let Packages::Listed(wheels) = &spec.packages else {
        return Ok(Outline::default());
    };
    let mut wheelhouse = Wheelhouse::open(spec, invocation, memo, &mut Evidence::default())?;
    let verdicts = listed::verify(wheels, interpreter, &mut wheelhouse)?;
    wheelhouse.remember();
    let has = |verdict| verdicts.listed.contains(&verdict);
    // Only seeds and dependencies with a wheel have a version.
    let seeds = verdicts
        .seeds
        .iter()
        .filter(|(_, version)| version.is_some());
    let required = verdicts.required.iter();
    Ok(Outline {
        lacks_wheels: has(Verdict::Missing) && !has(Verdict::Clash),
        seeds: seeds
            .filter_map(|(project, _)| Seed::named(project))
            .collect(),
        required: required
            .filter_map(|(project, (version, required_by))| {
                Some((project.clone(), (version.clone()?, required_by.clone())))
            })
            .collect(),
    })
}
