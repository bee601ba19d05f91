//! Making what is missing, once: take the build lock, look again, stage, build, rename.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;
use tracing::info_span;

use super::entry::{self, Entry, Lookup, MANIFEST, Manifest, Use};
use super::lock::{self, BuildLock};
use super::{ASIDE, ASIDE_CONTENT, BUILDING, Store};
use crate::fs::{self, Digest};
use crate::plan::{Key, Plan};
use crate::report;

impl Store {
    /// The environment of a plan; `build` makes it in an empty directory where it does not stand
    /// yet. Of all who ask at once, one builds. It may be called twice: where files of the store
    /// have gone while it built, it gets another chance.
    ///
    /// # Errors
    /// What `build` returns, here or in the process that was waited for; then nothing is left under
    /// the final name.
    pub fn environment(
        &self,
        plan: &Plan,
        key: &Key,
        mut build: impl FnMut(&Path) -> Result<()>,
    ) -> Result<Entry> {
        if let Lookup::Ready(entry) = self.lookup(key)? {
            return Ok(entry);
        }
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
                "`{}` was changed after it was built; it is built anew",
                path.display()
            ));
        }
        // Held until the lookup below has its own: nobody may remove in between what was just
        // built.
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
            _ => anyhow::bail!("the environment `{}` is gone again", path.display()),
        }
    }

    /// While what this gives is held, no unpacked wheel is removed: what a build links must not go
    /// before an environment names it.
    pub fn keep_wheels(&self) -> Result<WheelsKept> {
        lock::share(&self.lock_file(BUILDING)).map(WheelsKept)
    }

    /// Builds an environment and gives it its name, with a lock on it as a program has that runs in
    /// it. What has that name already goes out of the way.
    fn build(
        &self,
        plan: &Plan,
        key: &Key,
        lock: &BuildLock,
        build: &mut impl FnMut(&Path) -> Result<()>,
    ) -> Result<File> {
        let path = self.path_of(key);
        if !lock.excludes {
            let what = "launches at once may each build, and nothing is pruned";
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
        // Nobody else knows of it yet.
        let _ = fs::try_lock_shared(&in_use);
        // After a power cut, what has its final name must be whole, and a warm launch cannot afford
        // to look. One `syncfs` for the environment and the wheels that it links (4 to 9 ms for 200
        // files, 0.3 to 0.5 s for 98 wheels) is cheaper than an `fsync` for each file; and to trust
        // an environment only within the boot that it was built in would cost each launch a look at
        // the boot's id. Unpacked wheels need none of their own: whoever links one looks at the
        // sizes of its files, and a file that was cut off has another.
        info_span!("write to the disk").in_scope(|| self.sync(staged.path()))?;
        if matches!(self.lookup(key)?, Lookup::Changed) {
            // Only now: programs that run in it have its files until there are others in their
            // place.
            self.set_aside(&path)?;
        }
        publish(staged, &path)?;
        fs::sync(&self.environments())?;
        Ok(in_use)
    }

    /// An unpacked wheel. `load` reads its directory; where it is missing, or is no longer what was
    /// unpacked, `unpack` fills an empty one from the wheel at `source`. Of all who ask at once,
    /// one unpacks.
    ///
    /// # Errors
    /// What `unpack` returns, here or in the process that was waited for; then nothing is left
    /// under the final name.
    pub fn wheel<T>(
        &self,
        (digest, source): (&Digest, &Path),
        unpack: impl FnOnce(&Path) -> Result<()>,
        load: impl Fn(&Path) -> Result<T>,
    ) -> Result<T> {
        let making = Making {
            path: self.unpacked_wheel(digest),
            lock: format!("wheel-{digest}"),
            is: "unpacking a wheel that is needed here",
            anew: "unpacked",
            inputs: Digest::of(source.as_os_str().as_encoded_bytes()),
        };
        self.shared(&making, unpack, load)
    }

    /// What is made of an unpacked wheel, and kept in its directory under this name: as with the
    /// wheel itself.
    ///
    /// # Errors
    /// What `make` returns, here or in the process that was waited for; then nothing is left under
    /// the final name.
    pub fn part_of_wheel<T>(
        &self,
        (digest, name): (&Digest, &str),
        make: impl FnOnce(&Path) -> Result<()>,
        load: impl Fn(&Path) -> Result<T>,
    ) -> Result<T> {
        let making = Making {
            path: self.unpacked_wheel(digest).join(name),
            lock: format!("{name}-{digest}"),
            is: "making what is needed here",
            anew: "made",
            inputs: Digest::of(b""),
        };
        self.shared(&making, make, load)
    }

    fn shared<T>(
        &self,
        making: &Making,
        make: impl FnOnce(&Path) -> Result<()>,
        load: impl Fn(&Path) -> Result<T>,
    ) -> Result<T> {
        let Making {
            path,
            lock: name,
            is,
            anew,
            inputs,
        } = making;
        if let Ok(loaded) = load(path) {
            return Ok(loaded);
        }
        let mut lock = BuildLock::wait(&self.lock_file(name), is)?;
        if fs::exists(path) {
            match load(path) {
                Ok(loaded) => return Ok(loaded),
                Err(error) if fs::is_io_failure(&error) => return Err(error),
                Err(error) => {
                    let why = report::one_line(&error);
                    report::warning(&format!(
                        "`{}` is damaged ({why}); it is {anew} anew",
                        path.display()
                    ));
                    self.set_aside(path)?;
                }
            }
        }
        lock.work(inputs, |lock| {
            let staged = self.stage(name, lock)?;
            make(staged.path())?;
            publish(staged, path)
        })?;
        load(path)
    }

    /// A new directory under `tmp/` for what is made under a lock; it is removed with all in it
    /// unless it is given another name. What killed builds under that lock have left is removed
    /// now, since nobody else can be at it.
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

    /// Takes what stands at `path` out of the way. If a program still runs in it, its files stay,
    /// under a name that nobody looks for.
    pub(super) fn set_aside(&self, path: &Path) -> Result<()> {
        let aside = self.move_aside(path)?;
        if entry::use_of(&aside.path().join(ASIDE_CONTENT))? != Use::Free {
            let _ = aside.keep();
        }
        Ok(())
    }

    /// Removes what stands at `path`, which nobody uses: nobody finds half of it.
    pub(super) fn remove_aside(&self, path: &Path) -> Result<()> {
        let directory = self.move_aside(path)?.keep();
        fs::remove_dir_all(&directory)
    }

    fn move_aside(&self, path: &Path) -> Result<TempDir> {
        loop {
            let aside = temporary(&self.staging(), ASIDE)?;
            match fs::rename(path, &aside.path().join(ASIDE_CONTENT)) {
                // Whoever prunes takes an empty directory for one that a killed process has left.
                Err(_) if !fs::exists(aside.path()) => {}
                // Somebody else was first.
                Err(_) if fs::link_metadata(path)?.is_none() => return Ok(aside),
                moved => return moved.map(|()| aside),
            }
        }
    }
}

/// Keeps the unpacked wheels of a store until it is dropped.
pub struct WheelsKept(#[expect(dead_code, reason = "its lock is what it is for")] File);

/// Something that environments share, and how it is made.
struct Making<'a> {
    path: PathBuf,
    /// The name of the lock under which it is made.
    lock: String,
    /// What its holder is doing, for those who wait.
    is: &'a str,
    /// What is done where it is damaged.
    anew: &'a str,
    /// All that making it depends on besides the name of the lock.
    inputs: Digest,
}

/// What a build depends on beside the key, as far as it can fail for one and not for the other:
/// where the wheels lie.
fn inputs(plan: &Plan) -> Digest {
    let mut text = Vec::new();
    for wheel in &plan.wheels {
        text.extend_from_slice(wheel.path.as_os_str().as_encoded_bytes());
        text.push(0);
    }
    text.extend_from_slice(format!("{:?}", plan.unavailable).as_bytes());
    Digest::of(&text)
}

/// A new directory in `directory`, for its owner alone, which is removed when this is dropped.
pub(super) fn temporary(directory: &Path, prefix: &str) -> Result<TempDir> {
    let made = tempfile::Builder::new()
        .prefix(prefix)
        .tempdir_in(directory);
    made.with_context(|| format!("cannot create a directory in `{}`", directory.display()))
}

/// Gives a staged directory its final name. Where the directory is there already, somebody without
/// locks was first, and theirs is as good.
fn publish(staged: TempDir, path: &Path) -> Result<()> {
    fs::set_mode(staged.path(), 0o755)?;
    match fs::rename(staged.path(), path) {
        Ok(()) => {
            // The name is gone, and with it the need to clean up.
            let _ = staged.keep();
            Ok(())
        }
        Err(_) if fs::exists(path) => Ok(()),
        Err(error) => Err(error).context("cannot publish what was built"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::{Act, Limits, Usage};

    #[test]
    fn what_goes_aside_goes_whoever_prunes_meanwhile() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store {
            layout: directory.path().join("v1"),
            user: 0,
            is_throw_away: false,
        };
        store.prepare().unwrap();
        let limits = Limits {
            older_than: Duration::ZERO,
            max_size: None,
            until: None,
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
