//! Scans a staged environment for the members of an archive, with their digests.
//!
//! Files that exist only for the store are skipped, and so is byte code that python validates
//! against the time of its source: in an archive all files have the same time.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use crate::fs::{self, Digest};
use crate::packed::member::{Member, Mode};
use crate::report::Failure;
use crate::store::{COMPILED, MANIFEST};

/// Returns all members of the environment in a directory, sorted by the bytes of their paths.
///
/// # Errors
/// Returns an error if an entry is not a file, directory or link, if its name is not UTF-8, or if
/// it cannot be read.
pub(super) fn members(directory: &Path) -> Result<Vec<Member>> {
    let entries: Vec<DirEntry> = WalkDir::new(directory)
        .min_depth(1)
        .into_iter()
        .collect::<Result<_, _>>()
        .with_context(|| format!("cannot scan `{}`", directory.display()))?;
    let members: Vec<Result<Option<Member>>> = entries
        .par_iter()
        .map(|entry| member(entry, directory))
        .collect();
    let mut members: Vec<Member> = members
        .into_iter()
        .filter_map(Result::transpose)
        .collect::<Result<_>>()?;
    members.sort_by(|one, other| one.path().cmp(other.path()));
    Ok(members)
}

/// Returns the member of a directory entry; `None` if it is not packed.
fn member(entry: &DirEntry, directory: &Path) -> Result<Option<Member>> {
    let relative = entry.path().strip_prefix(directory).unwrap_or(entry.path());
    let cannot = || Failure::new(format!("cannot pack `{}`", relative.display()));
    let path = relative
        .to_str()
        .ok_or_else(|| cannot().because("its name is not UTF-8"))?
        .to_owned();
    if is_store_file(&path) {
        return Ok(None);
    }
    let kind = entry.file_type();
    if kind.is_dir() {
        return Ok(Some(Member::Directory { path }));
    }
    if kind.is_symlink() {
        let target = fs::read_link(entry.path())?;
        let target = target
            .to_str()
            .ok_or_else(|| cannot().because("its link target is not UTF-8"))?
            .to_owned();
        return Ok(Some(Member::Link { path, target }));
    }
    if !kind.is_file() {
        return Err(cannot()
            .because("it is neither a file, a directory nor a link")
            .into());
    }
    // The archive does not keep the time of the source, so python would compile the module again.
    if is_stale_byte_code(entry.path())? {
        return Ok(None);
    }
    let metadata = entry
        .metadata()
        .with_context(|| format!("cannot inspect `{}`", entry.path().display()))?;
    // Of the permission bits, only the execute bit is kept.
    let mode = if fs::mode(&metadata) & 0o111 == 0 {
        Mode::Plain
    } else {
        Mode::Executable
    };
    let mut size = 0;
    let sha256 = Digest::of_file(entry.path(), |bytes| size += bytes)?;
    Ok(Some(Member::File {
        path,
        mode,
        size,
        sha256,
    }))
}

/// Returns whether a file exists only for the store.
fn is_store_file(path: &str) -> bool {
    [COMPILED, MANIFEST].contains(&path)
}

/// Returns whether a file is byte code that python validates against the time of its source, or a
/// partly written byte code file that a killed python left. Byte code without a source next to it
/// is a module in its own right.
fn is_stale_byte_code(path: &Path) -> Result<bool> {
    let name = path.file_name().unwrap_or_default();
    let in_cache = path.parent().and_then(Path::file_name) == Some(OsStr::new("__pycache__"));
    if is_unfinished(name) {
        return Ok(in_cache);
    }
    let is_byte_code = path
        .extension()
        .is_some_and(|extension| extension == "pyc" || extension == "pyo");
    if !is_byte_code || !(in_cache || fs::is_file(&path.with_extension("py"))) {
        return Ok(false);
    }
    let mut head = Vec::new();
    fs::open(path)?
        .take(8)
        .read_to_end(&mut head)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(!is_unchecked(&head))
}

/// Returns whether python uses this name for byte code until it is complete, for example
/// `tool.cpython-311.pyc.140234` (`importlib._bootstrap_external._write_atomic`).
fn is_unfinished(name: &OsStr) -> bool {
    let Some((name, number)) = name.to_str().and_then(|name| name.rsplit_once('.')) else {
        return false;
    };
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "pyc")
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether the first eight bytes are those of byte code that is never validated against its
/// source (PEP 552).
fn is_unchecked(head: &[u8]) -> bool {
    head.get(4..8) == Some(&1_u32.to_le_bytes()[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_store_and_checked_byte_code_are_skipped() {
        let directory = tempfile::tempdir().unwrap();
        let rows: [(&str, &[u8], bool); 12] = [
            ("a.py", b"", true),
            (
                "__pycache__/a.cpython-311.pyc",
                b"\xa7\r\r\n\x01\0\0\0rest",
                true,
            ),
            (
                "__pycache__/b.cpython-311.pyc",
                b"\xa7\r\r\n\0\0\0\0rest",
                false,
            ),
            (
                "__pycache__/c.cpython-311.pyc",
                b"\xa7\r\r\n\x03\0\0\0rest",
                false,
            ),
            ("__pycache__/d.cpython-311.pyc", b"", false),
            (
                "__pycache__/e.cpython-311.pyc.1400",
                b"\xa7\r\r\n\x01\0\0\0",
                false,
            ),
            ("__pycache__/f.txt", b"", true),
            ("a.pyc", b"\x03\xf3\r\n\0\0\0\0rest", false),
            ("sourceless.pyc", b"\x03\xf3\r\n\0\0\0\0rest", true),
            ("vpython.compiled", b"", false),
            ("vpython.json", b"", false),
            ("x/vpython.json", b"", true),
        ];
        for name in ["__pycache__", "x"] {
            fs::create_dir(&directory.path().join(name), 0o755).unwrap();
        }
        for (path, content, _) in rows {
            fs::write_new(&directory.path().join(path), content, 0o444).unwrap();
        }
        let found = members(directory.path()).unwrap();
        let mut expected: Vec<&str> = rows
            .iter()
            .filter(|(.., is_kept)| *is_kept)
            .map(|(path, ..)| *path)
            .collect();
        expected.extend(["__pycache__", "x"]);
        expected.sort_unstable();
        assert_eq!(found.iter().map(Member::path).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn only_the_execute_bit_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        for (name, mode) in [("a", 0o400), ("b", 0o4711), ("c", 0o666)] {
            fs::write_new(&directory.path().join(name), b"abc", mode).unwrap();
        }
        let file = |path: &str, mode| Member::File {
            path: path.into(),
            mode,
            size: 3,
            sha256: Digest::of(b"abc"),
        };
        let expected = [
            file("a", Mode::Plain),
            file("b", Mode::Executable),
            file("c", Mode::Plain),
        ];
        assert_eq!(members(directory.path()).unwrap(), expected);
    }

    #[test]
    fn special_files_are_rejected() {
        let directory = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(
            &directory.path().join("pipe"),
            nix::sys::stat::Mode::S_IRWXU,
        )
        .unwrap();
        let error = members(directory.path()).unwrap_err();
        assert_eq!(
            crate::report::one_line(&error),
            "cannot pack `pipe`: it is neither a file, a directory nor a link"
        );
    }
}
