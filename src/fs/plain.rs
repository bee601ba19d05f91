//! Resolving `..` in paths that do not exist yet.

use std::path::{Component, Path, PathBuf};

use super::canonicalize;

/// Returns the path of something to be created, without `..`. Its existing ancestors are resolved;
/// the rest of the path does not exist, and so has no links.
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

/// Joins a path of directories that do not exist, resolving `..` lexically.
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
