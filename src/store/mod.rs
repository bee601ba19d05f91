//! The store: environments by key and unpacked wheels by digest, each complete from the moment it has its name.
//!
//! ```text
//! <root>/                   0700, owned by the caller
//!   v1/                     the layout's version: another version's folder is never read or removed
//!     envs/<key>/           an environment
//!     wheels/<sha256>/      an unpacked wheel
//!     locks/                build locks; never removed, since a waiter may hold a name that is gone
//!     memo/                 launch memos, interpreter facts, wheelhouse indexes; all can be found again
//!     tmp/                  staging; what is left here by a killed build is rubbish
//! ```
//!
//! Things come into being by staging under `tmp/` and one rename, while their build lock is held. The locks save work; that
//! nothing half-made is ever seen rests on the rename alone.

mod damage;
mod entry;
mod inputs;
mod lock;
mod memo;
mod miss;
mod programs;
mod prune;
mod publish;
mod root;
mod shared_failure;
mod usage;

use std::path::{Path, PathBuf};

use anyhow::Result;

pub use damage::{Damage, Discarded, Fault};
pub use entry::{Entry, MANIFEST, Manifest};
pub use inputs::Inputs;
pub use memo::{Memo, MemoName};
pub use miss::{Miss, Standing};
pub use programs::Programs;
pub use prune::{Act, Limits, Pruned};
pub use usage::{Space, Stored, Usage};

use crate::fs::{self, Digest};
use crate::invocation::Invocation;
use crate::plan::Key;
use crate::process::Process;

/// The folder of the layout that this version reads and writes.
const LAYOUT_FOLDER: &str = "v1";
/// The name of the lock that all who build share, and that whoever removes unpacked wheels has for himself.
const BUILDING: &str = "building";
/// How folders under `tmp/` are called in which something waits to be removed, and what it is called there.
const ASIDE: &str = "aside-";
const ASIDE_CONTENT: &str = "content";

/// The store of one user.
#[derive(Debug, Clone)]
pub struct Store {
    layout: PathBuf,
}

impl Store {
    /// Opens the store that a command line is to use. Nothing is created where it exists already.
    ///
    /// # Errors
    /// The root cannot be made, or is somebody else's to write.
    pub fn open(invocation: &Invocation, process: &Process) -> Result<Self> {
        let root = root::find(invocation, process)?;
        Ok(Self { layout: root.join(LAYOUT_FOLDER) })
    }

    /// The store that a command line would use, as it is: nothing is made.
    ///
    /// # Errors
    /// The root is somebody else's to write, or cannot be one.
    pub fn look(invocation: &Invocation, process: &Process) -> Result<Self> {
        let root = root::look(invocation, process)?;
        Ok(Self { layout: root.join(LAYOUT_FOLDER) })
    }

    /// Whether there is anything yet.
    #[must_use]
    pub fn exists(&self) -> bool {
        fs::exists(&self.layout)
    }

    /// Where the environment of a key stands, or will.
    #[must_use]
    pub fn path_of(&self, key: &Key) -> PathBuf {
        self.environments().join(key.as_str())
    }

    /// Makes the folders of the store. A warm launch finds all that it needs without.
    pub fn prepare(&self) -> Result<()> {
        for folder in ["envs", "wheels", "locks", "memo", "tmp"] {
            fs::create_dir_all(&self.layout.join(folder), 0o700)?;
        }
        Ok(())
    }

    /// Where the unpacked wheel of a digest is, if it is there.
    #[must_use]
    pub fn unpacked_wheel(&self, digest: &Digest) -> PathBuf {
        self.wheels().join(digest.to_string())
    }

    /// The folder that the caller knows the store by.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.layout.parent().unwrap_or(&self.layout)
    }

    /// The folder for what can be found again.
    #[must_use]
    pub fn memo_folder(&self) -> PathBuf {
        self.layout.join("memo")
    }

    fn environments(&self) -> PathBuf {
        self.layout.join("envs")
    }

    fn wheels(&self) -> PathBuf {
        self.layout.join("wheels")
    }

    fn lock_file(&self, name: &str) -> PathBuf {
        self.layout.join("locks").join(format!("{name}.lock"))
    }

    fn staging(&self) -> PathBuf {
        self.layout.join("tmp")
    }
}
