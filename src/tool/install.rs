//! `-vpython-tool install`: the environment is built; its path goes to stdout, alone.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result};

/// Prints where an environment is.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(environment: &Path, output: &mut impl Write) -> Result<()> {
    let line = [environment.as_os_str().as_bytes(), b"\n"].concat();
    output.write_all(&line).and_then(|()| output.flush()).context("cannot write to standard output")
}
