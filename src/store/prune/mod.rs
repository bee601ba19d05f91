//! Removing what is no longer needed: layers of images and environments by their last use, then
//! unpacked wheels and interpreters from images that no environment uses, memos of removed
//! environments, and leftovers of killed builds.
//!
//! Pruning never waits, and no launch waits for it. It locks an environment exclusively without
//! waiting, renames it, and then removes it; a launch in between rebuilds it. Without locks,
//! nothing is removed. Unpacked wheels are removed only while no build is running, since a build
//! links them before any environment refers to them.

mod accounting;
mod garbage;

use std::cell::LazyCell;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;

use super::processes::Processes;
use super::pythons::age_of_python;
use super::usage::{Stored, Usage};
use super::{MANIFEST, Store, Use};
use crate::fs::{self, Attempt, Digest};
use accounting::Ledger;

/// The limits of what stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Environments whose last use is more recent than this stay.
    pub older_than: Duration,
    /// The maximum size of the store in bytes: environments are removed until it is reached.
    pub max_size: Option<u64>,
    /// When to stop, even if there is more to remove.
    pub until: Option<SystemTime>,
    /// Whether the cached answers of package indexes stay.
    pub keeps_answers: bool,
}

/// Whether to remove anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Remove.
    Remove,
    /// Only report what would be removed.
    Pretend,
}

/// The removed entries, or those that would be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Environments, the longest unused first.
    pub environments: Vec<Stored>,
    /// Unpacked wheels.
    pub wheels: Vec<Digest>,
    /// Interpreters from images.
    pub pythons: Vec<Digest>,
    /// Environments that stay only because programs run in them, or may.
    pub staying: Vec<(Stored, Use)>,
    /// Leftovers of killed builds, and memos of what is gone.
    pub garbage: Vec<PathBuf>,
    /// Whether a build is running: then unpacked wheels stay.
    pub building: Use,
    /// The number of cached answers of package indexes, and their size in bytes.
    pub answers: (usize, u64),
    /// The number of layers of images, and their size in bytes.
    pub layers: (usize, u64),
}

/// The interval of opportunistic pruning.
const INTERVAL: Duration = Duration::from_hours(24);

impl Store {
    /// Returns whether the last pruning was at least a day ago.
    #[must_use]
    pub fn is_prune_due(&self) -> bool {
        let pruned = fs::metadata(&self.prune_mark())
            .ok()
            .flatten()
            .and_then(|metadata| metadata.modified().ok());
        // A time in the future does not count.
        pruned.is_none_or(|pruned| {
            SystemTime::now()
                .duration_since(pruned)
                .map_or(true, |age| age >= INTERVAL)
        })
    }

    /// Records that the store was pruned.
    pub fn note_prune(&self) -> Result<()> {
        Ok(fs::open_or_create(&self.prune_mark())?.set_modified(SystemTime::now())?)
    }

    fn prune_mark(&self) -> PathBuf {
        self.layout.join("pruned")
    }

    /// Removes everything beyond the limits. `usage` is the space of everything, and may be empty
    /// without a size limit.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn prune(&self, limits: &Limits, usage: &Usage, act: Act) -> Result<Pruned> {
        let now = SystemTime::now();
        let stored = self.stored()?;
        let mut ledger = Ledger::of(usage, &stored);
        let mut pruned = Pruned {
            // Layers can be downloaded again, so they go before environments do.
            layers: self.remove_layers(limits.older_than, limits.max_size, ledger.total(), act)?,
            ..Pruned::default()
        };
        // Evaluated only if there is something to remove.
        let programs = LazyCell::new(Processes::look);
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
        self.remove_shared(&mut pruned, limits, act)?;
        pruned.garbage = self.remove_garbage(limits.older_than, now, act)?;
        if !limits.keeps_answers {
            pruned.answers = self.remove_answers(act)?;
        }
        Ok(pruned)
    }

    /// Removes an environment, unless a program runs in it, or may. Returns whether one does.
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
            return Ok(Use::Busy);
        }
        if found != Use::Free || act == Act::Pretend {
            return Ok(found);
        }
        // A process that rebuilds the entry holds this lock. Waiting for it could deadlock, because
        // a builder may wait for the lock on the manifest.
        let lock = fs::open_or_create(
            &self.lock_file(&path.file_name().unwrap_or_default().to_string_lossy()),
        )?;
        if fs::try_lock_exclusive(&lock) == Attempt::Busy {
            return Ok(Use::Busy);
        }
        // Between opening and locking, another process may have removed it, and a launch may have
        // rebuilt it.
        if fs::is_at(&manifest, &name)? {
            self.remove_aside(path)?;
        }
        Ok(Use::Free)
    }

    /// Removes the unpacked wheels that no remaining environment uses, and the old interpreters.
    fn remove_shared(&self, pruned: &mut Pruned, limits: &Limits, act: Act) -> Result<()> {
        // A running build may need any of them.
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
        // List again, to include what was built meanwhile.
        let stored = self.stored()?;
        let staying = stored.iter().filter(|stored| !gone.contains(&stored.path));
        let needed: HashSet<Digest> = staying.flat_map(Stored::shared_parts).collect();
        for (digest, path) in self.unpacked()? {
            if needed.contains(&digest) {
                continue;
            }
            if act == Act::Remove {
                self.remove_aside(&path)?;
            }
            pruned.wheels.push(digest);
        }
        self.remove_pythons(&needed, pruned, limits, act)
    }

    /// Removes the interpreters from images that no remaining environment needs: those of removed
    /// environments, and old ones. A new one may have been copied for an environment that is not
    /// built yet.
    fn remove_pythons(
        &self,
        needed: &HashSet<Digest>,
        pruned: &mut Pruned,
        limits: &Limits,
        act: Act,
    ) -> Result<()> {
        let now = SystemTime::now();
        let is_old = |path: &Path| age_of_python(path, now) >= limits.older_than;
        let gone = pruned.environments.iter();
        let released: HashSet<Digest> = gone
            .filter_map(|stored| stored.manifest.python_image())
            .collect();
        let programs = LazyCell::new(Processes::look);
        for (digest, path) in self.python_images()? {
            let is_unneeded = released.contains(&digest) || is_old(&path);
            if needed.contains(&digest) || !is_unneeded || programs.name(&path) {
                continue;
            }
            if act == Act::Remove {
                self.remove_aside(&path)?;
            }
            pruned.pythons.push(digest);
        }
        Ok(())
    }
}
