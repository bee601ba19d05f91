//! The manifests of one type in a repository, such as those of wheels: that of a version, or those
//! of all tags.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Registry;
use super::images::shown;
use crate::fs::Digest;
use crate::oci::{DERIVED_TAG, Descriptor, MAX_DOCUMENT, Manifest, Version, is_tag};
use crate::remote::attempt::{Headers, Message};
use crate::remote::trouble::{Purpose, Trouble};
use crate::remote::{CONNECTIONS, RemoteUrl, in_parallel, redirect};
use crate::report::Failure;

/// The most tags whose manifests are read.
const MAX_TAGS: usize = 512;
/// The most bytes of manifests that are read, as of image layouts.
const MAX_MANIFESTS: u64 = 64 << 20;

impl Registry {
    /// Returns the manifests of one type: that of a version, or those of all tags, each once. The
    /// manifest of the tag `latest` comes first, then those of other tags in their alphabetical
    /// order, and at last those that only have the tag that `push` derives from their wheels. None
    /// if the registry does not have the repository or the version.
    ///
    /// # Errors
    /// The registry cannot be read, the version is not of that type, or there are too many tags or
    /// bytes.
    pub fn artifacts(
        &self,
        artifact_type: &str,
        version: Option<&Version>,
    ) -> Result<Option<Vec<Manifest>>> {
        let versions = match version {
            Some(version) => vec![version.clone()],
            None => match self.tags()? {
                Some(tags) => tags.into_iter().map(Version::Tag).collect(),
                None => return Ok(None),
            },
        };
        let size = AtomicU64::new(0);
        let read = in_parallel(CONNECTIONS, &versions, |version| {
            self.artifact(version, artifact_type, &size)
        });
        let (mut known, mut artifacts, mut exists) = (HashSet::new(), Vec::new(), false);
        for found in read {
            let found = found?;
            exists |= found.is_some();
            let Some((digest, Some(manifest))) = found else {
                continue;
            };
            if known.insert(digest) {
                artifacts.push(manifest);
            }
        }
        match version {
            Some(_) if !exists => Ok(None),
            Some(version) if artifacts.is_empty() => Err(Failure::new(format!(
                "the {} of `{self}` is not of the type `{artifact_type}`",
                shown(version)
            ))
            .hint("name another tag, or none to use all manifests of this type")
            .into()),
            _ => Ok(Some(artifacts)),
        }
    }

    /// Reads a manifest; none if it does not exist. It has no content if it is of another type.
    fn artifact(
        &self,
        version: &Version,
        artifact_type: &str,
        size: &AtomicU64,
    ) -> Result<Option<(Digest, Option<Manifest>)>> {
        let too_many = || {
            let limit = MAX_MANIFESTS >> 20;
            let what = format!("the manifests of `{self}` have more than {limit} MiB");
            Failure::new(what).hint("name one by its tag")
        };
        // After the limit no further one is requested.
        if size.load(Ordering::Relaxed) > MAX_MANIFESTS {
            return Err(too_many().into());
        }
        let Some(found) = self.manifest(version)? else {
            return Ok(None);
        };
        let bytes = found.bytes.len() as u64;
        if size.fetch_add(bytes, Ordering::Relaxed) + bytes > MAX_MANIFESTS {
            return Err(too_many().into());
        }
        if Descriptor::of(&found.media_type, &found.bytes).is_index() {
            return Ok(Some((found.digest, None)));
        }
        let manifest = Manifest::parse(&found.bytes)
            .with_context(|| format!("cannot read the {} of `{self}`", shown(version)))?;
        let is_wanted = manifest.artifact_type() == artifact_type;
        Ok(Some((found.digest, is_wanted.then_some(manifest))))
    }

    /// Returns the tags in their order of precedence; none if there is no such repository.
    fn tags(&self) -> Result<Option<Vec<String>>> {
        let mut tags = BTreeSet::new();
        let mut page = Some(self.base.join(&format!("tags/list?n={}", MAX_TAGS + 1))?);
        while let Some(url) = page {
            let Some(found) = self.tags_on(&url)? else {
                return Ok((!tags.is_empty()).then(|| in_order(tags)));
            };
            let before = tags.len();
            tags.extend(found.tags.into_iter().filter(|tag| is_tag(tag)));
            if tags.len() > MAX_TAGS {
                let what = format!("the repository `{self}` has more than {MAX_TAGS} tags");
                return Err(Failure::new(what).hint("name one by its tag").into());
            }
            // A registry that repeats itself would do so for ever.
            page = found.next.filter(|_| tags.len() > before);
        }
        Ok(Some(in_order(tags)))
    }

    /// Requests a part of the list of tags.
    fn tags_on(&self, url: &RemoteUrl) -> Result<Option<Page>> {
        let permission = self.to_pull();
        let headers = Headers {
            accept_encoding: "gzip",
            ..Headers::default()
        };
        let message = Message::get(headers, &permission);
        let retry = self.client.settings.retry;
        retry.run(Purpose::Fetch, url, |_| {
            let mut answer = self.client.attempt(url, &message)?;
            if answer.status != 200 {
                answer.log(0);
                return Ok(None);
            }
            let bytes = self.client.read_body(&mut answer, MAX_DOCUMENT)?;
            answer.log(bytes.len() as u64);
            let list: TagList = serde_json::from_slice(&bytes).map_err(|error| {
                Trouble::lasting(url, format!("it is not a list of tags: {error}"))
            })?;
            let next = answer.header("link").and_then(next_page);
            let next = next.map(|next| redirect::target(&answer.url, Some(next)));
            let next = next.transpose()?;
            Ok(Some(Page {
                tags: list.tags.unwrap_or_default(),
                next: next.filter(|next| next.origin() == self.origin()),
            }))
        })
    }
}

/// A part of the list of tags.
struct Page {
    tags: Vec<String>,
    next: Option<RemoteUrl>,
}

#[derive(Deserialize)]
struct TagList {
    tags: Option<Vec<String>>,
}

/// Returns the URL of the next page in a header `Link` (RFC 8288).
fn next_page(header: &str) -> Option<&str> {
    let (url, parameters) = header.strip_prefix('<')?.split_once('>')?;
    parameters.contains("next").then_some(url)
}

/// Sorts tags by their precedence.
fn in_order(tags: BTreeSet<String>) -> Vec<String> {
    let mut tags: Vec<String> = tags.into_iter().collect();
    tags.sort_by_key(|tag| (Reverse(tag == "latest"), tag.starts_with(DERIVED_TAG)));
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_tags_precede_derived_ones() {
        let tags = ["lock-1", "b", "latest", "lock-0", "a"];
        let ordered = in_order(tags.map(str::to_owned).into());
        assert_eq!(ordered, ["latest", "a", "b", "lock-0", "lock-1"]);
    }

    #[test]
    fn the_next_page_is_that_of_the_header() {
        let rows = [
            (
                "</v2/a/tags/list?n=1&last=x>; rel=\"next\"",
                Some("/v2/a/tags/list?n=1&last=x"),
            ),
            ("<https://h/x>; rel=next", Some("https://h/x")),
            ("</v2/>; rel=\"prev\"", None),
            ("/v2/", None),
        ];
        for (header, expected) in rows {
            assert_eq!(next_page(header), expected, "{header}");
        }
    }
}
