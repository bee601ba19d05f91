//! [`Client::download`]: files of any size, hashed while they arrive and resumed where they broke.

use std::io::Write;

use anyhow::Result;

use super::{Client, RemoteUrl};
use crate::fs::Digest;
use crate::report::progress::Part;

/// A file to download.
#[derive(Debug, Clone, Copy)]
pub struct Download<'a> {
    /// The file.
    pub url: &'a RemoteUrl,
    /// The size that it must have in bytes, if it is known.
    pub size: Option<u64>,
    /// The digest that it must have, if it is known.
    pub sha256: Option<Digest>,
    /// The maximum size in bytes.
    pub limit: u64,
}

/// A file that was downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// The URL after redirects.
    pub url: RemoteUrl,
    /// The size in bytes.
    pub size: u64,
    /// The digest.
    pub sha256: Digest,
}

impl Client {
    /// Downloads a file into `sink`, such as a new file in a staged directory, and checks its size
    /// and digest. Each byte is written once and in order, so that the sink may also be a program
    /// or an unpacker. `progress` counts the bytes.
    ///
    /// # Errors
    /// The download fails after all attempts, the file has another size or digest, or the sink
    /// fails. The sink then has an unusable part of the file.
    pub fn download(
        &self,
        download: &Download<'_>,
        sink: &mut dyn Write,
        progress: Option<&Part<'_>>,
    ) -> Result<Downloaded> {
        let _ = (self, download, sink, progress);
        anyhow::bail!("not there yet")
    }
}
