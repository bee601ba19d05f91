//! What can be told of a list of wheels where not all of them are there: to write it in another
//! form all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use pep440_rs::Version;
use pep508_rs::PackageName;

use super::resolve::listed::{self, Verdict};
use super::wheelhouse::Wheelhouse;
use super::{Evidence, Facts, Seed};
use crate::invocation::Invocation;
use crate::spec::{Packages, Spec};

/// What a list of wheels comes to, as far as they are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Whether all that keeps it from being a plan is that wheels are missing.
    pub lacks_wheels: bool,
    /// The seeds of which there are wheels.
    pub seeds: Vec<Seed>,
    /// What the wheels bring along: each project with its version, and the projects that require
    /// it.
    pub required: BTreeMap<PackageName, (Version, BTreeSet<PackageName>)>,
}

/// Judges the wheels of a list. `memo` is the directory for what can be found again.
///
/// # Errors
/// A directory of wheels that is not there or cannot be read.
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
    let verdicts = listed::verify(wheels, interpreter, &mut wheelhouse);
    wheelhouse.remember();
    let has = |verdict| verdicts.listed.contains(&verdict);
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
