//! How the file at a path has changed, derived from two stamps.

use std::cmp::Ordering;
use std::fmt;

use nix::sys::stat::SFlag;

use super::{Stamp, Stamped};

/// A change of the file or directory at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is gone, or no longer accessible.
    Gone,
    /// Nothing was there before.
    Appeared,
    /// It is now a directory, or no longer one.
    Kind,
    /// It is a directory with different entries.
    Listing,
    /// It is a file with a different size.
    Size {
        /// The size before, in bytes.
        from: u64,
        /// The size now, in bytes.
        to: u64,
    },
    /// It has a later modification time.
    Newer,
    /// It has an earlier modification time.
    Older,
    /// It was replaced by a file with the same size and time.
    Replaced,
    /// It was replaced by a directory with the same time.
    Moved,
    /// It has different permissions.
    Permissions,
}

impl fmt::Display for Change {
    /// Writes the predicate of a sentence about the path, as in `is gone`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => formatter.write_str("is gone"),
            Self::Appeared => formatter.write_str("has appeared"),
            Self::Kind => formatter.write_str("is a different kind of file"),
            Self::Listing => formatter.write_str("has different entries"),
            Self::Size { from, to } => {
                write!(
                    formatter,
                    "has a different size: {to} bytes instead of {from}"
                )
            }
            Self::Newer => formatter.write_str("is newer"),
            Self::Older => formatter.write_str("is older"),
            Self::Replaced => formatter.write_str("was replaced by another file"),
            Self::Moved => formatter.write_str("was replaced by another directory"),
            Self::Permissions => formatter.write_str("has different permissions"),
        }
    }
}

impl Stamped {
    /// Returns how the file at the path differs from the stamped one; none if it does not.
    #[must_use]
    pub fn change(&self) -> Option<Change> {
        Change::between(self.stamp, Stamp::of(&self.path))
    }
}

impl Change {
    fn between(before: Option<Stamp>, now: Option<Stamp>) -> Option<Self> {
        let (before, now) = match (before, now) {
            (before, now) if before == now => return None,
            (None, _) => return Some(Self::Appeared),
            (_, None) => return Some(Self::Gone),
            (Some(before), Some(now)) => (before, now),
        };
        let kind = |stamp: Stamp| stamp.mode & SFlag::S_IFMT.bits();
        let is_directory = kind(now) == SFlag::S_IFDIR.bits();
        // Several of these may apply. The first one is the most specific.
        Some(match now.modified.cmp(&before.modified) {
            _ if kind(before) != kind(now) => Self::Kind,
            _ if !is_directory && before.size != now.size => Self::Size {
                from: before.size,
                to: now.size,
            },
            Ordering::Less | Ordering::Greater if is_directory => Self::Listing,
            Ordering::Greater => Self::Newer,
            Ordering::Less => Self::Older,
            Ordering::Equal if before.mode != now.mode => Self::Permissions,
            Ordering::Equal if is_directory => Self::Moved,
            Ordering::Equal => Self::Replaced,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_stamps_show_what_has_changed() {
        let file = Stamp {
            device: 1,
            inode: 2,
            mode: 0o100_644,
            size: 3,
            modified: 4,
        };
        let directory = Stamp {
            mode: 0o40_755,
            ..file
        };
        let rows = [
            (Some(file), Some(file), None),
            (None, None, None),
            (Some(file), None, Some("is gone")),
            (None, Some(file), Some("has appeared")),
            (
                Some(file),
                Some(directory),
                Some("is a different kind of file"),
            ),
            (
                Some(directory),
                Some(Stamp {
                    modified: 5,
                    size: 9,
                    ..directory
                }),
                Some("has different entries"),
            ),
            (
                Some(file),
                Some(Stamp {
                    size: 9,
                    modified: 5,
                    ..file
                }),
                Some("has a different size: 9 bytes instead of 3"),
            ),
            (
                Some(file),
                Some(Stamp {
                    modified: 5,
                    ..file
                }),
                Some("is newer"),
            ),
            (
                Some(file),
                Some(Stamp {
                    modified: 3,
                    ..file
                }),
                Some("is older"),
            ),
            (
                Some(file),
                Some(Stamp { inode: 9, ..file }),
                Some("was replaced by another file"),
            ),
            (
                Some(file),
                Some(Stamp {
                    mode: 0o100_600,
                    ..file
                }),
                Some("has different permissions"),
            ),
            (
                Some(directory),
                Some(Stamp {
                    inode: 9,
                    ..directory
                }),
                Some("was replaced by another directory"),
            ),
        ];
        for (before, now, expected) in rows {
            assert_eq!(
                Change::between(before, now)
                    .map(|change| change.to_string())
                    .as_deref(),
                expected
            );
        }
    }
}
