//! A file on a server, read like a local one: each part that is needed is requested once.

use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use crate::wheel::ReadAt;

/// The maximum number of requests for one file; a wheel needs one to four.
const REQUESTS: usize = 16;
/// The maximum number of bytes that are requested of one file.
const BYTES: u64 = 32 << 20;
/// The length of the first request in the middle of the file; each further one is twice as long.
const STEP: u64 = 64 << 10;
/// The longest gap before a known part that is requested as a whole.
const GAP: u64 = 1 << 20;

/// Requests the bytes from the first offset up to the second one, which is not included.
pub(super) type Fetch<'a> = dyn Fn(u64, u64) -> Result<Vec<u8>> + Sync + 'a;

/// A file on a server.
pub(super) struct RemoteFile<'a> {
    fetch: &'a Fetch<'a>,
    size: u64,
    known: Mutex<Known>,
}

/// What is known of a file.
struct Known {
    /// The parts, each with its offset. They do not overlap.
    parts: Vec<(u64, Vec<u8>)>,
    /// The number of requests for them.
    requests: usize,
    /// The number of bytes that were requested.
    requested: u64,
}

impl<'a> RemoteFile<'a> {
    /// Creates a file of `size` bytes, of which those from `at` on are known.
    pub fn new(size: u64, at: u64, known: Vec<u8>, fetch: &'a Fetch<'a>) -> Self {
        let known = Known {
            parts: vec![(at, known)],
            requests: 0,
            requested: 0,
        };
        Self {
            fetch,
            size,
            known: Mutex::new(known),
        }
    }

    /// Returns the number of its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Requests a part that begins at an offset.
    fn request(&self, start: u64, known: &mut Known) -> io::Result<()> {
        let offsets = known.parts.iter().map(|(at, _)| *at);
        let next = offsets.filter(|at| *at > start).min().unwrap_or(self.size);
        // The central directory is just before the known end of the file.
        let end = if next - start <= GAP {
            next
        } else {
            next.min(start + (STEP << known.requests))
        };
        if known.requests == REQUESTS || known.requested + (end - start) > BYTES {
            return Err(io::Error::other("it needs too many requests"));
        }
        known.requests += 1;
        known.requested += end - start;
        let bytes = (self.fetch)(start, end).map_err(io::Error::other)?;
        if bytes.len() as u64 != end - start {
            return Err(io::Error::other("the server sent another part"));
        }
        known.parts.push((start, bytes));
        Ok(())
    }
}

impl Known {
    /// Returns the known bytes from an offset on; none if it is in no part.
    fn from(&self, offset: u64) -> Option<&[u8]> {
        self.parts.iter().find_map(|(at, bytes)| {
            let from = usize::try_from(offset.checked_sub(*at)?).ok()?;
            bytes.get(from..).filter(|rest| !rest.is_empty())
        })
    }
}

impl ReadAt for RemoteFile<'_> {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        if at >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.from(at).is_none() {
            self.request(at, &mut known)?;
        }
        let bytes = known.from(at).unwrap_or_default();
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok(length)
    }
}

impl fmt::Debug for RemoteFile<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RemoteFile")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wheel::Source;

    #[test]
    fn each_part_is_requested_once() {
        let content: Vec<u8> = (0..3_000_000_u32)
            .map(|number| (number % 251) as u8)
            .collect();
        let size = content.len() as u64;
        let requests = Mutex::new(Vec::new());
        let fetch = |start: u64, end: u64| {
            requests.lock().unwrap().push((start, end));
            let range = usize::try_from(start)?..usize::try_from(end)?;
            Ok(content[range].to_vec())
        };
        let known = content[2_900_000..].to_vec();
        let file = RemoteFile::new(size, 2_900_000, known, &fetch);
        let source = Source::by_offsets(&file, size);
        let mut buffer = vec![0; 200_000];
        // Across the beginning of the known part, twice.
        for _ in 0..2 {
            source.read_exact_at(&mut buffer, 2_800_000).unwrap();
            assert_eq!(buffer, content[2_800_000..]);
        }
        assert_eq!(source.read_at(&mut buffer, size).unwrap(), 0, "the end");
        // Far before it.
        source.read_exact_at(&mut buffer[..10], 1_000).unwrap();
        assert_eq!(buffer[..10], content[1_000..1_010]);
        let step = STEP * 2;
        assert_eq!(
            *requests.lock().unwrap(),
            [(2_800_000, 2_900_000), (1_000, 1_000 + step)]
        );
    }

    #[test]
    fn requests_are_limited_and_checked() {
        let fetch = |start: u64, end: u64| Ok(vec![0; usize::try_from(end - start)?]);
        let file = RemoteFile::new(u64::MAX, 0, Vec::new(), &fetch);
        let mut buffer = vec![0; 64 << 20];
        let error = Source::by_offsets(&file, u64::MAX)
            .read_exact_at(&mut buffer, 0)
            .unwrap_err();
        assert_eq!(error.to_string(), "it needs too many requests");
        let short = |_, _| Ok(vec![0; 3]);
        let file = RemoteFile::new(10, 0, Vec::new(), &short);
        let error = file.read_at(&mut [0; 4], 0).unwrap_err();
        assert_eq!(error.to_string(), "the server sent another part");
    }
}
