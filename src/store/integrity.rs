//! Damage of environments and unpacked wheels in the store, and its removal.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;

use super::entry::{MANIFEST, Manifest};
use super::processes::Processes;
use super::publish::{python_lock, wheel_lock};
use super::pythons::outdate_python;
use super::usage::Stored;
use super::{Act, Store, Use, entry};
use crate::fs;
use crate::process::is_key;

/// The result of checking an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// All damage of it and its wheels, sorted.
    pub damages: Vec<Damage>,
    /// The byte code files that python has written into it.
    pub by_python: Vec<PathBuf>,
    /// The byte code files that python has replaced by its own, sorted.
    pub replaced: Vec<Damage>,
}

/// A damaged file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The environment or unpacked wheel that contains it.
    pub of: PathBuf,
    /// The file.
    pub path: PathBuf,
    /// The kind of damage.
    pub fault: Fault,
}

/// A kind of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Its content, or its link target, is different.
    Changed,
    /// It is gone.
    Missing,
    /// It was added after the rest was created.
    Foreign,
}

/// The result of discarding something damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discarded {
    /// It was removed, and is rebuilt when it is next needed.
    Removed,
    /// It stays for the programs that run in it, and the next launch rebuilds it.
    Outdated,
}

impl Store {
    /// Returns the damage of environments whose manifest is missing or invalid.
    pub fn ruins(&self) -> Result<Vec<Damage>> {
        let mut ruins = Vec::new();
        for name in fs::list(&self.environments())?.unwrap_or_default() {
            let of = self.environments().join(&name);
            if is_key(name.as_encoded_bytes()) && is_ruin(&of)? {
                let path = of.join(MANIFEST);
                let fault = if fs::link_metadata(&path)?.is_some() {
                    Fault::Changed
                } else {
                    Fault::Missing
                };
                ruins.push(Damage { of, path, fault });
            }
        }
        Ok(ruins)
    }

    /// Removes an environment without a valid manifest, unless a program runs in it or a process is
    /// building in its place.
    pub(super) fn remove_ruin(&self, path: &Path, programs: &Processes, act: Act) -> Result<Use> {
        // Take the build lock: a process that rebuilds the environment would otherwise lose its
        // work.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let lock = fs::open_or_create(&self.lock_file(&name))?;
        match fs::try_lock_exclusive(&lock).into() {
            Use::Free if programs.name(path) => return Ok(Use::Busy),
            Use::Free => {}
            other => return Ok(other),
        }
        if !is_ruin(path)? {
            return Ok(Use::Free);
        }
        let found = entry::use_of(path)?;
        if found == Use::Free && act == Act::Remove {
            self.remove_aside(path)?;
        }
        Ok(found)
    }

    /// Keeps an environment from being removed until the file is dropped; none if it is gone, or if
    /// the store is only read.
    pub fn keep(&self, stored: &Stored) -> Result<Option<File>> {
        if self.is_read_only {
            return Ok(None);
        }
        let name = stored.path.join(MANIFEST);
        let Some(manifest) = fs::open_optional(&name)? else {
            return Ok(None);
        };
        fs::lock_shared(&manifest);
        Ok(fs::is_at(&manifest, &name)?.then_some(manifest))
    }

    /// Removes a damaged environment, unpacked wheel or interpreter, or marks it, so that it is
    /// rebuilt. An environment that a program runs in stays where it is: the program may still import
    /// from it.
    pub fn discard(&self, damaged: &Path) -> Result<Discarded> {
        if !damaged.starts_with(self.environments()) {
            // A process that unpacks the wheel, or fetches the interpreter, holds this lock.
            let name = damaged.file_name().unwrap_or_default().to_string_lossy();
            let is_python = damaged.starts_with(self.pythons());
            let lock = if is_python { python_lock } else { wheel_lock };
            let lock = fs::open_or_create(&self.lock_file(&lock(&name)))?;
            fs::lock_exclusive(&lock);
            if is_python && self.is_python_in_use(damaged)? {
                outdate_python(damaged)?;
                return Ok(Discarded::Outdated);
            }
            self.set_aside(damaged)?;
            return Ok(Discarded::Removed);
        }
        let programs = Processes::look();
        let found = if is_ruin(damaged)? {
            self.remove_ruin(damaged, &programs, Act::Remove)?
        } else {
            self.remove_environment(damaged, &programs, Act::Remove)?
        };
        if found == Use::Free {
            return Ok(Discarded::Removed);
        }
        outdate(damaged)?;
        Ok(Discarded::Outdated)
    }
}

/// Returns whether something is in the place of an environment and has no valid manifest.
pub(super) fn is_ruin(path: &Path) -> Result<bool> {
    Ok(
        fs::look_for_json::<Manifest>(&path.join(MANIFEST))?.is_none()
            && fs::link_metadata(path)?.is_some(),
    )
}

/// Makes an environment look modified, as if something had been installed into it. An environment
/// without a site-packages directory looks so already.
fn outdate(path: &Path) -> Result<()> {
    let Some(manifest) = fs::read_json::<Manifest>(&path.join(MANIFEST)) else {
        return Ok(());
    };
    let site = path.join(&manifest.site.directory);
    if fs::exists(&site) {
        fs::set_modified(&site, SystemTime::UNIX_EPOCH)
    } else {
        Ok(())
    }
}
