//! The central directory (APPNOTE 4.3.12), which describes each member at the end of the archive.

use anyhow::{Context, Result, bail, ensure};
use nix::sys::stat::SFlag;

use super::byte_reader::{ByteReader, read_at};
use super::eocd::Directory;
use super::extra::{self, Header};
use super::{Method, names};
use crate::wheel::{Member, Source};

const SIGNATURE: &[u8] = b"PK\x01\x02";
/// The flags that a member may have: compression level, data descriptor, UTF-8 name. Wheels need no
/// encryption, patch data or masked headers.
const KNOWN_FLAGS: u16 = 0b1000_0000_1110;
/// The newest accepted version of the format, times ten. It introduced Zip64; wheels need no later
/// feature.
pub(super) const NEWEST_VERSION: u16 = 45;
/// The MS-DOS attribute of a directory.
const DOS_DIRECTORY: u32 = 0x10;

/// Reads all members of the central directory.
pub(super) fn read(source: Source, directory: &Directory) -> Result<Vec<Member>> {
    let bytes = read_at(source, directory.at, directory.length)?;
    let mut fields = ByteReader(&bytes);
    let mut members = Vec::new();
    while !fields.0.is_empty() {
        members.push(member(&mut fields)?);
    }
    let count = members.len();
    ensure!(
        count as u64 == directory.members,
        "it has {count} members, but its end record states {}",
        directory.members
    );
    Ok(members)
}

fn member(fields: &mut ByteReader) -> Result<Member> {
    ensure!(
        fields.take(4)? == SIGNATURE,
        "an entry of the central directory has the wrong signature"
    );
    // Version made by.
    fields.take(2)?;
    let (version, flags, method) = (fields.u16()?, fields.u16()?, fields.u16()?);
    // Modification time and date.
    fields.take(4)?;
    let crc = fields.u32()?;
    let (mut compressed, mut size) = (u64::from(fields.u32()?), u64::from(fields.u32()?));
    let [name, extra, comment] = [fields.u16()?, fields.u16()?, fields.u16()?].map(usize::from);
    let disk = fields.u16()?;
    // Internal attributes.
    fields.take(2)?;
    let attributes = fields.u32()?;
    let mut header = u64::from(fields.u32()?);
    let (name, extra) = (fields.take(name)?, fields.take(extra)?);
    fields.take(comment)?;
    let name = names::read(name, flags)?;
    // From here on, errors name the member.
    let mut check = || {
        ensure!(
            version <= NEWEST_VERSION,
            "it requires version {version} of the zip format (limit {NEWEST_VERSION})"
        );
        ensure!(
            flags & !KNOWN_FLAGS == 0,
            "it has unsupported flags ({flags:#06x})"
        );
        ensure!(disk == 0, "it is on another disk");
        extra::read(
            extra,
            &mut [&mut size, &mut compressed, &mut header],
            Header::Central,
        )?;
        let method = match method {
            0 => Method::Stored,
            8 => Method::Deflated,
            _ => bail!("its compression method is {method}, and only 0 and 8 are supported"),
        };
        ensure!(
            method == Method::Deflated || compressed == size,
            "it is stored uncompressed, but its two sizes differ"
        );
        check_kind(&name, attributes, size)?;
        Ok((method, attributes >> 16))
    };
    let (method, mode) = check().with_context(|| format!("member `{name}` cannot be unpacked"))?;
    Ok(Member {
        name,
        method,
        flags,
        crc,
        compressed,
        size,
        mode,
        header,
        data: 0,
    })
}

/// Checks the kind of a member, file or directory: the end of its name, its mode and its MS-DOS
/// attribute must agree.
fn check_kind(name: &str, attributes: u32, size: u64) -> Result<()> {
    let is_directory = name.ends_with('/');
    let kind = SFlag::from_bits_truncate((attributes >> 16) & SFlag::S_IFMT.bits());
    let expected = if is_directory {
        SFlag::S_IFDIR
    } else {
        SFlag::S_IFREG
    };
    let is_link = kind == SFlag::S_IFLNK && !is_directory;
    ensure!(
        kind.is_empty() || is_link || kind == expected,
        "its mode is not that of a file or directory, or contradicts its name"
    );
    ensure!(
        is_directory || attributes & DOS_DIRECTORY == 0,
        "its name is that of a file, but its attributes are those of a directory"
    );
    ensure!(!is_directory || size == 0, "it is a directory with content");
    Ok(())
}
