//! Making read-only directories removable, and removing directories in place.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;

use super::{is_not_empty, link_metadata, list, mode, remove_any, remove_dir_all, set_mode};

/// The permission bits that an owner needs to remove a directory's entries.
const OWNER_CHANGES: u32 = 0o700;

/// Gives the owner write permission to each directory at and below `path`. It does not follow
/// links.
///
/// # Errors
/// A directory belongs to another user, or cannot be read.
pub(super) fn make_removable(path: &Path) -> Result<()> {
    let Some(found) = link_metadata(path)? else {
        return Ok(());
    };
    if !found.is_dir() {
        return Ok(());
    }
    if mode(&found) & OWNER_CHANGES != OWNER_CHANGES {
        set_mode(path, mode(&found) | OWNER_CHANGES)?;
    }
    list(path)?
        .unwrap_or_default()
        .iter()
        .try_for_each(|name| make_removable(&path.join(name)))
}

/// When to remove the files that identify a directory: the `.json` files at its top level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// Before all other files, so that no process mistakes the rest for a complete directory.
    First,
    /// After all other files. If this process is killed, the next one can still identify the
    /// directory, and may remove the rest.
    Last,
}

/// The number of attempts while another process still writes to the directory.
const ATTEMPTS: usize = 3;

/// Removes a directory under its own name, if the file system cannot rename it first. It does not
/// follow links.
///
/// # Errors
/// The directory cannot be removed, or a process still writes to it.
pub fn remove_in_place(path: &Path, marks: Marks) -> Result<()> {
    let remove = || {
        in_order(path, marks)?
            .into_iter()
            .try_for_each(|name| remove_any(&path.join(name)))?;
        remove_dir_all(path)
    };
    let mut removed = remove();
    for _ in 1..ATTEMPTS {
        if !removed.as_ref().is_err_and(is_not_empty) {
            break;
        }
        removed = remove();
    }
    removed
}

/// Returns the entries of a directory in the order of their removal.
fn in_order(path: &Path, marks: Marks) -> Result<Vec<OsString>> {
    let is_mark = |name: &OsString| {
        Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "json")
    };
    let mut names = list(path)?.unwrap_or_default();
    names.sort_by_key(|name| is_mark(name) == (marks == Marks::Last));
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::super::{create_dir_all, exists, remove_dir_all, symlink, write_new};
    use super::*;

    #[test]
    fn read_only_directories_can_be_removed_and_link_targets_stay() {
        let directory = tempfile::tempdir().unwrap();
        let [tree, other] = ["tree", "other"].map(|name| directory.path().join(name));
        create_dir_all(&tree.join("a/b"), 0o755).unwrap();
        create_dir_all(&other, 0o755).unwrap();
        write_new(&tree.join("a/b/file"), b"x", 0o444).unwrap();
        symlink(&other, &tree.join("a/link")).unwrap();
        for (path, bits) in [
            (&other, 0o555),
            (&tree.join("a/b"), 0o000),
            (&tree.join("a"), 0o555),
            (&tree, 0o500),
        ] {
            set_mode(path, bits).unwrap();
        }
        // The superuser can always remove files, so the test also checks the permission bits.
        make_removable(&tree).unwrap();
        let mode_of = |path: &Path| mode(&link_metadata(path).unwrap().unwrap());
        assert_eq!(
            [tree.join("a/b"), tree.join("a"), other.clone()].map(|path| mode_of(&path)),
            [0o700, 0o755, 0o555]
        );
        remove_dir_all(&tree).unwrap();
        assert!(!exists(&tree) && exists(&other));
    }

    #[test]
    fn removal_in_place_removes_the_marks_first_or_last() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env");
        for (marks, left) in [(Marks::First, ["bin"]), (Marks::Last, ["vpython.json"])] {
            create_dir_all(&path.join("bin"), 0o755).unwrap();
            write_new(&path.join("vpython.json"), b"{}", 0o444).unwrap();
            let names = in_order(&path, marks).unwrap();
            assert_eq!((names.len(), &names[1]), (2, &left[0].into()), "{marks:?}");
            remove_in_place(&path, marks).unwrap();
            assert!(!exists(&path));
        }
        remove_in_place(&path, Marks::First).unwrap();
    }
}
