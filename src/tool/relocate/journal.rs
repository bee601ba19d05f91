//! The journal: what a run knows before it changes the first file, kept in the environment until
//! the last one is changed.
//!
//! What was done cannot be told from the files alone, since each that is changed takes the old
//! place's name with it. A run that is ended in between has left the journal, and the next run
//! knows what that one knew.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::prefixes::Prefixes;
use crate::fs;

/// Its name in the environment.
pub(super) const NAME: &str = ".vpython-relocate.json";

/// What a run that did not end has known.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Journal {
    /// The places, the new one of that run first.
    places: Vec<Place>,
    /// The interpreter that it was to get.
    #[serde(default)]
    python: Option<Place>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Place(#[serde(with = "crate::fs::path_text")] PathBuf);

impl Journal {
    /// The journal of a run that did not end; an empty one where the last run has ended.
    ///
    /// # Errors
    /// Nobody can tell.
    pub fn read(environment: &Path) -> Result<Self> {
        Ok(fs::look_for_json(&environment.join(NAME))?.unwrap_or_default())
    }

    /// What is known now.
    pub fn of(places: &Prefixes, python: Option<&Path>) -> Self {
        let all = [places.to()]
            .into_iter()
            .chain(places.old().iter().map(Vec::as_slice));
        let places = all
            .map(|place| Place(super::prefixes::path(place)))
            .collect();
        Self {
            places,
            python: python.map(|python| Place(python.to_path_buf())),
        }
    }

    pub fn places(&self) -> Vec<Vec<u8>> {
        self.places
            .iter()
            .map(|place| place.0.as_os_str().as_encoded_bytes().to_vec())
            .collect()
    }

    pub fn python(&self) -> Option<&Path> {
        self.python.as_ref().map(|python| python.0.as_path())
    }

    /// Writes it, so that it is on the disk before anything else is.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(&self, environment: &Path) -> Result<()> {
        fs::replace(&environment.join(NAME), &serde_json::to_vec(self)?, 0o644)?;
        fs::sync(environment)
    }

    /// Removes it, once all else is on the disk.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn end(environment: &Path) -> Result<()> {
        let journal = environment.join(NAME);
        if fs::link_metadata(&journal)?.is_some() {
            fs::sync_file_system(environment)?;
            fs::remove_file(&journal)?;
        }
        Ok(())
    }
}
