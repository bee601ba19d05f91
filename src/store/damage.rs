//! What is wrong with something in the store, and taking it out of the way.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;

use super::entry::{MANIFEST, Manifest};
use super::programs::Programs;
use super::usage::Stored;
use super::{Act, Store, Use};
use crate::fs;

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
    /// Keeps an environment from being removed until the file is dropped; none where it is gone.
    pub fn keep(&self, stored: &Stored) -> Result<Option<File>> {
        let name = stored.path.join(MANIFEST);
        let Some(manifest) = fs::open_optional(&name)? else { return Ok(None) };
        fs::lock_shared(&manifest);
        Ok(fs::is_at(&manifest, &name)?.then_some(manifest))
    }

    /// Sees to it that a damaged environment or unpacked wheel is made anew. An environment with a program in it stays where it is: what
    /// the program has not imported yet would be gone.
    pub fn discard(&self, damaged: &Path) -> Result<Discarded> {
        if !damaged.starts_with(self.environments()) {
            self.set_aside(damaged)?;
        } else if self.remove_environment(damaged, &Programs::look(), Act::Remove)? != Use::Free {
            outdate(damaged)?;
            return Ok(Discarded::Outdated);
        }
        Ok(Discarded::Removed)
    }
}

/// Makes an environment look as if somebody had installed something into it. Where it has no packages at all, it looks so already.
fn outdate(path: &Path) -> Result<()> {
    let Some(manifest) = fs::read_json::<Manifest>(&path.join(MANIFEST)) else { return Ok(()) };
    let site = path.join(&manifest.site.folder);
    if fs::exists(&site) { fs::set_modified(&site, SystemTime::UNIX_EPOCH) } else { Ok(()) }
}
