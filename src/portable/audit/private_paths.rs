//! Searches files for paths of this machine.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use memchr::{memchr, memmem};

/// The superuser's home.
const ROOT_HOME: &str = "/root";
/// The maximum length of a reported path, beyond the known prefix, in bytes.
const SHOWN: usize = 100;

/// Paths that no file should name.
#[derive(Debug)]
pub(super) struct PrivatePaths {
    paths: Vec<PathBuf>,
    /// An exception: a path that files may name.
    exception: Option<PathBuf>,
}

impl PrivatePaths {
    /// Keeps the paths that are specific to a machine, and drops those that every system has.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a Path>, exception: Option<&Path>) -> Self {
        let paths = paths
            .into_iter()
            .filter(|path| is_specific(path))
            .map(Path::to_path_buf)
            .collect();
        Self {
            paths,
            exception: exception.map(Path::to_path_buf),
        }
    }

    /// Returns the first path in a content that is one of these paths or lies below one.
    pub fn find(&self, content: &[u8], form: Form) -> Option<String> {
        let starts = self.paths.iter().filter_map(|path| {
            let found = memmem::find_iter(content, path.as_os_str().as_bytes());
            found.into_iter().find(|start| {
                is_whole(content, *start, path, form) && !self.is_exception(content, *start, form)
            })
        });
        let found = &content[starts.min()?..];
        Some(shown(found, self.longest_at(found), form))
    }

    /// Returns whether the path at this offset is the exception.
    fn is_exception(&self, content: &[u8], start: usize, form: Form) -> bool {
        let named = |exception: &PathBuf| {
            content[start..].starts_with(exception.as_os_str().as_bytes())
                && is_whole(content, start, exception, form)
        };
        self.exception.as_ref().is_some_and(named)
    }

    fn longest_at(&self, content: &[u8]) -> usize {
        let lengths = self.paths.iter().map(|path| path.as_os_str().as_bytes());
        lengths
            .filter(|path| content.starts_with(path))
            .map(<[u8]>::len)
            .max()
            .unwrap_or_default()
    }
}

/// The kind of a content, which determines how a path in it is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    /// Strings end with a zero byte, or are part of a longer string.
    Binary,
    /// Strings follow their length, which may look like a letter, and have no terminator.
    ByteCode,
}

impl Form {
    pub fn of(path: &Path, content: &[u8]) -> Self {
        if path
            .extension()
            .is_some_and(|extension| extension == "pyc" || extension == "pyo")
        {
            return Self::ByteCode;
        }
        if memchr(0, content).is_some() {
            Self::Binary
        } else {
            Self::Text
        }
    }
}

/// Returns whether a path is specific to a machine and is more than a single name.
fn is_specific(path: &Path) -> bool {
    path.is_absolute()
        && !path.starts_with("/usr")
        && (path.components().count() > 2 || path == Path::new(ROOT_HOME))
}

/// Returns whether a path is complete where it is found, and not a part of a longer name:
/// `/home/me` does not occur in `/home/melanie`.
fn is_whole(content: &[u8], start: usize, path: &Path, form: Form) -> bool {
    let after = content.get(start + path.as_os_str().len());
    // `/root` is also a common XPath, so it counts only with something below it.
    let ends = if path == Path::new(ROOT_HOME) {
        after == Some(&b'/')
    } else {
        after.is_none_or(|byte| !is_name_byte(*byte))
    };
    let begins = start
        .checked_sub(1)
        .is_none_or(|before| !is_name_byte(content[before]));
    match form {
        Form::Text => begins && ends,
        Form::Binary => ends,
        Form::ByteCode => ends || path != Path::new(ROOT_HOME),
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.+~".contains(&byte) || !byte.is_ascii()
}

/// Returns the path at the start of a content, whose first `known` bytes are given; the rest
/// extends as far as it can be recognized.
fn shown(content: &[u8], known: usize, form: Form) -> String {
    let ends = |byte: &u8| !byte.is_ascii_graphic() || b"\"'`:;,<>()[]{}|*\\".contains(byte);
    let shown = if form == Form::ByteCode { 0 } else { SHOWN };
    let rest = content[known..]
        .iter()
        .take(shown)
        .position(ends)
        .unwrap_or(shown.min(content.len() - known));
    String::from_utf8_lossy(&content[..known + rest]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_only_as_a_whole() {
        let paths = PrivatePaths::new(
            [
                "/home/me",
                "/home/me/store",
                "/root",
                "/src",
                "/usr/src",
                "/",
            ]
            .map(Path::new),
            None,
        );
        let rows: [(&[u8], Form, Option<&str>); 18] = [
            (b"x = '/home/me/a.py'", Form::Text, Some("/home/me/a.py")),
            (b"file:///home/me", Form::Text, Some("/home/me")),
            (
                b"#!/home/me/store/bin/python -s",
                Form::Text,
                Some("/home/me/store/bin/python"),
            ),
            (b"/home/melanie", Form::Text, None),
            (b"/home/melanie /home/me/x", Form::Text, Some("/home/me/x")),
            (b"/rootfs", Form::Text, None),
            (b"/x/root/y", Form::Text, None),
            (b"../root/y", Form::Text, None),
            (b"xpath('/root')", Form::Text, None),
            (b"\xda\x05/roots", Form::ByteCode, None),
            (b"/root/y", Form::Text, Some("/root/y")),
            (b"/src/x /usr/src/x", Form::Text, None),
            (b"\0x/root/y\0", Form::Binary, Some("/root/y")),
            (b"\0/rootfs\0", Form::Binary, None),
            (b"\xdaA/home/me/xr", Form::ByteCode, Some("/home/me")),
            (b"/home/me\0", Form::Binary, Some("/home/me")),
            (b"/home/me and more", Form::Text, Some("/home/me")),
            (b"", Form::Text, None),
        ];
        for (content, form, expected) in rows {
            assert_eq!(
                paths.find(content, form).as_deref(),
                expected,
                "{}",
                String::from_utf8_lossy(content)
            );
        }
    }

    #[test]
    fn the_exception_may_be_named() {
        let paths = PrivatePaths::new([Path::new("/home/me")], Some(Path::new("/home/me/python")));
        let find = |text: &str| paths.find(text.as_bytes(), Form::Text);
        assert_eq!(find("home = /home/me/python/bin"), None);
        assert_eq!(
            find("/home/me/python /home/me/x").as_deref(),
            Some("/home/me/x")
        );
        assert_eq!(
            find("/home/me/python3").as_deref(),
            Some("/home/me/python3")
        );
    }
}
