//! Making what is missing, once: take the build lock, look again, stage, build, rename.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Store;
use super::entry::{self, Entry, Lookup, MANIFEST, Manifest};
use super::lock::BuildLock;
use crate::fs;
use crate::plan::{Digest, Key, Plan};
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
        let _lock = BuildLock::wait(&self.lock_file(key.as_str()), "building this environment")?;
        let path = self.environments().join(key.as_str());
        match self.lookup(key)? {
            Lookup::Ready(entry) => return Ok(entry),
            Lookup::Changed => {
                report::warning(&format!("`{}` was changed after it was built; it is built anew", path.display()));
                self.set_aside(&path)?;
            }
            Lookup::Absent => {}
        }
        let staged = self.stage("env-")?;
        build(staged.path())?;
        let manifest = Manifest::of(plan, key, staged.path())?;
        fs::write_new(&staged.path().join(MANIFEST), &serde_json::to_vec_pretty(&manifest)?, 0o444)?;
        publish(staged, &path)?;
        match self.lookup(key)? {
            Lookup::Ready(entry) => Ok(entry),
            _ => anyhow::bail!("the environment `{}` is gone again", path.display()),
        }
    }

    /// The folder of an unpacked wheel; `unpack` fills an empty folder where it is not there yet.
    ///
    /// # Errors
    /// What `unpack` returns; then nothing is left under the final name.
    pub fn wheel(&self, digest: &Digest, unpack: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let path = self.wheels().join(digest.to_string());
        if fs::exists(&path) {
            return Ok(path);
        }
        let _lock = BuildLock::wait(&self.lock_file(&format!("wheel-{digest}")), "unpacking a wheel that is needed here")?;
        if !fs::exists(&path) {
            let staged = self.stage("wheel-")?;
            unpack(staged.path())?;
            publish(staged, &path)?;
        }
        Ok(path)
    }

    /// Takes an entry out of the way. If a program still runs in it, its files stay, under a name that nobody looks for.
    fn set_aside(&self, path: &Path) -> Result<()> {
        let aside = self.stage("aside-")?;
        let moved = aside.path().join("environment");
        fs::rename(path, &moved)?;
        if entry::is_in_use(&moved)? {
            let _ = aside.keep();
        }
        Ok(())
    }
}

/// Gives a staged folder its final name. Where the folder is there already, somebody without locks was first, and theirs is as
/// good.
fn publish(staged: tempfile::TempDir, path: &Path) -> Result<()> {
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
