//! The names of lock files:
//! <https://packaging.python.org/en/latest/specifications/pylock-toml/#file-name>.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Checks whether a file name is that of a lock file: `pylock.toml`, or `pylock.NAME.toml` if the
/// NAME has no dot.
pub(in crate::spec) fn is_lock(file_name: &[u8]) -> bool {
    let middle = file_name
        .strip_prefix(b"pylock.")
        .and_then(|rest| rest.strip_suffix(b"toml"));
    middle.is_some_and(|middle| match middle.strip_suffix(b".") {
        Some(name) => !name.is_empty() && !name.contains(&b'.'),
        None => middle.is_empty(),
    })
}

/// Returns the path of the lock file for a spec in `file`: in the same directory, named after the
/// spec's stem. Dots in the stem become dashes, since the name of a lock file may not contain any.
pub(in crate::spec) fn lock_path(file: &Path) -> Option<PathBuf> {
    let stem = file.file_stem()?.as_bytes();
    let stem: Vec<u8> = stem
        .iter()
        .map(|byte| if *byte == b'.' { b'-' } else { *byte })
        .collect();
    let name = [b"pylock.", &stem[..], b".toml"].concat();
    Some(file.with_file_name(OsStr::from_bytes(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_recognized_by_its_name() {
        let rows = [
            ("pylock.toml", true),
            ("pylock.dev.toml", true),
            ("pylock.a-b_c.toml", true),
            ("pylock..toml", false),
            ("pylock.a.b.toml", false),
            ("pylocktoml", false),
            ("pylock.xtoml", false),
            ("my-pylock.toml", false),
            ("pylock.toml.bak", false),
            ("vpython.toml", false),
        ];
        for (name, expected) in rows {
            assert_eq!(is_lock(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn a_lock_is_next_to_its_spec() {
        let rows = [
            ("/src/vpython.toml", "/src/pylock.vpython.toml"),
            ("/src/tool.py", "/src/pylock.tool.toml"),
            ("/src/tool", "/src/pylock.tool.toml"),
            ("/src/my.tool.py", "/src/pylock.my-tool.toml"),
            ("/src/requirements.txt", "/src/pylock.requirements.toml"),
        ];
        for (file, lock) in rows {
            assert_eq!(
                lock_path(Path::new(file)).as_deref(),
                Some(Path::new(lock)),
                "{file}"
            );
            assert!(
                is_lock(Path::new(lock).file_name().unwrap().as_bytes()),
                "{lock}"
            );
        }
    }
}
