//! What is wrong with something in the store, and taking it out of the way.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Store;

/// A file that is not as it was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The environment or unpacked wheel that it is in.
    pub of: PathBuf,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Its bytes, or where it leads, are others.
    Changed,
    /// It is gone.
    Missing,
    /// Nobody put it there when the rest was made.
    Foreign,
}

impl Store {
    /// Takes a damaged environment or unpacked wheel out of the way, so that it is made anew when it is next needed. Programs that run in
    /// it keep its files.
    pub fn discard(&self, damaged: &Path) -> Result<()> {
        self.set_aside(damaged)
    }
}
