//! Stamps: metadata that shows, for the price of one `stat`, whether a file has changed.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::metadata;

/// Metadata that identifies a version of a file or directory.
///
/// It describes the target of a link, not the link. A change in place, a replacement, and a change
/// of a directory's entries each alter at least one of these fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The device that holds it.
    pub device: u64,
    /// Its inode number.
    pub inode: u64,
    /// Its kind and permission bits.
    pub mode: u32,
    /// Its size in bytes.
    pub size: u64,
    /// Its modification time, in nanoseconds since 1970; for a directory, its change time
    /// (`ctime`).
    pub modified: i128,
}

impl Stamp {
    /// Returns the stamp of the file at `path`; none if it does not exist or is not accessible.
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
        // Tools that copy or unpack into a directory restore its `mtime`; no tool can set its
        // `ctime`.
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

/// A path and the stamp of the file there; no stamp if there was none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped {
    /// The absolute path.
    #[serde(with = "crate::fs::path_text")]
    pub path: PathBuf,
    /// The stamp of the file there.
    pub stamp: Option<Stamp>,
}

impl Stamped {
    /// Takes the stamp of the file at `path`.
    #[must_use]
    pub fn look(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            stamp: Stamp::of(&path),
            path,
        }
    }

    /// Returns whether the file there is unchanged.
    #[must_use]
    pub fn holds(&self) -> bool {
        Stamp::of(&self.path) == self.stamp
    }
}

/// The files and directories that decided something, including absent ones, each with its stamp.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamps {
    list: Vec<Stamped>,
    /// The paths that [`Self::look`] has stamped.
    looked_at: HashSet<PathBuf>,
}

impl Stamps {
    /// Stamps `path`, once. Call it before reading the path, so that a change in between is
    /// noticed.
    pub fn look(&mut self, path: &Path) {
        if self.looked_at.insert(path.to_path_buf()) {
            self.list.push(Stamped::look(path));
        }
    }

    /// Adds a stamp.
    pub fn push(&mut self, stamped: Stamped) {
        self.list.push(stamped);
    }

    /// Adds a stamp, unless the same one has been added before.
    pub fn push_new(&mut self, stamped: Stamped) {
        if !self.list.contains(&stamped) {
            self.list.push(stamped);
        }
    }

    /// Merges other stamps; the first stamp of a path is kept.
    pub fn merge(&mut self, other: Self) {
        self.looked_at.extend(other.looked_at);
        let known: HashSet<PathBuf> = self.list.iter().map(|known| known.path.clone()).collect();
        let is_new = |stamped: &Stamped| !known.contains(&stamped.path);
        self.list.extend(other.list.into_iter().filter(is_new));
    }

    /// Returns the stamps, in the order in which they were added.
    #[must_use]
    pub fn into_vec(self) -> Vec<Stamped> {
        self.list
    }
}

impl Extend<Stamped> for Stamps {
    fn extend<T: IntoIterator<Item = Stamped>>(&mut self, stamps: T) {
        self.list.extend(stamps);
    }
}

impl FromIterator<Stamped> for Stamps {
    fn from_iter<T: IntoIterator<Item = Stamped>>(stamps: T) -> Self {
        Self {
            list: stamps.into_iter().collect(),
            looked_at: HashSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::write_atomically;
    use super::*;

    #[test]
    fn a_stamp_detects_a_change_a_replacement_and_a_removal() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let absent = Stamped::look(&path);
        assert!(absent.holds());
        write_atomically(&path, b"one").unwrap();
        assert!(!absent.holds(), "it exists now");
        let first = Stamped::look(&path);
        assert!(first.holds());
        write_atomically(&path, b"two").unwrap();
        assert!(
            !first.holds(),
            "another file of the same size has replaced it"
        );
        let second = Stamped::look(&path);
        std::fs::remove_file(&path).unwrap();
        assert!(!second.holds(), "it is gone");
    }

    #[test]
    fn a_path_of_any_bytes_survives_json() {
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt;
        for bytes in [&b"/plain"[..], b"/\xff\xfe"] {
            let stamped = Stamped {
                path: OsString::from_vec(bytes.to_vec()).into(),
                stamp: None,
            };
            let json = serde_json::to_vec(&stamped).unwrap();
            assert_eq!(serde_json::from_slice::<Stamped>(&json).unwrap(), stamped);
        }
    }
}
