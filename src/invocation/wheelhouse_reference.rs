//! [`WheelhouseReference`]: a wheelhouse, as users name it.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::oci::{LayoutReference, Reference, RegistryReference, is_tag};

/// The part of the URL of a mirror that is replaced by the digest of a wheel.
const DIGEST: &str = "{sha256}";

/// A wheelhouse, as a spec, a flag, a variable or `vpython.conf` names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WheelhouseReference {
    /// A directory of wheels.
    Directory(PathBuf),
    /// An image layout on disk: `oci:DIR[:TAG]`.
    Layout(LayoutReference),
    /// A repository of a registry: `oci://HOST/REPO[:TAG]`.
    Registry(RegistryReference),
    /// The URL of a wheel on a server, with `{sha256}` in place of its digest.
    Mirror(String),
}

impl WheelhouseReference {
    /// Parses a word; every word without a scheme is a directory. `resolve` makes paths absolute.
    ///
    /// # Errors
    /// Returns why the text after the scheme is not valid.
    pub fn parse(word: &OsStr, resolve: impl FnOnce(&Path) -> PathBuf) -> Result<Self, String> {
        let text = word.to_string_lossy();
        let has_scheme = |scheme: &&str| text.starts_with(scheme);
        if ["https://", "http://"].iter().any(has_scheme) {
            return Self::parse_mirror(&text);
        }
        if text.starts_with("oci:") && word.to_str().is_none() {
            return Err("it is not valid UTF-8".to_owned());
        }
        match Reference::parse(&text) {
            None => Ok(Self::Directory(resolve(Path::new(word)))),
            Some(Ok(Reference::Layout(layout))) => Ok(Self::Layout(LayoutReference {
                path: resolve(&layout.path),
                ..layout
            })),
            Some(Ok(Reference::Registry(registry))) => Ok(Self::Registry(registry)),
            Some(Err(why)) => Err(why),
        }
    }

    fn parse_mirror(url: &str) -> Result<Self, String> {
        let authority = url.split('/').nth(2).unwrap_or_default();
        if authority.contains('@') {
            // The text before an `@` may be a password.
            return Err("it contains a user name; a login belongs into `~/.netrc`".to_owned());
        }
        if !url.contains(DIGEST) {
            return Err(format!(
                "it contains no `{DIGEST}`, which is replaced by the digest of a wheel"
            ));
        }
        Ok(Self::Mirror(url.to_owned()))
    }

    /// Returns the directory of wheels, if it is one.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Directory(path) => Some(path),
            Self::Layout(_) | Self::Registry(_) | Self::Mirror(_) => None,
        }
    }

    /// Returns the path of a directory or layout; `None` if it is on a server.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Directory(path) => Some(path),
            Self::Layout(layout) => Some(&layout.path),
            Self::Registry(_) | Self::Mirror(_) => None,
        }
    }

    /// Returns the bytes of its text, different ones for different wheelhouses.
    #[must_use]
    pub fn as_bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Directory(path) => Cow::Borrowed(path.as_os_str().as_bytes()),
            other => Cow::Owned(other.to_string().into_bytes()),
        }
    }
}

impl From<PathBuf> for WheelhouseReference {
    fn from(path: PathBuf) -> Self {
        Self::Directory(path)
    }
}

impl fmt::Display for WheelhouseReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(formatter),
            Self::Layout(layout) => layout.fmt(formatter),
            Self::Registry(registry) => registry.fmt(formatter),
            Self::Mirror(url) => url.fmt(formatter),
        }
    }
}

/// Splits a list of wheelhouses at its colons, apart from those within a reference: after the
/// scheme, before a port, before a tag, and in a digest.
///
/// What follows `oci:DIR` is its tag if it can be one: it has no slash, and begins with a letter, a
/// digit or `_`. So a directory after a layout is written as `/DIR` or `./DIR`.
pub(super) fn split(list: &OsStr) -> Vec<OsString> {
    let pieces: Vec<&[u8]> = list.as_bytes().split(|byte| *byte == b':').collect();
    let mut rest = &pieces[..];
    let mut items = Vec::new();
    while !rest.is_empty() {
        let (item, others) = rest.split_at(length(rest));
        items.push(OsString::from_vec(item.join(&b':')));
        rest = others;
    }
    items.retain(|item| !item.is_empty());
    items
}

/// Returns the number of pieces of the first item.
fn length(pieces: &[&[u8]]) -> usize {
    if !begins_with_scheme(pieces) {
        return 1;
    }
    let mut length = 2;
    // A host without a path is followed by its port.
    let is_host = |piece: &[u8]| {
        let host = piece.strip_prefix(b"//");
        host.is_some_and(|host| !host.contains(&b'/'))
    };
    if is_host(pieces[1]) && pieces.len() > length {
        length += 1;
    }
    if pieces[0] != b"oci" {
        return length;
    }
    let has_digest = |length: usize| pieces[length - 1].ends_with(b"@sha256");
    let can_be_tag = |piece: &[u8]| {
        let tag = piece.strip_suffix(b"@sha256").unwrap_or(piece);
        std::str::from_utf8(tag).is_ok_and(is_tag)
    };
    let next = &pieces[length..];
    let is_tag = |next: &[&[u8]]| can_be_tag(next[0]) && !begins_with_scheme(next);
    if !has_digest(length) && !next.is_empty() && is_tag(next) {
        length += 1;
    }
    if has_digest(length) && pieces.len() > length {
        length += 1;
    }
    length
}

/// Checks whether the first piece is a scheme.
fn begins_with_scheme(pieces: &[&[u8]]) -> bool {
    match pieces {
        [b"oci", _, ..] => true,
        [b"https" | b"http", rest, ..] => rest.starts_with(b"//"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_split_between_references() {
        let hex = "0".repeat(64);
        let digest = format!("oci://h:5000/a/b:t@sha256:{hex}");
        let only_digest = format!("oci://h/a@sha256:{hex}");
        let rows: &[&[&str]] = &[
            &["/one", "two", "../three"],
            &["oci:/layout"],
            &["oci:/layout", "/wheels"],
            &["oci:layout:v1.0", "wheels"],
            &["oci:layout:tag", "oci:other:tag", "/wheels"],
            &["oci:layout", "oci:other"],
            &["oci:layout", "./wheels"],
            &["oci:layout", "third_party/wheels"],
            &["oci:layout", "https://h/{sha256}"],
            &["oci:layout", "https://h:80/{sha256}", "wheels"],
            &["oci:layout", "oci://h:5000/a/b:tag", "oci:x:oci"],
            &["oci://h/a", "/wheels"],
            &["oci://h/a:tag", "wheels"],
            &[&digest, "oci:layout", "/wheels"],
            &[&only_digest, "wheels"],
            &["https", "wheels"],
            &["./oci", "wheels"],
        ];
        for items in rows {
            let list = items.join(":");
            assert_eq!(split(OsStr::new(&list)), *items, "{list}");
        }
        assert_eq!(split(OsStr::new("::a:")), ["a"]);
        assert_eq!(split(OsStr::new("oci:a::b")), ["oci:a", "b"]);
        assert_eq!(split(OsStr::new("oci:")), ["oci:"]);
    }

    #[test]
    fn references_are_parsed_and_shown() {
        let resolve = |path: &Path| Path::new("/base").join(path);
        let parse = |text: &str| WheelhouseReference::parse(OsStr::new(text), resolve);
        for (text, expected) in [
            ("wheels", "/base/wheels"),
            ("oci:layout:tag", "oci:/base/layout:tag"),
            ("oci:/layout", "oci:/layout"),
            ("oci://H:5/a:tag", "oci://h:5/a:tag"),
            ("https://h/{sha256}", "https://h/{sha256}"),
            ("https:wheels", "/base/https:wheels"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), expected, "{text}");
        }
        for (text, expected) in [
            ("oci:", "it names no directory"),
            (
                "http://h/wheels",
                "it contains no `{sha256}`, which is replaced by the digest of a wheel",
            ),
            (
                "https://user:geheim@h/{sha256}",
                "it contains a user name; a login belongs into `~/.netrc`",
            ),
        ] {
            assert_eq!(parse(text), Err(expected.to_owned()), "{text}");
        }
        let word = OsStr::from_bytes(b"oci:\xff");
        let parsed = WheelhouseReference::parse(word, resolve);
        assert_eq!(parsed, Err("it is not valid UTF-8".to_owned()));
    }
}
