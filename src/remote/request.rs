//! What a caller of [`Client::get`](super::Client::get) sends and receives.

use std::fmt;

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
    /// Further statuses of refusal that the caller understands; others are errors.
    pub understood: &'a [u16],
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
            understood: &[],
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

impl fmt::Display for Range {
    /// Writes the value of the header `Range`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(first, last) => write!(formatter, "bytes={first}-{last}"),
            Self::From(first) => write!(formatter, "bytes={first}-"),
            Self::Last(length) => write!(formatter, "bytes=-{length}"),
        }
    }
}

/// An answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status: 200 and others of success, 206, 304, 404, 410 or 416, or one of
    /// [`Request::understood`]. Others are errors.
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
    /// The body, decompressed; empty unless the status is one of success.
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

/// Parses the header `Content-Range`, as in `bytes 0-99/1234`, `bytes 0-99/*` or `bytes */1234`.
pub(super) fn content_range(value: &str) -> Option<ContentRange> {
    let (part, size) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let part = match part.trim() {
        "*" => None,
        part => {
            let (first, last) = part.split_once('-')?;
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(Some((first, last)))?
        }
    };
    let size = match size.trim() {
        "*" => None,
        size => Some(size.parse().ok()?),
    };
    Some(ContentRange { part, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_parsed() {
        let range = |part, size| Some(ContentRange { part, size });
        let rows = [
            ("bytes 0-99/1234", range(Some((0, 99)), Some(1234))),
            ("bytes 5-5/*", range(Some((5, 5)), None)),
            ("bytes */1234", range(None, Some(1234))),
            ("bytes 9-5/10", None),
            ("bytes -5/10", None),
            ("items 0-1/2", None),
            ("", None),
        ];
        for (value, expected) in rows {
            assert_eq!(content_range(value), expected, "{value}");
        }
    }

    #[test]
    fn a_range_is_written_as_the_header() {
        let ranges = [Range::Bytes(2, 5), Range::From(7), Range::Last(100)];
        assert_eq!(
            ranges.map(|range| range.to_string()),
            ["bytes=2-5", "bytes=7-", "bytes=-100"]
        );
    }
}
