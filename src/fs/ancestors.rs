//! Looking for names in a directory and in all those above it. A path is resolved from `/` on at
//! each look, so that 80 looks from 20 directories down take a third of a warm launch; a directory
//! that is open is a step away.

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstatat};

/// How many names a path must have for an open directory to be worth the call that opens it.
const DEEP: usize = 8;

/// A directory on the way up.
#[derive(Debug)]
pub struct Ancestors {
    /// The directory, open; none where looks by its path are as cheap, or the only ones that are
    /// possible.
    directory: Option<OwnedFd>,
    /// How many names its path has.
    depth: usize,
}

impl Ancestors {
    /// Begins in this directory, whose path has no links and dots.
    #[must_use]
    pub fn from(directory: &Path) -> Self {
        let depth = directory.components().count();
        let opened = if depth > DEEP {
            nix::fcntl::open(directory, flags(), Mode::empty()).ok()
        } else {
            None
        };
        Self {
            directory: opened,
            depth,
        }
    }

    /// Goes to the directory above.
    pub fn up(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.directory = self
            .directory
            .take()
            .filter(|_| self.depth > DEEP)
            .and_then(|below| {
                let above = openat(below, "..", flags(), Mode::empty());
                above.ok()
            });
    }

    /// Whether it is known that the directory has nothing of this name.
    #[must_use]
    pub fn lacks(&self, name: &str) -> bool {
        self.directory.as_ref().is_some_and(|directory| {
            fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) == Err(Errno::ENOENT)
        })
    }
}

fn flags() -> OFlag {
    OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;

    #[test]
    fn what_is_missing_on_the_way_up_is_known_where_the_way_is_long() {
        let directory = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(directory.path()).unwrap();
        let deep = top.join("1/2/3/4/5/6/7/8/9");
        fs::create_dir_all(&deep, 0o755).unwrap();
        fs::write_new(&top.join("1/2/3/4/5/6/7/8/here"), b"", 0o644).unwrap();
        let mut climb = Ancestors::from(&deep);
        let mut known = Vec::new();
        for directory in deep.ancestors() {
            assert!(
                !climb.lacks("here") || !fs::exists(&directory.join("here")),
                "{}",
                directory.display()
            );
            known.push(climb.lacks("here"));
            climb.up();
        }
        assert_eq!(known[..3], [true, false, true]);
        assert!(
            !known[known.len() - DEEP..].contains(&true),
            "where the way is short, nobody asks"
        );
    }

    #[test]
    fn of_a_directory_that_cannot_be_opened_nothing_is_known() {
        let mut climb = Ancestors::from(Path::new("/no/1/2/3/4/5/6/7/8/9"));
        assert!(!climb.lacks("x"));
        climb.up();
        assert!(!climb.lacks("x"));
    }
}
