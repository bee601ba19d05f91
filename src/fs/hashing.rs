//! A reader and a writer that hash what passes through them.

use std::io::{Read, Write};

use sha2::Digest as _;

use super::Digest;

/// Hashes the bytes that are read from a reader, or written to a writer, and counts them.
pub struct Hashing<T> {
    inner: T,
    hasher: sha2::Sha256,
    size: u64,
}

impl<T> Hashing<T> {
    /// Wraps a reader or writer.
    pub fn new(inner: T) -> Self {
        Self {
            inner,
            hasher: sha2::Sha256::new(),
            size: 0,
        }
    }

    /// Returns the digest and the number of the bytes.
    pub fn finish(self) -> (Digest, u64) {
        (
            Digest::from(<[u8; 32]>::from(self.hasher.finalize())),
            self.size,
        )
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, chunk: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(chunk)?;
        self.count(&chunk[..length]);
        Ok(length)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.count(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}
