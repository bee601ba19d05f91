//! Syncing written data to disk.
//!
//! Some file systems do not support this, and some containers refuse the call: a seccomp filter
//! returns `EPERM` or `ENOSYS`. A refused call is replaced by `sync`, which waits for all file
//! systems and cannot fail. A write error of the disk is always an error.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;

use super::open;
use crate::report::progress;

/// Waits until everything that any process has written to the file system of `path` is on disk.
///
/// # Errors
/// The data cannot be written to disk.
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

/// Waits until the content of a file, or the entries of a directory, are on disk.
///
/// # Errors
/// The data cannot be written to disk.
pub fn sync(path: &Path) -> Result<()> {
    unless_refused(open(path)?.sync_all())
        .with_context(|| format!("cannot sync `{}` to disk", path.display()))
}

/// Like [`sync`], for an open file. The error does not name the path, which the caller adds.
pub(super) fn sync_open(file: &File) -> std::io::Result<()> {
    unless_refused(file.sync_all())
}

/// Replaces a refused call by `sync`.
fn unless_refused(synced: std::io::Result<()>) -> std::io::Result<()> {
    let Err(error) = synced else { return Ok(()) };
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOSYS | Errno::EPERM) => {
            nix::unistd::sync();
            Ok(())
        }
        // The kind of file or file system does not support syncing.
        Some(Errno::EINVAL | Errno::ENOTSUP) => Ok(()),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_write_error_is_an_error_and_not_a_refused_call() {
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
