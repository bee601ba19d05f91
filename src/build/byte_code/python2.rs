//! Byte code for CPython 2.7, which knows no other than that which is held against the time of its
//! source, and has it beside the source.
//!
//! Of modules that are a single file that is the directory of all packages, whose time of change
//! tells a launch that somebody has installed something. So theirs is there from the beginning, for
//! python with `-O` too. That of packages is made by `install` and `export`, in the environment,
//! since a copy of the source has another time; else python writes it as it goes.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

use super::compiler::killed_from_outside;
use super::module;
use crate::fs;
use crate::report::progress;

const PROGRAM: &str = include_str!("compile2.py");
/// How many sources one process compiles: a command line has no room for all.
const PART: usize = 1000;

/// Compiles the modules in the directory `site` of an environment that is being built, by the
/// interpreter at this path. One that does not compile leaves it to those who import.
///
/// # Errors
/// The directory cannot be listed; the interpreter cannot be run, or was killed.
pub(in crate::build) fn compile_modules(site: &Path, interpreter: &Path) -> Result<()> {
    let names = fs::list(site)?.unwrap_or_default();
    let modules: Vec<OsString> = names.into_iter().filter(|name| is_source(name)).collect();
    compile(site, &modules, interpreter, &[])?;
    compile(site, &modules, interpreter, &["-O"])
}

/// Compiles all sources below the directory `site`, by the interpreter at this path.
///
/// # Errors
/// The directory cannot be looked through; the interpreter cannot be run, or was killed.
pub(super) fn compile_all(site: &Path, interpreter: &Path) -> Result<()> {
    let mut sources = Vec::new();
    for entry in WalkDir::new(site).min_depth(2) {
        let entry = entry.with_context(|| format!("cannot look through `{}`", site.display()))?;
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

/// Compiles sources by one process, which is given these options.
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
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/");
    let status = command
        .status()
        .with_context(|| format!("cannot run the interpreter `{}`", interpreter.display()))?;
    match killed_from_outside(status) {
        Some(signal) => {
            bail!(
                "the interpreter was killed by signal {signal} while it compiled what is in `{}`",
                directory.display()
            )
        }
        None => Ok(()),
    }
}
