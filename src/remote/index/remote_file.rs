//! A file on a server, read like a local one: each part that is needed is requested once.

use std::io::{self, Read, Seek, SeekFrom};

use anyhow::Result;

/// The maximum number of requests for one file; a wheel needs one to four.
const REQUESTS: usize = 16;
/// The maximum number of bytes that are requested of one file.
const BYTES: u64 = 32 << 20;
/// The length of the first request in the middle of the file; each further one is twice as long.
const STEP: u64 = 64 << 10;
/// The longest gap before a known part that is requested as a whole.
const GAP: u64 = 1 << 20;

/// Requests the bytes from the first offset up to the second one, which is not included.
pub(super) type Fetch<'a> = dyn FnMut(u64, u64) -> Result<Vec<u8>> + 'a;

/// A file on a server.
pub(super) struct RemoteFile<'a> {
    fetch: Box<Fetch<'a>>,
    size: u64,
    position: u64,
    /// The known parts, each with its offset. They do not overlap.
    parts: Vec<(u64, Vec<u8>)>,
    requests: usize,
    requested: u64,
}

impl<'a> RemoteFile<'a> {
    /// Creates a file of `size` bytes, of which those from `at` on are known.
    pub fn new(size: u64, at: u64, known: Vec<u8>, fetch: Box<Fetch<'a>>) -> Self {
        Self {
            fetch,
            size,
            position: 0,
            parts: vec![(at, known)],
            requests: 0,
            requested: 0,
        }
    }

    /// Returns the known bytes from the position on; none if it is in no part.
    fn known(&self) -> Option<&[u8]> {
        self.parts.iter().find_map(|(at, bytes)| {
            let from = usize::try_from(self.position.checked_sub(*at)?).ok()?;
            bytes.get(from..).filter(|rest| !rest.is_empty())
        })
    }

    /// Requests a part that begins at the position.
    fn request(&mut self) -> io::Result<()> {
        let start = self.position;
        let later = self
            .parts
            .iter()
            .map(|(at, _)| *at)
            .filter(|at| *at > start);
        let next = later.min().unwrap_or(self.size);
        // The central directory is just before the known end of the file.
        let end = if next - start <= GAP {
            next
        } else {
            next.min(start + (STEP << self.requests))
        };
        if self.requests == REQUESTS || self.requested + (end - start) > BYTES {
            return Err(io::Error::other("it needs too many requests"));
        }
        self.requests += 1;
        self.requested += end - start;
        let bytes = (self.fetch)(start, end).map_err(io::Error::other)?;
        if bytes.len() as u64 != end - start {
            return Err(io::Error::other("the server sent another part"));
        }
        self.parts.push((start, bytes));
        Ok(())
    }
}

impl Read for RemoteFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        if self.known().is_none() {
            self.request()?;
        }
        let known = self.known().unwrap_or_default();
        let length = known.len().min(buffer.len());
        buffer[..length].copy_from_slice(&known[..length]);
        self.position += length as u64;
        Ok(length)
    }
}

impl Seek for RemoteFile<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_requested_once() {
        let content: Vec<u8> = (0..3_000_000_u32)
            .map(|number| (number % 251) as u8)
            .collect();
        let size = content.len() as u64;
        let requests = std::cell::RefCell::new(Vec::new());
        let fetch = |start: u64, end: u64| {
            requests.borrow_mut().push((start, end));
            let range = usize::try_from(start)?..usize::try_from(end)?;
            Ok(content[range].to_vec())
        };
        let known = content[2_900_000..].to_vec();
        let mut file = RemoteFile::new(size, 2_900_000, known, Box::new(fetch));
        let mut buffer = vec![0; 200_000];
        // Across the beginning of the known part, twice.
        for _ in 0..2 {
            file.seek(SeekFrom::End(-200_000)).unwrap();
            file.read_exact(&mut buffer).unwrap();
            assert_eq!(buffer, content[2_800_000..]);
        }
        assert_eq!(file.read(&mut buffer).unwrap(), 0, "the end");
        // Far before it.
        file.seek(SeekFrom::Start(1_000)).unwrap();
        file.read_exact(&mut buffer[..10]).unwrap();
        assert_eq!(buffer[..10], content[1_000..1_010]);
        drop(file);
        let step = STEP * 2;
        assert_eq!(
            *requests.borrow(),
            [(2_800_000, 2_900_000), (1_000, 1_000 + step)]
        );
    }

    #[test]
    fn requests_are_limited_and_checked() {
        let fetch = |start: u64, end: u64| Ok(vec![0; usize::try_from(end - start)?]);
        let mut file = RemoteFile::new(u64::MAX, 0, Vec::new(), Box::new(fetch));
        let error = io::copy(&mut file, &mut io::sink()).unwrap_err();
        assert_eq!(error.to_string(), "it needs too many requests");
        let short = |_, _| Ok(vec![0; 3]);
        let mut file = RemoteFile::new(10, 0, Vec::new(), Box::new(short));
        let error = file.read(&mut [0; 4]).unwrap_err();
        assert_eq!(error.to_string(), "the server sent another part");
        assert!(file.seek(SeekFrom::Current(-1)).is_err());
    }
}
