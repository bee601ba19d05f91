//! The local header before a member's content (APPNOTE 4.3.7), and the optional data descriptor
//! after it (4.3.9). Both must agree with the central directory, since programs that read an
//! archive from its beginning rely on them.

use std::ops::Range;

use anyhow::{Context, Result, ensure};

use super::byte_reader::{ByteReader, read_at};
use super::directory::NEWEST_VERSION;
use super::extra::{self, Header};
use crate::wheel::{Member, Source};

const SIGNATURE: &[u8] = b"PK\x03\x04";
const LENGTH: u64 = 30;
const DESCRIPTOR_SIGNATURE: &[u8] = b"PK\x07\x08";
/// The flag of a member whose CRC-32 and sizes are in a data descriptor after its content, since
/// they were unknown when the header was written.
const DATA_DESCRIPTOR: u16 = 1 << 3;

/// Checks the local header against the member, and sets the offset of the content. Returns the byte
/// range of the whole member, which must end at `limit` at the latest.
pub(super) fn check(source: Source, member: &mut Member, limit: u64) -> Result<Range<u64>> {
    let bytes = read_at(source, member.header, LENGTH)?;
    let mut fields = ByteReader(&bytes);
    ensure!(fields.take(4)? == SIGNATURE, "it has no local header");
    let (version, flags, method) = (fields.u16()?, fields.u16()?, fields.u16()?);
    ensure!(
        version <= NEWEST_VERSION,
        "its local header requires version {version} of the zip format (limit {NEWEST_VERSION})"
    );
    // Modification time and date.
    fields.take(4)?;
    let crc = fields.u32()?;
    let (mut compressed, mut size) = (u64::from(fields.u32()?), u64::from(fields.u32()?));
    let (name, extra) = (u64::from(fields.u16()?), u64::from(fields.u16()?));
    let names = read_at(source, member.header + LENGTH, name + extra)?;
    let (name, extra) = names.split_at(usize::try_from(name)?);
    ensure!(
        name == member.name.as_bytes(),
        "its local header has another name"
    );
    ensure!(
        flags == member.flags && method == member.method as u16,
        "its local header has another compression method or other flags"
    );
    extra::read(extra, &mut [&mut size, &mut compressed], Header::Local)?;
    // With a data descriptor, the header may have zeros instead.
    let is_same = (crc, compressed, size) == (member.crc, member.compressed, member.size);
    let has_descriptor = flags & DATA_DESCRIPTOR != 0;
    ensure!(
        is_same || has_descriptor && (crc, compressed, size) == (0, 0, 0),
        "its local header has another size or CRC-32"
    );
    member.data = member.header + LENGTH + names.len() as u64;
    let end = member
        .data
        .checked_add(member.compressed)
        .filter(|end| *end <= limit);
    let end = end.context("it does not end before the central directory")?;
    let descriptor = if has_descriptor {
        descriptor(source, member, end, limit)?
    } else {
        0
    };
    Ok(member.header..end + descriptor)
}

/// Returns the length of the data descriptor after a member's content. It may have a signature, and
/// each of its sizes has four or eight bytes.
fn descriptor(source: Source, member: &Member, at: u64, limit: u64) -> Result<u64> {
    let crc = member.crc.to_le_bytes();
    let large = [member.compressed.to_le_bytes(), member.size.to_le_bytes()].concat();
    let mut sizes = vec![large];
    if let (Ok(compressed), Ok(size)) =
        (u32::try_from(member.compressed), u32::try_from(member.size))
    {
        sizes.push([compressed.to_le_bytes(), size.to_le_bytes()].concat());
    }
    for sizes in sizes {
        for signature in [DESCRIPTOR_SIGNATURE, b""] {
            let expected = [signature, &crc, &sizes].concat();
            let length = expected.len() as u64;
            if at + length <= limit && read_at(source, at, length)? == expected {
                return Ok(length);
            }
        }
    }
    anyhow::bail!("its data descriptor does not match its CRC-32 and sizes")
}
