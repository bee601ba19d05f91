//! Removing what nobody needs any more: environments by their last use, then the unpacked wheels
//! that are in none, memos of what is gone, and what killed builds have left.
//!
//! Nothing here waits, and no launch waits for it. An environment is locked for itself, without
//! waiting, then renamed, then removed; a launch that comes between builds it anew. Where there are
//! no locks nothing is removed. Unpacked wheels go only while nobody builds, since a build links
//! them before any environment names them.

mod accounting;
mod garbage;

use std::cell::LazyCell;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;

use super::processes::Processes;
use super::usage::{Stored, Usage};
use super::{MANIFEST, Store, Use};
use crate::fs::{self, Digest};
use accounting::Ledger;

/// What may stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Environments that were used less long ago stay.
    pub older_than: Duration,
    /// If the store takes more bytes than this, environments go until it does not.
    pub max_size: Option<u64>,
    /// When to stop, though there may be more to remove.
    pub until: Option<SystemTime>,
}

/// Whether anything is to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It is.
    Remove,
    /// It is only to be said what would be.
    Pretend,
}

/// What was removed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Environments, the longest unused first.
    pub environments: Vec<Stored>,
    /// Unpacked wheels.
    pub wheels: Vec<Digest>,
    /// Environments that would have gone, but for the programs that run in them, or may.
    pub staying: Vec<(Stored, Use)>,
    /// Leftovers of killed builds, and memos of what is gone.
    pub rubbish: Vec<PathBuf>,
    /// Whether somebody builds: then unpacked wheels stay.
    pub building: Use,
}

/// How often it is enough to prune by the way.
const INTERVAL: Duration = Duration::from_hours(24);

impl Store {
    /// Whether the store was not pruned for a day.
    #[must_use]
    pub fn is_prune_due(&self) -> bool {
        let pruned = fs::metadata(&self.prune_mark())
            .ok()
            .flatten()
            .and_then(|metadata| metadata.modified().ok());
        // A time in the future is as good as none.
        pruned.is_none_or(|pruned| {
            SystemTime::now()
                .duration_since(pruned)
                .map_or(true, |age| age >= INTERVAL)
        })
    }

    /// Notes that the store was pruned.
    pub fn note_prune(&self) -> Result<()> {
        Ok(fs::open_or_create(&self.prune_mark())?.set_modified(SystemTime::now())?)
    }

    fn prune_mark(&self) -> PathBuf {
        self.layout.join("pruned")
    }

    /// Removes what the limits do not let stay; `usage` is what everything takes, and may be empty
    /// where no size is limited.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn prune(&self, limits: &Limits, usage: &Usage, act: Act) -> Result<Pruned> {
        let now = SystemTime::now();
        let stored = self.stored()?;
        let mut ledger = Ledger::of(usage, &stored);
        // Only if there is something to remove.
        let programs = LazyCell::new(Processes::look);
        let mut pruned = Pruned::default();
        for candidate in stored {
            let is_too_much = limits.max_size.is_some_and(|max| ledger.total() > max);
            if !is_too_much && candidate.age(now) < limits.older_than {
                continue;
            }
            if limits.until.is_some_and(|until| SystemTime::now() >= until) {
                break;
            }
            match self.remove_environment(&candidate.path, &programs, act)? {
                Use::Free => {
                    ledger.remove(&candidate);
                    pruned.environments.push(candidate);
                }
                found => pruned.staying.push((candidate, found)),
            }
        }
        self.remove_wheels(&mut pruned, act)?;
        pruned.rubbish = self.remove_rubbish(limits.older_than, now, act)?;
        Ok(pruned)
    }

    /// Removes an environment, unless a program runs in it, or may; tells which.
    pub(super) fn remove_environment(
        &self,
        path: &Path,
        programs: &Processes,
        act: Act,
    ) -> Result<Use> {
        let name = path.join(MANIFEST);
        let Some(manifest) = fs::open_optional(&name)? else {
            return Ok(Use::Free);
        };
        let found = fs::try_lock_exclusive(&manifest).into();
        if found == Use::Free && programs.name(path) {
            return Ok(Use::InUse);
        }
        // Between opening and locking somebody else may have removed it, and a launch may have
        // built it anew, for itself.
        if found == Use::Free && fs::is_at(&manifest, &name)? && act == Act::Remove {
            self.remove_aside(path)?;
        }
        Ok(found)
    }

    /// Removes the unpacked wheels that are in no environment that stays.
    fn remove_wheels(&self, pruned: &mut Pruned, act: Act) -> Result<()> {
        let lock = fs::open_or_create(&self.lock_file(super::BUILDING))?;
        pruned.building = fs::try_lock_exclusive(&lock).into();
        if pruned.building != Use::Free {
            return Ok(());
        }
        let gone: BTreeSet<_> = pruned
            .environments
            .iter()
            .map(|stored| &stored.path)
            .collect();
        // Listed again: what was built meanwhile counts.
        let stored = self.stored()?;
        let staying = stored.iter().filter(|stored| !gone.contains(&stored.path));
        let needed: HashSet<Digest> = staying
            .flat_map(|stored| &stored.manifest.wheels)
            .map(|wheel| wheel.sha256)
            .collect();
        for (digest, path) in self.unpacked()? {
            if needed.contains(&digest) {
                continue;
            }
            if act == Act::Remove {
                self.remove_aside(&path)?;
            }
            pruned.wheels.push(digest);
        }
        Ok(())
    }
}
