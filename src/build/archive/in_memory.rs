//! Small members, read as a whole: nearly all of a wheel's. That saves the windows and copies of
//! inflating piece by piece.
//!
//! What is read here is held to the same rules as [`MemberReader`](super::Content) holds it to. Where
//! anything is wrong with a member, there is none here, and reading it piece by piece tells what.

use libdeflater::Decompressor;
use memchr::memmem;

use super::{Member, Method, Source};

/// How large a member may be, deflated and not.
const LIMIT: u64 = 4 << 20;
/// The header of a gzip file of one deflated content and no name (RFC 1952).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Room for one member after the other.
pub(in super::super) struct InMemory {
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
    /// The content of a member; none where it is large, or is not what the archive says.
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
                self.content.resize(size, 0);
                source.read_exact_at(&mut self.content, member.data).ok()?;
                (libdeflater::crc32(&self.content) == member.crc).then_some(&*self.content)
            }
            Method::Deflated => self.inflate(source, member, (length, size)),
        }
    }

    /// The inflater does not tell how much it has read. It does where the content has a footer
    /// behind it, as in a gzip file: CRC-32 and size are found where the content ends, so if they
    /// are nowhere but at the end, that is where it ends.
    fn inflate(
        &mut self,
        source: Source,
        member: &Member,
        (length, size): (usize, usize),
    ) -> Option<&[u8]> {
        let footer = [
            member.crc.to_le_bytes(),
            u32::try_from(size).ok()?.to_le_bytes(),
        ]
        .concat();
        let end = HEADER.len() + length;
        self.deflated.resize(end, 0);
        self.deflated[..HEADER.len()].copy_from_slice(&HEADER);
        source
            .read_exact_at(&mut self.deflated[HEADER.len()..], member.data)
            .ok()?;
        self.deflated.extend_from_slice(&footer);
        if memmem::find(&self.deflated[HEADER.len()..], &footer)? != length {
            return None;
        }
        self.content.resize(size, 0);
        let inflated = self
            .inflater
            .gzip_decompress(&self.deflated, &mut self.content)
            .ok()?;
        (inflated == size).then_some(&*self.content)
    }
}
