//! Locks on files and directories. No other file of the crate calls `fs2`.
//!
//! These are `flock` locks. They belong to the open file and so persist across `execve`; the kernel
//! releases them when the last descriptor is closed, however the process ends. Every error other
//! than a conflicting lock counts as a file system without locks, such as a network file system
//! without a lock service: publishing by rename is safe without locks.

use std::fs::File;
use std::io::ErrorKind;

/// The result of an attempt to lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The lock is held now.
    Held,
    /// Another open file holds a conflicting lock.
    Busy,
    /// The file system does not support locks, or not for such a file.
    Unsupported,
}

/// Takes a shared lock if no wait is needed.
#[must_use]
pub fn try_lock_shared(file: &File) -> Attempt {
    attempt(|| fs2::FileExt::try_lock_shared(file))
}

/// Takes an exclusive lock if no wait is needed.
#[must_use]
pub fn try_lock_exclusive(file: &File) -> Attempt {
    attempt(|| fs2::FileExt::try_lock_exclusive(file))
}

/// Waits for a shared lock without a time limit; returns at once if locks are not supported. Ctrl-C
/// ends the process as usual.
pub fn lock_shared(file: &File) {
    let _ = attempt(|| fs2::FileExt::lock_shared(file));
}

/// Waits for an exclusive lock without a time limit. Returns whether the lock excludes others.
#[allow(
    clippy::must_use_candidate,
    reason = "callers are safe without the lock; it only saves work"
)]
pub fn lock_exclusive(file: &File) -> bool {
    attempt(|| fs2::FileExt::lock_exclusive(file)) == Attempt::Held
}

fn attempt(call: impl Fn() -> std::io::Result<()>) -> Attempt {
    loop {
        let Err(error) = call() else {
            return Attempt::Held;
        };
        match error.kind() {
            ErrorKind::Interrupted => {}
            ErrorKind::WouldBlock => return Attempt::Busy,
            _ => {
                tracing::debug!("no locks: {error}");
                return Attempt::Unsupported;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;

    #[test]
    fn shared_locks_coexist() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let (one, other) = (
            fs::open_or_create(&path).unwrap(),
            fs::open_or_create(&path).unwrap(),
        );
        assert_eq!(try_lock_shared(&one), Attempt::Held);
        assert_eq!(try_lock_shared(&other), Attempt::Held);
        assert_eq!(
            try_lock_exclusive(&fs::open_or_create(&path).unwrap()),
            Attempt::Busy
        );
        drop(other);
        assert_eq!(
            try_lock_exclusive(&one),
            Attempt::Held,
            "the only holder of a shared lock can upgrade it"
        );
    }

    #[test]
    fn what_cannot_be_locked_has_no_locks() {
        let path_only = nix::fcntl::open(
            "/",
            nix::fcntl::OFlag::O_PATH,
            nix::sys::stat::Mode::empty(),
        )
        .unwrap();
        assert_eq!(
            try_lock_shared(&File::from(path_only)),
            Attempt::Unsupported
        );
    }
}
