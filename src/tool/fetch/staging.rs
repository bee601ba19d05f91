//! The folder that pip writes to, inside the one that is filled: a wheel has its name there only when it is whole.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::fs;

/// How these folders are called; the number of the process follows.
const PREFIX: &str = ".fetch-";
/// For how long such a folder stays untouched before it is taken for one that a killed process has left.
const LEFT_BEHIND: Duration = Duration::from_hours(1);

/// A folder that goes when this is dropped.
pub(super) struct Staging(TempDir);

impl Staging {
    /// Makes one, and removes those that are left of killed processes.
    pub fn make(destination: &Path) -> Result<Self> {
        for name in fs::list(destination)?.unwrap_or_default() {
            let path = destination.join(&name);
            if name.to_string_lossy().starts_with(PREFIX) && is_left_behind(&path) {
                fs::remove_dir_all(&path)?;
            }
        }
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let made = tempfile::Builder::new().prefix(&prefix).tempdir_in(destination);
        Ok(Self(made.with_context(|| format!("cannot create a folder in `{}`", destination.display()))?))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Gives each new wheel its name in `destination`. Those that are there already stay as they are.
    pub fn move_in(self, destination: &Path) -> Result<Vec<PathBuf>> {
        let mut came = Vec::new();
        for name in fs::list(self.path())?.unwrap_or_default() {
            let (from, to) = (self.path().join(&name), destination.join(&name));
            let is_wheel = from.extension().is_some_and(|extension| extension == "whl");
            if is_wheel && !fs::exists(&to) {
                // After a power cut too, what has the name of a wheel is a whole one.
                fs::sync(&from)?;
                fs::rename(&from, &to)?;
                came.push(to);
            }
        }
        Ok(came)
    }
}

/// The process may run on another machine that shares the folder.
fn is_left_behind(path: &Path) -> bool {
    let modified = fs::link_metadata(path).ok().flatten().and_then(|metadata| metadata.modified().ok());
    modified.is_some_and(|modified| SystemTime::now().duration_since(modified).is_ok_and(|age| age > LEFT_BEHIND))
}
