//! `-vpython-tool install`: the environment is built; its path goes to stdout, alone.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Result;

use crate::report;

/// Prints where an environment is, and gives the exit code.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(environment: &Path) -> Result<i32> {
    let line = [environment.as_os_str().as_bytes(), b"\n"].concat();
    report::print(&line)?;
    Ok(0)
}
