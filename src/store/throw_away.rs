//! Throw-away stores: a directory of its own beside temporary files for each run that wants one,
//! removed when the run ends.
//!
//! ```text
//! $TMPDIR/vpython-throwaway.<uid>.<random>/   0700
//!   lock                                      held for as long as the run's supervisor lives
//!   v1/                                       a store like any other
//! ```
//!
//! A supervisor that is killed leaves its directory. The next run of the same user that makes a
//! throw-away store removes it: a lock that nobody holds, and no process that names the directory,
//! say that it is abandoned. The lock file gets its name when it is already locked, so that a
//! directory is never taken for an abandoned one while it is being made.

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

/// How the names of the directories begin, before the user's id.
const PREFIX: &str = "vpython-throwaway.";
const LOCK: &str = "lock";
const UNNAMED_LOCK: &str = ".lock";
const HINT: &str =
    "set `TMPDIR` to a directory that you can write to, or name a store with `-vpython-root`";
/// How old a directory without a lock file must be to be taken for one whose maker was killed.
const UNFINISHED: Duration = Duration::from_hours(1);
/// How often the removal is tried while some process still writes there.
const ATTEMPTS: u32 = 3;

/// A throw-away store, and the lock that keeps it.
#[derive(Debug)]
pub struct ThrowAway {
    path: PathBuf,
    lock: File,
}

impl ThrowAway {
    /// Makes a throw-away store, and removes those of the same user that were abandoned.
    ///
    /// # Errors
    /// The directory for temporary files cannot be written, or another user could replace what is
    /// made there.
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
                what: "cannot make a throw-away store".to_owned(),
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
        // Where there are no locks nothing is taken for abandoned.
        let _ = fs::try_lock_exclusive(&lock);
        fs::rename(&unnamed, &directory.path().join(LOCK))?;
        Ok(Self {
            path: directory.keep(),
            lock,
        })
    }

    /// The root of the store.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file whose lock keeps it.
    #[must_use]
    pub fn lock(&self) -> &File {
        &self.lock
    }

    /// Removes it, with all that is in it.
    ///
    /// # Errors
    /// The disk refuses, or a process goes on writing there.
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

/// Removes the user's abandoned stores among the entries of `parent`. What cannot be removed stays
/// for the next run.
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
        // Held until the directory is gone, so that of two runs only one removes it.
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
