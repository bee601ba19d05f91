//! The directory that pip writes to, inside the one that is filled: a wheel has its name there only
//! when it is whole.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::fs::{self, Attempt};

/// How these directories are called.
const PREFIX: &str = ".fetch-";
/// For how long such a directory stays untouched before it is taken for one that a killed process
/// has left, where there are no locks.
const LEFT_BEHIND: Duration = Duration::from_hours(1);

/// A directory that goes when this is dropped.
pub(super) struct Staging {
    directory: TempDir,
    /// Locked for as long as somebody is at it.
    _in_use: File,
}

impl Staging {
    /// Makes one.
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

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Gives each new wheel its name in `destination`. Those that are there already stay as they
    /// are, but for those of the names `replaced`.
    pub fn move_in(self, destination: &Path, replaced: &BTreeSet<&OsStr>) -> Result<Vec<PathBuf>> {
        let mut came = Vec::new();
        for name in fs::list(self.path())?.unwrap_or_default() {
            let (from, to) = (self.path().join(&name), destination.join(&name));
            let is_wheel = from.extension().is_some_and(|extension| extension == "whl");
            if is_wheel && (replaced.contains(&*name) || !fs::exists(&to)) {
                // After a power cut too, what has the name of a wheel is a whole one.
                fs::sync(&from)?;
                fs::rename(&from, &to)?;
                came.push(to);
            }
        }
        Ok(came)
    }
}

/// Removes the directories that are left of killed processes.
pub(super) fn remove_left_behind(destination: &Path) -> Result<()> {
    let _making = lock(destination)?;
    for name in fs::list(destination)?.unwrap_or_default() {
        let path = destination.join(&name);
        if name.to_string_lossy().starts_with(PREFIX) && is_left_behind(&path) {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// Who makes such a directory has this lock until the directory has its own.
fn lock(destination: &Path) -> Result<File> {
    let directory = fs::open(destination)?;
    fs::lock_exclusive(&directory);
    Ok(directory)
}

/// Whether nobody is at it. Without locks it may be a process of another machine that shares the
/// directory, and only time tells.
fn is_left_behind(path: &Path) -> bool {
    let Ok(directory) = fs::open(path) else {
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
