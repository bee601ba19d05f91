//! Putting a file of the store into an environment: as a copy-on-write copy, a second name, or a
//! plain copy.
//!
//! Which of these the file system can do is found with the first file, and not asked again for
//! each.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use tracing::debug;

use crate::fs;

/// The ways, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinkMode {
    /// Shares the blocks until one side is written: nobody can harm the store through it.
    CopyOnWrite,
    /// Shares the file.
    HardLink,
    /// Shares nothing.
    Copy,
}

/// Puts files from one file system into a place.
#[derive(Debug, Default)]
pub(super) struct Linker {
    way: OnceLock<LinkMode>,
}

impl Linker {
    /// One that shares nothing.
    pub fn copying() -> Self {
        Self {
            way: OnceLock::from(LinkMode::Copy),
        }
    }

    /// Puts `from` at `to`, where nothing stands, with the permission bits of `from`.
    pub fn put(&self, from: &Path, to: &Path) -> Result<()> {
        match self.way.get() {
            Some(way) => put_by(*way, from, to),
            None => self.put_first(from, to),
        }
    }

    /// Readies `from` for the name `to` in an environment that may be in use. Gives the unfinished
    /// name of the file that is to be renamed; none where `to` is the file already.
    pub fn stage(&self, from: &Path, to: &Path) -> Result<Option<PathBuf>> {
        if fs::are_one(from, to) {
            return Ok(None);
        }
        let is_free = fs::link_metadata(to)?.is_none();
        if is_free && self.shares_files() && link(from, to).is_ok() {
            return Ok(None);
        }
        // As python calls what is to become byte code.
        let mut unfinished = to.as_os_str().to_owned();
        unfinished.push(format!(".{}", std::process::id()));
        let unfinished = PathBuf::from(unfinished);
        fs::remove_any(&unfinished)?;
        self.put(from, &unfinished)?;
        Ok(Some(unfinished))
    }

    /// Gives a file that was readied its name, in one step. What has that name goes.
    pub fn finish(unfinished: &Path, to: &Path) -> Result<()> {
        if fs::link_metadata(to)?.is_some_and(|metadata| metadata.is_dir()) {
            fs::remove_dir_all(to)?;
        }
        fs::rename(unfinished, to)?;
        // If somebody else has put the same file there meanwhile, both names are left.
        fs::remove_file(unfinished)
    }

    /// Whether it is known that files are put by giving them second names.
    pub fn shares_files(&self) -> bool {
        self.way.get() == Some(&LinkMode::HardLink)
    }

    /// Tries the ways in turn, and keeps the one that works. Threads that do so at once come to the
    /// same answer.
    fn put_first(&self, from: &Path, to: &Path) -> Result<()> {
        let way = if put_by(LinkMode::CopyOnWrite, from, to).is_ok() {
            LinkMode::CopyOnWrite
        } else if link(from, to).is_ok() {
            LinkMode::HardLink
        } else {
            put_by(LinkMode::Copy, from, to)?;
            LinkMode::Copy
        };
        debug!(?way, "how files are put");
        let _ = self.way.set(way);
        Ok(())
    }
}

/// Puts a file by one way. Whatever a call says, nothing is ever written to what stands at `to`,
/// which may be `from` under its second name.
fn put_by(way: LinkMode, from: &Path, to: &Path) -> Result<()> {
    match way {
        LinkMode::CopyOnWrite => {
            reflink_copy::reflink(from, to).with_context(|| {
                format!("cannot copy `{}` to `{}`", from.display(), to.display())
            })?;
            let metadata = fs::metadata(from)?.context("the store has lost a file")?;
            fs::set_mode(to, std::os::unix::fs::MetadataExt::mode(&metadata) & 0o7777)
        }
        LinkMode::HardLink => match link(from, to) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(error).context(format!("`{}` is there already", to.display()))
            }
            // A file can have only so many names, and a file server its moods.
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

/// Gives a file a second name. One that was given, and reported as failed, is given all the same:
/// so a file server is heard whose answer was lost.
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
    fn every_way_gives_the_same_file() {
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
    fn in_an_environment_that_is_in_use_a_file_takes_the_place_of_another_at_once() {
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
