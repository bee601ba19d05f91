//! Locks on files. The only file of the crate that calls `fs2`.
//!
//! They are `flock` locks: they belong to the open file and so last across `execve`, and the kernel drops them when their last
//! descriptor is closed, however the process ends.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;

use crate::{fs, report};

/// For how long a waiter is silent.
const SILENCE: Duration = Duration::from_secs(1);
/// How often it looks again in that time.
const INTERVAL: Duration = Duration::from_millis(10);

/// What came of an attempt to lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The lock is held now.
    Held,
    /// Somebody else holds it.
    Busy,
    /// This file system has no locks. Whoever publishes by rename is safe without.
    Unsupported,
}

/// Takes a shared lock if that needs no waiting.
pub(super) fn try_shared(file: &File) -> std::io::Result<Attempt> {
    attempt(fs2::FileExt::try_lock_shared(file))
}

/// Takes an exclusive lock if that needs no waiting.
pub(super) fn try_exclusive(file: &File) -> std::io::Result<Attempt> {
    attempt(fs2::FileExt::try_lock_exclusive(file))
}

/// Waits until a shared lock can be had, and gives it back at once.
pub(super) fn wait_shared(file: &File) -> std::io::Result<()> {
    uninterrupted(|| fs2::FileExt::lock_shared(file))?;
    fs2::FileExt::unlock(file)
}

fn attempt(result: std::io::Result<()>) -> std::io::Result<Attempt> {
    let Err(error) = result else { return Ok(Attempt::Held) };
    if error.kind() == ErrorKind::WouldBlock {
        return Ok(Attempt::Busy);
    }
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOLCK | Errno::ENOSYS | Errno::EOPNOTSUPP) => Ok(Attempt::Unsupported),
        Some(Errno::EINTR) => Ok(Attempt::Busy),
        _ => Err(error),
    }
}

/// Shares the lock at `path` until the file is dropped. Whoever has it for himself has it only for a moment.
pub(super) fn share(path: &Path) -> Result<File> {
    let file = fs::open_or_create(path)?;
    let shared = || match attempt(uninterrupted(|| fs2::FileExt::lock_shared(&file)))? {
        Attempt::Held | Attempt::Busy | Attempt::Unsupported => Ok::<_, std::io::Error>(()),
    };
    shared().with_context(|| format!("cannot lock `{}`", path.display()))?;
    Ok(file)
}

/// A build lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct BuildLock {
    _file: File,
    /// Whether it keeps others out; it does not where the file system has no locks.
    pub excludes: bool,
}

impl BuildLock {
    /// Waits for the lock at `path`, for as long as it takes; after a second it says whom it waits for. `what` is what the
    /// holder is doing, as in `building the environment`.
    pub fn wait(path: &Path, what: &str) -> Result<Self> {
        loop {
            let mut file = fs::open_or_create(path)?;
            let excludes = lock_exclusive(&mut file, what).with_context(|| format!("cannot lock `{}`", path.display()))?;
            // Somebody may have removed the file while we waited: then another process holds the lock of that name.
            let is_same = match fs::link_metadata(path)? {
                Some(now) => file.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (now.dev(), now.ino())),
                None => false,
            };
            if is_same {
                sign(&mut file);
                return Ok(Self { _file: file, excludes });
            }
        }
    }
}

/// Takes the lock; false where there are no locks.
fn lock_exclusive(file: &mut File, what: &str) -> std::io::Result<bool> {
    let begin = Instant::now();
    loop {
        match try_exclusive(file)? {
            Attempt::Held => return Ok(true),
            Attempt::Unsupported => return Ok(false),
            Attempt::Busy => {}
        }
        if begin.elapsed() >= SILENCE {
            report::notice(&format!("waiting for {}, which is {what}", holder(file)));
            // In the kernel, which wakes us when the holder is done or dead. Ctrl-C ends us as it would any program.
            return uninterrupted(|| fs2::FileExt::lock_exclusive(file)).map(|()| true);
        }
        std::thread::sleep(INTERVAL);
    }
}

/// Calls again what a signal has interrupted.
fn uninterrupted(call: impl Fn() -> std::io::Result<()>) -> std::io::Result<()> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Writes who holds the lock into its file. Only a message depends on it.
fn sign(file: &mut File) {
    let mut sign = || {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(std::process::id().to_string().as_bytes())
    };
    let _: std::io::Result<()> = sign();
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.rewind().and_then(|()| file.read_to_string(&mut text));
    match text.trim().parse::<u32>() {
        Ok(process) => format!("process {process}"),
        Err(_) => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_one_holders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let lock = BuildLock::wait(&path, "building").unwrap();
        let mut other = fs::open_or_create(&path).unwrap();
        assert_eq!(try_exclusive(&other).unwrap(), Attempt::Busy);
        assert_eq!(holder(&mut other), format!("process {}", std::process::id()));
        drop(lock);
        assert_eq!(try_exclusive(&other).unwrap(), Attempt::Held);
    }

    #[test]
    fn shared_locks_stand_beside_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let (one, other) = (fs::open_or_create(&path).unwrap(), fs::open_or_create(&path).unwrap());
        assert_eq!(try_shared(&one).unwrap(), Attempt::Held);
        assert_eq!(try_shared(&other).unwrap(), Attempt::Held);
        assert_eq!(try_exclusive(&fs::open_or_create(&path).unwrap()).unwrap(), Attempt::Busy);
    }
}
