//! Garbage: leftovers of killed builds under `tmp/`, memos of removed environments, and
//! environments without a valid manifest.

use std::cell::LazyCell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde::Deserialize;

use super::Act;
use crate::fs::{self, Attempt};
use crate::plan::Key;
use crate::process::is_key;
use crate::store::integrity::is_ruin;
use crate::store::processes::Processes;
use crate::store::{Store, Use, entry};

/// The age from which on an entry with an unknown name counts as garbage.
const UNKNOWN: Duration = Duration::from_hours(24);

impl Store {
    /// Removes garbage. Returns the removed paths, sorted.
    pub(super) fn remove_garbage(
        &self,
        older_than: Duration,
        now: SystemTime,
        act: Act,
    ) -> Result<Vec<PathBuf>> {
        // Collect the leftovers of killed builds and the stale memos.
        let mut garbage = Vec::new();
        for path in paths_in(&self.staging())? {
            if self.is_left_behind(&path, now)? {
                garbage.push(path);
            }
        }
        for path in paths_in(&self.memo_directory())? {
            if self.is_stale_memo(&path, older_than, now) {
                garbage.push(path);
            }
        }
        if act == Act::Remove {
            for path in &garbage {
                match fs::remove_any(path) {
                    // The process that used it has renamed or removed it, or has just moved
                    // something into it.
                    Err(error) if fs::is_not_found(&error) || fs::is_not_empty(&error) => {}
                    result => result?,
                }
            }
        }
        garbage.extend(self.remove_ruins(older_than, now, act)?);
        Ok(garbage)
    }

    /// Removes the cached answers of package indexes, which are requested again when they are
    /// needed. Returns their number and their size in bytes.
    pub(super) fn remove_answers(&self, act: Act) -> Result<(usize, u64)> {
        let (mut count, mut size) = (0, 0);
        for path in paths_in(&self.answers_of_indexes())? {
            let Some(metadata) = fs::link_metadata(&path)? else {
                continue;
            };
            if !metadata.is_file() {
                continue;
            }
            if act == Act::Remove {
                fs::remove_file(&path)?;
            }
            count += 1;
            size += fs::space(&metadata);
        }
        Ok((count, size))
    }

    /// Removes the environments whose manifest is damaged or missing, which no launch uses as they
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
            let has_key_name = path
                .file_name()
                .is_some_and(|name| is_key(name.as_encoded_bytes()));
            if !has_key_name || !is_ruin(&path)? || !is_older(&path, older_than, now) {
                continue;
            }
            if self.remove_ruin(&path, &programs, act)? != Use::Free {
                continue;
            }
            ruins.push(path);
        }
        Ok(ruins)
    }

    /// Returns whether a directory under `tmp/` is abandoned. Its name contains that of its build
    /// lock.
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

    /// Returns whether a file is a stale memo. A temporary file always is: a process that is still
    /// writing it only loses its memo. A memo is stale if its environment is gone; any other file
    /// if it was not written for as long as environments stay.
    fn is_stale_memo(&self, path: &Path, older_than: Duration, now: SystemTime) -> bool {
        if path.file_name().is_some_and(|name| {
            name.as_encoded_bytes()
                .starts_with(fs::UNFINISHED.as_bytes())
        }) {
            return true;
        }
        match environment_of(path) {
            Some(key) => !self.has_anywhere(&key),
            None => is_older(path, older_than.max(UNKNOWN), now),
        }
    }
}

/// Returns the key of the environment that a file under `memo/` belongs to; `None` if it belongs to
/// none, as the facts about an interpreter.
fn environment_of(path: &Path) -> Option<Key> {
    /// The part that the files of environments have in common.
    #[derive(Deserialize)]
    struct Kept {
        key: Key,
    }
    fs::read_memo::<Kept>(path).map(|kept| kept.key)
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
