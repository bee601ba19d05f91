//! Members that are read and inflated as a whole, which saves the windows and copies of streaming
//! decompression. Nearly all members of a wheel are small. Of the large ones, only one at a time is in
//! memory, whatever the number of threads.
//!
//! The checks are those of [`MemberReader`](crate::wheel::MemberReader). For a defective member, this
//! module returns none; the caller then streams it, and gets the error from there.

use std::sync::atomic::{AtomicBool, Ordering};

use libdeflater::Decompressor;
use memchr::memmem;

use super::Method;
use crate::wheel::{Member, Source};

/// The maximum size of a small member, compressed and uncompressed.
const SMALL: u64 = 4 << 20;
/// The maximum size of a large member, compressed and uncompressed.
const LARGE: u64 = 32 << 20;
/// Whether a large member is in memory.
static HAS_LARGE: AtomicBool = AtomicBool::new(false);
/// The header of a gzip file without a name (RFC 1952).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Buffers for one member at a time.
pub struct InMemory {
    inflater: Decompressor,
    deflated: Vec<u8>,
    content: Vec<u8>,
    large: Option<Large>,
}

/// The permission to have a large member in memory.
struct Large;

impl Large {
    /// Takes the permission; none if another thread has it.
    fn take() -> Option<Self> {
        let had = HAS_LARGE.swap(true, Ordering::Acquire);
        (!had).then_some(Self)
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        HAS_LARGE.store(false, Ordering::Release);
    }
}

impl Default for InMemory {
    fn default() -> Self {
        Self {
            inflater: Decompressor::new(),
            deflated: Vec::new(),
            content: Vec::new(),
            large: None,
        }
    }
}

impl InMemory {
    /// Returns the content of a member; none if it is too large, if it is large and another thread
    /// has a large one, or if the content does not match its header.
    pub fn read(&mut self, source: Source, member: &Member) -> Option<&[u8]> {
        let size = member.size.max(member.compressed);
        if size > LARGE {
            return None;
        }
        if size > SMALL {
            self.large = Some(Large::take()?);
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

    /// Frees the buffers of a large member, so that another thread may have one.
    pub fn drop_large(&mut self) {
        if self.large.is_some() {
            (self.deflated, self.content) = (Vec::new(), Vec::new());
            self.large = None;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_large_member_at_a_time_is_in_memory() {
        // Other tests unpack large members too.
        let first = std::iter::repeat_with(Large::take).flatten().next();
        assert!(first.is_some());
        assert!(Large::take().is_none());
    }
}
