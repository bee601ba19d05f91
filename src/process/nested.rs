//! The names by which a process recognizes that it runs inside an environment of the store: an
//! outer vpython prepends the environment's `bin` directory to `PATH`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The number of characters of a key, which is the name of an environment.
pub const KEY_LENGTH: usize = 40;

/// Checks whether a name has the form of a key: lower-case hexadecimal of [`KEY_LENGTH`].
#[must_use]
pub fn is_key(name: &[u8]) -> bool {
    name.len() == KEY_LENGTH
        && name
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Checks whether a path has the form of the `bin` directory of an environment in some store:
/// `…/envs/<key>/bin`.
#[must_use]
pub fn is_environment_bin(path: &Path) -> bool {
    let mut names = path.iter().rev().map(OsStr::as_bytes);
    names.next() == Some(b"bin")
        && names.next().is_some_and(is_key)
        && names.next() == Some(b"envs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bin_directory_of_an_environment_is_recognized_by_its_path() {
        let key = "0a".repeat(20);
        assert!(is_environment_bin(Path::new(&format!(
            "/store/v1/envs/{key}/bin"
        ))));
        for path in [
            format!("/store/v1/envs/{key}"),
            format!("/store/envs/{key}x/bin"),
            format!("/x/{key}/bin"),
            "/usr/bin".into(),
        ] {
            assert!(!is_environment_bin(Path::new(&path)), "{path}");
        }
    }
}
