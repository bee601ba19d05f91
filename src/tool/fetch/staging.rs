//! The staging directory for pip's output, inside the destination: a wheel appears in the
//! destination only when it is complete.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use tempfile::TempDir;
use tracing::debug;

use crate::fs::{self, Attempt};

/// The name prefix of staging directories.
const PREFIX: &str = ".fetch-";
/// The age after which an unmodified staging directory counts as abandoned by a killed process, on
/// file systems without locks.
const LEFT_BEHIND: Duration = Duration::from_hours(1);

/// A staging directory, which is removed when this value is dropped.
pub(super) struct Staging {
    directory: TempDir,
    /// Holds a shared lock as long as the directory is in use.
    _in_use: File,
}

impl Staging {
    /// Creates a staging directory in `destination`.
    pub fn make(destination: &Path) -> Result<Self> {
        let _making = lock(destination)?;
        let made = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(destination);
        let directory = made
            .with_context(|| format!("cannot create a directory in `{}`", destination.display()))?;
        let in_use = fs::open(directory.path())?;
        fs::lock_shared(&in_use);
        Ok(Self {
            directory,
            _in_use: in_use,
        })
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Moves a complete file to `destination`, in place of any older one, and returns its path.
    pub fn publish(&self, name: &str, destination: &Path) -> Result<PathBuf> {
        let (from, to) = (self.path().join(name), destination.join(name));
        // A wheel in the destination is complete even after a power failure.
        fs::sync(&from)?;
        fs::rename(&from, &to)?;
        Ok(to)
    }

    /// Moves each new wheel to `destination`, and returns the new files. Does not overwrite
    /// existing files, except those named in `replaced`.
    pub fn move_in(self, destination: &Path, replaced: &BTreeSet<&OsStr>) -> Result<Vec<PathBuf>> {
        let mut moved = Vec::new();
        for name in fs::list(self.path())?.unwrap_or_default() {
            let (from, to) = (self.path().join(&name), destination.join(&name));
            let is_wheel = from.extension().is_some_and(|extension| extension == "whl");
            if is_wheel && (replaced.contains(&*name) || !fs::exists(&to)) {
                // A wheel in the destination is complete even after a power failure.
                fs::sync(&from)?;
                fs::rename(&from, &to)?;
                moved.push(to);
            }
        }
        Ok(moved)
    }
}

/// Removes the staging directories that killed processes left behind.
pub(super) fn remove_left_behind(destination: &Path) -> Result<()> {
    let _making = lock(destination)?;
    for name in fs::list(destination)?.unwrap_or_default() {
        let path = destination.join(&name);
        if name.to_string_lossy().starts_with(PREFIX) && is_left_behind(&path) {
            // Another user's stays where that user alone can remove it.
            if let Err(error) = fs::remove_dir_all(&path) {
                debug!("cannot remove what a killed process has left: {error:#}");
            }
        }
    }
    Ok(())
}

/// Locks the destination. A process holds this lock while it creates a staging directory, until it
/// has locked the new directory itself.
fn lock(destination: &Path) -> Result<File> {
    let directory = fs::open(destination)?;
    fs::lock_exclusive(&directory);
    Ok(directory)
}

/// Checks whether no process uses a staging directory. Without locks, the process may run on
/// another machine that shares the directory, so only the age of the directory can decide.
fn is_left_behind(path: &Path) -> bool {
    // A pipe of such a name would be waited for.
    let is_directory =
        fs::link_metadata(path).is_ok_and(|found| found.is_some_and(|found| found.is_dir()));
    let Some(directory) = is_directory.then(|| fs::open(path).ok()).flatten() else {
        return false;
    };
    match fs::try_lock_exclusive(&directory) {
        Attempt::Held => true,
        Attempt::Busy => false,
        Attempt::Unsupported => {
            let modified = directory
                .metadata()
                .and_then(|metadata| metadata.modified());
            modified.is_ok_and(|modified| {
                SystemTime::now()
                    .duration_since(modified)
                    .is_ok_and(|age| age > LEFT_BEHIND)
            })
        }
    }
}
