//! Errors that tell of the machine and not of the file.

use std::io::ErrorKind;

use anyhow::{Error, Result};
use nix::errno::Errno;

/// Whether a call failed for a reason that has nothing to do with what it was asked for: the disk
/// does not answer, or there are no descriptors or no memory left. What could not be looked at then
/// may well be there, and nobody may go on as if it were not.
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

/// What a look at a path gives, where it can be seen; none where there is none, or it is not for us
/// to see.
///
/// # Errors
/// Nobody can tell, for a reason that lies in the system.
pub fn ok_if_hidden<T>(looked: Result<T>) -> Result<Option<T>> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_io_failure(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether a call failed because something is not there, or no longer.
#[must_use]
pub fn is_not_found(error: &Error) -> bool {
    is(ErrorKind::NotFound, error)
}

/// Whether a call failed because something is there already.
#[must_use]
pub fn is_already_exists(error: &Error) -> bool {
    is(ErrorKind::AlreadyExists, error)
}

/// Whether a call failed because a directory that was to be removed has something in it.
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
    fn the_systems_faults_are_told_from_the_files() {
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
