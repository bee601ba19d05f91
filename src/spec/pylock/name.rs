//! The names of locks:
//! <https://packaging.python.org/en/latest/specifications/pylock-toml/#file-name>.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Whether a file is a lock by its name: `pylock.toml`, or `pylock.NAME.toml` where the NAME has no
/// dot.
pub(in crate::spec) fn is_lock(file_name: &[u8]) -> bool {
    let middle = file_name
        .strip_prefix(b"pylock.")
        .and_then(|rest| rest.strip_suffix(b"toml"));
    middle.is_some_and(|middle| match middle.strip_suffix(b".") {
        Some(name) => !name.is_empty() && !name.contains(&b'.'),
        None => middle.is_empty(),
    })
}

/// Where the lock of a spec is that stands in `file`: beside it, named by its stem. A stem's dots
/// become dashes, since the name of a lock may not have any.
pub(in crate::spec) fn beside(file: &Path) -> Option<PathBuf> {
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
    fn a_lock_is_told_by_its_name() {
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
    fn a_lock_is_beside_its_spec() {
        let rows = [
            ("/src/vpython.toml", "/src/pylock.vpython.toml"),
            ("/src/tool.py", "/src/pylock.tool.toml"),
            ("/src/tool", "/src/pylock.tool.toml"),
            ("/src/my.tool.py", "/src/pylock.my-tool.toml"),
            ("/src/requirements.txt", "/src/pylock.requirements.toml"),
        ];
        for (file, lock) in rows {
            assert_eq!(
                beside(Path::new(file)).as_deref(),
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
