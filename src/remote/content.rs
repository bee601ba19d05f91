//! [`Content`]: the body that a request sends, read from its beginning for each attempt.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::report::progress::Part;

/// The body of a request.
pub struct Content<'a> {
    source: Source<'a>,
    progress: Option<&'a Part<'a>>,
    /// The number of bytes that `progress` has counted, so that a repeated attempt does not count
    /// them twice.
    counted: AtomicU64,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Bytes(&'a [u8]),
    /// The first bytes of a file. The position of the file does not matter.
    File(&'a File, u64),
}

impl<'a> Content<'a> {
    /// Sends bytes in memory.
    #[must_use]
    pub fn of_bytes(bytes: &'a [u8]) -> Self {
        Self::new(Source::Bytes(bytes))
    }

    /// Sends the first `size` bytes of a file.
    #[must_use]
    pub fn of_file(file: &'a File, size: u64) -> Self {
        Self::new(Source::File(file, size))
    }

    fn new(source: Source<'a>) -> Self {
        Self {
            source,
            progress: None,
            counted: AtomicU64::new(0),
        }
    }

    /// Counts the bytes while they are sent.
    #[must_use]
    pub fn with_progress(mut self, progress: Option<&'a Part<'a>>) -> Self {
        self.progress = progress;
        self
    }

    /// Returns the size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self.source {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::File(_, size) => size,
        }
    }

    /// Returns a reader of the whole content.
    pub(super) fn reader(&self) -> ContentReader<'_> {
        ContentReader {
            content: self,
            offset: 0,
            failure: None,
        }
    }

    /// Counts the bytes up to an offset.
    fn count(&self, offset: u64) {
        let before = self.counted.fetch_max(offset, Ordering::Relaxed);
        if let Some(progress) = self.progress {
            progress.advance(offset.saturating_sub(before));
        }
    }
}

/// A reader of [`Content`].
pub(super) struct ContentReader<'a> {
    content: &'a Content<'a>,
    offset: u64,
    /// Why the content cannot be read, as opposed to sent.
    failure: Option<io::Error>,
}

impl ContentReader<'_> {
    /// Returns why the content could not be read, if that has failed.
    pub(super) fn failure(self) -> Option<anyhow::Error> {
        let error = anyhow::Error::from(self.failure?);
        Some(error.context("cannot read the file that is uploaded"))
    }

    fn read_source(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.content.size() - self.offset;
        let length = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let buffer = &mut buffer[..length];
        match self.content.source {
            Source::File(file, _) => match file.read_at(buffer, self.offset)? {
                0 if length > 0 => Err(io::Error::other("it became shorter")),
                read => Ok(read),
            },
            Source::Bytes(bytes) => {
                let rest = usize::try_from(left).unwrap_or_default();
                (&bytes[bytes.len() - rest..]).read(buffer)
            }
        }
    }
}

impl Read for ContentReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.read_source(buffer) {
            Ok(read) => {
                self.offset += read as u64;
                self.content.count(self.offset);
                Ok(read)
            }
            Err(error) => {
                let kind = error.kind();
                self.failure = Some(error);
                Err(kind.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn content_is_read_again_for_each_attempt() {
        let mut file = crate::fs::create_unnamed().unwrap();
        file.write_all(b"0123456789").unwrap();
        let rows = [
            (Content::of_bytes(b"01234567"), 8),
            (Content::of_file(&file, 8), 8),
            (Content::of_bytes(b""), 0),
        ];
        for (content, size) in rows {
            assert_eq!(content.size(), size);
            for _ in 0..2 {
                let mut read = Vec::new();
                content.reader().read_to_end(&mut read).unwrap();
                assert_eq!(read, &b"01234567"[..read.len()]);
                assert_eq!(read.len() as u64, size);
            }
            assert_eq!(content.counted.load(Ordering::Relaxed), size);
        }
        let longer = Content::of_file(&file, 11);
        let mut reader = longer.reader();
        assert!(io::copy(&mut reader, &mut io::sink()).is_err());
        let error = reader.failure().unwrap();
        let expected = "cannot read the file that is uploaded: it became shorter";
        assert_eq!(crate::report::one_line(&error), expected);
    }
}
