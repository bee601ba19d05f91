//! [`PinnedReference`]: an image with the digest of its manifest, which nobody can change.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{LayoutReference, Reference};
use crate::fs::Digest;

/// What separates a digest from the rest of a reference.
const DIGEST: &str = "@sha256:";

/// An image with the digest of its manifest: `oci://HOST/REPO[:TAG]@sha256:DIGEST` or
/// `oci:DIR[:TAG]@sha256:DIGEST`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PinnedReference {
    /// Where the image is; a tag is only for people.
    pub reference: Reference,
    /// The digest of its manifest, or of the list of its manifests by platform.
    pub digest: Digest,
}

impl PinnedReference {
    /// Parses a reference; `None` if the text does not begin with `oci:`. `resolve` makes the path of
    /// a layout absolute.
    ///
    /// # Errors
    /// Returns why the rest of the text is not valid.
    #[must_use]
    pub fn parse(
        text: &str,
        resolve: impl FnOnce(&Path) -> PathBuf,
    ) -> Option<Result<Self, String>> {
        let (reference, digits) = match text.rsplit_once(DIGEST) {
            Some((reference, digits)) => (reference, Some(digits)),
            None => (text, None),
        };
        let reference = Reference::parse(reference)?;
        Some(reference.and_then(|reference| {
            let digits = digits.ok_or("it has no digest, and a tag may change")?;
            let is_lower = !digits.bytes().any(|byte| byte.is_ascii_uppercase());
            let digest = digits.parse().ok().filter(|_| is_lower);
            let digest = digest.ok_or_else(|| {
                format!("`sha256:{digits}` is not a digest such as `sha256:` and 64 digits")
            })?;
            let reference = match reference {
                Reference::Layout(layout) => Reference::Layout(LayoutReference {
                    path: resolve(&layout.path),
                    ..layout
                }),
                registry @ Reference::Registry(_) => registry,
            };
            Ok(Self { reference, digest })
        }))
    }
}

impl fmt::Display for PinnedReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{DIGEST}{}", self.reference, self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn parse(text: &str) -> Option<Result<String, String>> {
        let parsed = PinnedReference::parse(text, |path| Path::new("/here").join(path))?;
        Some(parsed.map(|pinned| pinned.to_string()))
    }

    #[test]
    fn a_tag_stays_beside_the_digest() {
        let rows = [
            ("oci://h/python", "oci://h/python"),
            ("oci://h:5000/a/python:3.11", "oci://h:5000/a/python:3.11"),
            ("oci:layout", "oci:/here/layout"),
            ("oci:/srv/layout:3.11", "oci:/srv/layout:3.11"),
        ];
        for (text, expected) in rows {
            let pinned = |text: &str| format!("{text}@sha256:{HEX}");
            assert_eq!(parse(&pinned(text)), Some(Ok(pinned(expected))));
        }
        assert_eq!(parse("/usr/bin/python3"), None);
    }

    #[test]
    fn a_reference_without_a_valid_digest_is_rejected() {
        let none = "it has no digest, and a tag may change";
        let rows = [
            ("oci://h/python".to_owned(), none.to_owned()),
            ("oci:layout:3.11".to_owned(), none.to_owned()),
            (
                "oci:layout@sha256:00".to_owned(),
                "`sha256:00` is not a digest such as `sha256:` and 64 digits".to_owned(),
            ),
            (
                format!("oci:layout@sha256:{}", HEX.to_uppercase()),
                format!(
                    "`sha256:{}` is not a digest such as `sha256:` and 64 digits",
                    HEX.to_uppercase()
                ),
            ),
            (
                format!("oci:@sha256:{HEX}"),
                "it names no directory".to_owned(),
            ),
        ];
        for (text, why) in rows {
            assert_eq!(parse(&text), Some(Err(why)), "{text}");
        }
    }
}
