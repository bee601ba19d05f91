//! Classifying I/O errors: failures of the machine, and conditions of a file.

use std::io::ErrorKind;

use anyhow::{Error, Result};
use nix::errno::Errno;

/// Returns whether a call failed for a reason unrelated to its file: the disk does not respond, or
/// no descriptors or memory are left. The file may well exist, and the caller must not continue as
/// if it did not.
#[must_use]
pub fn is_io_failure(error: &Error) -> bool {
    let numbers = error
        .chain()
        .filter_map(|link| link.downcast_ref::<std::io::Error>()?.raw_os_error());
    numbers.map(Errno::from_raw).any(|errno| {
        matches!(
            errno,
            Errno::EIO
                | Errno::EMFILE
                | Errno::ENFILE
                | Errno::ENOMEM
                | Errno::ENOSPC
                | Errno::EDQUOT
                | Errno::ESTALE
        )
    })
}

/// Turns an error that is not an I/O failure into none: the file does not exist, or the caller has
/// no permission to see it.
///
/// # Errors
/// An I/O failure prevents finding out.
pub fn ok_if_hidden<T>(looked: Result<T>) -> Result<Option<T>> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_io_failure(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Returns whether a call failed because the caller cannot write there: the file system is
/// read-only or full, or the directory belongs to another user.
#[must_use]
pub fn is_unwritable(error: &Error) -> bool {
    let kinds = [
        ErrorKind::ReadOnlyFilesystem,
        ErrorKind::PermissionDenied,
        ErrorKind::StorageFull,
        ErrorKind::QuotaExceeded,
    ];
    kinds.into_iter().any(|kind| is(kind, error))
}

/// Returns whether a call failed because something does not exist, or no longer.
#[must_use]
pub fn is_not_found(error: &Error) -> bool {
    is(ErrorKind::NotFound, error)
}

/// Returns whether a call failed because something exists already.
#[must_use]
pub fn is_already_exists(error: &Error) -> bool {
    is(ErrorKind::AlreadyExists, error)
}

/// Returns whether a rename failed because the file system cannot move a directory, although both
/// names are on it. Overlayfs cannot move a directory of a lower layer unless it was mounted with
/// `redirect_dir=on`.
#[must_use]
pub fn is_immovable(error: &Error) -> bool {
    is(ErrorKind::CrossesDevices, error)
}

/// Returns whether removing a directory failed because it is not empty.
#[must_use]
pub fn is_not_empty(error: &Error) -> bool {
    is(ErrorKind::DirectoryNotEmpty, error)
}

fn is(kind: ErrorKind, error: &Error) -> bool {
    error
        .chain()
        .filter_map(|link| link.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == kind)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_read_only_or_full_file_system_cannot_be_written() {
        let rows = [
            (Errno::EROFS, true),
            (Errno::EACCES, true),
            (Errno::EPERM, true),
            (Errno::ENOSPC, true),
            (Errno::EDQUOT, true),
            (Errno::ENOENT, false),
            (Errno::EIO, false),
        ];
        for (errno, expected) in rows {
            let error = Error::new(std::io::Error::from(errno)).context("cannot create `x`");
            assert_eq!(is_unwritable(&error), expected, "{errno}");
        }
    }

    #[test]
    fn io_failures_are_distinguished_from_conditions_of_the_file() {
        let rows = [
            (Errno::EIO, true),
            (Errno::EMFILE, true),
            (Errno::ENOENT, false),
            (Errno::EACCES, false),
            (Errno::ENAMETOOLONG, false),
        ];
        for (errno, expected) in rows {
            let error = Err::<(), _>(std::io::Error::from(errno))
                .context("cannot open `x`")
                .unwrap_err();
            assert_eq!(is_io_failure(&error), expected, "{errno}");
            assert_eq!(is_not_found(&error), errno == Errno::ENOENT, "{errno}");
        }
    }
}
