//! Reading the fields of zip headers, which are consecutive and little-endian.

use anyhow::{Context, Result};

use crate::wheel::Source;

/// The value of a four-byte field whose number does not fit; the Zip64 extra field or record has
/// it.
pub(super) const ZIP64_MARKER: u64 = u32::MAX as u64;

/// Reads fields from the beginning of a byte slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByteReader<'a>(pub &'a [u8]);

impl<'a> ByteReader<'a> {
    /// Returns the next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .context("a header is truncated")?;
        self.0 = rest;
        Ok(taken)
    }

    /// Reads a two-byte number.
    pub fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Reads a four-byte number.
    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Reads an eight-byte number.
    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }
}

/// Reads `length` bytes of the archive from `at` on.
///
/// # Errors
/// The archive ends before.
pub(super) fn read_at(source: Source, at: u64, length: u64) -> Result<Vec<u8>> {
    // Checked before that much memory is allocated.
    let end = at
        .checked_add(length)
        .context("the offset of a header is out of range")?;
    anyhow::ensure!(end <= source.length(), "a header is truncated");
    let mut bytes = vec![0; usize::try_from(length)?];
    source
        .read_exact_at(&mut bytes, at)
        .context("it cannot be read")?;
    Ok(bytes)
}
