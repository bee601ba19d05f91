//! The distributions that a spec requires, in the form that its kind uses: requirements, listed
//! wheels, or locked packages.

use std::collections::BTreeMap;

use pep440_rs::Version;
use pep508_rs::PackageName;

use super::{IndexUrl, ListedWheel, Located, Lock, Requirement};
use crate::fs::Digest;

/// The distributions that a spec requires, in the form that its kind uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packages {
    /// Requirements, each with a choice among wheels.
    Required(Requirements),
    /// Wheels by name and exact version, in the spec's order. Their dependencies are installed too,
    /// as far as there are wheels for them.
    Listed(Vec<Located<ListedWheel>>),
    /// Locked packages with their files, and no others.
    Locked(Box<Lock>),
}

impl Packages {
    /// Checks whether the spec requires no distributions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Required(requirements) => requirements.asked.is_empty(),
            Self::Listed(wheels) => wheels.is_empty(),
            // The plan reports requirements of the spec that the lock file does not cover.
            Self::Locked(lock) => {
                lock.packages.is_empty()
                    && lock
                        .bound
                        .as_ref()
                        .is_none_or(|bound| bound.asked.is_empty())
            }
        }
    }
}

impl Default for Packages {
    fn default() -> Self {
        Self::Required(Requirements::default())
    }
}

/// Requirements, and the rules for resolving them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// The required distributions, in the spec's order.
    pub asked: Vec<Located<Requested>>,
    /// Constraints: they apply to a distribution only if something else requires it.
    pub constraints: Vec<Located<Requested>>,
    /// Whether the dependencies of the chosen wheels are installed too.
    pub dependencies: Dependencies,
    /// Whether pre-releases are candidates even if no specifier names one.
    pub pre_releases: bool,
    /// Whether every wheel must have one of the digests that the spec names for it.
    pub hashes_required: bool,
    /// Versions to prefer over higher ones if they satisfy the requirements: those of the lock file
    /// that is being rebuilt.
    pub preferred: BTreeMap<PackageName, Version>,
}

/// Whether the dependencies of the chosen wheels are installed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dependencies {
    /// The environment contains the dependencies too.
    #[default]
    Followed,
    /// The environment contains only what the spec requires.
    Ignored,
}

/// A requirement as a spec states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// The requirement.
    pub requirement: Requirement,
    /// The accepted digests of a wheel for it; empty if any digest is accepted.
    pub hashes: Vec<Digest>,
    /// The URL of its wheel, if the spec names one. The requirement then has the version of that
    /// wheel, and a wheel directory may have it too.
    pub url: Option<IndexUrl>,
}
