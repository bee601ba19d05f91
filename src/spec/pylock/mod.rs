//! Lock files: packages with exact versions and files, in the standard format (PEP 751):
//! <https://packaging.python.org/en/latest/specifications/pylock-toml/>.
//!
//! A lock file that is named as a spec is the spec. A lock file next to a spec replaces the spec's
//! requirements; it records its inputs, so that vpython detects later changes to the spec. The plan
//! selects the packages for an interpreter and locates their files.

mod bind;
mod built;
mod inputs;
mod marker;
mod name;
mod raw;
mod read;
mod text;
mod write;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pep440_rs::{Version, VersionSpecifiers};
use pep508_rs::{MarkerEnvironment, MarkerTree, PackageName};

use super::{IndexUrl, Located, Packages, PythonRange, Requested, Spec, SpecText};
use crate::fs::{Digest, LongDigest};
use crate::report::Failure;

pub(super) use bind::bind;
pub use built::BuiltPins;
pub use inputs::Basis;
pub(super) use name::is_lock;
pub(super) use raw::file_name;
pub(super) use text::LockText;

/// A lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The format of the file.
    pub form: LockForm,
    /// The path of the file.
    pub path: PathBuf,
    /// The supported Python versions; `None` if it supports all.
    pub requires_python: Option<Located<PythonRange>>,
    /// The lock supports interpreters that satisfy one of these; empty if it supports all.
    pub environments: Vec<Located<Marker>>,
    /// The locked packages, in the file's order.
    pub packages: Vec<Located<LockedPackage>>,
    /// The inputs that it was made from, if vpython made it.
    pub basis: Option<Basis>,
    /// The built wheels that may be used in place of wheels.
    pub built: BuiltPins,
    /// The spec that it belongs to; `None` if the lock file is the spec itself.
    pub bound: Option<Bound>,
    /// Warnings, one sentence each, with the location.
    pub warnings: Vec<String>,
}

/// The formats of lock files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockForm {
    /// The standard format (PEP 751).
    Pylock,
    /// uv's own format.
    Uv,
}

/// A spec with a lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The spec's file.
    pub file: PathBuf,
    /// The spec's requirements.
    pub asked: Vec<Located<Requested>>,
    /// The command that rebuilds the lock file; `None` if only another tool than vpython can.
    pub relock: Option<String>,
}

/// An environment marker (PEP 508).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The parsed marker.
    pub tree: MarkerTree,
    /// The text in the lock file.
    pub written: String,
}

impl Marker {
    /// Checks whether the marker holds in an environment.
    #[must_use]
    pub fn holds(&self, environment: &MarkerEnvironment) -> bool {
        crate::spec::holds(&self.tree, environment, &[])
    }
}

/// A locked package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPackage {
    /// The project.
    pub name: PackageName,
    /// The version; `None` if only the source tree determines it.
    pub version: Option<Version>,
    /// The environments in which it is required; all if there is no marker.
    pub marker: Option<Marker>,
    /// The supported Python versions; `None` if it supports all.
    pub requires_python: Option<VersionSpecifiers>,
    /// The wheels to choose from.
    pub wheels: Vec<Located<LockedWheel>>,
    /// Another source, as named in messages; vpython installs only wheels.
    pub other_source: Option<&'static str>,
}

/// A locked wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedWheel {
    /// The file's name.
    pub file_name: String,
    /// The absolute path, if the lock file has one.
    pub path: Option<PathBuf>,
    /// The URL to download it from, if the lock file has one.
    pub url: Option<IndexUrl>,
    /// The size in bytes, if the lock file has one.
    pub size: Option<u64>,
    /// The SHA-256 digest.
    pub sha256: Digest,
    /// Further, longer digests, in lower-case hexadecimal.
    pub long_digests: Vec<(LongDigest, String)>,
}

impl LockedPackage {
    /// Returns the project, with the version if there is one: `numpy==1.26.4`.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.version {
            Some(version) => format!("{}=={version}", self.name),
            None => self.name.to_string(),
        }
    }

    /// Checks whether the package is required in an environment.
    #[must_use]
    pub fn is_wanted(&self, environment: &MarkerEnvironment) -> bool {
        self.marker
            .as_ref()
            .is_none_or(|marker| marker.holds(environment))
    }
}

impl Lock {
    /// Returns the directories of the wheels' paths, sorted.
    #[must_use]
    pub fn directories(&self) -> BTreeSet<&Path> {
        let wheels = self
            .packages
            .iter()
            .flat_map(|package| &package.value.wheels);
        wheels
            .filter_map(|wheel| wheel.value.path.as_deref()?.parent())
            .collect()
    }

    /// Returns the error that the lock file no longer matches its spec.
    #[must_use]
    pub fn stale(&self, changes: Vec<String>) -> Failure {
        let spec = self
            .bound
            .as_ref()
            .map(|bound| bound.file.display().to_string())
            .unwrap_or_default();
        let failure = Failure::new(format!(
            "the lock file `{}` does not match `{spec}`",
            self.path.display()
        ))
        .because_of(changes);
        match self.how_to_relock() {
            Some(relock) => failure.hint(format!("rebuild it with `{relock}`")),
            None if self.form == LockForm::Uv => {
                failure.hint("rebuild it with `uv lock`, or remove it")
            }
            None => failure,
        }
    }

    /// Returns the command that rebuilds the lock file; `None` if only another tool than vpython
    /// can.
    #[must_use]
    pub fn how_to_relock(&self) -> Option<&str> {
        self.bound.as_ref()?.relock.as_deref()
    }
}

/// Parses the text of a lock file as a spec.
pub(super) fn parse(text: &SpecText) -> Result<Spec> {
    let lock = read::read(text)?;
    Ok(Spec {
        requires_python: lock.requires_python.clone(),
        warnings: lock.warnings.clone(),
        base: text.base.clone(),
        packages: Packages::Locked(Box::new(lock)),
        ..Spec::default()
    })
}
