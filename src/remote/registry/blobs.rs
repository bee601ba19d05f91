//! Blobs: layers, configurations and wheels, each named by the digest of its bytes.

use std::io::Write;

use anyhow::Result;
use ureq::http::Method;

use super::Registry;
use super::authorization::Permission;
use crate::fs::Digest;
use crate::remote::attempt::{Headers, Message};
use crate::remote::trouble::{Purpose, Trouble};
use crate::remote::{Download, Downloaded, Range, RemoteUrl, Request, Response};
use crate::report::progress::Part;

/// The maximum size of a blob whose size is not known, in bytes.
const LIMIT: u64 = 16 << 30;

impl Registry {
    /// Returns whether the repository has a blob.
    ///
    /// # Errors
    /// The registry cannot be read.
    pub fn has_blob(&self, digest: &Digest) -> Result<bool> {
        let url = self.blob_url(digest)?;
        let permission = self.to_pull();
        let retry = self.client.settings.retry;
        retry.run(Purpose::Fetch, &url, |_| self.find_blob(&url, &permission))
    }

    /// Asks once for a blob.
    pub(super) fn find_blob(
        &self,
        url: &RemoteUrl,
        permission: &Permission<'_>,
    ) -> Result<bool, Trouble> {
        let message = Message {
            method: Method::HEAD,
            ..Message::get(Headers::default(), permission)
        };
        let answer = self.client.attempt(url, &message)?;
        answer.log(0);
        Ok(matches!(answer.status, 200..=299))
    }

    /// Downloads a blob into `sink`, and checks its size and digest. It continues where it broke.
    ///
    /// # Errors
    /// The repository does not have the blob, the registry cannot be read, the blob has another
    /// size or digest, or the sink fails. The sink then has an unusable part of it.
    pub fn download_blob(
        &self,
        digest: &Digest,
        size: Option<u64>,
        sink: &mut dyn Write,
        progress: Option<&Part<'_>>,
    ) -> Result<Downloaded> {
        let url = self.blob_url(digest)?;
        let download = Download {
            url: &url,
            size,
            sha256: Some(*digest),
            // The size is compared with what arrives.
            limit: size.map_or(LIMIT, |_| u64::MAX),
        };
        self.client
            .download_from(&self.to_pull(), &download, sink, progress)
    }

    /// Downloads a blob of unknown size like [`Self::download_blob`]. Returns `false` if the
    /// repository does not have it.
    ///
    /// # Errors
    /// Those of [`Self::download_blob`] otherwise.
    pub fn download_blob_if_there(&self, digest: &Digest, sink: &mut dyn Write) -> Result<bool> {
        match self.download_blob(digest, None, sink, None) {
            Ok(_) => Ok(true),
            // Only a failure takes a second request.
            Err(_) if matches!(self.has_blob(digest), Ok(false)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Requests a part of a blob. As for [`Client::get`](crate::remote::Client::get), a registry may
    /// ignore the range and answer 200 with the whole blob, which may have at most `limit` bytes.
    ///
    /// # Errors
    /// The registry cannot be read, or the answer is larger than the limit.
    pub fn blob_part(&self, digest: &Digest, range: Range, limit: u64) -> Result<Response> {
        let url = self.blob_url(digest)?;
        let request = Request {
            range: Some(range),
            ..Request::new(&url, limit)
        };
        self.get(&request)
    }
}
