//! The `METADATA` of a wheel without the wheel: from the file next to it (PEP 658), or from the end
//! of the archive by requests for ranges.
//!
//! What comes from a range is not protected by a digest: a server that lies can leave out or add
//! requirements. The wheels that are installed are still those of their digests.

use std::collections::HashSet;
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};
use tracing::debug;

use super::listing::Listing;
use super::project::{IndexFile, Sidecar};
use super::remote_file::RemoteFile;
use super::transport::Transport;
use crate::fs::Digest;
use crate::fs::limits::METADATA;
use crate::remote::{Origin, Range, RemoteUrl, Request};
use crate::report::Failure;
use crate::wheel::{self, Source};

/// The length of the first requested range, at the end of the wheel. It contains the central
/// directory and `METADATA` of most wheels, for which a second request would take longer.
const TAIL: u64 = 128 << 10;

/// The maximum size of an answer to a request for a range: a server may send the whole file.
const ANSWER_LIMIT: u64 = 32 << 20;

/// The `METADATA` of a wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WheelMetadata {
    /// The bytes of the file up to the description.
    Content(Vec<u8>),
    /// Only the whole wheel has them: there is no metadata file, and the server does not send
    /// ranges.
    NeedsWheel,
}

/// The origins whose servers do not send ranges, as far as this run knows.
pub(super) type WithoutRanges = Mutex<HashSet<Origin>>;

/// Requests the metadata file of a wheel; none if the index names none, or it cannot be had. The
/// caller then reads the wheel, whose error is better.
///
/// # Errors
/// The file has another digest than the index states.
pub(super) fn of_sidecar(
    transport: &dyn Transport,
    file: &IndexFile,
    listing: &Listing,
) -> Result<Option<Vec<u8>>> {
    let expected = match file.metadata {
        Sidecar::Absent => return Ok(None),
        Sidecar::Unhashed => None,
        Sidecar::Hashed(digest) => Some(digest),
    };
    let url = listing.url_of(&file.metadata_url())?;
    let response = match transport.get(&Request::new(&url, METADATA.bytes)) {
        Ok(response) if response.status == 200 => response,
        Ok(response) => {
            debug!(%url, status = response.status, "the index has no metadata file");
            return Ok(None);
        }
        Err(error) => {
            debug!(%url, "cannot read the metadata file: {error:#}");
            return Ok(None);
        }
    };
    let found = Digest::of(&response.body);
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        let what = format!(
            "the metadata of `{}` is not that of its index",
            file.file_name
        );
        return Err(Failure::new(what)
            .because(format!("`{url}` has the sha256 {found}"))
            .because(format!("the index states {expected}"))
            .into());
    }
    Ok(Some(response.body))
}

/// Reads the `METADATA` of a wheel by requests for ranges. A failure is not an error: the caller
/// downloads the whole wheel, which is checked more strictly and whose error is better.
pub(super) fn of_ranges(
    transport: &dyn Transport,
    file: &IndexFile,
    url: &RemoteUrl,
    without_ranges: &WithoutRanges,
) -> WheelMetadata {
    let origin = url.origin();
    let lock = || {
        without_ranges
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    };
    if lock().contains(&origin) {
        return WheelMetadata::NeedsWheel;
    }
    match try_ranges(transport, file, url) {
        Ok(Some(content)) => WheelMetadata::Content(content),
        Ok(None) => {
            debug!(%url, "the server sends no ranges");
            lock().insert(origin);
            WheelMetadata::NeedsWheel
        }
        Err(error) => {
            debug!(%url, "cannot read the metadata by ranges: {error:#}");
            WheelMetadata::NeedsWheel
        }
    }
}

/// Returns the `METADATA` of a wheel; none if the server does not send ranges.
fn try_ranges(
    transport: &dyn Transport,
    file: &IndexFile,
    url: &RemoteUrl,
) -> Result<Option<Vec<u8>>> {
    // A range relative to the end is less common than one with offsets.
    let tail = match file.size {
        Some(0) => return Ok(None),
        Some(size) => Range::Bytes(size.saturating_sub(TAIL), size - 1),
        None => Range::Last(TAIL),
    };
    let request = |range| Request {
        range: Some(range),
        ..Request::new(url, ANSWER_LIMIT)
    };
    let response = transport.get(&request(tail))?;
    let (size, at) = match (response.status, response.content_range) {
        // A server that ignores ranges has sent a small wheel as a whole.
        (200, _) => (response.body.len() as u64, 0),
        (206, Some(range)) => {
            let part = range.part.context("the server does not state the range")?;
            let size = range.size.or(file.size);
            (size.context("the server does not state the size")?, part.0)
        }
        _ => return Ok(None),
    };
    // The final URL of redirects may be signed for a short time; requests start at the first one.
    let fetch = |start: u64, end: u64| {
        let response = transport.get(&request(Range::Bytes(start, end - 1)))?;
        let part = response.content_range.and_then(|range| range.part);
        ensure!(
            response.status == 206 && part == Some((start, end - 1)),
            "the server sent another part"
        );
        Ok(response.body)
    };
    let remote = RemoteFile::new(size, at, response.body, &fetch);
    read_archive(&remote).map(Some)
}

/// Reads the only `METADATA` in a `.dist-info` directory at the top of an archive.
fn read_archive(archive: &RemoteFile<'_>) -> Result<Vec<u8>> {
    let listing = wheel::Listing::open(Source::by_offsets(archive, archive.size()))?;
    let is_metadata = |name: &&str| {
        let directory = name.strip_suffix("/METADATA");
        directory.is_some_and(|name| name.ends_with(".dist-info") && !name.contains('/'))
    };
    let names: Vec<&str> = listing.names().filter(is_metadata).collect();
    let [name] = &names[..] else {
        anyhow::bail!("it has {} files `*.dist-info/METADATA`", names.len());
    };
    let content = listing.read(name, METADATA.bytes)?;
    content.context("its `METADATA` cannot be read")
}
