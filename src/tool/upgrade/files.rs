//! The files to upgrade: those that the command line names, and all files in the named directories
//! that may contain a spec of the wanted form.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use memchr::memmem;
use walkdir::{DirEntry, WalkDir};

use crate::fs;
use crate::process::Process;
use crate::report::Failure;
use crate::spec::upgrade;

/// A file that may contain a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The absolute path.
    pub path: PathBuf,
    /// The path as the caller would name it.
    pub title: String,
    /// Whether the caller named the file itself, and not a directory that contains it.
    pub is_named: bool,
}

/// Checks whether a file in a directory is a candidate.
type IsWanted = fn(&Path) -> Result<bool>;

/// Returns all candidates of these paths, or of the current directory if there are none. Those in a
/// directory are sorted, links first: after the conversion of its file, a link would dangle.
///
/// # Errors
/// A path does not exist, or a directory cannot be listed.
pub(super) fn find(
    words: &[OsString],
    process: &Process,
    is_wanted: IsWanted,
) -> Result<Vec<Candidate>> {
    let here = [OsString::from(".")];
    let mut candidates = Vec::new();
    for word in if words.is_empty() { &here[..] } else { words } {
        let path = Path::new(word);
        let absolute = process.absolute(path);
        let metadata = fs::metadata(&absolute)?;
        let metadata = metadata
            .ok_or_else(|| Failure::new(format!("there is no file `{}`", path.display())))?;
        if metadata.is_dir() {
            candidates.extend(in_directory(path, &absolute, is_wanted)?);
        } else {
            // A file that the caller names is a candidate whatever its name.
            candidates.push(Candidate {
                path: absolute,
                title: path.display().to_string(),
                is_named: true,
            });
        }
    }
    Ok(candidates)
}

fn in_directory(directory: &Path, absolute: &Path, is_wanted: IsWanted) -> Result<Vec<Candidate>> {
    let (mut links, mut candidates) = (Vec::new(), Vec::new());
    // Sorted, so that the output does not depend on the file system.
    for entry in WalkDir::new(absolute)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !is_hidden_directory(entry))
    {
        let entry = entry.with_context(|| format!("cannot list `{}`", directory.display()))?;
        if is_candidate(&entry, is_wanted)? {
            let relative = entry.path().strip_prefix(absolute).unwrap_or(entry.path());
            let title = directory
                .strip_prefix(".")
                .unwrap_or(directory)
                .join(relative);
            let found = if entry.path_is_symlink() {
                &mut links
            } else {
                &mut candidates
            };
            let path = entry.path().to_path_buf();
            found.push(Candidate {
                path,
                title: title.display().to_string(),
                is_named: false,
            });
        }
    }
    Ok(links.into_iter().chain(candidates).collect())
}

/// Checks whether an entry is a candidate. A link is one only if it is named like a spec: a script
/// is a candidate in the directory that contains its file.
fn is_candidate(entry: &DirEntry, is_wanted: IsWanted) -> Result<bool> {
    if entry.path_is_symlink() {
        return Ok(upgrade::is_legacy_name(entry.path()) && fs::is_file(entry.path()));
    }
    Ok(entry.file_type().is_file() && is_wanted(entry.path())?)
}

/// Checks for the hidden directories of version control, environments and the like.
fn is_hidden_directory(entry: &DirEntry) -> bool {
    entry.file_type().is_dir() && entry.file_name().as_encoded_bytes().starts_with(b".")
}

/// Checks whether a file is named like a LUCI spec, or is a Python script with a LUCI guard.
pub(super) fn may_be_legacy(path: &Path) -> Result<bool> {
    if upgrade::is_legacy_name(path) {
        return Ok(true);
    }
    if path.extension().is_some_and(|extension| extension != "py") {
        return Ok(false);
    }
    let text = fs::read_text(path, fs::limits::SPEC)?;
    let is_script = path.extension().is_some() || text.starts_with(b"#!");
    Ok(is_script && memmem::find(&text, b"[VPYTHON:BEGIN]").is_some())
}
