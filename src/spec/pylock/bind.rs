//! The lock file next to a spec: if there is one, the spec's packages are those that it locks, and
//! no others.

use std::path::{Path, PathBuf};

use anyhow::Result;
use pep440_rs::VersionSpecifiers;

use super::{Bound, Lock, name, read};
use crate::fs::{self, Stamped, limits};
use crate::invocation::Invocation;
use crate::process::Process;
use crate::spec::{Located, Packages, PythonRange, Source, Spec, SpecKind, SpecText, find};

impl SpecText {
    /// Returns the path of the lock file, whether it exists or not; `None` if the spec's kind has
    /// no separate lock file, or the spec is not in a file.
    #[must_use]
    pub fn lock_path(&self) -> Option<PathBuf> {
        match self.kind {
            SpecKind::VpythonToml
            | SpecKind::Pyproject
            | SpecKind::Pep723
            | SpecKind::Requirements => name::lock_path(self.origin.file_on_disk()?),
            SpecKind::Luci | SpecKind::Pylock | SpecKind::None => None,
        }
    }
}

impl Lock {
    /// Reads the lock file at a path.
    ///
    /// # Errors
    /// The file cannot be read, or is not a lock file.
    pub fn read(path: &Path) -> Result<Self> {
        read::read(&find::from_bytes(
            path,
            SpecKind::Pylock,
            fs::read_text(path, limits::LOCK)?,
        )?)
    }

    /// Returns the Python versions that satisfy both the lock and its spec, which has this range.
    #[must_use]
    pub fn python_range(
        &self,
        spec: Option<&Located<PythonRange>>,
    ) -> Option<Located<PythonRange>> {
        let (Some(spec), Some(lock)) = (spec, &self.requires_python) else {
            return self.requires_python.as_ref().or(spec).cloned();
        };
        // Keep the spec's location if both state the same range.
        if spec.value.specifiers == lock.value.specifiers {
            return Some(spec.clone());
        }
        // Otherwise intersect the ranges.
        let both = spec
            .value
            .specifiers
            .iter()
            .chain(lock.value.specifiers.iter())
            .cloned();
        let specifiers: VersionSpecifiers = both.collect();
        let value = PythonRange {
            written: specifiers.to_string(),
            specifiers,
            free_threaded: spec.value.free_threaded,
            key: lock.value.key,
        };
        Some(Located {
            value,
            place: lock.place.clone(),
        })
    }
}

/// Applies the lock file to the spec, if there is one. Its absence is recorded as a source, too.
///
/// # Errors
/// The lock file cannot be read, or the spec has changed since it was made.
pub(in crate::spec) fn bind(
    text: &SpecText,
    mut spec: Spec,
    invocation: &Invocation,
    process: &Process,
) -> Result<Spec> {
    let (Some(path), Packages::Required(requirements)) = (text.lock_path(), &spec.packages) else {
        return Ok(spec);
    };
    // Record the lock file as a source, whether it exists or not.
    let found = Stamped::look(&path);
    let is_there =
        found.stamp.is_some() && text.trusts_neighbour(&path, process, &mut spec.warnings);
    spec.sources.push(Source::File(found));
    if !is_there {
        return Ok(spec);
    }
    let bound = Bound {
        file: text.origin.file.clone().unwrap_or_default(),
        asked: requirements.asked.clone(),
        relock: Some(invocation.command_of_lock()),
    };
    let mut lock = Lock {
        bound: Some(bound),
        ..Lock::read(&path)?
    };
    // A lock file by vpython records its inputs: compare them with the spec.
    let changes = lock
        .basis
        .as_ref()
        .map(|basis| basis.changes(text, &spec, requirements))
        .unwrap_or_default();
    if !changes.is_empty() {
        return Err(lock.stale(changes).into());
    }
    spec.requires_python = lock.python_range(spec.requires_python.as_ref());
    spec.warnings.append(&mut lock.warnings);
    spec.packages = Packages::Locked(Box::new(lock));
    Ok(spec)
}
