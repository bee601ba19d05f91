//! The prefixes that an environment has had, and their replacement in a text.
//!
//! A prefix matches only as a whole path: `/srv/env` does not occur in `/srv/env2` or in
//! `/mnt/srv/env`. The longest match wins, and the new prefix is one of the candidates, so that no
//! path is moved twice.

use std::path::{Path, PathBuf};

/// Prefixes of the system, which are never those of an environment, whatever a first line says.
const SYSTEM_PREFIXES: [&str; 6] = [
    "/",
    "/usr",
    "/usr/local",
    "/usr/pkg",
    "/opt/local",
    "/opt/homebrew",
];

/// The old prefixes and the new one, as the bytes that files contain.
#[derive(Debug, Clone)]
pub(super) struct Prefixes {
    to: Vec<u8>,
    /// Without the new one, longest first.
    old: Vec<Vec<u8>>,
}

impl Prefixes {
    /// Keeps those of `found` that can be prefixes of an environment. `foreign` are the prefixes of
    /// interpreters.
    pub fn new(to: &Path, found: impl IntoIterator<Item = Vec<u8>>, foreign: &[Vec<u8>]) -> Self {
        let to = to.as_os_str().as_encoded_bytes().to_vec();
        let is_candidate = |prefix: &Vec<u8>| {
            let is_system = SYSTEM_PREFIXES
                .iter()
                .any(|system| prefix == system.as_bytes());
            prefix.starts_with(b"/")
                && !prefix.contains(&b'\n')
                && !is_system
                && *prefix != to
                && !foreign.contains(prefix)
        };
        let mut old: Vec<Vec<u8>> = found
            .into_iter()
            .map(trimmed)
            .filter(is_candidate)
            .collect();
        // Longest first, because one prefix may begin with another.
        old.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        old.dedup();
        Self { to, old }
    }

    /// The new prefix.
    pub fn to(&self) -> &[u8] {
        &self.to
    }

    /// The old prefixes, longest first.
    pub fn old(&self) -> &[Vec<u8>] {
        &self.old
    }

    /// Returns the future path of a file in the environment; `None` for a path elsewhere.
    pub fn moved(&self, path: &[u8]) -> Option<Vec<u8>> {
        let inside = |prefix: &[u8]| {
            let rest = path.strip_prefix(prefix)?;
            (rest.is_empty() || rest.starts_with(b"/")).then(|| [&self.to, rest].concat())
        };
        self.longest_first().into_iter().find_map(inside)
    }

    /// Replaces every prefix in `text` with the new one. `encode` quotes a prefix as the text's
    /// syntax requires.
    pub fn replace(&self, text: &[u8], encode: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let new = encode(&self.to);
        let mut known: Vec<Vec<u8>> = self
            .longest_first()
            .into_iter()
            .flat_map(|prefix| [prefix.to_vec(), encode(prefix)])
            .collect();
        known.sort_by_key(|prefix| std::cmp::Reverse(prefix.len()));
        let mut replaced = Vec::with_capacity(text.len());
        let mut next = 0;
        while next < text.len() {
            let found = known.iter().find(|prefix| is_at(text, next, prefix));
            replaced.extend_from_slice(found.map_or(&text[next..=next], |_| &new));
            next += found.map_or(1, Vec::len);
        }
        replaced
    }

    /// Returns whether these bytes contain an old prefix.
    pub fn occur_in(&self, content: &[u8]) -> bool {
        self.old.iter().any(|prefix| {
            memchr::memmem::find_iter(content, prefix).any(|start| {
                let is_new = self.to.starts_with(prefix) && is_at(content, start, &self.to);
                is_at(content, start, prefix) && !is_new
            })
        })
    }

    fn longest_first(&self) -> Vec<&[u8]> {
        let mut all: Vec<&[u8]> = self
            .old
            .iter()
            .map(Vec::as_slice)
            .chain([self.to.as_slice()])
            .collect();
        all.sort_by_key(|prefix| std::cmp::Reverse(prefix.len()));
        all
    }
}

/// Returns whether this prefix, and not a longer name, is at this offset.
fn is_at(text: &[u8], start: usize, prefix: &[u8]) -> bool {
    let is_part_of_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.~+@%".contains(byte) || *byte >= 0x80;
    text[start..].starts_with(prefix)
        && (start == 0 || !is_part_of_name(&text[start - 1]) && text[start - 1] != b'/')
        && text
            .get(start + prefix.len())
            .is_none_or(|byte| !is_part_of_name(byte))
}

/// Strips trailing slashes.
fn trimmed(mut prefix: Vec<u8>) -> Vec<u8> {
    while prefix.len() > 1 && prefix.ends_with(b"/") {
        prefix.pop();
    }
    prefix
}

/// Converts bytes of a file to a path.
pub(super) fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(to: &str, old: &[&str]) -> Prefixes {
        Prefixes::new(
            Path::new(to),
            old.iter().map(|prefix| prefix.as_bytes().to_vec()),
            &[b"/opt/python".to_vec()],
        )
    }

    #[test]
    fn only_whole_paths_match() {
        let prefixes = prefixes(
            "/new",
            &[
                "/srv/env",
                "/srv/env/",
                "/usr",
                "relative",
                "/opt/python",
                "/new",
            ],
        );
        assert_eq!(prefixes.old(), [b"/srv/env"]);
        let rows = [
            ("/srv/env", "/new"),
            ("x=/srv/env/bin:/srv/env", "x=/new/bin:/new"),
            (
                "/srv/env2 /srv/env-x /mnt/srv/env //srv/env",
                "/srv/env2 /srv/env-x /mnt/srv/env //srv/env",
            ),
            ("\u{e9}/srv/env", "\u{e9}/srv/env"),
        ];
        for (text, expected) in rows {
            assert_eq!(
                prefixes.replace(text.as_bytes(), <[u8]>::to_vec),
                expected.as_bytes(),
                "{text}"
            );
        }
    }

    #[test]
    fn nothing_is_moved_twice() {
        let prefixes = prefixes("/srv/env/deep", &["/srv/env"]);
        let once = prefixes.replace(b"/srv/env/bin", <[u8]>::to_vec);
        assert_eq!(once, b"/srv/env/deep/bin");
        assert_eq!(prefixes.replace(&once, <[u8]>::to_vec), once);
        assert_eq!(prefixes.moved(&once).unwrap(), once);
        assert!(!prefixes.occur_in(&once) && prefixes.occur_in(b"x /srv/env"));
    }

    #[test]
    fn a_path_elsewhere_is_not_moved() {
        assert_eq!(prefixes("/new", &["/old"]).moved(b"/older/x"), None);
        assert_eq!(
            prefixes("/new", &["/old", "/old/inner"])
                .moved(b"/old/inner/x")
                .unwrap(),
            b"/new/x"
        );
    }
}
