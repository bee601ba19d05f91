//! Building what is missing, once: take the build lock, look again, stage, build, rename.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;
use tracing::info_span;

use super::entry::{self, Entry, Lookup, MANIFEST, Manifest, Use};
use super::lock::{self, BuildLock};
use super::{ASIDE, ASIDE_CONTENT, BUILDING, Store};
use crate::fs::{self, Digest, Marks};
use crate::plan::{Key, Plan};
use crate::report;

impl Store {
    /// Returns the environment of a plan, from the store or else from a shared root. If it is
    /// missing, `build` builds it in an empty directory; concurrent callers share a single build.
    /// `build` may be called twice: if files of the store disappear while it runs, it is retried.
    ///
    /// # Errors
    /// The error of `build`, here or in the process that was waited for; nothing is left under the
    /// final name.
    pub fn environment(
        &self,
        plan: &Plan,
        key: &Key,
        mut build: impl FnMut(&Path) -> Result<()>,
    ) -> Result<Entry> {
        match self.lookup(key)? {
            Lookup::Ready(entry) => return Ok(entry),
            Lookup::Absent if !self.shared.is_empty() => {
                if let Some(entry) = self.find_shared(key) {
                    return Ok(entry);
                }
                // Now the store itself is needed, even if it cannot be written.
                self.prepare()?;
            }
            _ => {}
        }
        // Look again under the lock: another process may have built it.
        let mut lock = BuildLock::wait(&self.lock_file(key.as_str()), "building this environment")?;
        let _building = self.keep_wheels()?;
        let is_changed = loop {
            match self.lookup(key)? {
                Lookup::Ready(entry) => return Ok(entry),
                Lookup::Busy => self.wait_for(key)?,
                Lookup::Changed => break true,
                Lookup::Absent => break false,
            }
        };
        let path = self.path_of(key);
        if is_changed {
            report::warning(&format!(
                "`{}` was changed after it was built; vpython rebuilds it",
                path.display()
            ));
        }
        // A lock held until the lookup below has its own, so that no process removes the new
        // environment in between.
        let _in_use = lock.work(&inputs(plan), |lock| {
            let result = self.build(plan, key, lock, &mut build);
            match result {
                Err(error) if fs::is_not_found(&error) => {
                    tracing::debug!("building again: {error:#}");
                    self.prepare()?;
                    self.build(plan, key, lock, &mut build)
                }
                result => result,
            }
        })?;
        match self.lookup(key)? {
            Lookup::Ready(entry) => Ok(entry),
            _ => anyhow::bail!("the environment `{}` was removed meanwhile", path.display()),
        }
    }

    /// Keeps all unpacked wheels until the result is dropped: a wheel that a build links must not
    /// be removed before an environment refers to it.
    pub fn keep_wheels(&self) -> Result<WheelsKept> {
        lock::share(&self.lock_file(BUILDING)).map(WheelsKept)
    }

    /// Builds an environment and publishes it, with the same lock on it as a running program has.
    /// Any existing entry with that name is moved aside first.
    fn build(
        &self,
        plan: &Plan,
        key: &Key,
        lock: &BuildLock,
        build: &mut impl FnMut(&Path) -> Result<()>,
    ) -> Result<File> {
        let path = self.path_of(key);
        if !lock.excludes {
            let what = "concurrent launches may each build, and nothing is pruned";
            report::notice(&format!(
                "the file system of `{}` has no locks: {what}",
                self.root().display()
            ));
        }
        let staged = self.stage(key.as_str(), lock)?;
        build(staged.path())?;
        let manifest = Manifest::of(plan, key, staged.path())?;
        fs::write_new(
            &staged.path().join(MANIFEST),
            &fs::seal(&serde_json::to_vec_pretty(&manifest)?),
            0o444,
        )?;
        let in_use = fs::open(&staged.path().join(MANIFEST))?;
        // No other process knows of it yet.
        let _ = fs::try_lock_shared(&in_use);
        // After a power failure, an entry with its final name must be complete, and a warm launch
        // cannot afford to check. One `syncfs` for the environment and the wheels that it links (4
        // to 9 ms for 200 files, 0.3 to 0.5 s for 98 wheels) is cheaper than an `fsync` for each
        // file. Trusting an environment only within the boot in which it was built would cost each
        // launch a look at the boot ID. Unpacked wheels need no sync of their own: a build that
        // links one checks the sizes of its files, and a truncated file has a different size.
        info_span!("write to the disk").in_scope(|| self.sync(staged.path()))?;
        if matches!(self.lookup(key)?, Lookup::Changed) {
            // Only now: programs that run in the old environment keep their files until the new one
            // is ready.
            self.set_aside(&path)?;
        }
        publish(staged, &path)?;
        fs::sync(&self.environments())?;
        Ok(in_use)
    }

    /// Returns an unpacked wheel. `load` reads its directory; if the directory is missing or
    /// damaged, `unpack` fills an empty one from the wheel at `source`, and returns what `load`
    /// would return. Concurrent callers share a single unpacking.
    ///
    /// # Errors
    /// The error of `unpack`, here or in the process that was waited for; nothing is left under the
    /// final name.
    pub fn wheel<T>(
        &self,
        digest: &Digest,
        source: &Path,
        unpack: impl FnOnce(&Path) -> Result<T>,
        load: impl Fn(&Path) -> Result<T>,
    ) -> Result<T> {
        let making = Making {
            path: self.unpacked_wheel(digest),
            lock: wheel_lock(&digest.to_string()),
            activity: "unpacking a required wheel",
            remedy: "unpacks it again",
            inputs: Digest::of(source.as_os_str().as_encoded_bytes()),
        };
        self.shared(&making, unpack, load)
    }

    /// Returns something that is derived from an unpacked wheel and kept in its directory under
    /// this name, in the same way as [`Store::wheel`].
    ///
    /// # Errors
    /// The error of `make`, here or in the process that was waited for; nothing is left under the
    /// final name.
    pub fn part_of_wheel<T>(
        &self,
        digest: &Digest,
        name: &str,
        make: impl FnOnce(&Path) -> Result<T>,
        load: impl Fn(&Path) -> Result<T>,
    ) -> Result<T> {
        let making = Making {
            path: self.unpacked_wheel(digest).join(name),
            lock: format!("{name}-{digest}"),
            activity: "compiling a required wheel",
            remedy: "rebuilds it",
            inputs: Digest::of(b""),
        };
        self.shared(&making, make, load)
    }

    /// Loads something that environments share, and builds it first if it is missing or damaged.
    pub(super) fn shared<T>(
        &self,
        making: &Making,
        make: impl FnOnce(&Path) -> Result<T>,
        load: impl Fn(&Path) -> Result<T>,
    ) -> Result<T> {
        let Making {
            path,
            lock: name,
            activity,
            remedy,
            inputs,
        } = making;
        if let Ok(loaded) = load(path) {
            return Ok(loaded);
        }
        // Look again under the lock: another process may have built it, or it is damaged.
        let mut lock = BuildLock::wait(&self.lock_file(name), activity)?;
        let mut is_damaged = false;
        if fs::exists(path) {
            match load(path) {
                Ok(loaded) => return Ok(loaded),
                Err(error) if fs::is_io_failure(&error) => return Err(error),
                Err(error) => {
                    let why = report::one_line(&error);
                    report::warning(&format!(
                        "`{}` is damaged ({why}); vpython {remedy}",
                        path.display()
                    ));
                    is_damaged = true;
                }
            }
        }
        // Build it in a staging directory, and publish it by rename.
        lock.work(inputs, |lock| {
            let staged = self.stage(name, lock)?;
            let result = make(staged.path())?;
            if is_damaged {
                // Only now: programs that use it keep it until the new one is ready.
                self.set_aside(path)?;
            }
            publish(staged, path)?;
            Ok(result)
        })
    }

    /// Creates a directory under `tmp/` for work under a lock. It is removed on drop unless it is
    /// renamed. This call first removes leftovers of killed builds under the same lock, which no
    /// other process can be using.
    fn stage(&self, name: &str, lock: &BuildLock) -> Result<TempDir> {
        let (directory, prefix) = (self.staging(), format!("{name}-"));
        if lock.excludes {
            for leftover in fs::list(&directory)?.unwrap_or_default() {
                if leftover.to_string_lossy().starts_with(&prefix) {
                    fs::remove_any(&directory.join(leftover))?;
                }
            }
        }
        temporary(&directory, &prefix)
    }

    /// Moves an entry out of the way. If a program still runs in it, its files stay, under a name
    /// that no launch uses; on a file system that cannot rename them, the program keeps only the
    /// files that it has open. The caller holds the build lock of the entry.
    pub(super) fn set_aside(&self, path: &Path) -> Result<()> {
        let aside = self.move_aside(path)?;
        if entry::use_of(&aside.path().join(ASIDE_CONTENT))? != Use::Free {
            let _ = aside.keep();
        }
        Ok(())
    }

    /// Removes an unused entry, so that no process mistakes a part of it for a complete entry. The
    /// caller holds the build lock of the entry.
    pub(super) fn remove_aside(&self, path: &Path) -> Result<()> {
        let directory = self.move_aside(path)?.keep();
        fs::remove_dir_all(&directory)
    }

    fn move_aside(&self, path: &Path) -> Result<TempDir> {
        loop {
            let aside = temporary(&self.staging(), ASIDE)?;
            match fs::rename(path, &aside.path().join(ASIDE_CONTENT)) {
                // A concurrent prune may have removed the empty directory as garbage.
                Err(_) if !fs::exists(aside.path()) => {}
                // Another process was faster.
                Err(_) if fs::link_metadata(path)?.is_none() => return Ok(aside),
                // The entry is part of a container image. Without its marks it is a ruin, both for
                // launches and, if this process is killed, for the next one that removes it.
                Err(error) if fs::is_immovable(&error) => {
                    fs::remove_in_place(path, Marks::First)?;
                    return Ok(aside);
                }
                moved => return moved.map(|()| aside),
            }
        }
    }
}

/// Keeps the unpacked wheels of a store until it is dropped.
pub struct WheelsKept(#[expect(dead_code, reason = "holds the lock")] File);

/// Something that environments share, and how to create it.
pub(super) struct Making<'a> {
    pub path: PathBuf,
    /// The name of its build lock.
    pub lock: String,
    /// The holder's activity, for the notice of waiting processes.
    pub activity: &'a str,
    /// What vpython does if it is damaged, for the warning.
    pub remedy: &'a str,
    /// A digest of everything that the work depends on besides the name of the lock.
    pub inputs: Digest,
}

/// Returns the name of the lock under which the wheel of a digest is unpacked.
pub(super) fn wheel_lock(digest: &str) -> String {
    format!("wheel-{digest}")
}

/// Returns the name of the lock under which the interpreter from an image is fetched.
pub(super) fn python_lock(digest: &str) -> String {
    format!("python-{digest}")
}

/// Returns a digest of what a build depends on besides the key, as far as it can cause a failure in
/// one process and not in another: the locations of the wheels.
fn inputs(plan: &Plan) -> Digest {
    let mut text = Vec::new();
    for wheel in &plan.wheels {
        text.extend_from_slice(wheel.path.as_os_str().as_encoded_bytes());
        text.push(0);
    }
    text.extend_from_slice(format!("{:?}", plan.unavailable).as_bytes());
    Digest::of(&text)
}

/// Creates a directory in `directory`, accessible only to its owner, which is removed on drop.
pub(super) fn temporary(directory: &Path, prefix: &str) -> Result<TempDir> {
    let made = tempfile::Builder::new()
        .prefix(prefix)
        .tempdir_in(directory);
    made.with_context(|| format!("cannot create a directory in `{}`", directory.display()))
}

/// Renames a staged directory to its final name. If that exists already, a process without locks
/// was faster, and its result is as good.
fn publish(staged: TempDir, path: &Path) -> Result<()> {
    fs::set_mode(staged.path(), 0o755)?;
    match fs::rename(staged.path(), path) {
        Ok(()) => {
            // The staged name no longer exists, so there is nothing to clean up.
            let _ = staged.keep();
            Ok(())
        }
        Err(_) if fs::exists(path) => Ok(()),
        Err(error) => Err(error).context("cannot move the build result into place"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::{Act, Limits, Usage};

    #[test]
    fn moving_aside_works_during_a_concurrent_prune() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store {
            layout: directory.path().join("v1"),
            user: 0,
            is_throw_away: false,
            is_read_only: false,
            shared: crate::store::SharedRoots::default(),
        };
        store.prepare().unwrap();
        let limits = Limits {
            older_than: Duration::ZERO,
            max_size: None,
            until: None,
            keeps_answers: true,
        };
        let remove = |number: usize| {
            for round in 0..200 {
                let path = store.environments().join(format!("{number}-{round}"));
                fs::create_dir_all(&path.join("bin"), 0o700).unwrap();
                if round % 2 == 0 {
                    store.remove_aside(&path).unwrap();
                } else {
                    store.set_aside(&path).unwrap();
                }
                assert!(!fs::exists(&path));
                store.set_aside(&path).unwrap();
            }
        };
        let prune = || {
            for _ in 0..400 {
                store
                    .prune(&limits, &Usage::default(), Act::Remove)
                    .unwrap();
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| remove(1));
            scope.spawn(|| remove(2));
            scope.spawn(prune);
            scope.spawn(prune);
        });
    }
}
