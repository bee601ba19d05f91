//! Paths that are too long for the system. Python runs a script by a relative path however deep its
//! directory is, but vpython looks for specs by absolute paths, and would find none.

use std::path::Path;

use anyhow::Result;

use crate::invocation::{Invocation, Target};
use crate::report::Failure;

/// The length of the longest path that the system opens (`PATH_MAX`, less the NUL at its end).
const LONGEST: usize = 4095;

/// Refuses a script that python can open by the path as typed, and vpython not by its absolute path.
pub(super) fn refuse_script(typed: &Path, absolute: &Path) -> Result<()> {
    if is_too_long(typed) || !is_too_long(absolute) {
        return Ok(());
    }
    let what = format!("cannot look for the spec of `{}`", typed.display());
    Err(Failure::new(what)
        .because(too_long("its absolute path", absolute))
        .hint("move the script to a shorter path, or name a spec that has one with `-vpython-spec`")
        .into())
}

/// Refuses to look for a spec in a directory of too long a path, and above it. A command line by
/// which python only prints information needs none.
pub(super) fn refuse_directory(directory: &Path, invocation: &Invocation) -> Result<()> {
    if invocation.target == Target::Information || !is_too_long(directory) {
        return Ok(());
    }
    Err(Failure::new("cannot look for a spec in the current directory")
        .because(too_long("its path", directory))
        .hint("run it in a directory of a shorter path, or name a spec that has one with `-vpython-spec`")
        .into())
}

fn is_too_long(path: &Path) -> bool {
    path.as_os_str().len() > LONGEST
}

fn too_long(which: &str, path: &Path) -> String {
    let length = path.as_os_str().len();
    format!("{which} has {length} bytes, and the system opens paths of at most {LONGEST}")
}
