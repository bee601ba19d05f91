//! Making read-only directories removable.

use std::path::Path;

use anyhow::Result;

use super::{link_metadata, list, mode, set_mode};

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
}
