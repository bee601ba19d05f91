//! The changes of a lock file's sources: the URLs and paths where installers find its wheels.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::fs::Digest;
use crate::spec::{IndexUrl, Lock, LockedWheel};

/// Where installers find a wheel.
#[derive(PartialEq, Eq)]
struct Source<'a> {
    url: Option<&'a IndexUrl>,
    /// The path relative to the lock file's directory. One outside of that is not written.
    path: Option<&'a Path>,
}

/// Returns a line for each file that is in both locks with another source.
pub(super) fn changes(before: &Lock, after: &Lock) -> Vec<String> {
    let (old, new) = (sources(before), sources(after));
    let changed = new.iter().filter_map(|(file, new)| {
        let old = old.get(file).filter(|old| *old != new)?;
        let change = match (old.to_string(), new.to_string()) {
            (old, new) if old.is_empty() => format!("gets {new}"),
            (old, new) if new.is_empty() => format!("loses {old}"),
            (old, new) if old == new => format!("the login or query of {old} changes"),
            (old, new) => format!("{old} becomes {new}"),
        };
        let (name, _) = file;
        Some(format!("`{name}`: {change}"))
    });
    changed.collect()
}

/// Returns the sources of a lock's files by their names and digests.
fn sources(lock: &Lock) -> BTreeMap<(&str, Digest), Source<'_>> {
    let directory = lock.path.parent().unwrap_or(Path::new("/"));
    let packages = lock.packages.iter().map(|package| &package.value);
    let wheels = packages.flat_map(|package| &package.wheels);
    wheels
        .map(|wheel| &wheel.value)
        .map(|wheel| {
            let file = (&*wheel.file_name, wheel.sha256);
            (file, Source::of(wheel, directory))
        })
        .collect()
}

impl<'a> Source<'a> {
    fn of(wheel: &'a LockedWheel, directory: &Path) -> Self {
        let path = wheel.path.as_deref();
        Self {
            url: wheel.url.as_ref(),
            path: path.and_then(|path| path.strip_prefix(directory).ok()),
        }
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.map(|url| format!("the URL `{url}`"));
        let path = self
            .path
            .map(|path| format!("the path `{}`", path.display()));
        let parts: Vec<String> = url.into_iter().chain(path).collect();
        formatter.write_str(&parts.join(" and "))
    }
}
