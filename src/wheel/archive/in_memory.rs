//! Small members, read and inflated as a whole. Nearly all members of a wheel are small; this saves
//! the windows and copies of streaming decompression.
//!
//! The checks are those of [`MemberReader`](crate::wheel::MemberReader). For a defective member, this
//! module returns none; the caller then streams it, and gets the error from there.

use libdeflater::Decompressor;
use memchr::memmem;

use super::Method;
use crate::wheel::{Member, Source};

/// The maximum size of a member, compressed and uncompressed.
const LIMIT: u64 = 4 << 20;
/// The header of a gzip file without a name (RFC 1952).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Buffers for one member at a time.
pub struct InMemory {
    inflater: Decompressor,
    deflated: Vec<u8>,
    content: Vec<u8>,
}

impl Default for InMemory {
    fn default() -> Self {
        Self {
            inflater: Decompressor::new(),
            deflated: Vec::new(),
            content: Vec::new(),
        }
    }
}

impl InMemory {
    /// Returns the content of a member; none if it is large, or if the content does not match its
    /// header.
    pub fn read(&mut self, source: Source, member: &Member) -> Option<&[u8]> {
        if member.size > LIMIT || member.compressed > LIMIT {
            return None;
        }
        let (length, size) = (
            usize::try_from(member.compressed).ok()?,
            usize::try_from(member.size).ok()?,
        );
        match member.method {
            Method::Stored => {
                let content = first(&mut self.content, size);
                source.read_exact_at(content, member.data).ok()?;
                (libdeflater::crc32(content) == member.crc).then_some(&*content)
            }
            Method::Deflated => self.inflate(source, member, length, size),
        }
    }

    /// Inflates a deflated member. The inflater does not report how many bytes it has consumed,
    /// unless a footer follows the content, as in a gzip file: it expects CRC-32 and size where the
    /// content ends. If these bytes occur only at the end of the data, the content ends there.
    /// `length` is that of the deflated data, `size` that of the content.
    fn inflate(
        &mut self,
        source: Source,
        member: &Member,
        length: usize,
        size: usize,
    ) -> Option<&[u8]> {
        let footer = [
            member.crc.to_le_bytes(),
            u32::try_from(size).ok()?.to_le_bytes(),
        ]
        .concat();
        // Build a gzip file in the buffer: header, deflated content, footer.
        let end = HEADER.len() + length;
        let gzip = first(&mut self.deflated, end + footer.len());
        gzip[..HEADER.len()].copy_from_slice(&HEADER);
        source
            .read_exact_at(&mut gzip[HEADER.len()..end], member.data)
            .ok()?;
        gzip[end..].copy_from_slice(&footer);
        if memmem::find(&gzip[HEADER.len()..], &footer)? != length {
            return None;
        }
        let content = first(&mut self.content, size);
        let inflated = self.inflater.gzip_decompress(gzip, content).ok()?;
        (inflated == size).then_some(&*content)
    }
}

/// Returns the first `length` bytes of a buffer, which only grows: to clear what the next member
/// overwrites takes time.
fn first(buffer: &mut Vec<u8>, length: usize) -> &mut [u8] {
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    &mut buffer[..length]
}
