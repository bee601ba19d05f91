//! Entries of run paths: finds those that do not work at every location of the environment, and
//! replaces them.
//!
//! A fault is what `check-rpaths` of rpm's brp scripts rejects, and in addition every absolute entry,
//! since it names one location.

use std::path::{Component, Path, PathBuf};

use crate::fs;
use crate::portable::elf;

/// The loader's names for the directory of a file (`ld.so(8)`, "Dynamic string tokens").
const ORIGIN: [&str; 2] = ["$ORIGIN", "${ORIGIN}"];
/// The directories of system libraries, which are the same on other machines.
const SYSTEM_LIBRARIES: [&str; 5] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"];

/// The directories that run paths are checked against.
#[derive(Debug)]
pub(super) struct PathMap<'a> {
    /// The current directory of the environment.
    pub directory: &'a Path,
    /// Absolute paths by which files may name a part of the environment, each with the path of that
    /// part in the environment.
    pub inside: Vec<(PathBuf, PathBuf)>,
}

impl PathMap<'_> {
    /// Returns the fixed run path: entries inside the environment relative to the file, then the
    /// system's, and nothing else.
    pub fn fixed(&self, run_path: &[&str], directory: &Path) -> Vec<String> {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for entry in run_path {
            match Entry::of(entry, directory) {
                Entry::Inside => own.push((*entry).to_owned()),
                Entry::Outside => {}
                Entry::Other => match self.inside(Path::new(entry)) {
                    Some(inside) => own.push(elf::by_origin(directory, &inside)),
                    None if is_system_subdirectory(entry) => others.push((*entry).to_owned()),
                    None => {}
                },
            }
        }
        // The loader uses the first match, so a repeated entry has no effect.
        let mut fixed: Vec<String> = Vec::new();
        for entry in own.into_iter().chain(others) {
            if !fixed.contains(&entry) {
                fixed.push(entry);
            }
        }
        fixed
    }

    /// Maps an absolute path to a path in the environment.
    fn inside(&self, entry: &Path) -> Option<PathBuf> {
        let here = (self.directory.to_path_buf(), PathBuf::new());
        let candidates = std::iter::once(&here).chain(&self.inside);
        candidates
            .filter_map(|(from, to)| normalized(&to.join(entry.strip_prefix(from).ok()?)))
            .find(|inside| fs::exists(&self.directory.join(inside)))
    }
}

/// Returns the faults of the run path of a file in this directory of the environment, each a clause
/// of a sentence.
pub(super) fn faults(run_path: &[&str], directory: &Path) -> Vec<String> {
    // The loader treats this like no run path.
    if run_path == [""] {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let mut before = None;
    for entry in run_path {
        match (Entry::of(entry, directory), before) {
            (Entry::Outside, _) => {
                faults.push(format!("names `{entry}`, which is outside the environment"));
            }
            (Entry::Inside, Some(before)) => {
                faults.push(format!("names `{entry}` after `{before}`"));
            }
            (Entry::Inside, None) => {}
            (Entry::Other, _) => {
                faults.push(fault(entry));
                before = before.or(Some(*entry));
            }
        }
    }
    faults
}

/// Describes an entry that does not begin with `$ORIGIN`.
fn fault(entry: &str) -> String {
    match entry {
        "" => "has an empty entry, which is the current directory".to_owned(),
        entry if entry.starts_with('/') => format!("names `{entry}`, which is absolute"),
        entry => format!("names `{entry}`, which is relative to the current directory"),
    }
}

/// The target of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// Relative to the file, inside the environment.
    Inside,
    /// Relative to the file, outside the environment.
    Outside,
    /// Not relative to the file.
    Other,
}

impl Entry {
    fn of(entry: &str, directory: &Path) -> Self {
        let rest = ORIGIN.iter().find_map(|origin| entry.strip_prefix(origin));
        match rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            None => Self::Other,
            Some(rest) if normalized(&directory.join(rest.trim_start_matches('/'))).is_none() => {
                Self::Outside
            }
            Some(_) => Self::Inside,
        }
    }
}

/// Returns whether an entry names a subdirectory of the system's libraries; the loader searches
/// those libraries' top directories anyway.
fn is_system_subdirectory(entry: &str) -> bool {
    let is_plain = Path::new(entry)
        .components()
        .all(|component| component != Component::ParentDir);
    is_plain
        && SYSTEM_LIBRARIES
            .iter()
            .any(|lib| Path::new(entry) != Path::new(lib) && Path::new(entry).starts_with(lib))
}

/// Resolves `..` in a relative path; `None` if it leads out.
fn normalized(path: &Path) -> Option<PathBuf> {
    let mut normalized = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => normalized.pop().then_some(())?,
            Component::CurDir => {}
            component => normalized.push(component),
        }
    }
    Some(normalized)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_must_lead_into_the_environment_at_any_location() {
        #[rustfmt::skip]
        let rows: [(&str, &[&str]); 10] = [
            ("$ORIGIN:$ORIGIN/../some.libs:${ORIGIN}/x:$ORIGIN/../..", &[]),
            ("", &[]),
            ("/env/lib", &["names `/env/lib`, which is absolute"]),
            ("/usr/lib", &["names `/usr/lib`, which is absolute"]),
            ("$ORIGIN:", &["has an empty entry, which is the current directory"]),
            (".:lib", &["names `.`, which is relative to the current directory", "names `lib`, which is relative to the current directory"]),
            ("$ORIGINAL/x", &["names `$ORIGINAL/x`, which is relative to the current directory"]),
            ("$ORIGIN/../../../x", &["names `$ORIGIN/../../../x`, which is outside the environment"]),
            ("/a/../b", &["names `/a/../b`, which is absolute"]),
            ("/a:$ORIGIN/x", &["names `/a`, which is absolute", "names `$ORIGIN/x` after `/a`"]),
        ];
        for (run_path, expected) in rows {
            let entries: Vec<&str> = run_path.split(':').collect();
            assert_eq!(
                faults(&entries, Path::new("lib/some")),
                expected,
                "{run_path}"
            );
        }
    }

    #[test]
    fn entries_inside_become_relative_and_others_are_dropped() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["lib/some", "python/lib"] {
            fs::create_dir_all(&directory.path().join(name), 0o755).unwrap();
        }
        let inside = [("/opt/env", ""), ("/opt/python", "python")]
            .map(|(from, to)| (from.into(), to.into()))
            .into();
        let path_map = PathMap {
            directory: directory.path(),
            inside,
        };
        let here = format!("{}/lib", directory.path().display());
        let rows = [
            ("$ORIGIN/x", "$ORIGIN/x"),
            (
                "/opt/env/lib/some:/opt/python/lib",
                "$ORIGIN:$ORIGIN/../../python/lib",
            ),
            (&*here, "$ORIGIN/.."),
            (
                "/home/me/lib:.::lib:/usr/lib:/opt/env/missing:/opt/env/../x:$ORIGIN/../../..",
                "",
            ),
            (
                "/usr/lib/mpi:/usr/lib/../x:$ORIGIN:/opt/env/lib/some",
                "$ORIGIN:/usr/lib/mpi",
            ),
        ];
        for (run_path, expected) in rows {
            let entries: Vec<&str> = run_path.split(':').collect();
            assert_eq!(
                path_map.fixed(&entries, Path::new("lib/some")).join(":"),
                expected,
                "{run_path}"
            );
        }
    }
}
