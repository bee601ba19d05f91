//! The journal: the facts that a run establishes before it changes the first file, kept in the
//! environment until the last file is changed.
//!
//! They cannot be recovered from the files alone, since each file that is changed loses the old
//! prefix. An interrupted run leaves its journal, and the next run continues with the same facts.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::prefixes::Prefixes;
use crate::fs;

/// The name of the journal in the environment.
pub(super) const NAME: &str = ".vpython-relocate.json";

/// The facts of an interrupted run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Journal {
    /// The prefixes, starting with the new one of that run.
    places: Vec<StoredPath>,
    /// The new interpreter.
    #[serde(default)]
    python: Option<StoredPath>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredPath(#[serde(with = "crate::fs::path_text")] PathBuf);

impl Journal {
    /// Reads the journal of an interrupted run; empty if the last run was completed.
    ///
    /// # Errors
    /// Returns an error if the journal cannot be read.
    pub fn read(environment: &Path) -> Result<Self> {
        Ok(fs::look_for_json(&environment.join(NAME))?.unwrap_or_default())
    }

    /// Returns the journal of the current run.
    pub fn of(prefixes: &Prefixes, python: Option<&Path>) -> Self {
        let all = [prefixes.to()]
            .into_iter()
            .chain(prefixes.old().iter().map(Vec::as_slice));
        let places = all
            .map(|prefix| StoredPath(super::prefixes::path(prefix)))
            .collect();
        Self {
            places,
            python: python.map(|python| StoredPath(python.to_path_buf())),
        }
    }

    pub fn prefixes(&self) -> Vec<Vec<u8>> {
        self.places
            .iter()
            .map(|path| path.0.as_os_str().as_encoded_bytes().to_vec())
            .collect()
    }

    pub fn python(&self) -> Option<&Path> {
        self.python.as_ref().map(|python| python.0.as_path())
    }

    /// Writes the journal and syncs it, before any other file is changed.
    ///
    /// # Errors
    /// Returns an error if it cannot be written.
    pub fn begin(&self, environment: &Path) -> Result<()> {
        fs::replace(&environment.join(NAME), &serde_json::to_vec(self)?, 0o644)?;
        fs::sync(environment)
    }

    /// Removes the journal, after all changes are synced to disk.
    ///
    /// # Errors
    /// Returns an error if it cannot be removed.
    pub fn end(environment: &Path) -> Result<()> {
        let journal = environment.join(NAME);
        if fs::link_metadata(&journal)?.is_some() {
            fs::sync_file_system(environment)?;
            fs::remove_file(&journal)?;
        }
        Ok(())
    }
}
