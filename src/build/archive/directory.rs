//! The central directory (4.3.12 of the format): what an archive says of its members at its end.

use anyhow::{Context, Result, bail, ensure};
use nix::sys::stat::SFlag;

use super::byte_reader::{ByteReader, read_at};
use super::eocd::Directory;
use super::extra::{self, Header};
use super::{Member, Method, Source, names};

const SIGNATURE: &[u8] = b"PK\x01\x02";
/// The flags that a member may have: how hard it was compressed, that its sizes stand behind it,
/// that its name is UTF-8. Encryption, patches and hidden headers are not for wheels.
const KNOWN_FLAGS: u16 = 0b1000_0000_1110;
/// The version of the format, times ten, that brought Zip64; what came later is not for wheels.
pub(super) const NEWEST_VERSION: u16 = 45;
/// The attribute by which MS-DOS knows a directory.
const DOS_DIRECTORY: u32 = 0x10;

/// Reads it.
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
        "it has {count} members, and its end says {}",
        directory.members
    );
    Ok(members)
}

fn member(fields: &mut ByteReader) -> Result<Member> {
    ensure!(
        fields.take(4)? == SIGNATURE,
        "something that is no member stands in the central directory"
    );
    fields.take(2)?;
    let (version, flags, method) = (fields.u16()?, fields.u16()?, fields.u16()?);
    fields.take(4)?;
    let crc = fields.u32()?;
    let (mut compressed, mut size) = (u64::from(fields.u32()?), u64::from(fields.u32()?));
    let [name, extra, comment] = [fields.u16()?, fields.u16()?, fields.u16()?].map(usize::from);
    let disk = fields.u16()?;
    fields.take(2)?;
    let attributes = fields.u32()?;
    let mut header = u64::from(fields.u32()?);
    let (name, extra) = (fields.take(name)?, fields.take(extra)?);
    fields.take(comment)?;
    let name = names::read(name, flags)?;
    let mut check = || {
        ensure!(
            version <= NEWEST_VERSION,
            "it needs a program of version {version} of the format, and wheels need {NEWEST_VERSION}"
        );
        ensure!(
            flags & !KNOWN_FLAGS == 0,
            "it has flags that are not for wheels ({flags:#06x})"
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
            _ => bail!("its method of compression is {method}, and may be 0 or 8"),
        };
        ensure!(
            method == Method::Deflated || compressed == size,
            "it is stored as it is, in another size"
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

/// Whether it is a file or a directory is told by the end of its name, by its mode and by its
/// attribute of MS-DOS; these must agree.
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
        "it is no file and no directory, or one by its name and the other by its mode"
    );
    ensure!(
        is_directory || attributes & DOS_DIRECTORY == 0,
        "it is a file by its name, and a directory by its attributes"
    );
    ensure!(
        !is_directory || size == 0,
        "it is a directory, and has content"
    );
    Ok(())
}
