//! What a caller of [`Client::get`](super::Client::get) sends and receives.

use super::RemoteUrl;

/// A request for a document that fits into memory.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The document.
    pub url: &'a RemoteUrl,
    /// The media types that the caller understands, as in the header `Accept`.
    pub accept: Option<&'a str>,
    /// The entity tag of a cached copy; the answer 304 says that it is current.
    pub if_none_match: Option<&'a str>,
    /// The part that is needed. A server may ignore it and answer 200 with everything.
    pub range: Option<Range>,
    /// The maximum size of the body in bytes, after decompression.
    pub limit: u64,
}

impl<'a> Request<'a> {
    /// Requests all of a document of at most `limit` bytes.
    #[must_use]
    pub fn new(url: &'a RemoteUrl, limit: u64) -> Self {
        Self {
            url,
            accept: None,
            if_none_match: None,
            range: None,
            limit,
        }
    }
}

/// A part of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// From the first offset to the last one, both included.
    Bytes(u64, u64),
    /// From an offset to the end.
    From(u64),
    /// The last bytes.
    Last(u64),
}

/// An answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status: 200 and others of success, 206, 304, 404, 410 or 416. Others are errors.
    pub status: u16,
    /// The URL after redirects, to which links in the body are relative.
    pub url: RemoteUrl,
    /// The header `ETag`.
    pub etag: Option<String>,
    /// The header `Last-Modified`.
    pub last_modified: Option<String>,
    /// The header `Cache-Control`.
    pub cache_control: Option<String>,
    /// The header `Age` in seconds.
    pub age: Option<u64>,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// The header `Content-Range`.
    pub content_range: Option<ContentRange>,
    /// The body, decompressed; empty for 304, 404, 410 and 416.
    pub body: Vec<u8>,
}

/// The header `Content-Range` of an answer 206 or 416.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// The offsets of the first and the last byte of the body; none if the status is 416.
    pub part: Option<(u64, u64)>,
    /// The size of the whole file, if the server says it.
    pub size: Option<u64>,
}
