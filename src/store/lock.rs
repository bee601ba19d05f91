//! Build locks: of concurrent processes that need the same thing, one builds it. The others wait,
//! and report which process they wait for.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::shared_failure::SharedFailure;
use crate::fs::{Attempt, Digest};
use crate::{fs, report};

/// The time after which a waiting process prints a notice.
const SILENCE: Duration = Duration::from_secs(1);
/// The polling interval before that.
const INTERVAL: Duration = Duration::from_millis(10);

/// Takes a shared lock at `path` until the file is dropped. Exclusive holders keep the lock only
/// for a moment.
pub(super) fn share(path: &Path) -> Result<File> {
    let file = fs::open_or_create(path)?;
    fs::lock_shared(&file);
    Ok(file)
}

/// A build lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct BuildLock {
    file: File,
    /// Whether it excludes others; it does not if the file system has no locks.
    pub excludes: bool,
    /// The failure that the previous holder left.
    left: Option<SharedFailure>,
}

impl BuildLock {
    /// Waits for the lock at `path` without a time limit; after a second it prints which process it
    /// waits for. `what` is the holder's activity, as in `building the environment`.
    pub fn wait(path: &Path, what: &str) -> Result<Self> {
        loop {
            let mut file = fs::open_or_create(path)?;
            let taken = lock_exclusive(&mut file, what);
            // If the file was removed meanwhile, another process may hold a lock with this name.
            let is_same = fs::is_at(&file, path)?;
            if is_same {
                let Taken { excludes, left } = taken;
                return Ok(Self {
                    file,
                    excludes,
                    left: left.as_deref().and_then(SharedFailure::parse),
                });
            }
        }
    }

    /// Does the work under the lock, unless the process that was waited for has just failed at it:
    /// then this call returns the same error. `inputs` is a digest of everything that the work
    /// depends on besides the lock's name.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn work<T>(&mut self, inputs: &Digest, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        if let Some(failure) = self.left.take().and_then(|left| left.of(inputs)) {
            return Err(failure.into());
        }
        sign(&mut self.file, std::process::id().to_string().as_bytes());
        let result = work(self);
        if let Some(failure) = result
            .as_ref()
            .err()
            .and_then(|error| SharedFailure::new(error, inputs))
        {
            sign(&mut self.file, &failure.render());
        }
        result
    }
}

/// A lock that was taken.
struct Taken {
    /// Whether it excludes others.
    excludes: bool,
    /// The content of its file, if it has changed since the wait began. So a process never reports
    /// a failure older than its own start, and compares no times: the clocks of two machines may
    /// differ.
    left: Option<String>,
}

/// Takes the lock.
fn lock_exclusive(file: &mut File, what: &str) -> Taken {
    let begin = Instant::now();
    let mut before: Option<String> = None;
    loop {
        match fs::try_lock_exclusive(file) {
            Attempt::Held => {
                return Taken {
                    excludes: true,
                    left: before.and_then(|before| changed_text(file, &before)),
                };
            }
            Attempt::Unsupported => {
                return Taken {
                    excludes: false,
                    left: None,
                };
            }
            Attempt::Busy => {}
        }
        let before = before.get_or_insert_with(|| text(file));
        if begin.elapsed() >= SILENCE {
            report::notice(&format!("waiting for {}, which is {what}", holder(file)));
            // Block in the kernel, which wakes this process when the holder releases the lock or
            // dies.
            let excludes = fs::lock_exclusive(file);
            return Taken {
                excludes,
                left: changed_text(file, before),
            };
        }
        std::thread::sleep(INTERVAL);
    }
}

fn changed_text(file: &mut File, before: &str) -> Option<String> {
    Some(text(file)).filter(|now| now != before)
}

/// Writes the holder's process ID, or its failure, into the lock's file. If that fails, waiting
/// processes print no process ID and repeat the work.
fn sign(file: &mut File, content: &[u8]) {
    let mut sign = || {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(content)
    };
    let _: std::io::Result<()> = sign();
}

fn text(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file
        .rewind()
        .and_then(|()| file.take(fs::limits::LIST.bytes).read_to_string(&mut text));
    text
}

fn holder(file: &mut File) -> String {
    match text(file).trim().parse::<u32>() {
        Ok(process) => format!("process {process}"),
        Err(_) => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_holder() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.lock");
        let mut lock = BuildLock::wait(&path, "building").unwrap();
        let mut other = fs::open_or_create(&path).unwrap();
        lock.work(&Digest::of(b""), |_| {
            assert_eq!(fs::try_lock_exclusive(&other), Attempt::Busy);
            assert_eq!(
                holder(&mut other),
                format!("process {}", std::process::id())
            );
            Ok(())
        })
        .unwrap();
        drop(lock);
        assert_eq!(fs::try_lock_exclusive(&other), Attempt::Held);
    }

    #[test]
    fn only_waiters_with_the_same_inputs_share_a_failure() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.lock");
        let (inputs, others) = (Digest::of(b"inputs"), Digest::of(b"others"));
        let mut first = BuildLock::wait(&path, "building").unwrap();
        let mut waiters = [inputs, others].map(|inputs| {
            let mut file = fs::open_or_create(&path).unwrap();
            (text(&mut file), file, inputs)
        });
        first
            .work(&inputs, |_| Err::<(), _>(anyhow::anyhow!("no luck")))
            .unwrap_err();
        drop(first);
        let results = waiters.each_mut().map(|(before, file, inputs)| {
            let left = changed_text(file, before)
                .as_deref()
                .and_then(SharedFailure::parse);
            let mut lock = BuildLock {
                file: file.try_clone().unwrap(),
                excludes: true,
                left,
            };
            lock.work(inputs, |_| Ok(()))
                .map_err(|error| error.to_string())
        });
        assert_eq!(results, [Err("no luck".to_owned()), Ok(())]);
        let mut late = BuildLock::wait(&path, "building").unwrap();
        assert!(
            late.work(&inputs, |_| Ok(())).is_ok(),
            "a later process tries again"
        );
    }
}
