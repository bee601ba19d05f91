//! The source of an archive's bytes. A file may be written to while it is read; bytes that are held
//! in memory no longer change, and a tap passes on every byte that is read so that it can be
//! hashed. The file may be on a server, which sends parts of it.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};

/// A file that is read by offsets.
pub trait ReadAt: fmt::Debug + Sync {
    /// Reads some bytes at an offset; none past the end.
    ///
    /// # Errors
    /// The bytes cannot be read.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, at)
    }
}

/// The bytes of an archive.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The file for bytes that are not held; none if only the held bytes may be read.
    file: Option<&'a dyn ReadAt>,
    /// The offset of the end.
    length: u64,
    /// The held bytes, and the offset of the first.
    held: (&'a [u8], u64),
    tap: Option<&'a Tap<'a>>,
}

impl<'a> Source<'a> {
    /// Reads from a file, without held bytes.
    pub fn file(file: &'a File) -> Result<Self> {
        let length = file.metadata().context("it cannot be read")?.len();
        Ok(Self::by_offsets(file, length))
    }

    /// Reads from a file of this length, without held bytes.
    pub fn by_offsets(file: &'a dyn ReadAt, length: u64) -> Self {
        Self {
            file: Some(file),
            length,
            held: (&[], 0),
            tap: None,
        }
    }

    /// Reads only these bytes, which are those of an archive from `at` on.
    pub fn memory(bytes: &'a [u8], at: u64) -> Self {
        Self {
            file: None,
            length: at + bytes.len() as u64,
            held: (bytes, at),
            tap: None,
        }
    }

    /// Also holds `bytes`, which are those from `at` on.
    pub fn holding(self, bytes: &'a [u8], at: u64) -> Self {
        Self {
            held: (bytes, at),
            ..self
        }
    }

    /// Also passes everything that is read to a tap.
    pub fn through(self, tap: &'a Tap<'a>) -> Self {
        Self {
            tap: Some(tap),
            ..self
        }
    }

    /// The offset of the end.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Reads some bytes at an offset; none past the end.
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let (held, held_at) = self.held;
        let inside = at
            .checked_sub(held_at)
            .and_then(|from| held.get(usize::try_from(from).ok()?..));
        let read = match (inside.filter(|rest| !rest.is_empty()), self.file) {
            (Some(rest), _) => {
                let length = rest.len().min(buffer.len());
                buffer[..length].copy_from_slice(&rest[..length]);
                length
            }
            (None, Some(file)) => {
                let before_held = usize::try_from(held_at.saturating_sub(at))
                    .ok()
                    .filter(|length| *length > 0);
                let limit = before_held.map_or(buffer.len(), |length| length.min(buffer.len()));
                file.read_at(&mut buffer[..limit], at)?
            }
            (None, None) => 0,
        };
        if let Some(tap) = self.tap {
            tap.show(&buffer[..read], at)?;
        }
        Ok(read)
    }

    /// Fills the buffer.
    pub fn read_exact_at(&self, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, at) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    buffer = &mut buffer[length..];
                    at += length as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Passes on the bytes that are read of an archive, each once and in order.
pub struct Tap<'a> {
    next: AtomicU64,
    to: &'a (dyn Fn(&[u8]) -> bool + Sync),
}

impl fmt::Debug for Tap<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tap")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl<'a> Tap<'a> {
    /// Creates a tap for the bytes from `at` on. If `to` returns `false`, reading fails.
    pub fn new(at: u64, to: &'a (dyn Fn(&[u8]) -> bool + Sync)) -> Self {
        Self {
            next: AtomicU64::new(at),
            to,
        }
    }

    fn show(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let next = self.next.swap(at + bytes.len() as u64, Ordering::Relaxed);
        if next == at && (self.to)(bytes) {
            Ok(())
        } else {
            Err(io::Error::other("it is not read in order"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;

    #[test]
    fn what_is_held_is_not_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        fs::write_atomically(&path, b"0123456789").unwrap();
        let file = fs::open(&path).unwrap();
        let source = Source::file(&file).unwrap().holding(b"abc", 4);
        let mut all = [0; 10];
        source.read_exact_at(&mut all, 0).unwrap();
        assert_eq!(&all, b"0123abc789");
        assert!(source.read_exact_at(&mut all, 1).is_err());
        let memory = Source::memory(b"abc", 4);
        let mut three = [0; 3];
        memory.read_exact_at(&mut three, 4).unwrap();
        assert_eq!((&three, memory.length()), (b"abc", 7));
        assert!(
            memory.read_exact_at(&mut three, 3).is_err()
                && memory.read_exact_at(&mut three, 5).is_err()
        );
    }

    #[test]
    fn a_tap_shows_all_in_order_or_nothing_is_read() {
        let (to, from) = std::sync::mpsc::sync_channel(4);
        let send = |piece: &[u8]| to.send(piece.to_vec()).is_ok();
        let tap = Tap::new(1, &send);
        let source = Source::memory(b"0123", 0).through(&tap);
        let mut two = [0; 2];
        source.read_exact_at(&mut two, 1).unwrap();
        assert!(source.read_exact_at(&mut two, 1).is_err(), "a second time");
        assert_eq!(from.try_recv().unwrap(), b"12");
    }
}
