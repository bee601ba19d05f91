//! The places that an environment was known by, and what takes their place in a text.
//!
//! A place counts only where a whole path stands: `/srv/env` is not found in `/srv/env2` nor in
//! `/mnt/srv/env`. Of two that would fit the longer one does, and the new place is one of them, so
//! that nothing is moved twice.

use std::path::{Path, PathBuf};

/// Prefixes of systems: no environment stands there, whatever a first line says.
const OF_SYSTEM: [&str; 6] = [
    "/",
    "/usr",
    "/usr/local",
    "/usr/pkg",
    "/opt/local",
    "/opt/homebrew",
];

/// The old places, and the new one; as bytes, as they stand in files.
#[derive(Debug, Clone)]
pub(super) struct Prefixes {
    to: Vec<u8>,
    /// Without the new one; the longest first.
    old: Vec<Vec<u8>>,
}

impl Prefixes {
    /// Those of `found` that can be places of environments. `foreign` are prefixes of interpreters.
    pub fn new(to: &Path, found: impl IntoIterator<Item = Vec<u8>>, foreign: &[Vec<u8>]) -> Self {
        let to = to.as_os_str().as_encoded_bytes().to_vec();
        let is_place = |place: &Vec<u8>| {
            let is_system = OF_SYSTEM.iter().any(|system| place == system.as_bytes());
            place.starts_with(b"/")
                && !place.contains(&b'\n')
                && !is_system
                && *place != to
                && !foreign.contains(place)
        };
        let mut old: Vec<Vec<u8>> = found.into_iter().map(trimmed).filter(is_place).collect();
        old.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        old.dedup();
        Self { to, old }
    }

    /// The new place.
    pub fn to(&self) -> &[u8] {
        &self.to
    }

    /// The old places, the longest first.
    pub fn old(&self) -> &[Vec<u8>] {
        &self.old
    }

    /// Where a path that stands in the environment will stand; none for a path that stands
    /// elsewhere.
    pub fn moved(&self, path: &[u8]) -> Option<Vec<u8>> {
        let inside = |place: &[u8]| {
            let rest = path.strip_prefix(place)?;
            (rest.is_empty() || rest.starts_with(b"/")).then(|| [&self.to, rest].concat())
        };
        self.longest_first().into_iter().find_map(inside)
    }

    /// `text` with the new place wherever one stood, written by `encode` as the text's quotes need
    /// it.
    pub fn replace(&self, text: &[u8], encode: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let new = encode(&self.to);
        let mut known: Vec<Vec<u8>> = self
            .longest_first()
            .into_iter()
            .flat_map(|place| [place.to_vec(), encode(place)])
            .collect();
        known.sort_by_key(|place| std::cmp::Reverse(place.len()));
        let mut replaced = Vec::with_capacity(text.len());
        let mut next = 0;
        while next < text.len() {
            let found = known.iter().find(|place| stands_at(text, next, place));
            replaced.extend_from_slice(found.map_or(&text[next..=next], |_| &new));
            next += found.map_or(1, Vec::len);
        }
        replaced
    }

    /// Whether an old place is named anywhere in these bytes.
    pub fn is_named_in(&self, content: &[u8]) -> bool {
        self.old.iter().any(|place| {
            memchr::memmem::find_iter(content, place).any(|start| {
                let is_new = self.to.starts_with(place) && stands_at(content, start, &self.to);
                stands_at(content, start, place) && !is_new
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
        all.sort_by_key(|place| std::cmp::Reverse(place.len()));
        all
    }
}

/// Whether this place, and no longer name, stands there.
fn stands_at(text: &[u8], start: usize, place: &[u8]) -> bool {
    let is_part_of_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.~+@%".contains(byte) || *byte >= 0x80;
    text[start..].starts_with(place)
        && (start == 0 || !is_part_of_name(&text[start - 1]) && text[start - 1] != b'/')
        && text
            .get(start + place.len())
            .is_none_or(|byte| !is_part_of_name(byte))
}

/// Without slashes at the end.
fn trimmed(mut place: Vec<u8>) -> Vec<u8> {
    while place.len() > 1 && place.ends_with(b"/") {
        place.pop();
    }
    place
}

/// Bytes of a file as a path.
pub(super) fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(to: &str, old: &[&str]) -> Prefixes {
        Prefixes::new(
            Path::new(to),
            old.iter().map(|place| place.as_bytes().to_vec()),
            &[b"/opt/python".to_vec()],
        )
    }

    #[test]
    fn only_whole_paths_are_places() {
        let places = places(
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
        assert_eq!(places.old(), [b"/srv/env"]);
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
                places.replace(text.as_bytes(), <[u8]>::to_vec),
                expected.as_bytes(),
                "{text}"
            );
        }
    }

    #[test]
    fn nothing_is_moved_twice() {
        let places = places("/srv/env/deep", &["/srv/env"]);
        let once = places.replace(b"/srv/env/bin", <[u8]>::to_vec);
        assert_eq!(once, b"/srv/env/deep/bin");
        assert_eq!(places.replace(&once, <[u8]>::to_vec), once);
        assert_eq!(places.moved(&once).unwrap(), once);
        assert!(!places.is_named_in(&once) && places.is_named_in(b"x /srv/env"));
    }

    #[test]
    fn a_path_elsewhere_is_not_moved() {
        assert_eq!(places("/new", &["/old"]).moved(b"/older/x"), None);
        assert_eq!(
            places("/new", &["/old", "/old/inner"])
                .moved(b"/old/inner/x")
                .unwrap(),
            b"/new/x"
        );
    }
}
