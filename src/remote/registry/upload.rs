//! Uploads of blobs: each as a whole, in one request, to a URL that the registry has named before.
//!
//! An upload that broke starts again from its beginning. Before that, vpython asks for the blob,
//! which may have arrived.

use anyhow::Result;
use ureq::http::Method;

use super::Registry;
use super::authorization::Permission;
use crate::fs::Digest;
use crate::remote::attempt::{Answer, Message};
use crate::remote::content::Content;
use crate::remote::trouble::{Again, Purpose, Trouble};
use crate::remote::{RemoteUrl, redirect};

/// The media type of all blobs while they are sent.
const BINARY: &str = "application/octet-stream";

/// How a blob came into a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It was there.
    Existed,
    /// The registry took it from another of its repositories.
    Mounted,
    /// It was sent.
    Uploaded,
}

/// What a registry answers to the request for an upload.
enum Started {
    /// The blob is in the repository.
    Mounted,
    /// The blob is to be sent to a URL.
    At(RemoteUrl),
}

impl Registry {
    /// Makes sure that the repository has a blob: it is found there, mounted from the repository
    /// `from` of the same registry, or sent. The registry checks the digest.
    ///
    /// # Errors
    /// The registry refuses the blob, or cannot be reached.
    pub fn upload_blob(
        &self,
        digest: &Digest,
        content: &Content<'_>,
        from: Option<&str>,
    ) -> Result<Pushed> {
        let (uploads, blob) = (self.uploads_url()?, self.blob_url(digest)?);
        let mount = from.map(|from| Ok::<_, anyhow::Error>((from, self.mount_url(digest, from)?)));
        let mount = mount.transpose()?;
        let permission = self.to_push(None);
        let retry = self.client.settings.retry;
        retry.run(Purpose::Upload, &uploads, |_| {
            if self.find_blob(&blob, &permission)? {
                return Ok(Pushed::Existed);
            }
            let mounted = mount
                .as_ref()
                .map(|(from, url)| self.start(url, &self.to_push(Some(from))));
            let started = match mounted {
                // The user may be permitted to write here, and not to read there.
                None
                | Some(Err(Trouble {
                    again: Again::Never,
                    ..
                })) => self.start(&uploads, &permission)?,
                Some(started) => started?,
            };
            match started {
                Started::Mounted => Ok(Pushed::Mounted),
                Started::At(url) => {
                    self.send(&url, digest, content, &permission)?;
                    Ok(Pushed::Uploaded)
                }
            }
        })
    }

    /// Checks that the user may write to the repository, before work that takes long: starts an
    /// upload, and gives it up.
    ///
    /// # Errors
    /// The registry refuses uploads, or cannot be reached.
    pub fn check_upload(&self) -> Result<()> {
        let uploads = self.uploads_url()?;
        let permission = self.to_push(None);
        let retry = self.client.settings.retry;
        let started = retry.run(Purpose::Upload, &uploads, |_| {
            self.start(&uploads, &permission)
        })?;
        if let Started::At(url) = started {
            // A registry that does not support this forgets the upload after a while.
            let nothing = Content::of_bytes(b"");
            let message = Message::send(Method::DELETE, None, &nothing, &permission);
            let _ = self.client.attempt(&url, &message).map(finish);
        }
        Ok(())
    }

    /// Makes the registry take a blob from another of its repositories, and returns whether it has.
    /// If it has not, the blob must be uploaded.
    ///
    /// # Errors
    /// The registry refuses uploads, or cannot be reached.
    pub fn mount_blob(&self, digest: &Digest, from: &str) -> Result<bool> {
        let url = self.mount_url(digest, from)?;
        let permission = self.to_push(Some(from));
        let retry = self.client.settings.retry;
        retry.run(Purpose::Upload, &url, |_| {
            let started = self.start(&url, &permission)?;
            Ok(matches!(started, Started::Mounted))
        })
    }

    /// Returns the URL that starts an upload.
    fn uploads_url(&self) -> Result<RemoteUrl> {
        self.base.join("blobs/uploads/")
    }

    /// Returns the URL that mounts a blob of another repository, or else starts an upload.
    fn mount_url(&self, digest: &Digest, from: &str) -> Result<RemoteUrl> {
        let mut url = self.uploads_url()?.as_url().clone();
        url.query_pairs_mut()
            .append_pair("mount", &format!("sha256:{digest}"))
            .append_pair("from", from);
        RemoteUrl::parse(url.as_str())
    }

    /// Starts an upload.
    fn start(&self, url: &RemoteUrl, permission: &Permission<'_>) -> Result<Started, Trouble> {
        let nothing = Content::of_bytes(b"");
        let message = Message::send(Method::POST, None, &nothing, permission);
        let answer = self.client.attempt(url, &message)?;
        let location = answer.header("location").map(str::to_owned);
        let (status, url) = (answer.status, answer.url.clone());
        finish(answer);
        match (status, location) {
            (201, _) => Ok(Started::Mounted),
            (202, Some(location)) => redirect::target(&url, Some(&location)).map(Started::At),
            (202, None) => Err(Trouble::lasting(
                &url,
                "the registry names no URL for the upload",
            )),
            (status, _) => {
                let cause = format!("the server answered {status}, and 202 is expected");
                Err(Trouble::lasting(&url, cause))
            }
        }
    }

    /// Sends a blob to the URL that the registry has named for it.
    fn send(
        &self,
        url: &RemoteUrl,
        digest: &Digest,
        content: &Content<'_>,
        permission: &Permission<'_>,
    ) -> Result<(), Trouble> {
        let mut target = url.as_url().clone();
        // The URL may have a query, which contains the state of the upload.
        target
            .query_pairs_mut()
            .append_pair("digest", &format!("sha256:{digest}"));
        let target =
            RemoteUrl::parse(target.as_str()).map_err(|error| Trouble::local(url, error))?;
        let message = Message::send(Method::PUT, Some(BINARY), content, permission);
        self.client.attempt(&target, &message).map(finish)
    }
}

/// Reads the rest of an answer to an upload, so that its connection can be used again.
pub(super) fn finish(mut answer: Answer) {
    let body = answer.body.with_config().limit(64 * 1024).read_to_vec();
    answer.log(body.map_or(0, |body| body.len() as u64));
}
