//! The links of an environment: absolute links into the environment become relative, so that no
//! later move breaks them.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::edits::Edits;
use super::environment::Environment;
use super::prefixes::Prefixes;
use crate::fs;

/// Plans edits for the links at the top level, in `bin`, `lib`, `local` and `include`, where tools
/// create them.
///
/// # Errors
/// Returns an error if a directory cannot be read.
pub(super) fn plan_edits(
    environment: &Environment,
    prefixes: &Prefixes,
    edits: &mut Edits,
) -> Result<()> {
    for link in links(environment)? {
        let target = fs::read_link(&environment.path.join(&link))?;
        // A target below an old prefix leads into the environment.
        let moved = prefixes.moved(target.as_os_str().as_encoded_bytes());
        let inside = moved.as_deref().map(|moved| {
            super::prefixes::path(moved.get(prefixes.to().len() + 1..).unwrap_or_default())
        });
        match inside {
            Some(inside) => edits.link(&link, "link", relative(&link, &inside)),
            // A dangling link to an interpreter elsewhere needs `--python`.
            None if !fs::exists(&environment.path.join(&link))
                && is_python(&link)
                && leads_out(&target) =>
            {
                let why = format!(
                    "it points to `{}`, which does not exist; name another interpreter with `--python`",
                    target.display()
                );
                edits.mark_unfixable(&link, why);
            }
            None => {}
        }
    }
    Ok(())
}

/// Returns the links, relative to the environment.
pub(super) fn links(environment: &Environment) -> Result<Vec<PathBuf>> {
    let libraries = environment
        .sites
        .iter()
        .filter_map(|site| site.parent())
        .map(Path::to_path_buf);
    // Where venv, virtualenv and uv create links.
    let directories = ["", "bin", "lib", "local", "include"].map(PathBuf::from);
    let mut links = Vec::new();
    for directory in directories.into_iter().chain(libraries) {
        for name in fs::list(&environment.path.join(&directory))?.unwrap_or_default() {
            let link = directory.join(name);
            if fs::link_metadata(&environment.path.join(&link))?
                .is_some_and(|metadata| metadata.is_symlink())
            {
                links.push(link);
            }
        }
    }
    links.sort();
    links.dedup();
    Ok(links)
}

/// Returns whether a path is that of an interpreter.
pub(super) fn is_python(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let version = name
        .strip_prefix("python")
        .or_else(|| name.strip_prefix("pypy"));
    path.starts_with("bin")
        && version.is_some_and(|version| {
            version
                .chars()
                .all(|one| one.is_ascii_digit() || "t.".contains(one))
        })
}

/// Returns whether the target of a link in `bin` is outside the environment.
pub(super) fn leads_out(target: &Path) -> bool {
    target.is_absolute() || target.starts_with("../..")
}

/// Returns the relative target of a link to `inside`; both paths are relative to the environment.
fn relative(link: &Path, inside: &Path) -> PathBuf {
    let up = link
        .parent()
        .map_or(0, |parent| parent.components().count());
    let path: PathBuf = std::iter::repeat_n("..", up)
        .map(Path::new)
        .chain([inside])
        .collect();
    // Within one directory, the name alone.
    match (link.parent(), inside.parent(), inside.file_name()) {
        (Some(one), Some(two), Some(name)) if one == two => name.into(),
        _ if path.as_os_str().is_empty() => ".".into(),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_gets_the_shortest_target() {
        let rows = [
            ("lib64", "lib", "lib"),
            ("local/bin", "bin", "../bin"),
            ("bin/python", "bin/python3", "python3"),
        ];
        for (link, inside, expected) in rows {
            assert_eq!(
                relative(Path::new(link), Path::new(inside)),
                Path::new(expected)
            );
        }
        assert!(
            is_python(Path::new("bin/python3.13t")) && !is_python(Path::new("bin/python-config"))
        );
    }
}
