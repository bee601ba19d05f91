//! Placing a file of the store in an environment: as a copy-on-write copy, a hard link, or a plain
//! copy.
//!
//! The first file shows which of these the file system supports; the others use the same mode.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use tracing::debug;

use crate::fs;

/// The modes, in order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinkMode {
    /// Shares the blocks until one side is written, so that no write can damage the store.
    CopyOnWrite,
    /// Shares the file.
    HardLink,
    /// Shares nothing.
    Copy,
}

/// Places files from one file system in another, or the same.
#[derive(Debug, Default)]
pub(super) struct Linker {
    mode: OnceLock<LinkMode>,
}

impl Linker {
    /// Creates a linker that shares nothing.
    pub fn copying() -> Self {
        Self {
            mode: OnceLock::from(LinkMode::Copy),
        }
    }

    /// Places `from` at `to`, which must not exist, with the permission bits of `from`.
    pub fn put(&self, from: &Path, to: &Path) -> Result<()> {
        match self.mode.get() {
            Some(mode) => put_by(*mode, from, to),
            None => self.put_first(from, to),
        }
    }

    /// Prepares to place `from` at `to` in an environment that may be in use. Returns the temporary
    /// name of the file that is to be renamed; none if `to` is already that file.
    pub fn stage(&self, from: &Path, to: &Path) -> Result<Option<PathBuf>> {
        if fs::are_one(from, to) {
            return Ok(None);
        }
        let is_free = fs::link_metadata(to)?.is_none();
        if is_free && self.shares_files() && link(from, to).is_ok() {
            return Ok(None);
        }
        // The form of the temporary names that python uses for byte code.
        let mut unfinished = to.as_os_str().to_owned();
        unfinished.push(format!(".{}", std::process::id()));
        let unfinished = PathBuf::from(unfinished);
        fs::remove_any(&unfinished)?;
        self.put(from, &unfinished)?;
        Ok(Some(unfinished))
    }

    /// Renames a prepared file to its final name, atomically, and replaces an existing entry.
    pub fn finish(unfinished: &Path, to: &Path) -> Result<()> {
        if fs::link_metadata(to)?.is_some_and(|metadata| metadata.is_dir()) {
            fs::remove_dir_all(to)?;
        }
        fs::rename(unfinished, to)?;
        // If another process has linked the same file meanwhile, `rename` does nothing and leaves
        // both names.
        fs::remove_file(unfinished)
    }

    /// Returns whether files are known to be placed by hard links.
    pub fn shares_files(&self) -> bool {
        self.mode.get() == Some(&LinkMode::HardLink)
    }

    /// Tries the modes in order, and keeps the first that works. Concurrent threads get the same
    /// result.
    fn put_first(&self, from: &Path, to: &Path) -> Result<()> {
        let mode = if put_by(LinkMode::CopyOnWrite, from, to).is_ok() {
            LinkMode::CopyOnWrite
        } else if link(from, to).is_ok() {
            LinkMode::HardLink
        } else {
            put_by(LinkMode::Copy, from, to)?;
            LinkMode::Copy
        };
        debug!(?mode, "link mode");
        let _ = self.mode.set(mode);
        Ok(())
    }
}

/// Places a file in one mode. Whatever error a call returns, this never writes to an existing file
/// at `to`, which may be a hard link to `from`.
fn put_by(mode: LinkMode, from: &Path, to: &Path) -> Result<()> {
    match mode {
        LinkMode::CopyOnWrite => {
            reflink_copy::reflink(from, to).with_context(|| {
                format!("cannot copy `{}` to `{}`", from.display(), to.display())
            })?;
            let metadata = fs::metadata(from)?.context("the file is missing from the store")?;
            fs::set_mode(to, std::os::unix::fs::MetadataExt::mode(&metadata) & 0o7777)
        }
        LinkMode::HardLink => match link(from, to) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(error).context(format!("`{}` already exists", to.display()))
            }
            // The number of hard links to a file is limited, and a network file system may fail for
            // its own reasons.
            Err(error) => {
                let cannot = || {
                    format!(
                        "cannot link `{}` to `{}`: {error}",
                        from.display(),
                        to.display()
                    )
                };
                fs::copy_new(from, to).with_context(cannot)
            }
            Ok(()) => Ok(()),
        },
        LinkMode::Copy => fs::copy_new(from, to),
    }
}

/// Creates a hard link. A link that exists despite an error counts as success: a network file
/// system may have lost the reply.
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    match fs::hard_link(from, to) {
        Err(_) if fs::are_one(from, to) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn every_mode_results_in_the_same_file() {
        let directory = tempfile::tempdir().unwrap();
        let from = directory.path().join("from");
        fs::write_new(&from, b"content", 0o555).unwrap();
        let linker = Linker::default();
        linker.put(&from, &directory.path().join("first")).unwrap();
        linker.put(&from, &directory.path().join("second")).unwrap();
        put_by(LinkMode::HardLink, &from, &directory.path().join("linked")).unwrap();
        put_by(LinkMode::Copy, &from, &directory.path().join("copied")).unwrap();
        for name in ["first", "second", "linked", "copied"] {
            let path = directory.path().join(name);
            assert_eq!(fs::read(&path).unwrap(), b"content");
            assert_eq!(
                fs::metadata(&path).unwrap().unwrap().mode() & 0o7777,
                0o555,
                "{name}"
            );
        }
    }

    #[test]
    fn nothing_is_written_to_what_may_be_the_source() {
        let directory = tempfile::tempdir().unwrap();
        let [from, to, other] = ["from", "to", "other"].map(|name| directory.path().join(name));
        fs::write_new(&from, b"content", 0o444).unwrap();
        fs::hard_link(&from, &to).unwrap();
        put_by(LinkMode::HardLink, &from, &to).unwrap();
        put_by(LinkMode::Copy, &from, &to).unwrap_err();
        Linker::default().put(&from, &to).unwrap();
        assert_eq!(fs::read(&from).unwrap(), b"content");
        fs::write_new(&other, b"other", 0o444).unwrap();
        put_by(LinkMode::HardLink, &from, &other).unwrap_err();
        Linker::copying().put(&from, &other).unwrap_err();
        assert_eq!(fs::read(&other).unwrap(), b"other");
    }

    #[test]
    fn in_an_environment_in_use_a_file_replaces_another_atomically() {
        let directory = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| directory.path().join(name));
        fs::write_new(&from, b"content", 0o444).unwrap();
        for linker in [Linker::default(), Linker::copying()] {
            fs::write_atomically(&to, b"python's").unwrap();
            let unfinished = linker.stage(&from, &to).unwrap().unwrap();
            assert_eq!(fs::read(&to).unwrap(), b"python's");
            Linker::finish(&unfinished, &to).unwrap();
            assert_eq!(
                (
                    fs::read(&to).unwrap(),
                    fs::list(directory.path()).unwrap().unwrap().len()
                ),
                (b"content".to_vec(), 2)
            );
        }
    }
}
