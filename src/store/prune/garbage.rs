//! What nobody misses: directories that killed builds have left under `tmp/`, memos of what is
//! gone, and environments that no longer say what they are.

use std::cell::LazyCell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;

use super::Act;
use crate::fs::{self, Attempt};
use crate::plan::Key;
use crate::store::integrity::is_ruin;
use crate::store::processes::Processes;
use crate::store::{Store, Use, entry, memo};

/// How old something of an unknown name must be to be taken for rubbish.
const UNKNOWN: Duration = Duration::from_hours(24);

impl Store {
    /// Removes it; gives what it was, sorted.
    pub(super) fn remove_rubbish(
        &self,
        older_than: Duration,
        now: SystemTime,
        act: Act,
    ) -> Result<Vec<PathBuf>> {
        let mut rubbish = Vec::new();
        for path in paths_in(&self.staging())? {
            if self.is_left_behind(&path, now)? {
                rubbish.push(path);
            }
        }
        for path in paths_in(&self.memo_directory())? {
            if self.is_stale_memo(&path, older_than, now) {
                rubbish.push(path);
            }
        }
        if act == Act::Remove {
            for path in &rubbish {
                match fs::remove_any(path) {
                    // Who was at it has given it its name, or removed it, or has just moved
                    // something into it.
                    Err(error) if fs::is_not_found(&error) || fs::is_not_empty(&error) => {}
                    result => result?,
                }
            }
        }
        rubbish.extend(self.remove_ruins(older_than, now, act)?);
        Ok(rubbish)
    }

    /// Removes the environments whose manifest is damaged or gone, which no launch uses as they
    /// are.
    fn remove_ruins(
        &self,
        older_than: Duration,
        now: SystemTime,
        act: Act,
    ) -> Result<Vec<PathBuf>> {
        let programs = LazyCell::new(Processes::look);
        let mut ruins = Vec::new();
        for path in paths_in(&self.environments())? {
            let is_named_so = path
                .file_name()
                .is_some_and(|name| Key::is_one(name.as_encoded_bytes()));
            if !is_named_so || !is_ruin(&path)? || !is_older(&path, older_than, now) {
                continue;
            }
            if self.remove_ruin(&path, &programs, act)? != Use::Free {
                continue;
            }
            ruins.push(path);
        }
        Ok(ruins)
    }

    /// Whether a directory under `tmp/` is nobody's any more. Its name is that of the lock under
    /// which it was made.
    fn is_left_behind(&self, path: &Path, now: SystemTime) -> Result<bool> {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if name.starts_with(super::super::ASIDE) {
            return Ok(entry::use_of(&path.join(super::super::ASIDE_CONTENT))? == Use::Free);
        }
        let lock = name
            .rsplit_once('-')
            .map(|(lock, _)| self.lock_file(lock))
            .filter(|lock| fs::is_file(lock));
        match lock {
            Some(lock) => Ok(fs::try_lock_exclusive(&fs::open_or_create(&lock)?) == Attempt::Held),
            None => Ok(is_older(path, UNKNOWN, now)),
        }
    }

    /// What was to become a memo, and never did, is nobody's; whoever is at it now keeps no memo
    /// this time. What was kept of a launch is stale when its environment is gone; any other file
    /// when it was not written for as long as environments stay.
    fn is_stale_memo(&self, path: &Path, older_than: Duration, now: SystemTime) -> bool {
        if path.file_name().is_some_and(|name| {
            name.as_encoded_bytes()
                .starts_with(fs::UNFINISHED.as_bytes())
        }) {
            return true;
        }
        match memo::key_of(path) {
            Some(key) => !fs::exists(&self.environments().join(key.as_str())),
            None => is_older(path, older_than.max(UNKNOWN), now),
        }
    }
}

fn paths_in(directory: &Path) -> Result<Vec<PathBuf>> {
    Ok(fs::list(directory)?
        .unwrap_or_default()
        .into_iter()
        .map(|name| directory.join(name))
        .collect())
}

fn is_older(path: &Path, age: Duration, now: SystemTime) -> bool {
    let modified = fs::link_metadata(path)
        .ok()
        .flatten()
        .and_then(|metadata| metadata.modified().ok());
    modified.is_some_and(|modified| now.duration_since(modified).is_ok_and(|found| found > age))
}
