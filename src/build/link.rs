//! Putting a file of the store into an environment: as a copy-on-write copy, a second name, or a plain copy.
//!
//! Which of these the file system can do is found with the first file, and not asked again for each.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result};
use nix::errno::Errno;
use tracing::debug;

use crate::fs;

/// The ways, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
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
    way: OnceLock<Way>,
}

impl Linker {
    /// One that shares nothing.
    pub fn copying() -> Self {
        Self { way: OnceLock::from(Way::Copy) }
    }

    /// Puts `from` at `to`, where nothing stands, with the permission bits of `from`.
    pub fn put(&self, from: &Path, to: &Path) -> Result<()> {
        match self.way.get() {
            Some(way) => put_by(*way, from, to),
            None => self.put_first(from, to),
        }
    }

    /// Puts `from` at `to` in one step, in an environment that may be in use. What stands there already stays.
    pub fn put_in_use(&self, from: &Path, to: &Path) -> Result<()> {
        if fs::link_metadata(to)?.is_some() {
            return Ok(());
        }
        if self.way.get() == Some(&Way::HardLink) {
            match fs::hard_link(from, to) {
                Err(error) if error.raw_os_error() == Some(Errno::EMLINK as i32) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
                result => return result.with_context(|| format!("cannot link `{}` to `{}`", from.display(), to.display())),
            }
        }
        // As python calls what is to become byte code.
        let mut unfinished = to.as_os_str().to_owned();
        unfinished.push(format!(".{}", std::process::id()));
        let unfinished = Path::new(&unfinished);
        fs::remove_file(unfinished)?;
        self.put(from, unfinished)?;
        fs::rename(unfinished, to)?;
        // If somebody else has put the same file there meanwhile, both names are left.
        fs::remove_file(unfinished)
    }

    /// Tries the ways in turn, and keeps the one that works. Threads that do so at once come to the same answer.
    fn put_first(&self, from: &Path, to: &Path) -> Result<()> {
        for way in [Way::CopyOnWrite, Way::HardLink] {
            if put_by(way, from, to).is_ok() {
                debug!(?way, "files are shared with the store");
                let _ = self.way.set(way);
                return Ok(());
            }
        }
        let _ = self.way.set(Way::Copy);
        put_by(Way::Copy, from, to)
    }
}

fn put_by(way: Way, from: &Path, to: &Path) -> Result<()> {
    match way {
        Way::CopyOnWrite => {
            reflink_copy::reflink(from, to)
                .with_context(|| format!("cannot copy `{}` to `{}`", from.display(), to.display()))?;
            let metadata = fs::metadata(from)?.context("the store has lost a file")?;
            fs::set_mode(to, std::os::unix::fs::MetadataExt::mode(&metadata) & 0o7777)
        }
        Way::HardLink => match fs::hard_link(from, to) {
            // A file can have only so many names.
            Err(error) if error.raw_os_error() == Some(Errno::EMLINK as i32) => fs::copy(from, to),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(error).context(format!("`{}` is there already", to.display()))
            }
            result => result.with_context(|| format!("cannot link `{}` to `{}`", from.display(), to.display())),
        },
        Way::Copy => fs::copy(from, to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn every_way_gives_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        fs::write_new(&from, b"content", 0o555).unwrap();
        let linker = Linker::default();
        linker.put(&from, &folder.path().join("first")).unwrap();
        linker.put(&from, &folder.path().join("second")).unwrap();
        put_by(Way::HardLink, &from, &folder.path().join("linked")).unwrap();
        put_by(Way::Copy, &from, &folder.path().join("copied")).unwrap();
        for name in ["first", "second", "linked", "copied"] {
            let path = folder.path().join(name);
            assert_eq!(fs::read(&path).unwrap(), b"content");
            assert_eq!(fs::metadata(&path).unwrap().unwrap().mode() & 0o7777, 0o555, "{name}");
        }
    }
}
