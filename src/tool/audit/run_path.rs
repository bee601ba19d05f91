//! Entries of run paths: which ones do not work wherever the environment is, and what could stand
//! there instead.
//!
//! What `check-rpaths` of rpm's brp scripts refuses is refused here too, and any absolute entry,
//! since it names one place.

use std::path::{Component, Path, PathBuf};

use crate::fs;
use crate::tool::elf;

/// How the loader calls the directory of a file (`ld.so(8)`, "Dynamic string tokens").
const ORIGIN: [&str; 2] = ["$ORIGIN", "${ORIGIN}"];
/// Below these are libraries of the system, which are no more at another place elsewhere.
const OF_THE_SYSTEM: [&str; 5] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"];

/// The directory that run paths are held against.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    /// Where the environment is now.
    pub directory: &'a Path,
    /// Absolute paths by which files may name a part of it, and where that is in it.
    pub inside: Vec<(PathBuf, PathBuf)>,
}

impl Ground<'_> {
    /// The run path with what is in the environment by its place there, then what is the system's,
    /// and nothing else.
    pub fn mended(&self, run_path: &[&str], directory: &Path) -> Vec<String> {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for entry in run_path {
            match Entry::of(entry, directory) {
                Entry::Inside => own.push((*entry).to_owned()),
                Entry::Outside => {}
                Entry::Other => match self.inside(Path::new(entry)) {
                    Some(inside) => own.push(elf::by_origin(directory, &inside)),
                    None if is_of_the_system(entry) => others.push((*entry).to_owned()),
                    None => {}
                },
            }
        }
        let mut mended: Vec<String> = Vec::new();
        for entry in own.into_iter().chain(others) {
            if !mended.contains(&entry) {
                mended.push(entry);
            }
        }
        mended
    }

    /// Where in the environment an absolute path leads.
    fn inside(&self, entry: &Path) -> Option<PathBuf> {
        let here = (self.directory.to_path_buf(), PathBuf::new());
        let candidates = std::iter::once(&here).chain(&self.inside);
        candidates
            .filter_map(|(from, to)| normalized(&to.join(entry.strip_prefix(from).ok()?)))
            .find(|inside| fs::exists(&self.directory.join(inside)))
    }
}

/// What is wrong with the run path of a file in this directory of the environment, a part of a
/// sentence each.
pub(super) fn faults(run_path: &[&str], directory: &Path) -> Vec<String> {
    // As if there was none.
    if run_path == [""] {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let mut before = None;
    for entry in run_path {
        match (Entry::of(entry, directory), before) {
            (Entry::Outside, _) => {
                faults.push(format!("names `{entry}`, which is out of the environment"))
            }
            (Entry::Inside, Some(before)) => {
                faults.push(format!("names `{entry}` behind `{before}`"))
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

/// What is wrong with an entry that does not begin with the directory of the file.
fn fault(entry: &str) -> String {
    match entry {
        "" => "has an empty entry, which is the current directory".to_owned(),
        entry if entry.starts_with('/') => format!("names `{entry}`, which is absolute"),
        entry => format!("names `{entry}`, which is relative to the current directory"),
    }
}

/// Where an entry leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// From the directory of the file into the environment.
    Inside,
    /// From the directory of the file out of the environment.
    Outside,
    /// It does not begin with the directory of the file.
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

/// Whether the system has libraries there, but not where it looks for them anyhow.
fn is_of_the_system(entry: &str) -> bool {
    let is_plain = Path::new(entry)
        .components()
        .all(|component| component != Component::ParentDir);
    is_plain
        && OF_THE_SYSTEM
            .iter()
            .any(|lib| Path::new(entry) != Path::new(lib) && Path::new(entry).starts_with(lib))
}

/// A relative path without `..`; none where that leads out.
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
    fn an_entry_is_to_lead_into_the_environment_from_wherever_it_is() {
        #[rustfmt::skip]
        let rows: [(&str, &[&str]); 10] = [
            ("$ORIGIN:$ORIGIN/../some.libs:${ORIGIN}/x:$ORIGIN/../..", &[]),
            ("", &[]),
            ("/env/lib", &["names `/env/lib`, which is absolute"]),
            ("/usr/lib", &["names `/usr/lib`, which is absolute"]),
            ("$ORIGIN:", &["has an empty entry, which is the current directory"]),
            (".:lib", &["names `.`, which is relative to the current directory", "names `lib`, which is relative to the current directory"]),
            ("$ORIGINAL/x", &["names `$ORIGINAL/x`, which is relative to the current directory"]),
            ("$ORIGIN/../../../x", &["names `$ORIGIN/../../../x`, which is out of the environment"]),
            ("/a/../b", &["names `/a/../b`, which is absolute"]),
            ("/a:$ORIGIN/x", &["names `/a`, which is absolute", "names `$ORIGIN/x` behind `/a`"]),
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
    fn what_is_inside_is_named_by_the_place_of_the_file_and_the_rest_goes() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["lib/some", "python/lib"] {
            fs::create_dir_all(&directory.path().join(name), 0o755).unwrap();
        }
        let inside = [("/opt/env", ""), ("/opt/python", "python")]
            .map(|(from, to)| (from.into(), to.into()))
            .into();
        let ground = Ground {
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
                ground.mended(&entries, Path::new("lib/some")).join(":"),
                expected,
                "{run_path}"
            );
        }
    }
}
