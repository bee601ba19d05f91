//! Making what is missing, once: take the build lock, look again, stage, build, rename.

use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::entry::{self, Entry, Lookup, MANIFEST, Manifest};
use super::lock::{self, BuildLock};
use super::{ASIDE, ASIDE_CONTENT, BUILDING, Store};
use crate::fs::{self, Digest};
use crate::plan::{Key, Plan};
use crate::report;

impl Store {
    /// The environment of a plan; `build` makes it in an empty folder where it does not stand yet. Of all who ask at once, one
    /// builds.
    ///
    /// # Errors
    /// What `build` returns; then nothing is left under the final name.
    pub fn environment(&self, plan: &Plan, key: &Key, build: impl FnOnce(&Path) -> Result<()>) -> Result<Entry> {
        if let Lookup::Ready(entry) = self.lookup(key)? {
            return Ok(entry);
        }
        let lock = BuildLock::wait(&self.lock_file(key.as_str()), "building this environment")?;
        let path = self.environments().join(key.as_str());
        // What this build links must not be removed before the environment names it.
        let _building = lock::share(&self.lock_file(BUILDING))?;
        let is_changed = loop {
            match self.lookup(key)? {
                Lookup::Ready(entry) => return Ok(entry),
                Lookup::Busy => self.wait_for(key)?,
                Lookup::Changed => break true,
                Lookup::Absent => break false,
            }
        };
        if is_changed {
            report::warning(&format!("`{}` was changed after it was built; it is built anew", path.display()));
        }
        let staged = self.stage(key.as_str(), &lock)?;
        build(staged.path())?;
        let manifest = Manifest::of(plan, key, staged.path())?;
        fs::write_new(&staged.path().join(MANIFEST), &serde_json::to_vec_pretty(&manifest)?, 0o444)?;
        if is_changed {
            // Only now: programs that run in it have its files until there are others in their place.
            self.set_aside(&path)?;
        }
        // After a power cut, what has its final name must be whole, and a warm launch cannot afford to look. One `syncfs` for the
        // environment and the wheels that it links is cheaper than an `fsync` for each file; and to trust an environment only within the
        // boot that it was built in would cost each launch a look at the boot's id. Unpacked wheels need none of their own: whoever links
        // one looks at the sizes of its files, and a file that was cut off has another.
        fs::sync_file_system(staged.path())?;
        publish(staged, &path)?;
        fs::sync(&self.environments())?;
        match self.lookup(key)? {
            Lookup::Ready(entry) => Ok(entry),
            _ => anyhow::bail!("the environment `{}` is gone again", path.display()),
        }
    }

    /// An unpacked wheel. `load` reads its folder; where it is missing, or is no longer what was unpacked, `unpack` fills an empty
    /// one. Of all who ask at once, one unpacks.
    ///
    /// # Errors
    /// What `unpack` returns; then nothing is left under the final name.
    pub fn wheel<T>(
        &self,
        digest: &Digest,
        unpack: impl FnOnce(&Path) -> Result<()>,
        load: impl Fn(&Path) -> Result<T>,
    ) -> Result<T> {
        let path = self.unpacked_wheel(digest);
        if let Ok(wheel) = load(&path) {
            return Ok(wheel);
        }
        let name = format!("wheel-{digest}");
        let lock = BuildLock::wait(&self.lock_file(&name), "unpacking a wheel that is needed here")?;
        if fs::exists(&path) {
            match load(&path) {
                Ok(wheel) => return Ok(wheel),
                Err(error) => {
                    report::warning(&format!(
                        "`{}` is damaged ({}); it is unpacked anew",
                        path.display(),
                        report::one_line(&error)
                    ));
                    self.set_aside(&path)?;
                }
            }
        }
        let staged = self.stage(&name, &lock)?;
        unpack(staged.path())?;
        publish(staged, &path)?;
        load(&path)
    }

    /// A new folder under `tmp/` for what is made under a lock; it is removed with all in it unless it is given another name. What
    /// killed builds under that lock have left is removed now, since nobody else can be at it.
    fn stage(&self, name: &str, lock: &BuildLock) -> Result<TempDir> {
        let (folder, prefix) = (self.staging(), format!("{name}-"));
        if lock.excludes {
            for leftover in fs::list(&folder)?.unwrap_or_default() {
                if leftover.to_string_lossy().starts_with(&prefix) {
                    fs::remove_dir_all(&folder.join(leftover))?;
                }
            }
        }
        temporary(&folder, &prefix)
    }

    /// Takes what stands at `path` out of the way. If a program still runs in it, its files stay, under a name that nobody looks for.
    pub(super) fn set_aside(&self, path: &Path) -> Result<()> {
        let aside = temporary(&self.staging(), ASIDE)?;
        let moved = aside.path().join(ASIDE_CONTENT);
        fs::rename(path, &moved)?;
        if entry::is_in_use(&moved)? {
            let _ = aside.keep();
        }
        Ok(())
    }
}

impl Store {
    /// Removes what stands at `path`, which nobody uses: nobody finds half of it.
    pub(super) fn remove_aside(&self, path: &Path) -> Result<()> {
        let aside = temporary(&self.staging(), ASIDE)?;
        fs::rename(path, &aside.path().join(ASIDE_CONTENT))?;
        let folder = aside.keep();
        fs::remove_dir_all(&folder)
    }
}

fn temporary(folder: &Path, prefix: &str) -> Result<TempDir> {
    let made = tempfile::Builder::new().prefix(prefix).tempdir_in(folder);
    made.with_context(|| format!("cannot create a folder in `{}`", folder.display()))
}

/// Gives a staged folder its final name. Where the folder is there already, somebody without locks was first, and theirs is as
/// good.
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
