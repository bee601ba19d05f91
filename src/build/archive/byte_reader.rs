//! Numbers in an archive's headers: little-endian, one after the other.

use anyhow::{Context, Result};

use super::Source;

/// The value of a field of four bytes that is too small for its number, which stands elsewhere
/// then.
pub(super) const ZIP64_MARKER: u64 = u32::MAX as u64;

/// Reads fields from the beginning of some bytes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByteReader<'a>(pub &'a [u8]);

impl<'a> ByteReader<'a> {
    /// The next bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .context("a header is cut short")?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// The next eight bytes.
    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }
}

/// The bytes of the archive from `at` on, as many as `length`.
///
/// # Errors
/// It has fewer.
pub(super) fn read_at(source: Source, at: u64, length: u64) -> Result<Vec<u8>> {
    // Before anything of that size is asked for.
    let end = at
        .checked_add(length)
        .context("a header is beyond all files")?;
    anyhow::ensure!(end <= source.length(), "a header is cut short");
    let mut bytes = vec![0; usize::try_from(length)?];
    source
        .read_exact_at(&mut bytes, at)
        .context("it cannot be read")?;
    Ok(bytes)
}
