//! The content of a member, with the checks that are only possible while reading: the content has
//! the size and the CRC-32 that the archive states, and uses up all of its bytes in the archive.

use std::io::{self, BufRead, BufReader, Read};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use super::Method;
use crate::wheel::{Member, Source};

/// The number of bytes of the archive that are read at a time.
const BUFFER: usize = 256 * 1024;

/// Reads the content of a member.
pub struct MemberReader<'a> {
    inflating: Inflating<'a>,
    crc: Crc,
    expected_crc: u32,
    /// The number of content bytes not yet read.
    remaining: u64,
    is_checked: bool,
}

enum Inflating<'a> {
    Stored(BufReader<Window<'a>>),
    Deflated(DeflateDecoder<BufReader<Window<'a>>>),
}

/// A byte range of an archive.
struct Window<'a> {
    source: Source<'a>,
    at: u64,
    remaining: u64,
}

impl<'a> MemberReader<'a> {
    pub(super) fn new(source: Source<'a>, member: &Member) -> Self {
        let window = Window {
            source,
            at: member.data,
            remaining: member.compressed,
        };
        // No larger than the content.
        let capacity =
            usize::try_from(member.compressed).map_or(BUFFER, |length| length.clamp(1, BUFFER));
        let reader = BufReader::with_capacity(capacity, window);
        let inflating = match member.method {
            Method::Stored => Inflating::Stored(reader),
            Method::Deflated => Inflating::Deflated(DeflateDecoder::new(reader)),
        };
        Self {
            inflating,
            crc: Crc::new(),
            expected_crc: member.crc,
            remaining: member.size,
            is_checked: false,
        }
    }

    /// Checks the end of the content, when as many bytes were read as the archive states.
    fn check_end(&mut self) -> io::Result<()> {
        if self.inflating.read(&mut [0])? != 0 {
            return Err(io::Error::other(
                "it has more content than the archive states",
            ));
        }
        if !self.inflating.is_exhausted()? {
            return Err(io::Error::other("trailing data after its content"));
        }
        if self.crc.sum() != self.expected_crc {
            return Err(io::Error::other(
                "its content does not match the CRC-32 that the archive states",
            ));
        }
        Ok(())
    }
}

impl Read for MemberReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.remaining == 0 {
            if !self.is_checked {
                self.check_end()?;
                self.is_checked = true;
            }
            return Ok(0);
        }
        let limit = usize::try_from(self.remaining)
            .map_or(buffer.len(), |remaining| remaining.min(buffer.len()));
        let read = self.inflating.read(&mut buffer[..limit])?;
        if read == 0 && limit > 0 {
            return Err(io::Error::other(
                "it has less content than the archive states",
            ));
        }
        self.crc.update(&buffer[..read]);
        self.remaining -= read as u64;
        Ok(read)
    }
}

impl Inflating<'_> {
    /// Returns whether the window has no more bytes.
    fn is_exhausted(&mut self) -> io::Result<bool> {
        let reader = match self {
            Self::Stored(reader) => reader,
            Self::Deflated(decoder) => decoder.get_mut(),
        };
        Ok(reader.fill_buf()?.is_empty())
    }
}

impl Read for Inflating<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stored(reader) => reader.read(buffer),
            Self::Deflated(decoder) => decoder.read(buffer),
        }
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = usize::try_from(self.remaining)
            .map_or(buffer.len(), |remaining| remaining.min(buffer.len()));
        let read = self.source.read_at(&mut buffer[..limit], self.at)?;
        self.at += read as u64;
        self.remaining -= read as u64;
        Ok(read)
    }
}
