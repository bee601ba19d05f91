//! Directories that are built under a temporary name and then replace an existing one as a whole: a
//! reader sees the old one, the new one, or, if the file system cannot exchange two names, none for
//! a moment. If it cannot rename the old one at all, as overlayfs cannot rename a directory of a
//! lower layer, the old one is removed in place first, and a reader may see a part of it. A run
//! that is killed at that moment leaves the staged directory, which shows the next run that the old
//! one is incomplete.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::{
    Marks, create_dir, create_dir_all, inode, is_immovable, is_not_found, link_metadata, list,
    lock_exclusive, may_be_renamed_by_others, open, remove_any, remove_dir_all, remove_in_place,
    rename, set_mode, sync, sync_file_system,
};

/// A directory `.NAME.vpython-new` that is to become `NAME`. Dropping it before
/// [`StagedDir::place`] removes it. Processes that build the same directory take turns, and remove
/// what a killed process has left.
#[derive(Debug)]
pub struct StagedDir {
    path: PathBuf,
    place: PathBuf,
    /// Open and locked, even after the rename.
    _lock: File,
    is_placed: bool,
}

impl StagedDir {
    /// Creates the empty directory next to `place`, and its missing parents.
    ///
    /// # Errors
    /// It cannot be created, or something else has its name.
    pub fn beside(place: &Path) -> Result<Self> {
        Self::stage(place).with_context(|| format!("cannot create `{}`", place.display()))
    }

    fn stage(place: &Path) -> Result<Self> {
        create_dir_all(place.parent().unwrap_or(Path::new("/")), 0o755)?;
        let path = beside(place, "new");
        let lock = lock_directory(&path)?;
        let mut staged = Self {
            path: path.clone(),
            place: place.to_path_buf(),
            _lock: lock,
            is_placed: false,
        };
        // A killed process may have left files in it. They are removed, unless another user may
        // have planted them.
        let leftovers = list(&staged.path)?.unwrap_or_default();
        if !leftovers.is_empty() && may_be_renamed_by_others(&path) {
            // Dropping it must not remove what may not be ours.
            staged.is_placed = true;
            bail!(
                "`{}` exists, and another user may have created it: remove it",
                staged.path.display()
            );
        }
        for leftover in leftovers {
            remove_any(&staged.path.join(leftover))?;
        }
        set_mode(&staged.path, 0o755)?;
        Ok(staged)
    }

    /// Returns whether a staged directory for `place` exists, of a running or a killed process.
    #[must_use]
    pub fn is_beside(place: &Path) -> bool {
        super::exists(&beside(place, "new"))
    }

    /// Returns its temporary path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs it to disk, moves it into place, and removes the directory that was there. `may_go`
    /// inspects that directory once more, under its new name: another process may have put
    /// something else there since the caller inspected it.
    ///
    /// # Errors
    /// The existing directory cannot be replaced, or may not be removed; it stays if it can be
    /// renamed.
    pub fn place(mut self, may_go: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        sync_file_system(&self.path)?;
        let cannot = || format!("cannot move `{}` into place", self.place.display());
        // Without an existing directory, a rename is enough.
        if link_metadata(&self.place)?.is_none() {
            rename(&self.path, &self.place).with_context(cannot)?;
        } else {
            // Lock the old directory, so that no process can stage into it under its new name until
            // it is removed.
            let old = open(&self.place)?;
            lock_exclusive(&old);
            let exchanged = self.exchange();
            if exchanged.as_ref().is_err_and(is_immovable) {
                // overlayfs: remove the old directory in place.
                may_go(&self.place).with_context(cannot)?;
                remove_in_place(&self.place, Marks::Last)?;
                rename(&self.path, &self.place).with_context(cannot)?;
            } else {
                let old = exchanged.with_context(cannot)?;
                if let Err(error) = may_go(&old) {
                    self.put_back(&old).with_context(cannot)?;
                    return Err(error.context(cannot()));
                }
                self.is_placed = true;
                remove_dir_all(&old)?;
            }
        }
        self.is_placed = true;
        sync(self.place.parent().unwrap_or(Path::new("/")))
    }

    /// Exchanges the two directories. Returns the new path of the old one.
    fn exchange(&self) -> Result<PathBuf> {
        match renameat_with(CWD, &self.path, CWD, &self.place, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(self.path.clone()),
            // The file system does not support it, or a container refuses the call.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::PERM) => {
                let old = beside(&self.place, "old");
                remove_dir_all(&old)?;
                rename(&self.place, &old)?;
                // On failure, the old directory is moved back.
                rename(&self.path, &self.place).inspect_err(|_| drop(rename(&old, &self.place)))?;
                Ok(old)
            }
            Err(error) => Err(std::io::Error::from(error).into()),
        }
    }

    /// Renames the old directory, which is at `old`, back.
    fn put_back(&self, old: &Path) -> Result<()> {
        if old == self.path {
            return self.exchange().map(drop);
        }
        rename(&self.place, &self.path)?;
        rename(old, &self.place)
    }
}

impl Drop for StagedDir {
    fn drop(&mut self) {
        if !self.is_placed {
            let _ = remove_dir_all(&self.path);
        }
    }
}

/// Creates a directory or opens an existing one, and locks it.
fn lock_directory(path: &Path) -> Result<File> {
    loop {
        create_dir(path, 0o755)?;
        let Some(found) = link_metadata(path)? else {
            continue;
        };
        let is_ours = found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw();
        ensure!(
            is_ours,
            "`{}` is in the way: it is not a directory that you own",
            path.display()
        );
        let directory = match open(path) {
            Err(error) if is_not_found(&error) => continue,
            directory => directory?,
        };
        lock_exclusive(&directory);
        // If the previous holder of the lock has renamed or removed it, try again.
        if link_metadata(path)?.is_some_and(|now| {
            directory
                .metadata()
                .is_ok_and(|locked| inode(&now) == inode(&locked))
        }) {
            return Ok(directory);
        }
    }
}

/// Returns `.NAME.vpython-WHAT` next to `NAME`.
fn beside(place: &Path, what: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(place.file_name().unwrap_or_default());
    name.push(format!(".vpython-{what}"));
    place.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;

    #[test]
    fn a_directory_is_placed_with_and_without_an_existing_one() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("deep/env");
        for text in ["one", "two"] {
            let staged = StagedDir::beside(&place).unwrap();
            fs::write_new(&staged.path().join(text), b"", 0o444).unwrap();
            staged.place(|_| Ok(())).unwrap();
            assert_eq!(fs::list(&place).unwrap().unwrap(), [text]);
            assert_eq!(fs::list(place.parent().unwrap()).unwrap().unwrap(), ["env"]);
        }
    }

    #[test]
    fn an_unplaced_directory_is_removed_and_leftovers_are_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("env");
        fs::create_dir_all(&directory.path().join(".env.vpython-new/bin"), 0o755).unwrap();
        let staged = StagedDir::beside(&place).unwrap();
        assert!(fs::list(staged.path()).unwrap().unwrap().is_empty());
        drop(staged);
        assert!(fs::list(directory.path()).unwrap().unwrap().is_empty());
    }

    #[test]
    fn what_was_put_there_meanwhile_stays_if_it_may_not_go() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("env");
        let staged = StagedDir::beside(&place).unwrap();
        fs::write_new(&staged.path().join("new"), b"", 0o444).unwrap();
        fs::create_dir_all(&place.join("precious"), 0o755).unwrap();
        let may_go = |old: &Path| {
            assert_eq!(fs::list(old).unwrap().unwrap(), ["precious"]);
            bail!("another user owns it")
        };
        let error = format!("{:#}", staged.place(may_go).unwrap_err());
        assert_eq!(
            error,
            format!(
                "cannot move `{}` into place: another user owns it",
                place.display()
            )
        );
        assert_eq!(fs::list(&place).unwrap().unwrap(), ["precious"]);
        assert_eq!(fs::list(directory.path()).unwrap().unwrap(), ["env"]);
    }

    #[test]
    fn a_leftover_that_others_may_have_named_is_not_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("env");
        fs::create_dir_all(&directory.path().join(".env.vpython-new/precious"), 0o755).unwrap();
        fs::set_mode(directory.path(), 0o777).unwrap();
        StagedDir::beside(&place).unwrap_err();
        assert!(fs::exists(
            &directory.path().join(".env.vpython-new/precious")
        ));
        // In a sticky directory such as `/tmp`, no user can rename the files of another.
        fs::set_mode(directory.path(), 0o1777).unwrap();
        StagedDir::beside(&place).unwrap();
        assert_eq!(fs::list(directory.path()).unwrap().unwrap().len(), 0);
    }

    #[test]
    fn concurrent_builders_each_make_a_whole_directory() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("env");
        let make = |number: usize| {
            for _ in 0..50 {
                let staged = StagedDir::beside(&place).unwrap();
                (0..5).for_each(|file| {
                    fs::write_new(&staged.path().join(format!("{number}-{file}")), b"", 0o444)
                        .unwrap();
                });
                staged.place(|_| Ok(())).unwrap();
            }
        };
        std::thread::scope(|scope| {
            (0..4).for_each(|number| drop(scope.spawn(move || make(number))));
        });
        assert_eq!(fs::list(&place).unwrap().unwrap().len(), 5);
        assert_eq!(fs::list(directory.path()).unwrap().unwrap(), ["env"]);
    }
}
