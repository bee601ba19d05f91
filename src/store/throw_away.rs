//! Throw-away stores: a separate directory for each run that requests one, next to temporary files,
//! which is removed when the run ends.
//!
//! ```text
//! $TMPDIR/vpython-throwaway.<uid>.<random>/   0700
//!   lock                                      held for as long as the run's supervisor lives
//!   v1/                                       a store like any other
//! ```
//!
//! A killed supervisor leaves its directory. The next run of the same user that creates a
//! throw-away store removes it: it is abandoned if no process holds its lock or has its path in its
//! arguments or environment. The lock file is renamed to its final name only after it is locked, so
//! that a directory under construction never looks abandoned.

use std::cell::LazyCell;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use super::processes::Processes;
use super::{path_trust, publish, root};
use crate::fs::{self, Attempt};
use crate::process::Process;
use crate::report::Failure;

/// The prefix of the directory names, before the user ID.
const PREFIX: &str = "vpython-throwaway.";
const LOCK: &str = "lock";
const UNNAMED_LOCK: &str = ".lock";
const HINT: &str =
    "set `TMPDIR` to a directory that you can write to, or name a store with `-vpython-root`";
/// The age from which on a directory without a lock file counts as abandoned.
const UNFINISHED: Duration = Duration::from_hours(1);
/// The number of attempts to remove a directory while a process still writes there.
const ATTEMPTS: u32 = 3;

/// A throw-away store, and the lock that keeps it.
#[derive(Debug)]
pub struct ThrowAway {
    path: PathBuf,
    lock: File,
}

impl ThrowAway {
    /// Creates a throw-away store, and removes abandoned ones of the same user.
    ///
    /// # Errors
    /// The directory for temporary files is not writable, or another user could replace the store.
    pub fn make(process: &Process) -> Result<Self> {
        let parent = root::temporary_directory(process);
        Self::make_in(&parent, process.user).map_err(|error| {
            let Failure {
                what,
                causes,
                hint,
                kind,
            } = Failure::of(&error);
            let hint = hint.or_else(|| Some(HINT.to_owned()));
            let causes = [vec![what], causes].concat();
            Failure {
                what: "cannot create a throw-away store".to_owned(),
                causes,
                hint,
                kind,
            }
            .into()
        })
    }

    fn make_in(parent: &Path, user: u32) -> Result<Self> {
        let prefix = format!("{PREFIX}{user}.");
        path_trust::check_above(parent, &parent.join(&prefix), user)?;
        remove_abandoned(parent, &prefix, user);
        let directory = publish::temporary(parent, &prefix)?;
        let unnamed = directory.path().join(UNNAMED_LOCK);
        let lock = fs::open_or_create(&unnamed)?;
        // Without locks, no store counts as abandoned.
        let _ = fs::try_lock_exclusive(&lock);
        fs::rename(&unnamed, &directory.path().join(LOCK))?;
        Ok(Self {
            path: directory.keep(),
            lock,
        })
    }

    /// Returns the root of the store.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the open file whose lock keeps the store.
    #[must_use]
    pub fn lock(&self) -> &File {
        &self.lock
    }

    /// Removes the store.
    ///
    /// # Errors
    /// It cannot be removed, or a process keeps writing there.
    pub fn remove(self) -> Result<()> {
        let mut removed = fs::remove_dir_all(&self.path);
        for _ in 1..ATTEMPTS {
            if !removed.as_ref().is_err_and(fs::is_not_empty) {
                break;
            }
            removed = fs::remove_dir_all(&self.path);
        }
        removed.with_context(|| {
            format!(
                "cannot remove the throw-away store `{}`",
                self.path.display()
            )
        })
    }
}

/// Removes the user's abandoned stores among the entries of `parent`. The next run retries what
/// cannot be removed.
fn remove_abandoned(parent: &Path, prefix: &str, user: u32) {
    let programs = LazyCell::new(Processes::look);
    for name in fs::list(parent).ok().flatten().unwrap_or_default() {
        if !name.as_encoded_bytes().starts_with(prefix.as_bytes()) {
            continue;
        }
        let path = parent.join(name);
        let Ok(Some(found)) = fs::link_metadata(&path) else {
            continue;
        };
        if !found.is_dir() || found.uid() != user {
            continue;
        }
        // Held until the directory is removed, so that only one of two concurrent runs removes it.
        let lock = fs::open_optional(&path.join(LOCK)).ok().flatten();
        let is_abandoned = match &lock {
            Some(lock) => fs::try_lock_exclusive(lock) == Attempt::Held,
            None => found.modified().is_ok_and(|time| {
                SystemTime::now()
                    .duration_since(time)
                    .is_ok_and(|age| age > UNFINISHED)
            }),
        };
        if is_abandoned && !programs.name(&path) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}
