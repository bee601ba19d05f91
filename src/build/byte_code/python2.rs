//! Byte code of modules that are a single file, for CPython 2.7.
//!
//! Python 2.7 writes byte code beside the source. For such a module that is the folder of all packages, whose time of change tells a launch
//! that somebody has installed something. So it is there from the beginning, for python with `-O` too; that of packages python
//! writes as it goes.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::module;
use crate::fs;

const PROGRAM: &str = include_str!("compile2.py");

/// Compiles the modules in the folder `site` of an environment that is being built, by the interpreter at this path. One that does not
/// compile leaves it to those who import.
///
/// # Errors
/// The folder cannot be listed; the interpreter cannot be run.
pub(in crate::build) fn compile_modules(site: &Path, interpreter: &Path) -> Result<()> {
    let names = fs::list(site)?.unwrap_or_default();
    let is_module = |name: &OsString| name.to_str().is_some_and(|name| module(name).is_some());
    let modules: Vec<OsString> = names.into_iter().filter(is_module).collect();
    if modules.is_empty() {
        return Ok(());
    }
    for optimization in [None, Some("-O")] {
        let mut command = Command::new(interpreter);
        command.args(optimization).args(["-E", "-s", "-S", "-B", "-c", PROGRAM]).arg(site).args(&modules);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        command.status().with_context(|| format!("cannot run the interpreter `{}`", interpreter.display()))?;
    }
    Ok(())
}
