//! [`FileToFetch`]: a file that was found, and has still to be downloaded.

use super::{Download, RemoteUrl};
use crate::fs::Digest;

/// The maximum size of a wheel in bytes. The largest on PyPI have 3 GiB.
const LIMIT: u64 = 16 << 30;

/// A file on a server, with what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileToFetch {
    /// Its URL.
    pub url: RemoteUrl,
    /// Its name, which has no `/`.
    pub file_name: String,
    /// Its size in bytes, if known.
    pub size: Option<u64>,
    /// Its digest, if known.
    pub sha256: Option<Digest>,
}

impl FileToFetch {
    /// Returns the download of the file.
    #[must_use]
    pub fn download(&self) -> Download<'_> {
        Download {
            url: &self.url,
            size: self.size,
            sha256: self.sha256,
            limit: LIMIT,
        }
    }
}
