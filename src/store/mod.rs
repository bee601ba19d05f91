//! The store: environments by key and unpacked wheels by digest, each complete from the moment it
//! has its name.
//!
//! ```text
//! <root>/                   0700 unless it existed before, owned by the caller
//!   v1/                     the layout version; directories of other versions stay untouched
//!     envs/<key>/           an environment
//!     wheels/<sha256>/      an unpacked wheel
//!     pythons/<sha256>/     an interpreter from an image, by the digest of its manifest
//!     locks/                build locks; never removed, since a process may wait for one
//!     memo/                 launch memos, interpreter facts, wheelhouse indexes; recomputable
//!     index/                answers of package indexes; recomputable
//!     layers/               layers of images that were unpacked from registries; recomputable
//!     tmp/                  staging; leftovers of killed builds are garbage
//! ```
//!
//! Users who can read the root can read the environments and wheels in it: [`shared`] is how their
//! launches use them.
//!
//! New entries are staged under `tmp/` and published by one rename, while their build lock is held.
//! The locks only save work; the rename alone guarantees that no process sees an incomplete entry.

mod advice;
mod entry;
mod integrity;
mod layers;
mod lock;
mod path_trust;
mod processes;
mod prune;
mod publish;
mod pythons;
mod root;
mod shared;
mod shared_failure;
mod state;
mod throw_away;
mod usage;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

pub use advice::advise;
pub use entry::{COMPILED, Entry, InstalledWheel, MANIFEST, Manifest, Site, Use};
pub use integrity::{Checked, Damage, Discarded, Fault};
pub use layers::Layers;
pub use path_trust::check_closed;
pub use processes::Processes;
pub use prune::{Act, Limits, Pruned};
pub use publish::WheelsKept;
pub use pythons::{CLibrary, PYTHON_RECORD, Python, PythonRecord};
pub use shared::SharedRoot;
pub use state::EnvironmentState;
pub use throw_away::ThrowAway;
pub use usage::{Space, Stored, Usage};

use crate::fs::{self, Digest};
use crate::invocation::Invocation;
use crate::plan::Key;
use crate::process::Process;
use crate::report::Failure;
use shared::SharedRoots;

/// The permission bits that let others list a directory and use what is in it.
const READABLE: u32 = 0o055;
/// The directory of the layout version that this vpython reads and writes.
const LAYOUT_DIRECTORY: &str = "v1";
/// The name of the lock that all builds share, and that a process needs exclusively to remove
/// unpacked wheels.
const BUILDING: &str = "building";
/// The prefix of directories under `tmp/` that contain something to be removed, and the name of
/// their content.
const ASIDE: &str = "aside-";
const ASIDE_CONTENT: &str = "content";

/// The store of one user.
#[derive(Debug, Clone)]
pub struct Store {
    layout: PathBuf,
    user: u32,
    /// Whether it is removed at the end of the run.
    is_throw_away: bool,
    /// Whether this process only looks at it.
    is_read_only: bool,
    /// The stores that are looked into before anything is built.
    shared: SharedRoots,
}

impl Store {
    /// Opens the store for a command line. It creates a missing root. Where that is impossible, as
    /// in a read-only home directory, shared roots may still have the environment.
    ///
    /// # Errors
    /// The root cannot be created and there are no shared roots, or another user can write to it.
    pub fn open(invocation: &Invocation, process: &Process) -> Result<Self> {
        let root = match root::find(invocation, process) {
            Err(error) if !invocation.shared_roots.is_empty() && fs::is_unwritable(&error) => {
                root::uncreated(invocation, process)?
            }
            root => root?,
        };
        Ok(Self {
            layout: root.join(LAYOUT_DIRECTORY),
            user: process.user,
            is_throw_away: invocation.is_throw_away,
            is_read_only: false,
            shared: SharedRoots::new(&invocation.shared_roots),
        })
    }

    /// Returns the store for a command line. It creates nothing, and neither does
    /// [`Store::prepare`] of the returned store.
    ///
    /// # Errors
    /// Another user can write to the root, or its path cannot be a root.
    pub fn look(invocation: &Invocation, process: &Process) -> Result<Self> {
        let root = root::look(invocation, process)?;
        Ok(Self {
            layout: root.join(LAYOUT_DIRECTORY),
            user: process.user,
            is_throw_away: invocation.is_throw_away,
            is_read_only: true,
            shared: SharedRoots::new(&invocation.shared_roots),
        })
    }

    /// Returns whether the store is removed at the end of the run.
    #[must_use]
    pub fn is_throw_away(&self) -> bool {
        self.is_throw_away
    }

    /// Returns whether this process only looks at the store.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// Returns whether the store exists.
    #[must_use]
    pub fn exists(&self) -> bool {
        fs::exists(&self.layout)
    }

    /// Returns the path of the environment with this key, which need not exist.
    #[must_use]
    pub fn path_of(&self, key: &Key) -> PathBuf {
        self.environments().join(key.as_str())
    }

    /// Creates the directories of the store, and checks the directories that lead to it. A warm
    /// launch does not need this.
    ///
    /// # Errors
    /// A directory cannot be created, is not a directory, or could be replaced by another user.
    pub fn prepare(&self) -> Result<()> {
        if self.is_read_only {
            return Ok(());
        }
        root::create_missing(self.root(), self.user)?;
        path_trust::check(self.root(), self.user)?;
        // Users who can read the root can read the environments and wheels in it.
        let readable = fs::metadata(self.root())?.map_or(0, |root| root.mode() & READABLE);
        let _umask = (readable != 0).then(fs::PlainUmask::set);
        let modes = [
            ("", 0o700 | readable),
            ("envs", 0o700 | readable),
            ("wheels", 0o700 | readable),
            ("locks", 0o700),
            ("memo", 0o700),
            ("tmp", 0o700),
        ];
        for (directory, mode) in modes {
            // `join` would end the path of the layout itself in a slash.
            let path = match directory {
                "" => self.layout.clone(),
                _ => self.layout.join(directory),
            };
            fs::create_dir_all(&path, mode)?;
            if !fs::link_metadata(&path)?.is_some_and(|metadata| metadata.is_dir()) {
                let why = "only vpython creates it, and never as a link";
                return Err(
                    Failure::new(format!("`{}` is not a directory", path.display()))
                        .because(why)
                        .into(),
                );
            }
        }
        Ok(())
    }

    /// Like [`Store::prepare`], but it succeeds for a store that cannot be written if there are
    /// shared roots, which may have the environment.
    ///
    /// # Errors
    /// Those of [`Store::prepare`].
    pub fn prepare_if_writable(&self) -> Result<()> {
        match self.prepare() {
            Err(error) if !self.shared.is_empty() && fs::is_unwritable(&error) => {
                tracing::debug!("cannot write to the store: {error:#}");
                Ok(())
            }
            prepared => prepared,
        }
    }

    /// Returns whether other users can read the environments, so that launches may use them without
    /// a trace in this store.
    #[must_use]
    pub fn is_readable_by_others(&self) -> bool {
        let environments = fs::metadata(&self.environments()).ok().flatten();
        environments.is_some_and(|metadata| metadata.mode() & READABLE != 0)
    }

    /// Waits until everything written to the file system of `path` is on disk. It does nothing for
    /// a throw-away store, which no later run uses.
    pub fn sync(&self, path: &Path) -> Result<()> {
        if self.is_throw_away {
            Ok(())
        } else {
            fs::sync_file_system(path)
        }
    }

    /// Returns the path of the unpacked wheel with this digest, which need not exist.
    #[must_use]
    pub fn unpacked_wheel(&self, digest: &Digest) -> PathBuf {
        self.wheels().join(digest.to_string())
    }

    /// Returns the root of the store, without the layout version.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.layout.parent().unwrap_or(&self.layout)
    }

    /// Returns the directory for data that can be recomputed.
    #[must_use]
    pub fn memo_directory(&self) -> PathBuf {
        self.layout.join("memo")
    }

    /// Returns the directory for cached answers of package indexes.
    #[must_use]
    pub fn answers_of_indexes(&self) -> PathBuf {
        self.layout.join("index")
    }

    fn environments(&self) -> PathBuf {
        self.layout.join("envs")
    }

    fn pythons(&self) -> PathBuf {
        self.layout.join("pythons")
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
