//! The header before a member's content (4.3.7 of the format), and the record behind it where one
//! is (4.3.9): both must say what the central directory says. Programs that read an archive from
//! its beginning on go by these.

use std::ops::Range;

use anyhow::{Context, Result, ensure};

use super::byte_reader::{ByteReader, read_at};
use super::directory::NEWEST_VERSION;
use super::extra::{self, Header};
use super::{Member, Source};

const SIGNATURE: &[u8] = b"PK\x03\x04";
const LENGTH: u64 = 30;
const DESCRIPTOR_SIGNATURE: &[u8] = b"PK\x07\x08";
/// The flag of a member whose CRC-32 and sizes stand behind it, since they were not known before.
const SIZES_BEHIND: u16 = 1 << 3;

/// Holds it against the member, and notes where the content begins. Gives the bytes of the archive
/// that the member takes, all of which lie before `limit`.
pub(super) fn check(source: Source, member: &mut Member, limit: u64) -> Result<Range<u64>> {
    let bytes = read_at(source, member.header, LENGTH)?;
    let mut fields = ByteReader(&bytes);
    ensure!(fields.take(4)? == SIGNATURE, "it has no local header");
    let (version, flags, method) = (fields.u16()?, fields.u16()?, fields.u16()?);
    ensure!(
        version <= NEWEST_VERSION,
        "it needs version {version} of the format by its local header"
    );
    fields.take(4)?;
    let crc = fields.u32()?;
    let (mut compressed, mut size) = (u64::from(fields.u32()?), u64::from(fields.u32()?));
    let (name, extra) = (u64::from(fields.u16()?), u64::from(fields.u16()?));
    let names = read_at(source, member.header + LENGTH, name + extra)?;
    let (name, extra) = names.split_at(usize::try_from(name)?);
    ensure!(
        name == member.name.as_bytes(),
        "it has another name in its local header"
    );
    ensure!(
        flags == member.flags && method == member.method as u16,
        "it has another kind of content in its local header"
    );
    extra::read(extra, &mut [&mut size, &mut compressed], Header::Local)?;
    let is_same = (crc, compressed, size) == (member.crc, member.compressed, member.size);
    let is_behind = flags & SIZES_BEHIND != 0;
    ensure!(
        is_same || is_behind && (crc, compressed, size) == (0, 0, 0),
        "it has another size or CRC-32 in its local header"
    );
    member.data = member.header + LENGTH + names.len() as u64;
    let end = member
        .data
        .checked_add(member.compressed)
        .filter(|end| *end <= limit);
    let end = end.context("it does not end before the central directory begins")?;
    let descriptor = if is_behind {
        descriptor(source, member, end, limit)?
    } else {
        0
    };
    Ok(member.header..end + descriptor)
}

/// The length of the record behind a member's content. It may have a signature, and four or eight
/// bytes for each size.
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
    anyhow::bail!("what stands behind it is not its CRC-32 and its sizes")
}
