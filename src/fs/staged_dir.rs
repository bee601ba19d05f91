//! Directories that are made aside and take their place as a whole: who looks sees the old one, the
//! new one, or, where the file system cannot exchange two names, for a moment none.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::{
    create_dir, create_dir_all, inode, is_not_found, link_metadata, list, lock_exclusive, open,
    remove_any, remove_dir_all, rename, set_mode, sync, sync_file_system,
};

/// A directory `.NAME.vpython-new` that is to become `NAME`. It is removed with all in it unless it
/// gets there. Of all who make the same one, one does so at a time, and what a killed process has
/// left is taken out of the way.
#[derive(Debug)]
pub struct StagedDir {
    path: PathBuf,
    place: PathBuf,
    /// Open and locked, whatever it is called.
    _lock: File,
    is_placed: bool,
}

impl StagedDir {
    /// Makes the empty directory beside `place`, and the directories that this is in.
    ///
    /// # Errors
    /// It cannot be made, or something else has its name.
    pub fn beside(place: &Path) -> Result<Self> {
        Self::stage(place).with_context(|| format!("cannot make `{}`", place.display()))
    }

    fn stage(place: &Path) -> Result<Self> {
        create_dir_all(place.parent().unwrap_or(Path::new("/")), 0o755)?;
        let path = beside(place, "new");
        let lock = lock_directory(&path)?;
        let staged = Self {
            path,
            place: place.to_path_buf(),
            _lock: lock,
            is_placed: false,
        };
        for leftover in list(&staged.path)?.unwrap_or_default() {
            remove_any(&staged.path.join(leftover))?;
        }
        set_mode(&staged.path, 0o755)?;
        Ok(staged)
    }

    /// Whether one is there, of a process that makes it now or has left it.
    #[must_use]
    pub fn is_beside(place: &Path) -> bool {
        super::exists(&beside(place, "new"))
    }

    /// Where it is now.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it, written to the disk, into its place, and removes what was there.
    ///
    /// # Errors
    /// What is there cannot be replaced; it stays.
    pub fn place(mut self) -> Result<()> {
        sync_file_system(&self.path)?;
        let cannot = || format!("cannot put `{}` into its place", self.place.display());
        if link_metadata(&self.place)?.is_none() {
            rename(&self.path, &self.place).with_context(cannot)?;
        } else {
            // Under its next name it is nobody's to make something of, until it is gone.
            let old = open(&self.place)?;
            lock_exclusive(&old);
            let old = self.exchange().with_context(cannot)?;
            self.is_placed = true;
            remove_dir_all(&old)?;
        }
        self.is_placed = true;
        sync(self.place.parent().unwrap_or(Path::new("/")))
    }

    /// Gives the path that the old directory has now.
    fn exchange(&self) -> Result<PathBuf> {
        match renameat2(
            AT_FDCWD,
            &self.path,
            AT_FDCWD,
            &self.place,
            RenameFlags::RENAME_EXCHANGE,
        ) {
            Ok(()) => Ok(self.path.clone()),
            Err(Errno::EINVAL | Errno::ENOSYS | Errno::ENOTSUP) => {
                let old = beside(&self.place, "old");
                remove_dir_all(&old)?;
                rename(&self.place, &old)?;
                // What was there goes back, rather than to leave nothing.
                rename(&self.path, &self.place).inspect_err(|_| drop(rename(&old, &self.place)))?;
                Ok(old)
            }
            Err(error) => Err(std::io::Error::from(error).into()),
        }
    }
}

impl Drop for StagedDir {
    fn drop(&mut self) {
        if !self.is_placed {
            let _ = remove_dir_all(&self.path);
        }
    }
}

/// Makes a directory or takes one that is there, and locks it.
fn lock_directory(path: &Path) -> Result<File> {
    loop {
        create_dir(path, 0o755)?;
        let Some(found) = link_metadata(path)? else {
            continue;
        };
        let is_ours = found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw();
        ensure!(
            is_ours,
            "`{}` is in the way: it is not a directory of yours",
            path.display()
        );
        let directory = match open(path) {
            Err(error) if is_not_found(&error) => continue,
            directory => directory?,
        };
        lock_exclusive(&directory);
        // Who was waited for has given it its name, or has removed it.
        if link_metadata(path)?.is_some_and(|now| {
            directory
                .metadata()
                .is_ok_and(|locked| inode(&now) == inode(&locked))
        }) {
            return Ok(directory);
        }
    }
}

/// `.NAME.vpython-WHAT` beside `NAME`.
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
    fn a_directory_takes_the_place_of_none_and_of_another() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("deep/env");
        for text in ["one", "two"] {
            let staged = StagedDir::beside(&place).unwrap();
            fs::write_new(&staged.path().join(text), b"", 0o444).unwrap();
            staged.place().unwrap();
            assert_eq!(fs::list(&place).unwrap().unwrap(), [text]);
            assert_eq!(fs::list(place.parent().unwrap()).unwrap().unwrap(), ["env"]);
        }
    }

    #[test]
    fn what_is_not_placed_goes_and_what_was_left_is_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("env");
        fs::create_dir_all(&directory.path().join(".env.vpython-new/bin"), 0o755).unwrap();
        let staged = StagedDir::beside(&place).unwrap();
        assert!(fs::list(staged.path()).unwrap().unwrap().is_empty());
        drop(staged);
        assert!(fs::list(directory.path()).unwrap().unwrap().is_empty());
    }

    #[test]
    fn of_many_who_make_it_each_makes_a_whole_one() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("env");
        let make = |number: usize| {
            for _ in 0..50 {
                let staged = StagedDir::beside(&place).unwrap();
                (0..5).for_each(|file| {
                    fs::write_new(&staged.path().join(format!("{number}-{file}")), b"", 0o444)
                        .unwrap()
                });
                staged.place().unwrap();
            }
        };
        std::thread::scope(|scope| {
            (0..4).for_each(|number| drop(scope.spawn(move || make(number))))
        });
        assert_eq!(fs::list(&place).unwrap().unwrap().len(), 5);
        assert_eq!(fs::list(directory.path()).unwrap().unwrap(), ["env"]);
    }
}
