//! The lock beside a spec: a spec that has one asks for what is locked, and for nothing else.

use std::path::{Path, PathBuf};

use anyhow::Result;
use pep440_rs::VersionSpecifiers;

use super::{Bound, Lock, name, read};
use crate::fs::{self, Stamped, limits};
use crate::process::Process;
use crate::spec::{Located, Packages, PythonRange, Source, Spec, SpecKind, SpecText, find};

impl SpecText {
    /// Where its lock is, or would be. None where it is of a kind that has none beside it, or
    /// stands in no file.
    #[must_use]
    pub fn lock_path(&self) -> Option<PathBuf> {
        match self.kind {
            SpecKind::VpythonToml
            | SpecKind::Pyproject
            | SpecKind::Pep723
            | SpecKind::Requirements => name::beside(self.origin.file_on_disk()?),
            SpecKind::Luci | SpecKind::Pylock | SpecKind::None => None,
        }
    }
}

impl Lock {
    /// Reads the lock at a path.
    ///
    /// # Errors
    /// It cannot be read, or is no lock.
    pub fn read(path: &Path) -> Result<Self> {
        read::read(&find::from_bytes(
            path,
            SpecKind::Pylock,
            fs::read_text(path, limits::LOCK)?,
        )?)
    }

    /// The Python versions that will do for the lock and for its spec, which has this range.
    #[must_use]
    pub fn python_range(
        &self,
        spec: Option<&Located<PythonRange>>,
    ) -> Option<Located<PythonRange>> {
        let (Some(spec), Some(lock)) = (spec, &self.requires_python) else {
            return self.requires_python.as_ref().or(spec).cloned();
        };
        if spec.value.specifiers == lock.value.specifiers {
            return Some(spec.clone());
        }
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
            key: lock.value.key,
        };
        Some(Located {
            value,
            place: lock.place.clone(),
        })
    }
}

/// The spec as its lock has it, where there is one. That there is none is a thing that it was read
/// from too.
///
/// # Errors
/// The lock cannot be read, or was made from something else than the spec is now.
pub(in crate::spec) fn bind(text: &SpecText, mut spec: Spec, process: &Process) -> Result<Spec> {
    let (Some(path), Packages::Required(requirements)) = (text.lock_path(), &spec.packages) else {
        return Ok(spec);
    };
    let found = Stamped::look(&path);
    let is_there = found.stamp.is_some() && text.counts_beside(&path, process, &mut spec.warnings);
    spec.sources.push(Source::File(found));
    if !is_there {
        return Ok(spec);
    }
    let bound = Bound {
        file: text.origin.file.clone().unwrap_or_default(),
        asked: requirements.asked.clone(),
    };
    let mut lock = Lock {
        bound: Some(bound),
        ..Lock::read(&path)?
    };
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
