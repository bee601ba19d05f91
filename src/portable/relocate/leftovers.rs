//! Finds the files that still contain an old prefix after all edits, and reports them.

use std::path::Path;

use anyhow::Result;
use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use super::edits::{Edits, Replacement, Unfixable};
use super::environment::Environment;
use super::journal;
use super::prefixes::Prefixes;
use crate::fs;

/// Scans every file of the environment except byte code, in which the importer sets the right path
/// when it loads it.
///
/// # Errors
/// Returns an error if a file cannot be read.
pub(super) fn find(
    environment: &Environment,
    prefixes: &Prefixes,
    edits: &mut Edits,
) -> Result<()> {
    if prefixes.old().is_empty() {
        return Ok(());
    }
    let walk = WalkDir::new(&environment.path)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok);
    let files: Vec<DirEntry> = walk.filter(is_scanned).collect();
    let found = files
        .par_iter()
        .map(|file| check(environment, prefixes, edits, file.path()))
        .collect::<Result<Vec<_>>>()?;
    edits.unfixable.extend(found.into_iter().flatten());
    Ok(())
}

fn is_scanned(file: &DirEntry) -> bool {
    let is_byte_code = file
        .path()
        .extension()
        .is_some_and(|extension| extension == "pyc" || extension == "pyo");
    let name = file.file_name().as_encoded_bytes();
    file.file_type().is_file()
        && !is_byte_code
        && name != journal::NAME.as_bytes()
        && !(name.starts_with(b".") && name.ends_with(b".new"))
}

fn check(
    environment: &Environment,
    prefixes: &Prefixes,
    edits: &Edits,
    file: &Path,
) -> Result<Option<Unfixable>> {
    let path = file.strip_prefix(&environment.path)?;
    let read;
    // Look at the file as it will be after the edits.
    let content = match edits.changes.get(path).map(|change| &change.new) {
        Some(Replacement::Content(content)) => content,
        Some(Replacement::Link(_)) => return Ok(None),
        None => {
            read = fs::read(file)?;
            &read
        }
    };
    let why = match (prefixes.occur_in(content), memchr::memchr(0, content)) {
        (false, _) => return Ok(None),
        (true, Some(_)) => "it is a binary file that contains the old path",
        (true, None) => "it contains the old path, but relocate does not support this kind of file",
    };
    Ok(Some(Unfixable {
        path: path.to_path_buf(),
        why: why.to_owned(),
    }))
}
