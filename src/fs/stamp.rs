//! Stamps: what tells, for the price of one look, that something is what it was.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::metadata;

/// What tells that a file or directory is still the one that was looked at.
///
/// Following links, so that it is the content's stamp and not the link's. A change in place, a
/// replacement and a change of what a directory lists each alter at least one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The device that holds it.
    pub device: u64,
    /// Its number on that device.
    pub inode: u64,
    /// Its kind and permission bits.
    pub mode: u32,
    /// Its size in bytes.
    pub size: u64,
    /// When its content was last changed, in nanoseconds since 1970; of a directory, when anything
    /// about it was.
    pub modified: i128,
}

impl Stamp {
    /// The stamp of what stands at `path`; none where nothing does, or where it cannot be seen.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        metadata(path)
            .ok()
            .flatten()
            .map(|metadata| Self::from(&metadata))
    }
}

impl From<&std::fs::Metadata> for Stamp {
    fn from(metadata: &std::fs::Metadata) -> Self {
        // A directory's time is put back by who copies or unpacks into it; that of the last change
        // of any kind nobody can set.
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        let (seconds, nanoseconds) = if metadata.is_dir() {
            changed
        } else {
            (metadata.mtime(), metadata.mtime_nsec())
        };
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            mode: metadata.mode(),
            size: metadata.len(),
            modified: i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds),
        }
    }
}

/// A path and what stood there; no stamp where nothing did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped {
    /// The absolute path.
    #[serde(with = "crate::fs::path_text")]
    pub path: PathBuf,
    /// What stood there.
    pub stamp: Option<Stamp>,
}

impl Stamped {
    /// Looks at `path`.
    #[must_use]
    pub fn look(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            stamp: Stamp::of(&path),
            path,
        }
    }

    /// Whether what stands there now is what stood there then.
    #[must_use]
    pub fn holds(&self) -> bool {
        Stamp::of(&self.path) == self.stamp
    }
}
