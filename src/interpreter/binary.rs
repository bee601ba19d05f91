//! Classifies an executable by its bytes: an interpreter's binary, a script that starts one, or
//! vpython itself under another name.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use memchr::memmem;
use nix::unistd::{AccessFlags, access};

use super::pyenv;
use crate::fs::{self, Stamp};
use crate::process::{Process, is_environment_bin};

/// A marker in each vpython binary, by which any build is recognized.
const MARK: &[u8] = b"vpython: this binary is the launcher, and no interpreter";
/// The number of bytes of a script that are inspected.
const SCRIPT_HEAD: u64 = 16 * 1024;

/// The kind of an executable file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Executable {
    /// A binary, which its name identifies as an interpreter.
    Binary,
    /// A script with this text: possibly a shim.
    Script(String),
    /// vpython.
    Vpython,
}

/// Classifies the file at `path`; `None` if there is no readable executable file.
///
/// # Errors
/// The file cannot be inspected, because of an error of the system.
pub(super) fn look(path: &Path, process: &Process) -> Result<Option<Executable>> {
    if !fs::look_for_file(path)? || !is_executable(path)? {
        return Ok(None);
    }
    if process
        .executable
        .as_deref()
        .is_some_and(|own| Stamp::of(own) == Stamp::of(path))
    {
        return Ok(Some(Executable::Vpython));
    }
    let Some(head) = fs::ok_if_hidden(read_head(path))? else {
        return Ok(None);
    };
    if head.starts_with(b"#!") {
        let text = String::from_utf8_lossy(&head).into_owned();
        // A wrapper that calls vpython would loop. A pyenv shim contains the path of pyenv's root,
        // which may include any word.
        return Ok(Some(if !pyenv::is_shim(&text) && calls_vpython(&text) {
            Executable::Vpython
        } else {
            Executable::Script(text)
        }));
    }
    let Some(content) = fs::ok_if_hidden(fs::read(path))? else {
        return Ok(None);
    };
    Ok(Some(if memmem::find(&content, MARK).is_some() {
        Executable::Vpython
    } else {
        Executable::Binary
    }))
}

fn is_executable(path: &Path) -> Result<bool> {
    let answer = access(path, AccessFlags::X_OK).map_err(std::io::Error::from);
    let answer = answer.with_context(|| format!("cannot inspect `{}`", path.display()));
    Ok(fs::ok_if_hidden(answer)?.is_some())
}

fn read_head(path: &Path) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    let read = fs::open_regular(path)?
        .take(SCRIPT_HEAD)
        .read_to_end(&mut head);
    read.with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(head)
}

/// Checks whether a script contains the word vpython, as a wrapper does that calls it.
fn calls_vpython(script: &str) -> bool {
    let lines = script
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let mut words = lines
        .flat_map(|line| line.split(|end: char| end.is_whitespace() || "\"'`;&|()".contains(end)));
    words.any(|word| matches!(word.rsplit('/').next(), Some("vpython" | "vpython3")))
}

/// Returns the absolute directories of `PATH`, each once. Those that an outer vpython prepended are
/// omitted, so that a program that runs vpython gets the same result as its user.
pub(super) fn search_path(process: &Process) -> Vec<PathBuf> {
    let mut directories = Vec::new();
    for directory in std::env::split_paths(process.search_path()) {
        if directory.is_absolute()
            && !directories.contains(&directory)
            && !is_environment_bin(&directory)
        {
            directories.push(directory);
        }
    }
    directories
}

/// Returns the first `python3`, or else `python`, on `PATH` that is not vpython, whatever it is.
#[must_use]
pub fn next_python_on_path(process: &Process) -> Option<PathBuf> {
    ["python3", "python"]
        .iter()
        .find_map(|name| next_on_path(name.as_ref(), process))
}

/// Returns the first program of this name on `PATH` that is not vpython and does not call it.
#[must_use]
pub fn next_on_path(name: &OsStr, process: &Process) -> Option<PathBuf> {
    let is_other = |path: &PathBuf| matches!(look(path, process), Ok(Some(found)) if found != Executable::Vpython);
    search_path(process)
        .iter()
        .map(|directory| directory.join(name))
        .find(is_other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str, content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write_new(&path, content, mode).unwrap();
        (directory, path)
    }

    #[test]
    fn an_executable_is_classified_by_its_bytes() {
        let own = [b"\x7fELF...".as_slice(), MARK].concat();
        let rows = [
            (
                b"\x7fELF binary".as_slice(),
                0o755,
                Some(Executable::Binary),
                "a binary",
            ),
            (b"\x7fELF binary".as_slice(), 0o644, None, "not executable"),
            (
                own.as_slice(),
                0o755,
                Some(Executable::Vpython),
                "a build of vpython under another name",
            ),
            (
                b"#!/bin/sh\nexec x".as_slice(),
                0o755,
                Some(Executable::Script("#!/bin/sh\nexec x".into())),
                "a script",
            ),
            (
                b"#!/bin/sh\nexec \"/opt/vpython3\" \"$@\"".as_slice(),
                0o755,
                Some(Executable::Vpython),
                "a script that calls vpython",
            ),
            (
                b"#!/bin/sh\n# not vpython\nexec /vpython/python3".as_slice(),
                0o755,
                Some(Executable::Script(
                    "#!/bin/sh\n# not vpython\nexec /vpython/python3".into(),
                )),
                "a script with vpython in a comment",
            ),
        ];
        for (content, mode, expected, why) in rows {
            let (_directory, path) = place("python3", content, mode);
            assert_eq!(look(&path, &Process::default()).unwrap(), expected, "{why}");
        }
    }

    #[test]
    fn relative_directories_and_those_of_an_outer_vpython_are_skipped() {
        let path = format!("/store/v1/envs/{}/bin:/a::bin:/b:/a", "0a".repeat(20));
        let process = Process {
            environment: vec![("PATH".into(), path.into())],
            ..Process::default()
        };
        assert_eq!(
            search_path(&process),
            [PathBuf::from("/a"), PathBuf::from("/b")]
        );
    }
}
