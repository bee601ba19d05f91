//! [`Reference`]: an image, or a set of wheels, as users name it.
//!
//! `oci:DIR[:TAG]` is an image layout on disk, as skopeo and buildah write it; DIR may also be a
//! `.tar` of one. `oci://HOST/REPO[:TAG][@sha256:DIGEST]` is in a registry, in the grammar of
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>.

use std::fmt;
use std::path::PathBuf;

use crate::fs::Digest;

/// The scheme of all references.
const SCHEME: &str = "oci:";
/// The longest tag, and the longest repository with its host.
const MAX_TAG: usize = 128;
const MAX_NAME: usize = 255;
/// The tag if none is named.
const DEFAULT_TAG: &str = "latest";

/// A reference to an image or a set of wheels.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// An image layout on disk.
    Layout(LayoutReference),
    /// A repository of a registry.
    Registry(RegistryReference),
}

/// A reference into an image layout on disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LayoutReference {
    /// The directory, or the `.tar`, as it was written.
    pub path: PathBuf,
    /// The tag, if one was named.
    pub tag: Option<String>,
}

/// A reference into a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegistryReference {
    /// The host, with its port if it has one.
    pub host: String,
    /// The repository: names in lower case, joined by `/`.
    pub repository: String,
    /// The version, if one was named.
    pub version: Option<Version>,
}

/// A version of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Version {
    /// A tag, which may be moved to another manifest.
    Tag(String),
    /// The digest of a manifest.
    Digest(Digest),
}

impl Reference {
    /// Parses a reference; `None` if the text does not begin with `oci:`.
    ///
    /// # Errors
    /// Returns why the rest of the text is not valid.
    #[must_use]
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let rest = text.strip_prefix(SCHEME)?;
        Some(match rest.strip_prefix("//") {
            Some(rest) => RegistryReference::parse(rest).map(Self::Registry),
            None => LayoutReference::parse(rest).map(Self::Layout),
        })
    }
}

impl LayoutReference {
    /// Parses `DIR[:TAG]`. A colon in the last name of a path separates a tag.
    fn parse(text: &str) -> Result<Self, String> {
        let (path, tag) = match text.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (text, None),
        };
        if path.is_empty() {
            return Err("it names no directory".to_owned());
        }
        if let Some(tag) = tag {
            check_tag(tag)?;
        }
        Ok(Self {
            path: PathBuf::from(path),
            tag: tag.map(str::to_owned),
        })
    }

    /// The tag, or `latest`.
    #[must_use]
    pub fn tag_or_default(&self) -> &str {
        self.tag.as_deref().unwrap_or(DEFAULT_TAG)
    }
}

impl RegistryReference {
    fn parse(text: &str) -> Result<Self, String> {
        let (host, name) = text
            .split_once('/')
            .ok_or("it names no repository after the host")?;
        check_host(host)?;
        let (name, digest) = match name.split_once('@') {
            Some((name, digest)) => (name, Some(parse_digest(digest)?)),
            None => (name, None),
        };
        let (repository, tag) = match name.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (name, None),
        };
        if let Some(tag) = tag {
            check_tag(tag)?;
        }
        if !repository.split('/').all(is_repository_part) || host.len() + name.len() > MAX_NAME {
            return Err(format!(
                "`{repository}` is not a repository: its names consist of lower-case letters, digits and single `.`, `_` and `-`"
            ));
        }
        // A digest says more than a tag beside it.
        let version = digest
            .map(Version::Digest)
            .or_else(|| tag.map(|tag| Version::Tag(tag.to_owned())));
        Ok(Self {
            host: host.to_ascii_lowercase(),
            repository: repository.to_owned(),
            version,
        })
    }

    /// The version, or the tag `latest`.
    #[must_use]
    pub fn version_or_default(&self) -> Version {
        self.version
            .clone()
            .unwrap_or_else(|| Version::Tag(DEFAULT_TAG.to_owned()))
    }
}

fn check_host(host: &str) -> Result<(), String> {
    let is_plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte))
    };
    if is_plain(host) {
        Ok(())
    } else if host.contains('@') {
        // The text before an `@` may be a password.
        Err(
            "it contains a user name; a login belongs into the file that `docker login` writes"
                .to_owned(),
        )
    } else {
        Err(format!("`{host}` is not a host"))
    }
}

/// Checks whether a text can be a tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[must_use]
pub fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.bytes().next().is_some_and(is_word)
        && tag.len() <= MAX_TAG
        && tag
            .bytes()
            .all(|byte| is_word(byte) || b".-".contains(&byte))
}

fn check_tag(tag: &str) -> Result<(), String> {
    if is_tag(tag) {
        Ok(())
    } else {
        Err(format!(
            "`{tag}` is not a tag: a tag consists of letters, digits, `_`, `.` and `-`"
        ))
    }
}

fn parse_digest(text: &str) -> Result<Digest, String> {
    let digits = text.strip_prefix("sha256:");
    let is_lower = |digits: &&str| !digits.bytes().any(|byte| byte.is_ascii_uppercase());
    digits
        .filter(is_lower)
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("`{text}` is not a digest such as `sha256:` and 64 digits"))
}

/// Checks `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_repository_part(part: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [part.bytes().next(), part.bytes().next_back()];
    let separators =
        part.split(|character: char| u8::try_from(character).is_ok_and(is_alphanumeric));
    ends.iter().all(|end| end.is_some_and(is_alphanumeric))
        && separators.into_iter().all(|separator| {
            matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
        })
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout(layout) => layout.fmt(formatter),
            Self::Registry(registry) => registry.fmt(formatter),
        }
    }
}

impl fmt::Display for LayoutReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{SCHEME}{}", self.path.display())?;
        match &self.tag {
            Some(tag) => write!(formatter, ":{tag}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for RegistryReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{SCHEME}//{}/{}", self.host, self.repository)?;
        match &self.version {
            Some(Version::Tag(tag)) => write!(formatter, ":{tag}"),
            Some(Version::Digest(digest)) => write!(formatter, "@sha256:{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn references_are_parsed_and_shown_as_written() {
        let digest = format!("oci://ghcr.io/acme/wheels@sha256:{HEX}");
        for text in [
            "oci:images",
            "oci:/srv/a.oci.tar",
            "oci:../images:3.11-x",
            "oci:/srv/a:b/images",
            "oci://localhost:5000/a",
            "oci://[::1]:5000/a/b__c/d-e.f:latest",
            digest.as_str(),
        ] {
            let parsed = Reference::parse(text).unwrap().unwrap();
            assert_eq!(parsed.to_string(), text);
        }
        let parsed = Reference::parse(&format!("oci://H/a:t@sha256:{HEX}"));
        let shown = parsed.unwrap().unwrap().to_string();
        assert_eq!(shown, format!("oci://h/a@sha256:{HEX}"));
        assert_eq!(Reference::parse("third_party/wheels"), None);
    }

    #[test]
    fn invalid_references_are_rejected() {
        let repository = "is not a repository: its names consist of lower-case letters, digits and single `.`, `_` and `-`";
        let tag = "is not a tag: a tag consists of letters, digits, `_`, `.` and `-`";
        let rows = [
            ("oci:", "it names no directory".to_owned()),
            ("oci::latest", "it names no directory".to_owned()),
            ("oci:a:", format!("`` {tag}")),
            ("oci:a:-x", format!("`-x` {tag}")),
            (
                "oci://host",
                "it names no repository after the host".to_owned(),
            ),
            ("oci:///a", "`` is not a host".to_owned()),
            (
                "oci://user:geheim@host/a",
                "it contains a user name; a login belongs into the file that `docker login` writes"
                    .to_owned(),
            ),
            ("oci://host/", format!("`` {repository}")),
            ("oci://host/A", format!("`A` {repository}")),
            ("oci://host/a/../b", format!("`a/../b` {repository}")),
            ("oci://host/a--b/c..d", format!("`a--b/c..d` {repository}")),
            ("oci://host/a:x y", format!("`x y` {tag}")),
            (
                "oci://host/a@sha512:00",
                "`sha512:00` is not a digest such as `sha256:` and 64 digits".to_owned(),
            ),
        ];
        for (text, why) in rows {
            assert_eq!(Reference::parse(text), Some(Err(why)), "{text}");
        }
    }
}
