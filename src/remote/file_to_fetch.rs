//! [`FileToFetch`]: a file that was found, and has still to be downloaded.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::{Download, Downloaded, RemoteUrl};
use crate::fs::Digest;
use crate::wheel::{Metadata, WheelName};

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
    /// The metadata that its server states without the wheel, and that the choice depends on.
    pub stated: Option<Metadata>,
    /// Its content, if it was downloaded to read it.
    pub kept: Option<KeptFile>,
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

    /// Returns how the downloaded wheel differs from the metadata that its server states, as a
    /// sentence. `read` reads the wheel's own, and is called only if the server states some.
    pub fn difference(&self, read: impl FnOnce(&WheelName) -> Result<Metadata>) -> Option<String> {
        let stated = self.stated.as_ref()?;
        let name = WheelName::parse(&self.file_name).ok()?;
        // A wheel without valid metadata cannot be installed, and that error says why.
        let differences = stated.differences(&read(&name).ok()?);
        let name = &self.file_name;
        (!differences.is_empty()).then(|| {
            format!(
                "`{name}` differs from the metadata that its index states: {}",
                differences.join(", ")
            )
        })
    }
}

/// A file that was downloaded before it was known to be needed. It has no name, so that nothing is
/// left of it when the process ends or becomes another program.
#[derive(Debug, Clone)]
pub struct KeptFile {
    file: Arc<File>,
    downloaded: Downloaded,
}

impl KeptFile {
    /// Keeps a downloaded file.
    #[must_use]
    pub fn new(file: File, downloaded: Downloaded) -> Self {
        Self {
            file: Arc::new(file),
            downloaded,
        }
    }

    /// Returns the file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Returns its size and its digest.
    #[must_use]
    pub fn downloaded(&self) -> &Downloaded {
        &self.downloaded
    }

    /// Copies the file into `sink`.
    ///
    /// # Errors
    /// The file cannot be read, or the sink fails.
    pub fn copy_to(&self, sink: &mut dyn Write) -> Result<Downloaded> {
        let mut file = &*self.file;
        let start = file.seek(SeekFrom::Start(0));
        start
            .and_then(|_| io::copy(&mut file, sink))
            .context("cannot copy a downloaded file")?;
        Ok(self.downloaded.clone())
    }
}

impl PartialEq for KeptFile {
    fn eq(&self, other: &Self) -> bool {
        self.downloaded == other.downloaded
    }
}

impl Eq for KeptFile {}
