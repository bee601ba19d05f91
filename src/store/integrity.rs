//! What is wrong with something in the store, and taking it out of the way.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;

use super::entry::{MANIFEST, Manifest};
use super::processes::Processes;
use super::usage::Stored;
use super::{Act, Store, Use, entry};
use crate::fs;
use crate::plan::Key;

/// What came of looking at an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// All that is wrong with it and its wheels, sorted.
    pub damages: Vec<Damage>,
    /// The byte code that python has written into it.
    pub by_python: Vec<PathBuf>,
}

/// A file that is not as it was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The environment or unpacked wheel that it is in.
    pub of: PathBuf,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Its bytes, or where it leads, are others.
    Changed,
    /// It is gone.
    Missing,
    /// Nobody put it there when the rest was made.
    Foreign,
}

/// What became of something damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discarded {
    /// It is out of the way, and made anew when it is next needed.
    Removed,
    /// It stays for the programs that run in it, and is built anew by the next launch.
    Outdated,
}

impl Store {
    /// The damage of what stands in the place of environments and does not say what it is: a
    /// manifest that is gone, or is another.
    pub fn ruins(&self) -> Result<Vec<Damage>> {
        let mut ruins = Vec::new();
        for name in fs::list(&self.environments())?.unwrap_or_default() {
            let of = self.environments().join(&name);
            if Key::is_one(name.as_encoded_bytes()) && is_ruin(&of)? {
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

    /// Removes a ruin, unless a program runs in it, or somebody builds in its place.
    pub(super) fn remove_ruin(&self, path: &Path, programs: &Processes, act: Act) -> Result<Use> {
        // Whoever builds it anew would find it gone, or lose what he has built.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let lock = fs::open_or_create(&self.lock_file(&name))?;
        match fs::try_lock_exclusive(&lock).into() {
            Use::Free if programs.name(path) => return Ok(Use::InUse),
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

    /// Keeps an environment from being removed until the file is dropped; none where it is gone.
    pub fn keep(&self, stored: &Stored) -> Result<Option<File>> {
        let name = stored.path.join(MANIFEST);
        let Some(manifest) = fs::open_optional(&name)? else {
            return Ok(None);
        };
        fs::lock_shared(&manifest);
        Ok(fs::is_at(&manifest, &name)?.then_some(manifest))
    }

    /// Sees to it that a damaged environment or unpacked wheel is made anew. An environment with a
    /// program in it stays where it is: what the program has not imported yet would be gone.
    pub fn discard(&self, damaged: &Path) -> Result<Discarded> {
        if !damaged.starts_with(self.environments()) {
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

/// Whether what stands in the place of an environment does not say what it is.
pub(super) fn is_ruin(path: &Path) -> Result<bool> {
    Ok(
        fs::look_for_json::<Manifest>(&path.join(MANIFEST))?.is_none()
            && fs::link_metadata(path)?.is_some(),
    )
}

/// Makes an environment look as if somebody had installed something into it. Where it has no
/// packages at all, it looks so already.
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
