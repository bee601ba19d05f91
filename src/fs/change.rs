//! In which way what stands at a path is no longer what stood there, told from two stamps.

use std::cmp::Ordering;
use std::fmt;

use nix::sys::stat::SFlag;

use super::{Stamp, Stamped};

/// A change of what stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is gone, or can no longer be seen.
    Gone,
    /// There was nothing before.
    Appeared,
    /// It is a directory now, or no directory any more.
    Kind,
    /// A directory lists something else.
    Listing,
    /// A file has another size.
    Size {
        /// In bytes, before.
        from: u64,
        /// In bytes, now.
        to: u64,
    },
    /// It was written since.
    Newer,
    /// It was replaced by something older.
    Older,
    /// It was replaced by a file as large and as old.
    Replaced,
    /// It was replaced by a directory as old.
    Moved,
    /// It has other permissions.
    Permissions,
}

impl fmt::Display for Change {
    /// What is to be said of the path, as in `is gone`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => formatter.write_str("is gone"),
            Self::Appeared => formatter.write_str("is there now"),
            Self::Kind => formatter.write_str("is of another kind"),
            Self::Listing => formatter.write_str("lists something else"),
            Self::Size { from, to } => {
                write!(formatter, "has another size: {to} bytes, and had {from}")
            }
            Self::Newer => formatter.write_str("is newer"),
            Self::Older => formatter.write_str("is older"),
            Self::Replaced => formatter.write_str("is another file"),
            Self::Moved => formatter.write_str("is another directory"),
            Self::Permissions => formatter.write_str("has other permissions"),
        }
    }
}

impl Stamped {
    /// How what stands there now differs from what stood there then; none where it does not.
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
    fn two_stamps_tell_what_has_changed() {
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
            (None, Some(file), Some("is there now")),
            (Some(file), Some(directory), Some("is of another kind")),
            (
                Some(directory),
                Some(Stamp {
                    modified: 5,
                    size: 9,
                    ..directory
                }),
                Some("lists something else"),
            ),
            (
                Some(file),
                Some(Stamp {
                    size: 9,
                    modified: 5,
                    ..file
                }),
                Some("has another size: 9 bytes, and had 3"),
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
                Some("is another file"),
            ),
            (
                Some(file),
                Some(Stamp {
                    mode: 0o100_600,
                    ..file
                }),
                Some("has other permissions"),
            ),
            (
                Some(directory),
                Some(Stamp {
                    inode: 9,
                    ..directory
                }),
                Some("is another directory"),
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
