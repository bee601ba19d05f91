//! Manifests: the documents that name the blobs of an image, of a set of wheels, or other manifests.

use anyhow::Result;
use ureq::http::Method;

use super::{Registry, upload};
use crate::fs::Digest;
use crate::oci::{MAX_DOCUMENT, Version, media_type};
use crate::remote::attempt::{Headers, Message};
use crate::remote::content::Content;
use crate::remote::trouble::{Purpose, Trouble};
use crate::remote::{Client, RemoteUrl};

/// The media types that vpython reads.
const ACCEPT: [&str; 4] = [
    media_type::MANIFEST,
    media_type::INDEX,
    media_type::DOCKER_MANIFEST,
    media_type::DOCKER_INDEX,
];
/// The header in which a registry states the digest of a manifest.
const DIGEST: &str = "docker-content-digest";

/// A manifest that a registry has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundManifest {
    /// Its bytes, of which the digest is.
    pub bytes: Vec<u8>,
    /// Its media type without parameters; empty if the registry states none.
    pub media_type: String,
    /// The digest of its bytes.
    pub digest: Digest,
}

impl Registry {
    /// Returns a manifest; none if the registry does not have it.
    ///
    /// # Errors
    /// The registry cannot be read, the manifest is larger than 4 MiB, or has another digest than it
    /// was requested by, or than the registry states.
    pub fn manifest(&self, version: &Version) -> Result<Option<FoundManifest>> {
        let url = self.manifest_url(version)?;
        let permission = self.to_pull();
        let accept = ACCEPT.join(", ");
        let headers = Headers {
            accept: Some(&accept),
            accept_encoding: "gzip",
            ..Headers::default()
        };
        let message = Message::get(headers, &permission);
        let retry = self.client.settings.retry;
        retry.run(Purpose::Fetch, &url, |_| {
            receive(&self.client, &url, version, &message)
        })
    }

    /// Stores a manifest under a name. Its blobs must be in the repository already. Returns its
    /// digest.
    ///
    /// # Errors
    /// The registry refuses it, or cannot be reached.
    pub fn put_manifest(
        &self,
        version: &Version,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Digest> {
        let url = self.manifest_url(version)?;
        let permission = self.to_push(None);
        let content = Content::of_bytes(bytes);
        let message = Message::send(Method::PUT, Some(media_type), &content, &permission);
        let retry = self.client.settings.retry;
        retry.run(Purpose::Upload, &url, |_| {
            self.client.attempt(&url, &message).map(upload::finish)
        })?;
        Ok(Digest::of(bytes))
    }

    fn manifest_url(&self, version: &Version) -> Result<RemoteUrl> {
        self.base.join(&match version {
            Version::Tag(tag) => format!("manifests/{tag}"),
            Version::Digest(digest) => format!("manifests/sha256:{digest}"),
        })
    }
}

/// Requests a manifest once.
fn receive(
    client: &Client,
    url: &RemoteUrl,
    version: &Version,
    message: &Message<'_>,
) -> Result<Option<FoundManifest>, Trouble> {
    let mut answer = client.attempt(url, message)?;
    if matches!(answer.status, 404 | 410) {
        answer.log(0);
        return Ok(None);
    }
    if answer.status != 200 {
        let cause = format!("the server answered {} without a manifest", answer.status);
        return Err(Trouble::lasting(url, cause));
    }
    let bytes = client.read_body(&mut answer, MAX_DOCUMENT)?;
    answer.log(bytes.len() as u64);
    let digest = Digest::of(&bytes);
    let stated = answer.header(DIGEST).and_then(parse_digest);
    let expected = match version {
        Version::Tag(_) => stated,
        Version::Digest(digest) => Some(*digest),
    };
    if let Some(expected) = expected.filter(|expected| *expected != digest) {
        let cause = format!("its SHA-256 digest is {digest}, and {expected} is expected");
        return Err(Trouble::lasting(url, cause)
            .hint("the registry is damaged, or something on the way changed the manifest"));
    }
    let kind = answer.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    Ok(Some(FoundManifest {
        bytes,
        media_type: kind.to_ascii_lowercase(),
        digest,
    }))
}

/// Parses `sha256:` with a digest; none if it is one of another algorithm.
fn parse_digest(text: &str) -> Option<Digest> {
    text.trim().strip_prefix("sha256:")?.parse().ok()
}
