//! Locks on files and directories. The only file of the crate that calls `fs2`.
//!
//! They are `flock` locks: they belong to the open file and so last across `execve`, and the kernel
//! drops them when their last descriptor is closed, however the process ends. Whatever is wrong
//! with them but that somebody else has one counts as a file system without locks, as on network
//! file systems without a lock service: whoever publishes by rename is safe without.

use std::fs::File;
use std::io::ErrorKind;

/// What came of an attempt to lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The lock is held now.
    Held,
    /// Somebody else holds it.
    Busy,
    /// This file system has no locks, or not on such a file.
    Unsupported,
}

/// Takes a shared lock if that needs no waiting.
#[must_use]
pub fn try_lock_shared(file: &File) -> Attempt {
    attempt(|| fs2::FileExt::try_lock_shared(file))
}

/// Takes an exclusive lock if that needs no waiting.
#[must_use]
pub fn try_lock_exclusive(file: &File) -> Attempt {
    attempt(|| fs2::FileExt::try_lock_exclusive(file))
}

/// Waits for a shared lock, for as long as it takes; where there are no locks, there is nothing to
/// wait for. Ctrl-C ends us as it would any program.
pub fn lock_shared(file: &File) {
    let _ = attempt(|| fs2::FileExt::lock_shared(file));
}

/// Waits for an exclusive lock, for as long as it takes. Tells whether it keeps others out.
#[allow(
    clippy::must_use_candidate,
    reason = "what the lock saves is work, or it saves nothing"
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
    fn shared_locks_stand_beside_each_other() {
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
            "who shares it alone may have it alone"
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
