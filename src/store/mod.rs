//! The store: environments by key and unpacked wheels by digest, each complete from the moment it
//! has its name.
//!
//! ```text
//! <root>/                   0700, owned by the caller
//!   v1/                     the layout's version: another version's directory is never read or removed
//!     envs/<key>/           an environment
//!     wheels/<sha256>/      an unpacked wheel
//!     locks/                build locks; never removed, since a waiter may hold a name that is gone
//!     memo/                 launch memos, interpreter facts, wheelhouse indexes; all can be found again
//!     tmp/                  staging; what is left here by a killed build is rubbish
//! ```
//!
//! Things come into being by staging under `tmp/` and one rename, while their build lock is held.
//! The locks save work; that nothing half-made is ever seen rests on the rename alone.

mod absent;
mod entry;
mod inputs;
mod integrity;
mod lock;
mod memo;
mod miss;
mod path_trust;
mod processes;
mod prune;
mod publish;
mod root;
mod shared_failure;
mod throw_away;
mod usage;

use std::path::{Path, PathBuf};

use anyhow::Result;

pub use entry::{COMPILED, Entry, InstalledWheel, MANIFEST, Manifest, Site, Use};
pub use inputs::{Inputs, KnownSpec};
pub use integrity::{Checked, Damage, Discarded, Fault};
pub use memo::{Memo, MemoName};
pub use miss::{Miss, Standing};
pub use processes::Processes;
pub use prune::{Act, Limits, Pruned};
pub use publish::WheelsKept;
pub use throw_away::ThrowAway;
pub use usage::{Space, Stored, Usage};

use crate::fs::{self, Digest};
use crate::invocation::Invocation;
use crate::plan::Key;
use crate::process::Process;
use crate::report::Failure;

/// The directory of the layout that this version reads and writes.
const LAYOUT_DIRECTORY: &str = "v1";
/// The name of the lock that all who build share, and that whoever removes unpacked wheels has for
/// himself.
const BUILDING: &str = "building";
/// How directories under `tmp/` are called in which something waits to be removed, and what it is
/// called there.
const ASIDE: &str = "aside-";
const ASIDE_CONTENT: &str = "content";

/// The store of one user.
#[derive(Debug, Clone)]
pub struct Store {
    layout: PathBuf,
    user: u32,
    /// Whether it does not outlive the run.
    is_throw_away: bool,
}

impl Store {
    /// Opens the store that a command line is to use. Nothing is created where it exists already.
    ///
    /// # Errors
    /// The root cannot be made, or is somebody else's to write.
    pub fn open(invocation: &Invocation, process: &Process) -> Result<Self> {
        let root = root::find(invocation, process)?;
        Ok(Self {
            layout: root.join(LAYOUT_DIRECTORY),
            user: process.user,
            is_throw_away: invocation.is_throw_away,
        })
    }

    /// The store that a command line would use, as it is: nothing is made.
    ///
    /// # Errors
    /// The root is somebody else's to write, or cannot be one.
    pub fn look(invocation: &Invocation, process: &Process) -> Result<Self> {
        let root = root::look(invocation, process)?;
        Ok(Self {
            layout: root.join(LAYOUT_DIRECTORY),
            user: process.user,
            is_throw_away: invocation.is_throw_away,
        })
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

    /// Makes the directories of the store, and looks at those that lead there. A warm launch finds
    /// all that it needs without.
    ///
    /// # Errors
    /// A directory cannot be made, is something else, or somebody else could put another in its
    /// place.
    pub fn prepare(&self) -> Result<()> {
        path_trust::check(self.root(), self.user)?;
        for directory in ["envs", "wheels", "locks", "memo", "tmp"] {
            let path = self.layout.join(directory);
            fs::create_dir_all(&path, 0o700)?;
            for own in [&self.layout, &path] {
                if !fs::link_metadata(own)?.is_some_and(|metadata| metadata.is_dir()) {
                    let why = "nobody but vpython puts something there, and it makes no links";
                    return Err(
                        Failure::new(format!("`{}` is not a directory", own.display()))
                            .because(why)
                            .into(),
                    );
                }
            }
        }
        Ok(())
    }

    /// Waits until all that was written to the file system of `path` is on the disk. What no later
    /// run will see need not get there.
    pub fn sync(&self, path: &Path) -> Result<()> {
        if self.is_throw_away {
            Ok(())
        } else {
            fs::sync_file_system(path)
        }
    }

    /// Where the unpacked wheel of a digest is, if it is there.
    #[must_use]
    pub fn unpacked_wheel(&self, digest: &Digest) -> PathBuf {
        self.wheels().join(digest.to_string())
    }

    /// The directory that the caller knows the store by.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.layout.parent().unwrap_or(&self.layout)
    }

    /// The directory for what can be found again.
    #[must_use]
    pub fn memo_directory(&self) -> PathBuf {
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
