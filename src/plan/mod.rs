//! What a spec comes to on this machine: one interpreter, and each wheel with its file and digest.
//!
//! A plan is made of what can be read: the interpreter's facts and the wheels' metadata. It builds nothing. All that it was
//! decided from is kept as [`Evidence`], so that a later launch can tell with a few stamps that it would be decided alike.

mod digest;
pub mod interpreter;
mod key;
mod resolve;
mod tags;
mod wheelhouse;

use std::path::{Path, PathBuf};

use anyhow::Result;
use pep440_rs::Version;
use pep508_rs::PackageName;
use tracing::debug;

pub use digest::Digest;
pub use interpreter::Facts;
pub use key::Key;
pub use tags::Tags;

use crate::fs::Stamped;
use crate::invocation::Invocation;
use crate::process::Process;
use crate::spec::Spec;
use wheelhouse::Wheelhouse;

/// What an environment is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The interpreter.
    pub interpreter: Facts,
    /// The wheels, sorted by project name, one for each project.
    pub wheels: Vec<PlannedWheel>,
}

/// A wheel of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedWheel {
    /// The project's normalised name.
    pub name: PackageName,
    /// The version that the file's name says.
    pub version: Version,
    /// The wheel file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its bytes.
    pub sha256: Digest,
    /// Whether the spec itself asks for it, and not only another wheel; installers note that in `REQUESTED`.
    pub requested: bool,
}

impl PlannedWheel {
    /// The wheel file's name.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// What a plan was decided from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Files and folders that were looked at, those that were absent among them.
    pub stamps: Vec<Stamped>,
    /// What the caller should know of the choice, a sentence each.
    pub warnings: Vec<String>,
}

impl Evidence {
    /// Notes what stands at `path` now. To be called before the path is read, so that a change in between is noticed.
    fn look(&mut self, path: &Path) {
        if !self.stamps.iter().any(|stamped| stamped.path == path) {
            self.stamps.push(Stamped::look(path));
        }
    }
}

/// Decides on the interpreter and the wheels of a spec. `memo` is the store's folder for facts that can be found again.
///
/// # Errors
/// No interpreter satisfies the spec; no set of wheels does; a wheel cannot be read.
pub fn make(spec: &Spec, invocation: &Invocation, process: &Process, memo: &Path) -> Result<(Plan, Evidence)> {
    let mut evidence = Evidence::default();
    let interpreter = interpreter::find(invocation, spec.requires_python.as_ref(), process, Some(memo), &mut evidence)?;
    debug!(interpreter = %interpreter.executable.display(), version = %interpreter.version(), "chose the interpreter");
    let wheels = if spec.requirements.is_empty() && spec.listed.is_empty() {
        Vec::new()
    } else {
        let mut wheelhouse = Wheelhouse::open(spec, &invocation.wheels, memo, &mut evidence)?;
        let wheels = if spec.listed.is_empty() {
            resolve::resolve(spec, &interpreter, &mut wheelhouse, &mut evidence)?
        } else {
            resolve::listed::resolve(&spec.listed, &interpreter, &mut wheelhouse, &mut evidence)?
        };
        wheelhouse.remember();
        wheels
    };
    Ok((Plan { interpreter, wheels }, evidence))
}
