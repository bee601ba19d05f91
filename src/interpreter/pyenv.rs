//! pyenv: resolves a shim from pyenv's files, without running it.
//!
//! The rules are those of `pyenv-version-name` and `pyenv-version-file`: `PYENV_VERSION`; the
//! nearest `.python-version` from the current directory upwards; `version` in pyenv's root. A file
//! may list several versions; the first one that has the program is used. A version that is not
//! installed is a prefix, which selects the latest match: `3.13` a normal build, and `3.13t` a
//! free-threaded one.

use std::path::{Path, PathBuf};

use anyhow::Result;
use pep440_rs::Version;

use crate::fs::{self, Stamps, Trust};
use crate::invocation::split_threading;
use crate::process::Process;

/// Checks whether a directory of `PATH` contains shims, by its name.
pub(super) fn is_shims_directory(directory: &Path) -> bool {
    directory.ends_with("shims")
}

/// Returns pyenv's root directory from the environment.
pub(super) fn root(process: &Process) -> Option<PathBuf> {
    match process.setting("PYENV_ROOT") {
        Some(root) => Some(root.into()),
        None => process.home().map(|home| home.join(".pyenv")),
    }
}

/// Checks whether this is the text of a pyenv shim.
pub(super) fn is_shim(text: &str) -> bool {
    text.contains("pyenv\" exec")
}

/// Returns the executable that a shim would run now. pyenv's root is the parent of the shim's
/// directory `shims`.
///
/// # Errors
/// A file cannot be inspected, because of an error of the system.
pub(super) fn resolve(
    shim: &Path,
    process: &Process,
    seen: &mut Stamps,
) -> Result<Option<PathBuf>> {
    let (Some(program), Some(root)) = (shim.file_name(), shim.parent().and_then(Path::parent))
    else {
        return Ok(None);
    };
    let versions = root.join("versions");
    // The variable overrides the files.
    let chosen = match process.setting("PYENV_VERSION") {
        Some(list) => list
            .to_string_lossy()
            .split(':')
            .map(str::to_owned)
            .collect(),
        None => match version_file(root, process, seen)? {
            Some(path) => listed_versions(&path)?,
            None => Vec::new(),
        },
    };
    // The first selected version that is installed and has the program wins.
    for version in chosen {
        let Some(directory) = installed(&versions, &version, seen)? else {
            continue;
        };
        let path = directory.join("bin").join(program);
        if fs::look_for_file(&path)? {
            return Ok(Some(path));
        }
    }
    seen.look(&versions);
    Ok(None)
}

/// Returns the file with the selected versions. Candidates that do not exist are evidence, too.
fn version_file(root: &Path, process: &Process, seen: &mut Stamps) -> Result<Option<PathBuf>> {
    let local = process
        .directory
        .iter()
        .flat_map(|directory| directory.ancestors())
        .map(|directory| directory.join(".python-version"));
    for path in local.chain([root.join("version")]) {
        seen.look(&path);
        // A file of another user, for example in `/tmp`, is ignored.
        let is_planted = || {
            Trust::of_user(process.user)
                .stranger_on_way(&path, Path::new("/"))
                .is_some()
        };
        if fs::look_for_file(&path)? && !is_planted() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Returns the versions that such a file lists; `#` begins a comment.
fn listed_versions(path: &Path) -> Result<Vec<String>> {
    let text = fs::ok_if_hidden(fs::read_text(path, fs::limits::SETTINGS))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    Ok(lines
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect())
}

/// Returns the directory of a version, or of the latest version with that prefix.
fn installed(versions: &Path, version: &str, seen: &mut Stamps) -> Result<Option<PathBuf>> {
    let version = version.strip_prefix("python-").unwrap_or(version);
    // Reject paths that lead out of the directory.
    if version.is_empty() || version.contains('/') || version.starts_with('.') {
        return Ok(None);
    }
    let exact = versions.join(version);
    if fs::look_for(&exact)? {
        return Ok(Some(exact));
    }
    // A version that is installed later may become the latest.
    seen.look(versions);
    let (series, free_threaded) = split_threading(version);
    let prefix = format!("{series}.");
    let latest = installed_versions(versions)?
        .into_iter()
        .find(|one| one.free_threaded == free_threaded && one.name.starts_with(&prefix));
    Ok(latest.map(|latest| versions.join(latest.name)))
}

/// An installed interpreter, by the name of its directory.
#[derive(Debug)]
pub(super) struct Installed {
    version: Version,
    free_threaded: bool,
    /// The name of the directory.
    pub name: String,
}

/// Returns the subdirectories named by a version, latest first. Final versions come before all
/// pre-releases, and a free-threaded build after the normal one of the same version.
pub(super) fn installed_versions(directory: &Path) -> Result<Vec<Installed>> {
    let names = fs::ok_if_hidden(fs::list(directory))?
        .flatten()
        .unwrap_or_default();
    let names = names.into_iter().filter_map(|name| name.into_string().ok());
    let mut versions: Vec<Installed> = names.filter_map(Installed::parse).collect();
    versions.sort_by(|one, other| other.rank().cmp(&one.rank()));
    Ok(versions)
}

impl Installed {
    /// Parses a directory's name: `3.11.7`, and `3.13.1t` for a free-threaded build; in uv's
    /// directory `cpython-3.11.7-linux-x86_64-gnu`, and
    /// `cpython-3.13.1+freethreaded-linux-x86_64-gnu`.
    fn parse(name: String) -> Option<Self> {
        let (version, free_threaded) = match name.strip_prefix("cpython-") {
            None => split_threading(&name),
            Some(rest) => match rest.split('-').next()?.split_once('+') {
                Some((version, variant)) => (version, variant.contains("freethreaded")),
                None => (rest.split('-').next()?, false),
            },
        };
        let is_number = version.starts_with(|first: char| first.is_ascii_digit());
        Some(Self {
            version: is_number.then(|| version.parse().ok()).flatten()?,
            free_threaded,
            name,
        })
    }

    /// Returns the order of preference.
    fn rank(&self) -> (bool, &Version, bool) {
        (self.version.is_stable(), &self.version, !self.free_threaded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates a pyenv root with these versions, each with a `python3`.
    fn pyenv(versions: &[&str]) -> (tempfile::TempDir, Process) {
        let directory = tempfile::tempdir().unwrap();
        for version in versions {
            let bin = directory.path().join("versions").join(version).join("bin");
            fs::create_dir_all(&bin, 0o755).unwrap();
            fs::write_new(&bin.join("python3"), b"\x7fELF", 0o755).unwrap();
        }
        fs::create_dir_all(&directory.path().join("a/b"), 0o755).unwrap();
        let process = Process {
            directory: Some(directory.path().join("a/b")),
            ..Process::default()
        };
        (directory, process)
    }

    fn resolved(directory: &tempfile::TempDir, process: &Process) -> Option<String> {
        let path = resolve(
            &directory.path().join("shims/python3"),
            process,
            &mut Stamps::default(),
        )
        .unwrap()?;
        let relative = path
            .strip_prefix(directory.path().join("versions"))
            .unwrap();
        Some(relative.iter().next().unwrap().to_str().unwrap().to_owned())
    }

    #[test]
    fn a_shim_runs_what_pyenv_would_run() {
        let (directory, mut process) = pyenv(&["3.8.18", "3.11.2", "3.11.10", "3.12.0rc1"]);
        // Above the temporary directory there may be anything.
        let elsewhere = Process {
            directory: Some("/".into()),
            ..Process::default()
        };
        assert_eq!(
            resolved(&directory, &elsewhere),
            None,
            "no version is chosen"
        );
        fs::write_new(&directory.path().join("version"), b"3.8.18\n", 0o644).unwrap();
        assert_eq!(
            resolved(&directory, &elsewhere).as_deref(),
            Some("3.8.18"),
            "the global version"
        );
        fs::write_new(
            &directory.path().join("a/.python-version"),
            b"# mine\n3.11\n3.8.18",
            0o644,
        )
        .unwrap();
        assert_eq!(
            resolved(&directory, &process).as_deref(),
            Some("3.11.10"),
            "the nearest file, the latest of a series"
        );
        process
            .environment
            .push(("PYENV_VERSION".into(), "3.9.1:3.8.18".into()));
        assert_eq!(
            resolved(&directory, &process).as_deref(),
            Some("3.8.18"),
            "the variable, the first that is installed"
        );
        process.environment[0].1 = "../../x".into();
        assert_eq!(
            resolved(&directory, &process),
            None,
            "no way out of pyenv's directory"
        );
    }

    #[test]
    fn a_free_threaded_build_is_chosen_by_its_mark() {
        let (directory, mut process) = pyenv(&["3.13.0", "3.13.1t", "3.13.2t", "3.12.1t"]);
        process
            .environment
            .push(("PYENV_VERSION".into(), "".into()));
        for (chosen, expected) in [
            ("3.13", Some("3.13.0")),
            ("3.13t", Some("3.13.2t")),
            ("3.13.1t", Some("3.13.1t")),
            ("3.12", None),
        ] {
            process.environment[0].1 = chosen.into();
            assert_eq!(
                resolved(&directory, &process).as_deref(),
                expected,
                "{chosen}"
            );
        }
    }

    #[test]
    fn inspected_files_are_evidence() {
        let (directory, process) = pyenv(&["3.8.18"]);
        fs::write_new(&directory.path().join("version"), b"3.8.18", 0o644).unwrap();
        let mut seen = Stamps::default();
        resolve(&directory.path().join("shims/python3"), &process, &mut seen).unwrap();
        let here = directory.path().join("a/b/.python-version");
        assert!(
            seen.into_vec()
                .iter()
                .any(|stamped| stamped.path == here && stamped.stamp.is_none())
        );
    }

    #[test]
    fn versions_are_listed_latest_first() {
        let (directory, _) = pyenv(&[
            "3.8.18",
            "3.11.10",
            "3.11.2",
            "3.14.0a1",
            "system",
            "cpython-3.13.1-linux-x86_64-gnu",
            "cpython-3.13.1+freethreaded-linux-x86_64-gnu",
            "3.13.0t",
        ]);
        let names: Vec<_> = installed_versions(&directory.path().join("versions"))
            .unwrap()
            .into_iter()
            .map(|installed| installed.name)
            .collect();
        assert_eq!(
            names,
            [
                "cpython-3.13.1-linux-x86_64-gnu",
                "cpython-3.13.1+freethreaded-linux-x86_64-gnu",
                "3.13.0t",
                "3.11.10",
                "3.11.2",
                "3.8.18",
                "3.14.0a1"
            ]
        );
    }

    #[test]
    fn a_shim_is_recognized_by_its_text() {
        assert!(is_shim(
            "#!/usr/bin/env bash\nexec \"/home/me/.pyenv/libexec/pyenv\" exec \"$program\" \"$@\"\n"
        ));
        assert!(!is_shim("#!/bin/sh\nexec /usr/bin/python3 \"$@\"\n"));
    }
}
