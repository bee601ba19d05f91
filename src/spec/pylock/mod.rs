//! Locks: packages with their exact versions and files, in the form that all tools share (PEP 751):
//! <https://packaging.python.org/en/latest/specifications/pylock-toml/>.
//!
//! A lock that is named as a spec is the spec. A lock beside a spec binds it: what it was made from
//! is recorded in it, so that a spec that has changed since is noticed. Which of the packages count
//! on an interpreter, and where their files are, is for the plan.

mod bind;
mod inputs;
mod marker;
mod name;
mod read;
mod text;
mod write;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pep440_rs::{Version, VersionSpecifiers};
use pep508_rs::{MarkerEnvironment, MarkerTree, PackageName};

use super::{Located, Packages, PythonRange, Requested, Spec, SpecText};
use crate::fs::{Digest, LongDigest};
use crate::report::{Failure, program, shell_word};

pub(super) use bind::bind;
pub use inputs::Basis;
pub(super) use name::is_lock;
pub(super) use read::file_name;
pub(super) use text::LockText;

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The form of the file.
    pub form: LockForm,
    /// The file.
    pub path: PathBuf,
    /// The Python versions that it is for; none where it is for any.
    pub requires_python: Option<Located<PythonRange>>,
    /// It is for interpreters that satisfy one of these; none where it is for any.
    pub environments: Vec<Located<Marker>>,
    /// All that it locks, in its order.
    pub packages: Vec<Located<LockedPackage>>,
    /// What it was made from, if vpython made it.
    pub basis: Option<Basis>,
    /// The spec that it binds; none where it is the spec itself.
    pub bound: Option<Bound>,
    /// What the reader should know, a sentence each, with the place.
    pub warnings: Vec<String>,
}

/// The forms that a lock may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockForm {
    /// That of all tools (PEP 751).
    Pylock,
    /// uv's own.
    Uv,
}

/// A spec that is bound by the lock beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The file that it stands in.
    pub file: PathBuf,
    /// What it asks for.
    pub asked: Vec<Located<Requested>>,
}

/// An environment marker (PEP 508).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// What it means.
    pub tree: MarkerTree,
    /// As the lock says it.
    pub written: String,
}

impl Marker {
    /// Whether it holds where these are the values of the variables.
    #[must_use]
    pub fn holds(&self, environment: &MarkerEnvironment) -> bool {
        crate::spec::holds(&self.tree, environment, &[])
    }
}

/// A package that a lock has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPackage {
    /// The project.
    pub name: PackageName,
    /// The version; none where it is that of a source tree.
    pub version: Option<Version>,
    /// Where it is wanted; everywhere if there is none.
    pub marker: Option<Marker>,
    /// The Python versions that will do; none where any will.
    pub requires_python: Option<VersionSpecifiers>,
    /// The files to choose from.
    pub wheels: Vec<Located<LockedWheel>>,
    /// What else there is to install it from, as a person would name it; vpython installs wheels
    /// alone.
    pub other_source: Option<&'static str>,
}

/// A wheel file that a lock has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedWheel {
    /// The file's name.
    pub file_name: String,
    /// Where it is, as an absolute path, if the lock says so.
    pub path: Option<PathBuf>,
    /// Its size in bytes, if the lock says so.
    pub size: Option<u64>,
    /// The digest of its bytes.
    pub sha256: Digest,
    /// Longer digests of its bytes that the lock has besides, in lower-case hexadecimal.
    pub long_digests: Vec<(LongDigest, String)>,
}

impl LockedPackage {
    /// The project, and the version if there is one: `numpy==1.26.4`.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.version {
            Some(version) => format!("{}=={version}", self.name),
            None => self.name.to_string(),
        }
    }

    /// Whether it is wanted where these are the values of the variables.
    #[must_use]
    pub fn is_wanted(&self, environment: &MarkerEnvironment) -> bool {
        self.marker
            .as_ref()
            .is_none_or(|marker| marker.holds(environment))
    }
}

impl Lock {
    /// The directories where it says that its files are, sorted.
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

    /// The error that it is not the lock of the spec that it binds any more.
    #[must_use]
    pub fn stale(&self, changes: Vec<String>) -> Failure {
        let spec = self
            .bound
            .as_ref()
            .map(|bound| bound.file.display().to_string())
            .unwrap_or_default();
        let failure = Failure::new(format!(
            "the lock `{}` does not fit `{spec}`",
            self.path.display()
        ))
        .because_of(changes);
        match self.how_to_relock() {
            Some(relock) => failure.hint(format!("`{relock}` makes it anew")),
            None if self.form == LockForm::Uv => {
                failure.hint("make it anew with `uv lock`, or remove it")
            }
            None => failure,
        }
    }

    /// The command that makes it anew; none where another tool than vpython must do that.
    #[must_use]
    pub fn how_to_relock(&self) -> Option<String> {
        let spec = &self
            .bound
            .as_ref()
            .filter(|_| self.form == LockForm::Pylock)?
            .file;
        Some(format!(
            "{} -vpython-tool lock {}",
            program(),
            shell_word(&spec.to_string_lossy())
        ))
    }
}

/// Gives the text of a lock its meaning as a spec.
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
