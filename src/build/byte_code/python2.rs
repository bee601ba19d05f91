//! Byte code for CPython 2.7, which always records the modification time of its source and is next
//! to it.
//!
//! Byte code of single-file modules is in site-packages itself, whose modification time shows a
//! launch that something was installed. So a build adds it from the beginning, also for python with
//! `-O`. `install` and `export` add the byte code of packages, in the environment, since a copy of
//! a source has another time; otherwise python writes it on import.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

use super::compiler::killed_from_outside;
use super::module;
use crate::fs;
use crate::process::{no_input, no_output};
use crate::report::progress;

const PROGRAM: &str = include_str!("compile2.py");
/// The number of sources that one process compiles: the length of a command line is limited.
const PART: usize = 1000;

/// Compiles the modules in the directory `site` of an environment that is being built, with the
/// interpreter at this path. If the interpreter cannot compile one, python tries again on import.
///
/// # Errors
/// The directory cannot be listed; the interpreter cannot be run, or was killed.
pub(in crate::build) fn compile_modules(site: &Path, interpreter: &Path) -> Result<()> {
    let names = fs::list(site)?.unwrap_or_default();
    let modules: Vec<OsString> = names.into_iter().filter(|name| is_source(name)).collect();
    compile(site, &modules, interpreter, &[])?;
    compile(site, &modules, interpreter, &["-O"])
}

/// Compiles all sources below the directory `site`, with the interpreter at this path.
///
/// # Errors
/// The directory cannot be traversed; the interpreter cannot be run, or was killed.
pub(super) fn compile_all(site: &Path, interpreter: &Path) -> Result<()> {
    let mut sources = Vec::new();
    for entry in WalkDir::new(site).min_depth(2) {
        let entry = entry.with_context(|| format!("cannot traverse `{}`", site.display()))?;
        let path = entry.path().strip_prefix(site)?;
        if entry.file_type().is_file() && is_source(path.as_os_str()) {
            sources.push(path.as_os_str().to_owned());
        }
    }
    sources.sort();
    sources
        .chunks(PART)
        .try_for_each(|sources| compile(site, sources, interpreter, &[]))
}

fn is_source(path: &OsStr) -> bool {
    path.to_str().is_some_and(|path| module(path).is_some())
}

/// Compiles sources with one process, with these options.
fn compile(
    directory: &Path,
    sources: &[OsString],
    interpreter: &Path,
    options: &[&str],
) -> Result<()> {
    if sources.is_empty() {
        return Ok(());
    }
    progress::phase("compiling");
    let mut command = Command::new(interpreter);
    command
        .args(options)
        .args(["-E", "-s", "-S", "-B", "-c", PROGRAM])
        .arg(directory)
        .args(sources);
    command
        .stdin(no_input())
        .stdout(no_output())
        .stderr(no_output())
        .current_dir("/");
    // Only a signal is an error: python retries on import what does not compile.
    let status = command
        .status()
        .with_context(|| format!("cannot run the interpreter `{}`", interpreter.display()))?;
    match killed_from_outside(status) {
        Some(signal) => {
            bail!(
                "the interpreter was killed by signal {signal} while it compiled the modules in `{}`",
                directory.display()
            )
        }
        None => Ok(()),
    }
}
