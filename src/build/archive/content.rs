//! The content of a member, with the checks that are only possible while it is read: it has the size and the CRC-32 that the archive says,
//! and takes all the bytes of the archive that it should.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use super::{Member, Method};

/// How many bytes of the archive are read at a time.
const BUFFER: usize = 256 * 1024;

/// Reads a member.
pub(in super::super) struct Content<'a> {
    source: Source<'a>,
    crc: Crc,
    expected_crc: u32,
    /// How many bytes are still to come.
    remaining: u64,
    is_checked: bool,
}

enum Source<'a> {
    Stored(BufReader<Window<'a>>),
    Deflated(DeflateDecoder<BufReader<Window<'a>>>),
}

/// A part of a file. The file's own position stays where it is.
struct Window<'a> {
    file: &'a File,
    at: u64,
    remaining: u64,
}

impl<'a> Content<'a> {
    pub(super) fn new(file: &'a File, member: &Member) -> Self {
        let window = Window { file, at: member.data, remaining: member.compressed };
        // No larger than what is to be read.
        let capacity = usize::try_from(member.compressed).map_or(BUFFER, |length| length.clamp(1, BUFFER));
        let reader = BufReader::with_capacity(capacity, window);
        let source = match member.method {
            Method::Stored => Source::Stored(reader),
            Method::Deflated => Source::Deflated(DeflateDecoder::new(reader)),
        };
        Self { source, crc: Crc::new(), expected_crc: member.crc, remaining: member.size, is_checked: false }
    }

    /// What can be said when all the bytes were read that there should be.
    fn check_end(&mut self) -> io::Result<()> {
        if self.source.read(&mut [0])? != 0 {
            return Err(io::Error::other("it has more content than the archive says"));
        }
        if !self.source.is_exhausted()? {
            return Err(io::Error::other("something stands behind its content"));
        }
        if self.crc.sum() != self.expected_crc {
            return Err(io::Error::other("its content does not have the CRC-32 that the archive says"));
        }
        Ok(())
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.remaining == 0 {
            if !self.is_checked {
                self.check_end()?;
                self.is_checked = true;
            }
            return Ok(0);
        }
        let limit = usize::try_from(self.remaining).map_or(buffer.len(), |remaining| remaining.min(buffer.len()));
        let read = self.source.read(&mut buffer[..limit])?;
        if read == 0 && limit > 0 {
            return Err(io::Error::other("it has less content than the archive says"));
        }
        self.crc.update(&buffer[..read]);
        self.remaining -= read as u64;
        Ok(read)
    }
}

impl Source<'_> {
    /// Whether no byte of the window is left.
    fn is_exhausted(&mut self) -> io::Result<bool> {
        let reader = match self {
            Self::Stored(reader) => reader,
            Self::Deflated(decoder) => decoder.get_mut(),
        };
        Ok(reader.fill_buf()?.is_empty())
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stored(reader) => reader.read(buffer),
            Self::Deflated(decoder) => decoder.read(buffer),
        }
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = usize::try_from(self.remaining).map_or(buffer.len(), |remaining| remaining.min(buffer.len()));
        let read = self.file.read_at(&mut buffer[..limit], self.at)?;
        self.at += read as u64;
        self.remaining -= read as u64;
        Ok(read)
    }
}
