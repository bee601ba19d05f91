//! Places for what is yet to be made.

use std::path::{Component, Path, PathBuf};

use super::canonicalize;

/// A path for something to be made, without `..`: what is there above it is resolved, and what is
/// not there has no links.
#[must_use]
pub fn plain_place(path: PathBuf) -> PathBuf {
    if !path
        .components()
        .any(|component| component == Component::ParentDir)
    {
        return path;
    }
    let resolve = |above: &Path| {
        Some(below(
            canonicalize(above).ok()?,
            path.strip_prefix(above).ok()?,
        ))
    };
    path.ancestors().skip(1).find_map(resolve).unwrap_or(path)
}

/// Follows a path of directories that are not there, by its words.
fn below(directory: PathBuf, path: &Path) -> PathBuf {
    path.components()
        .fold(directory, |mut directory, component| {
            if component == Component::ParentDir {
                directory.pop();
            } else {
                directory.push(component);
            }
            directory
        })
}
