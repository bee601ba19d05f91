//! Scripts of an environment whose interpreter has its own C library: on such a machine there may be
//! no shell to look for the interpreter, so each script names it by its absolute path.
//!
//! The environment cannot be moved then, as its interpreter cannot. Where the path
//! is too long for the kernel, scripts stay as they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use sha2::{Digest as _, Sha256};

use super::{python, scripts};
use crate::fs;
use crate::interpreter::Facts;
use crate::wheel::record;

/// The longest first line that all kernels read.
const MAX_LINE: usize = 127;

/// The scripts of an environment, for a path of its interpreter.
pub(super) struct DirectScripts {
    /// The path of the interpreter in the environment.
    python: String,
    /// The way from site-packages up to the environment.
    up: String,
    /// The digest and the size of each script that was changed, as in RECORD.
    changed: BTreeMap<String, (String, usize)>,
}

impl DirectScripts {
    /// Returns the scripts of the environment at `path` with this base interpreter; `None` if they
    /// stay as they are.
    pub fn of(interpreter: &Path, path: &Path, site_packages: &str) -> Option<Self> {
        let python = path.join("bin/python").to_str()?.to_owned();
        let fits = python.len() + "#!".len() <= MAX_LINE && !python.contains([' ', '\n']);
        (fits && python::has_own_library(interpreter)).then(|| Self {
            python,
            up: "../".repeat(site_packages.split('/').count()),
            changed: BTreeMap::new(),
        })
    }

    /// Returns the script `bin/NAME`; `None` if it stays as it is.
    pub fn script(&mut self, name: &str, content: &[u8]) -> Option<Vec<u8>> {
        let script = scripts::direct(content, &self.python)?;
        let digest = record::sha256_column(&Sha256::digest(&script));
        self.changed.insert(name.to_owned(), (digest, script.len()));
        Some(script)
    }

    /// Returns a RECORD with the rows of the scripts that were changed.
    pub fn record(&self, text: &[u8]) -> Vec<u8> {
        let mut rows = Vec::with_capacity(text.len());
        for row in text.split_inclusive(|byte| *byte == b'\n') {
            let changed = self.changed.iter().find_map(|(name, (digest, size))| {
                let path = format!("{}bin/{name},", self.up);
                let is_row = row.starts_with(path.as_bytes());
                is_row.then(|| format!("{path}{digest},{size}\n"))
            });
            rows.extend(changed.map_or_else(|| row.to_vec(), String::into_bytes));
        }
        rows
    }
}

/// Rewrites the scripts of the environment in the directory `staging`, which will be at `path`, if
/// its interpreter has its own C library.
///
/// # Errors
/// A file cannot be read or written.
pub fn rewrite_scripts(interpreter: &Facts, staging: &Path, path: &Path) -> Result<()> {
    let site_packages = &interpreter.site_packages;
    let scripts = DirectScripts::of(&interpreter.executable, path, site_packages);
    let Some(mut scripts) = scripts.filter(|_| interpreter.image.is_some()) else {
        return Ok(());
    };
    let bin = staging.join("bin");
    for name in fs::list(&bin)?.unwrap_or_default() {
        let file = bin.join(&name);
        let is_file = fs::link_metadata(&file)?.is_some_and(|found| found.is_file());
        if let Some(name) = name.to_str().filter(|_| is_file)
            && let Some(script) = scripts.script(name, &fs::read(&file)?)
        {
            // A new file: the old one is that of the unpacked wheel.
            fs::replace(&file, &script, 0o555)?;
        }
    }
    if scripts.changed.is_empty() {
        return Ok(());
    }
    for file in records(&staging.join(site_packages))? {
        let text = fs::read(&file)?;
        let changed = scripts.record(&text);
        if changed != text {
            fs::replace(&file, &changed, 0o444)?;
        }
    }
    Ok(())
}

/// Returns the RECORD files in a site-packages directory.
fn records(site_packages: &Path) -> Result<Vec<PathBuf>> {
    let names = fs::list(site_packages)?.unwrap_or_default();
    let paths = names
        .iter()
        .map(|name| site_packages.join(name).join("RECORD"));
    Ok(paths.filter(|path| fs::is_file(path)).collect())
}
