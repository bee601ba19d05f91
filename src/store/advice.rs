//! Hints and warnings about the file system of the store.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Error;
use nix::errno::Errno;
use nix::sys::statvfs::{FsFlags, statvfs};

use super::{LAYOUT_DIRECTORY, Store, root};
use crate::fs;
use crate::invocation::Invocation;
use crate::plan::Plan;
use crate::process::{Process, variable};
use crate::report::{self, Failure};

/// Adds a hint to an error that names a path in the store, if the file system is read-only or full,
/// or if the caller may not write to the store. An error with a hint of its own is returned
/// unchanged.
#[must_use]
pub fn advise(error: Error, invocation: &Invocation, process: &Process) -> Error {
    let codes = error
        .chain()
        .filter_map(|link| link.downcast_ref::<std::io::Error>()?.raw_os_error());
    let Ok(root) = root::configured_path(invocation, process) else {
        return error;
    };
    let hint_for = |errno| hint_for(errno, &root, process.user);
    let Some(advice) = codes.map(Errno::from_raw).find_map(hint_for) else {
        return error;
    };
    let (lines, hint) = report::parts(&error);
    let root = root.to_string_lossy();
    if hint.is_some() || !lines.iter().any(|line| line.contains(&*root)) {
        return error;
    }
    Failure::of(&error).hint(advice).into()
}

fn hint_for(errno: Errno, root: &Path, user: u32) -> Option<String> {
    match errno {
        Errno::EACCES | Errno::EPERM => hint_for_unwritable(root, user),
        Errno::EROFS => Some(format!(
            "name a writable store with `-vpython-root` or `{}`",
            variable::ROOT
        )),
        Errno::ENOSPC | Errno::EDQUOT => Some(format!(
            "`{} -vpython-tool prune --all` frees space in the store; `-vpython-root` or `{}` names another store",
            report::program(),
            variable::ROOT
        )),
        _ => None,
    }
}

/// Returns the hint for a store that the caller may not write to, or may not create: who owns it,
/// or the directory above it. `None` if the caller may.
fn hint_for_unwritable(root: &Path, user: u32) -> Option<String> {
    let layout = root.join(LAYOUT_DIRECTORY);
    // What is in a directory that the caller may not enter seems not to exist.
    let directory = layout.ancestors().find(|directory| fs::exists(directory))?;
    if root::is_writable(directory) {
        return None;
    }
    let owner = fs::metadata(directory).ok()??.uid();
    let directory = directory.display();
    let why = if owner == user {
        format!("user {user} cannot write to `{directory}`")
    } else {
        format!("`{directory}` belongs to user {owner}, but vpython runs as user {user}")
    };
    Some(format!(
        "{why}; name another directory with `-vpython-root` or `{}`",
        variable::ROOT
    ))
}

impl Store {
    /// Returns a warning if python cannot load the shared libraries that the wheels of a plan may
    /// contain, because the file system of the store is mounted `noexec`.
    #[must_use]
    pub fn warning_of_noexec(&self, plan: &Plan) -> Option<String> {
        let is_for_one_platform = |file_name: &str| !file_name.ends_with("-any.whl");
        let names: Vec<String> = plan
            .wheels
            .iter()
            .filter(|wheel| is_for_one_platform(&wheel.file_name()))
            .map(|wheel| format!("`{}`", wheel.name))
            .collect();
        let is_noexec =
            || statvfs(self.root()).is_ok_and(|found| found.flags().contains(FsFlags::ST_NOEXEC));
        (!names.is_empty() && is_noexec()).then(|| {
            format!(
                "`{}` is on a file system that is mounted `noexec`: python cannot load shared libraries from there, and {} may have some; \
                 `-vpython-root` or `{}` names another store",
                self.root().display(),
                names.join(", "),
                variable::ROOT
            )
        })
    }
}
