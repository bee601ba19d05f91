//! Which users' files may influence a launch.
//!
//! In a directory that every user can write to, such as `/tmp`, any user can create a spec, a lock,
//! a wheel directory or an interpreter where vpython looks for one. A file counts only if no
//! untrusted user can have created it: [`Trust`] is the one rule for all readers, and
//! `tests/it/trust.rs` lists them. `vpython.conf` must belong to a trusted user in any directory,
//! since it applies to everyone.

use std::fmt;
use std::fs::File;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::{create, create_new, link_metadata, metadata, remove_file};

/// The bit that lets every user write.
const OTHERS_WRITE: u32 = 0o002;
/// The bit that lets the group write.
const GROUP_WRITES: u32 = 0o020;

/// The mode bit that lets each user rename only their own files in a directory.
const STICKY: u32 = 0o1000;

/// The users whose files count in any directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    users: Vec<u32>,
}

impl Trust {
    /// Trusts the caller and the superuser.
    #[must_use]
    pub fn of_user(user: u32) -> Self {
        Self {
            users: vec![user, 0],
        }
    }

    /// Also trusts another user: the owner of a script that the caller runs, or of a spec that
    /// counts.
    #[must_use]
    pub fn and(mut self, user: u32) -> Self {
        self.users.push(user);
        self
    }

    /// Also trusts the owner of a file, if it exists.
    #[must_use]
    pub fn and_owner_of(self, path: &Path) -> Self {
        match metadata(path) {
            Ok(Some(metadata)) => self.and(metadata.uid()),
            _ => self,
        }
    }

    /// Returns whether the files of a user count in any directory.
    #[must_use]
    pub fn includes(&self, user: u32) -> bool {
        self.users.contains(&user)
    }

    /// Returns the user who may have planted `path`, which belongs to `owner`: an untrusted owner,
    /// if every user can write to the directory of `path`.
    #[must_use]
    pub fn stranger(&self, path: &Path, owner: u32) -> Option<Stranger> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        let is_planted = !self.includes(owner) && is_writable(directory, OTHERS_WRITE);
        is_planted.then(|| Stranger {
            path: path.to_path_buf(),
            owner,
            directory: directory.to_path_buf(),
        })
    }

    /// Returns the user who may have planted `path`, or a directory or link on the way to it.
    /// `base` is the directory that names `path`; its own ancestors are not checked again. A path
    /// that does not exist was not planted.
    #[must_use]
    pub fn stranger_on_way(&self, path: &Path, base: &Path) -> Option<Stranger> {
        let on_way = path
            .ancestors()
            .take_while(|above| !base.starts_with(above));
        on_way
            .filter_map(|above| Some((above, link_metadata(above).ok()??.uid())))
            .find_map(|(above, owner)| self.stranger(above, owner))
    }

    /// Returns whose files within `directory` count: if other users or a group can write to it,
    /// those of trusted users and of the directory's owner. None if no other user can write to it,
    /// so that all files count.
    #[must_use]
    pub fn within(&self, directory: &Path) -> Option<Self> {
        is_writable(directory, OTHERS_WRITE | GROUP_WRITES)
            .then(|| self.clone().and_owner_of(directory))
    }

    /// Returns the owner of the file at `path` if that user is not trusted.
    #[must_use]
    pub fn other_owner(&self, path: &Path) -> Option<u32> {
        let owner = link_metadata(path).ok()??.uid();
        (!self.includes(owner)).then_some(owner)
    }
}

/// Returns whether another user can rename a file to `path`, regardless of the owner of the file:
/// the owner of its directory can, and every user can if no sticky bit protects the entries of the
/// directory.
#[must_use]
pub fn may_be_renamed_by_others(path: &Path) -> bool {
    let trust = Trust::of_user(nix::unistd::geteuid().as_raw());
    let directory = metadata(path.parent().unwrap_or(Path::new("/")))
        .ok()
        .flatten();
    directory.is_none_or(|found| {
        !trust.includes(found.uid()) || found.mode() & (OTHERS_WRITE | STICKY) == OTHERS_WRITE
    })
}

/// Creates a file that the caller has named, or truncates the existing one. If every user can write
/// to its directory, the file is always a new one: the existing one may be a hard link to a file
/// that its owner needs.
///
/// # Errors
/// The file cannot be created, or another user may have put the existing one there.
pub fn create_named(path: &Path, user: u32) -> Result<File> {
    if let Some(stranger) = Trust::of_user(user).stranger_on_way(path, Path::new("/")) {
        bail!("cannot create `{}`: {stranger}", path.display());
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    match link_metadata(path)? {
        Some(found) if !found.is_file() => create(path),
        _ if !is_writable(directory, OTHERS_WRITE) => create(path),
        found => {
            if found.is_some() {
                remove_file(path)?;
            }
            create_new(path, 0o600)
        }
    }
}

/// Returns whether every user can write to a file or directory.
#[must_use]
pub fn is_open_to_all(metadata: &Metadata) -> bool {
    metadata.mode() & OTHERS_WRITE != 0
}

/// Returns whether only a user or the superuser can write to a file or directory.
#[must_use]
pub fn is_closed_to_others(metadata: &Metadata, user: u32) -> bool {
    Trust::of_user(user).includes(metadata.uid())
        && metadata.mode() & (OTHERS_WRITE | GROUP_WRITES) == 0
}

/// Returns whether others can write to a directory. The answer is yes for a directory that cannot
/// be inspected.
fn is_writable(directory: &Path, by: u32) -> bool {
    metadata(directory)
        .ok()
        .flatten()
        .is_none_or(|metadata| metadata.mode() & by != 0)
}

/// A file that another user may have planted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// The file, directory or link that the user owns.
    pub path: PathBuf,
    /// The user.
    pub owner: u32,
    /// The directory that contains it, which every user can write to.
    pub directory: PathBuf,
}

impl fmt::Display for Stranger {
    /// Writes a clause: `x` belongs to user 7, and every user can write to `y`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            owner,
            directory,
        } = self;
        write!(
            formatter,
            "`{}` belongs to user {owner}, and every user can write to `{}`",
            path.display(),
            directory.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::fs;

    #[test]
    fn a_planted_ancestor_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().join("base");
        fs::create_dir_all(&base.join("open/a/b"), 0o755).unwrap();
        std::fs::set_permissions(base.join("open"), Permissions::from_mode(0o1777)).unwrap();
        let owner = metadata(directory.path()).unwrap().unwrap().uid();
        let other = Trust {
            users: vec![owner + 1],
        };
        let planted = Stranger {
            path: base.join("open/a"),
            owner,
            directory: base.join("open"),
        };
        assert_eq!(
            other.stranger_on_way(&base.join("open/a/b"), &base),
            Some(planted.clone())
        );
        assert_eq!(
            other.stranger_on_way(&base.join("open/a"), &base),
            Some(planted)
        );
        assert_eq!(
            other.stranger_on_way(&base.join("open/a/b"), &base.join("open/a")),
            None,
            "the base is not checked"
        );
        assert_eq!(
            other.stranger_on_way(&base.join("open"), &base),
            None,
            "no other user can write to it"
        );
        assert_eq!(
            other.stranger_on_way(&base.join("open/x"), &base),
            None,
            "it does not exist"
        );
        assert_eq!(
            Trust::of_user(owner).stranger_on_way(&base.join("open/a"), &base),
            None,
            "it is the user's own"
        );
    }

    #[test]
    fn within_a_directory_the_owner_of_the_directory_counts() {
        let directory = tempfile::tempdir().unwrap();
        let owner = metadata(directory.path()).unwrap().unwrap().uid();
        let other = Trust {
            users: vec![owner + 1],
        };
        for (mode, expected) in [
            (0o755, None),
            (0o775, Some(vec![owner + 1, owner])),
            (0o1777, Some(vec![owner + 1, owner])),
        ] {
            std::fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(
                other.within(directory.path()).map(|trust| trust.users),
                expected,
                "{mode:o}"
            );
        }
        assert_eq!(other.other_owner(directory.path()), Some(owner));
        assert_eq!(
            other
                .and_owner_of(directory.path())
                .other_owner(directory.path()),
            None
        );
    }
}
