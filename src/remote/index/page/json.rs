//! The JSON format (PEP 691, with the additions of PEP 700, 714 and 792).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use url::Url;

use super::{link, version};
use crate::remote::index::project::{Hashes, IndexFile, Project, Sidecar};
use crate::remote::index::timestamp::Timestamp;
use crate::report::Failure;

/// Parses the page of a project.
///
/// # Errors
/// It is not JSON of this shape, or has an unknown major version.
pub(super) fn parse(url: &Url, content: &[u8]) -> anyhow::Result<Project> {
    let bad = || Failure::new("invalid page of a package index");
    let page: Page =
        serde_json::from_slice(content).map_err(|error| bad().because(error.to_string()))?;
    let warning =
        version::check(&page.meta.api_version).map_err(|error| bad().because(error.to_string()))?;
    let mut project = Project {
        name: page.name.unwrap_or_default().into_owned(),
        versions: page.versions.unwrap_or_default(),
        status: page
            .project_status
            .and_then(|status| status.status)
            .filter(|status| status != "active"),
        warnings: warning.into_iter().collect(),
        ..Project::default()
    };
    for file in page.files {
        add(&mut project, url, file);
    }
    Ok(project)
}

/// Adds a file of the page.
fn add(project: &mut Project, base: &Url, file: File<'_>) {
    match link::kind(&file.filename) {
        link::Kind::Wheel if link::is_file_name(&file.filename) => {}
        link::Kind::Source => {
            let is_yanked = !matches!(file.yanked, None | Some(Flag::Is(false)));
            let version = link::source_version(&file.filename).filter(|_| !is_yanked);
            return project.source_versions.extend(version);
        }
        _ => return,
    }
    let url = if link::is_plain(&file.url) {
        file.url.clone().into_owned()
    } else {
        let Some(mut url) = link::resolve(base, &file.url) else {
            return;
        };
        url.set_fragment(None);
        url.into()
    };
    project.wheels.push(IndexFile {
        metadata: file.sidecar(),
        hashes: file
            .hashes
            .as_ref()
            .map(RawHashes::read)
            .unwrap_or_default(),
        file_name: file.filename.into_owned(),
        url,
        size: file.size,
        requires_python: file.requires_python.filter(|range| !range.is_empty()),
        yanked: match file.yanked {
            None | Some(Flag::Is(false)) => None,
            Some(Flag::Is(true)) => Some(String::new()),
            Some(Flag::With(reason)) => Some(reason),
        },
        uploaded: file
            .upload_time
            .and_then(|time| Timestamp::parse(&time).ok()),
    });
}

/// The page of a project.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default)]
    meta: Meta,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    versions: Option<Vec<String>>,
    #[serde(rename = "project-status")]
    project_status: Option<Status>,
    #[serde(borrow)]
    files: Vec<File<'a>>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "api-version")]
    api_version: String,
}

impl Default for Meta {
    /// A page without a version has the first one (PEP 629).
    fn default() -> Self {
        Self {
            api_version: "1.0".to_owned(),
        }
    }
}

#[derive(Deserialize)]
struct Status {
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File<'a> {
    #[serde(borrow)]
    filename: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow)]
    hashes: Option<RawHashes<'a>>,
    size: Option<u64>,
    requires_python: Option<String>,
    yanked: Option<Flag<String>>,
    #[serde(borrow)]
    upload_time: Option<Cow<'a, str>>,
    core_metadata: Option<Flag<BTreeMap<String, String>>>,
    dist_info_metadata: Option<Flag<BTreeMap<String, String>>>,
    data_dist_info_metadata: Option<Flag<BTreeMap<String, String>>>,
}

impl File<'_> {
    /// Returns whether there is a metadata file. `core-metadata` is the name of PEP 714, which wins
    /// over that of PEP 658.
    fn sidecar(&self) -> Sidecar {
        let stated = [
            &self.core_metadata,
            &self.dist_info_metadata,
            &self.data_dist_info_metadata,
        ];
        match stated.into_iter().flatten().next() {
            None | Some(Flag::Is(false)) => Sidecar::Absent,
            Some(Flag::Is(true)) => Sidecar::Unhashed,
            Some(Flag::With(hashes)) => hashes
                .get("sha256")
                .and_then(|digest| digest.parse().ok())
                .map_or(Sidecar::Unhashed, Sidecar::Hashed),
        }
    }
}

/// A boolean, or in place of `true` a value that says more.
#[derive(Deserialize)]
#[serde(untagged)]
enum Flag<T> {
    Is(bool),
    With(T),
}

/// The digests of a file by algorithm, borrowed from the page.
struct RawHashes<'a>(Vec<(Text<'a>, Text<'a>)>);

/// A text that is borrowed from the page if it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl RawHashes<'_> {
    fn read(&self) -> Hashes {
        let pairs = self.0.iter();
        Hashes::of(pairs.map(|(name, value)| (name.0.as_ref(), value.0.as_ref())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawHashes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = RawHashes<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("digests by algorithm")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(RawHashes(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> anyhow::Result<Project> {
        parse(
            &Url::parse("https://index.example/simple/a/").unwrap(),
            content.as_bytes(),
        )
    }

    const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn all_facts_of_a_file_are_read() {
        let page = format!(
            r#"{{
            "meta": {{"api-version": "1.4", "_last-serial": 7}},
            "name": "a", "versions": ["1", "2"], "project-status": {{"status": "archived"}},
            "files": [
                {{"filename": "a-1.tar.gz", "url": "a-1.tar.gz", "hashes": {{}}}},
                {{"filename": "a-1-py3-none-any.whl", "url": "../../f/a-1-py3-none-any.whl#sha256=00",
                  "hashes": {{"sha256": "{SHA256}", "md5": "00"}}, "size": 12, "requires-python": ">=3.8",
                  "yanked": "broken", "upload-time": "2024-01-02T03:04:05.5Z", "provenance": null,
                  "core-metadata": {{"sha256": "{SHA256}"}}, "data-dist-info-metadata": false}},
                {{"filename": "a-2-py3-none-any.whl", "url": "https://cdn.example/x", "hashes": {{}},
                  "yanked": false, "requires-python": null, "dist-info-metadata": true}},
                {{"filename": "../a.whl", "url": "a.whl", "hashes": {{}}}},
                {{"filename": "b.whl", "url": "file:///b.whl", "hashes": {{}}}},
                {{"filename": "a.egg", "url": "a.egg", "hashes": {{}}}}
            ]}}"#
        );
        let digest: crate::fs::Digest = SHA256.parse().unwrap();
        let expected = Project {
            name: "a".into(),
            versions: vec!["1".into(), "2".into()],
            wheels: vec![
                IndexFile {
                    file_name: "a-1-py3-none-any.whl".into(),
                    url: "https://index.example/f/a-1-py3-none-any.whl".into(),
                    hashes: Hashes {
                        sha256: Some(digest),
                        ..Hashes::default()
                    },
                    size: Some(12),
                    requires_python: Some(">=3.8".into()),
                    yanked: Some("broken".into()),
                    uploaded: Some("2024-01-02T03:04:05.5Z".parse().unwrap()),
                    metadata: Sidecar::Hashed(digest),
                },
                IndexFile {
                    file_name: "a-2-py3-none-any.whl".into(),
                    url: "https://cdn.example/x".into(),
                    metadata: Sidecar::Unhashed,
                    ..IndexFile::default()
                },
            ],
            source_versions: vec!["1".into()],
            status: Some("archived".into()),
            warnings: Vec::new(),
        };
        assert_eq!(read(&page).unwrap(), expected);
        // The parsed form, which is cached, has the same facts.
        let cached = serde_json::to_string(&expected).unwrap();
        assert_eq!(serde_json::from_str::<Project>(&cached).unwrap(), expected);
    }

    #[test]
    fn what_older_indexes_leave_out_is_unknown() {
        let project = read(r#"{"files": []}"#).unwrap();
        assert_eq!(project, Project::default());
        let file = r#"{"filename": "a-1-py3-none-any.whl", "url": "a.whl", "yanked": true, "hashes": null}"#;
        let project = read(&format!(r#"{{"name": null, "files": [{file}]}}"#)).unwrap();
        assert_eq!(project.wheels[0].yanked, Some(String::new()));
        assert_eq!(project.wheels[0].metadata, Sidecar::Absent);
    }

    #[test]
    fn what_is_not_a_page_is_an_error() {
        let message = |content: &str| crate::report::one_line(&read(content).unwrap_err());
        let deep = "[".repeat(100_000);
        let nested = format!(r#"{{"x": {deep}, "files": []}}"#);
        for content in ["", "[]", "{}", "<html>", &deep, &nested] {
            let message = message(content);
            assert!(
                message.starts_with("invalid page of a package index: "),
                "{message}"
            );
        }
        assert_eq!(
            message(r#"{"meta": {"api-version": "2.0"}, "files": []}"#),
            "invalid page of a package index: it has version 2.0 of the index API, and vpython knows version 1"
        );
    }
}
