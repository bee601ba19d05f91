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

#[cfg(test)]
mod tests {
    use super::super::{create_dir_all, symlink};
    use super::*;

    #[test]
    fn a_resolved_path_has_no_parent_directories_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let real = canonicalize(directory.path()).unwrap();
        create_dir_all(&real.join("a/b"), 0o755).unwrap();
        symlink(Path::new("a/b"), &real.join("link")).unwrap();
        let rows = [
            ("none/../env", "env"),
            ("a/../env", "env"),
            ("link/../env", "a/env"),
            ("none/./x/../../a/env", "a/env"),
            ("a/b/..", "a"),
        ];
        for (path, expected) in rows {
            assert_eq!(
                plain_place(directory.path().join(path)),
                real.join(expected),
                "{path}"
            );
        }
    }
}
