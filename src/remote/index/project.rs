//! What an index says about a project: its files, with the facts that a resolver needs before it
//! downloads any of them.

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;
use crate::fs::Digest;
use crate::wheel::WheelName;

/// The answer of one index for one project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// The name as the page states it; empty if it states none.
    pub name: String,
    /// All versions of the project, those without wheels included (PEP 700); empty if the index
    /// does not list them.
    pub versions: Vec<String>,
    /// The wheels, in the order of the page. The names of the files are not parsed.
    pub wheels: Vec<IndexFile>,
    /// The versions of the source distributions on the page that were not yanked, as written in the
    /// names of their files.
    pub source_versions: Vec<String>,
    /// The status of the project (PEP 792), if it is not `active`: `archived`, `quarantined` or
    /// `deprecated`.
    pub status: Option<String>,
    /// Deviations of the page that its maintainer should know about, one sentence each.
    pub warnings: Vec<String>,
}

impl Project {
    /// Returns the versions that installers pass over unless they are required exactly, or have no
    /// wheel at all, each with the reason as the rest of a sentence: `was yanked`.
    #[must_use]
    pub fn versions_without_wheel(&self) -> Vec<(Version, String)> {
        let mut found: BTreeMap<Version, String> = BTreeMap::new();
        let sources = self.source_versions.iter();
        found.extend(sources.filter_map(|version| {
            let why = "has only a source distribution".to_owned();
            Some((version.parse().ok()?, why))
        }));
        // One wheel of a version may be yanked and another one not.
        let mut offered = BTreeSet::new();
        for file in &self.wheels {
            let Some(version) = file.version() else {
                continue;
            };
            match file.yanked.as_deref() {
                None => drop(offered.insert(version)),
                Some("") => drop(found.insert(version, "was yanked".to_owned())),
                Some(reason) => drop(found.insert(version, format!("was yanked ({reason})"))),
            }
        }
        found.retain(|version, _| !offered.contains(version));
        found.into_iter().collect()
    }
}

/// A wheel on a page of an index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexFile {
    /// The file name, with percent escapes decoded. It has no `/` and no control characters.
    pub file_name: String,
    /// The absolute `http` or `https` URL, without fragment and user information.
    pub url: String,
    /// The digests of the file.
    #[serde(default, skip_serializing_if = "Hashes::is_empty")]
    pub hashes: Hashes,
    /// The size in bytes (PEP 700).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The Python versions that the file supports, as written (PEP 503).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires_python: Option<String>,
    /// The reason why the file was yanked (PEP 592), which may be empty; `None` if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked: Option<String>,
    /// The time of the upload (PEP 700).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploaded: Option<Timestamp>,
    /// Whether the index serves the file's `METADATA` at [`Self::metadata_url`].
    #[serde(default, skip_serializing_if = "Sidecar::is_absent")]
    pub metadata: Sidecar,
}

impl IndexFile {
    /// Creates the entry of a wheel whose digest and size are known.
    #[must_use]
    pub fn of_blob(file_name: &str, url: String, sha256: Digest, size: u64) -> Self {
        Self {
            file_name: file_name.to_owned(),
            url,
            hashes: Hashes {
                sha256: Some(sha256),
                ..Hashes::default()
            },
            size: Some(size),
            ..Self::default()
        }
    }

    /// Returns the version in the name of the file.
    fn version(&self) -> Option<Version> {
        Some(WheelName::parse(&self.file_name).ok()?.version)
    }

    /// Returns the URL of the metadata file (PEP 658), whether or not the index has it.
    #[must_use]
    pub fn metadata_url(&self) -> String {
        // The suffix belongs to the path, which a query may follow.
        match self.url.split_once('?') {
            Some((path, query)) => format!("{path}.metadata?{query}"),
            None => format!("{}.metadata", self.url),
        }
    }
}

/// The metadata file next to a wheel (PEP 658, PEP 714).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sidecar {
    /// The index has none, or does not say so.
    #[default]
    Absent,
    /// The index has one, and does not state its SHA-256.
    Unhashed,
    /// The index has one with this SHA-256.
    Hashed(Digest),
}

impl Sidecar {
    fn is_absent(&self) -> bool {
        *self == Self::Absent
    }
}

/// The digests of a file that an index states.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes {
    /// The SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// The others by the algorithm's name in Python's `hashlib`, in lower-case hexadecimal. Only
    /// filled if there is no SHA-256.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<String, String>,
}

impl Hashes {
    /// Returns the digests of these pairs of algorithm and value. A value that is not hexadecimal
    /// is skipped.
    pub(super) fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut hashes = Self::default();
        for (algorithm, value) in pairs {
            let algorithm = algorithm.to_ascii_lowercase();
            if algorithm == "sha256" {
                hashes.sha256 = value.parse().ok().or(hashes.sha256);
            } else if hex::decode(value).is_ok_and(|bytes| !bytes.is_empty()) {
                hashes.others.insert(algorithm, value.to_ascii_lowercase());
            }
        }
        if hashes.sha256.is_some() {
            hashes.others.clear();
        }
        hashes
    }

    /// Checks whether the index states no digest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sha256.is_none() && self.others.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_file_is_next_to_the_wheel() {
        let url = |url: &str| {
            IndexFile {
                url: url.to_owned(),
                ..IndexFile::default()
            }
            .metadata_url()
        };
        assert_eq!(url("https://x/a.whl"), "https://x/a.whl.metadata");
        assert_eq!(url("https://x/a.whl?t=1"), "https://x/a.whl.metadata?t=1");
    }

    #[test]
    fn a_version_of_which_one_wheel_was_not_yanked_is_offered() {
        let wheel = |name: &str, yanked: Option<&str>| IndexFile {
            file_name: format!("a-{name}.whl"),
            yanked: yanked.map(str::to_owned),
            ..IndexFile::default()
        };
        let project = Project {
            wheels: vec![
                wheel("1-py2-none-any", None),
                wheel("1-py3-none-any", Some("broken")),
                wheel("2-py2-none-any", Some("broken")),
                wheel("2-py3-none-any", None),
                wheel("3-py3-none-any", Some("")),
            ],
            source_versions: ["2", "4"].map(str::to_owned).into(),
            ..Project::default()
        };
        let expected = [("3", "was yanked"), ("4", "has only a source distribution")];
        let expected = expected.map(|(version, why)| (version.parse().unwrap(), why.to_owned()));
        assert_eq!(project.versions_without_wheel(), expected);
    }

    #[test]
    fn other_digests_count_only_without_a_sha256() {
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let both = Hashes::of([("md5", "00ff"), ("SHA256", sha256)]);
        assert_eq!(both.sha256.unwrap().to_string(), sha256);
        assert!(both.others.is_empty());
        let other = Hashes::of([("sha512", "00FF"), ("md5", "nonsense"), ("sha256", "12")]);
        assert_eq!(other.sha256, None);
        assert_eq!(other.others, [("sha512".into(), "00ff".into())].into());
        assert!(Hashes::of([("md5", "")]).is_empty());
    }
}
