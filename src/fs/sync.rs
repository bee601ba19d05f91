//! Waiting until what was written is on the disk.
//!
//! Some file systems cannot do that, and some containers refuse the call (a seccomp filter answers
//! `EPERM` or `ENOSYS`). For a refused call there is `sync`, which waits for all file systems and
//! cannot fail. A disk that cannot take what was written is always an error.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;

use super::open;
use crate::report::progress;

/// Waits until all that was written to the file system of `path`, by whomever, is on the disk.
///
/// # Errors
/// The disk cannot take it.
pub fn sync_file_system(path: &Path) -> Result<()> {
    progress::phase("writing to disk");
    let synced = nix::unistd::syncfs(open(path)?).map_err(std::io::Error::from);
    unless_refused(synced).with_context(|| {
        format!(
            "cannot sync the file system of `{}` to disk",
            path.display()
        )
    })
}

/// Waits until what a file has in it, or what a directory lists, is on the disk.
///
/// # Errors
/// The disk cannot take it.
pub fn sync(path: &Path) -> Result<()> {
    unless_refused(open(path)?.sync_all())
        .with_context(|| format!("cannot sync `{}` to disk", path.display()))
}

/// The same for an open file. The bare error is returned, since the caller knows the path.
pub(super) fn sync_open(file: &File) -> std::io::Result<()> {
    unless_refused(file.sync_all())
}

fn unless_refused(synced: std::io::Result<()>) -> std::io::Result<()> {
    let Err(error) = synced else { return Ok(()) };
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOSYS | Errno::EPERM) => {
            nix::unistd::sync();
            Ok(())
        }
        // Such a file, or such a file system, has nothing to wait for.
        Some(Errno::EINVAL | Errno::ENOTSUP) => Ok(()),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_call_is_no_error_and_a_broken_disk_is_one() {
        let rows = [
            (Errno::ENOSYS, true),
            (Errno::EPERM, true),
            (Errno::EINVAL, true),
            (Errno::ENOTSUP, true),
            (Errno::EIO, false),
            (Errno::ENOSPC, false),
            (Errno::EDQUOT, false),
        ];
        for (errno, expected) in rows {
            assert_eq!(
                unless_refused(Err(errno.into())).is_ok(),
                expected,
                "{errno}"
            );
        }
    }
}
