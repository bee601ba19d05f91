//! What names an old place when all is done: said, not mended.

use std::path::Path;

use anyhow::Result;
use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use super::edits::{Edits, Replacement, Unmended};
use super::environment::Environment;
use super::journal;
use super::prefixes::Prefixes;
use crate::fs;

/// Looks through every file of the environment but its byte code, where the importer puts the right
/// place when it is loaded.
///
/// # Errors
/// A file cannot be read.
pub(super) fn note(environment: &Environment, places: &Prefixes, work: &mut Edits) -> Result<()> {
    if places.old().is_empty() {
        return Ok(());
    }
    let walk = WalkDir::new(&environment.path)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok);
    let files: Vec<DirEntry> = walk.filter(is_looked_at).collect();
    let noted = files
        .par_iter()
        .map(|file| look(environment, places, work, file.path()))
        .collect::<Result<Vec<_>>>()?;
    work.unfixable.extend(noted.into_iter().flatten());
    Ok(())
}

fn is_looked_at(file: &DirEntry) -> bool {
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

fn look(
    environment: &Environment,
    places: &Prefixes,
    work: &Edits,
    file: &Path,
) -> Result<Option<Unmended>> {
    let path = file.strip_prefix(&environment.path)?;
    let read;
    let content = match work.changes.get(path).map(|change| &change.new) {
        Some(Replacement::Content(content)) => content,
        Some(Replacement::Link(_)) => return Ok(None),
        None => {
            read = fs::read(file)?;
            &read
        }
    };
    let why = match (places.is_named_in(content), memchr::memchr(0, content)) {
        (false, _) => return Ok(None),
        (true, Some(_)) => "a binary file that names the old place",
        (true, None) => "it names the old place, and is of no kind that relocate knows",
    };
    Ok(Some(Unmended {
        path: path.to_path_buf(),
        why: why.to_owned(),
    }))
}
