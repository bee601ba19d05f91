//! The end-of-central-directory record (APPNOTE 4.3.16), and the Zip64 end record and locator
//! before it in large archives (4.3.14 and 4.3.15). Programs search for the record in several ways
//! if data follows it; here only a comment and NUL bytes may follow, which every program skips.

use anyhow::{Result, bail, ensure};

use super::byte_reader::{ByteReader, ZIP64_MARKER, read_at};
use crate::wheel::Source;

const SIGNATURE: &[u8] = b"PK\x05\x06";
const LENGTH: u64 = 22;
const LENGTH_AFTER_SIGNATURE: usize = 18;
const ZIP64_SIGNATURE: &[u8] = b"PK\x06\x06";
const ZIP64_LENGTH: u64 = 56;
const LOCATOR_SIGNATURE: &[u8] = b"PK\x06\x07";
const LOCATOR_LENGTH: u64 = 20;

/// The location of the central directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Directory {
    /// Its offset.
    pub at: u64,
    /// Its size in bytes.
    pub length: u64,
    /// The number of its members.
    pub members: u64,
}

/// The data after the end-of-central-directory record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trailing {
    /// Nothing.
    Nothing,
    /// A comment, NUL bytes, or both.
    Harmless,
}

/// The maximum number of bytes after the record: the length of the longest comment, which is how
/// far back programs search.
const TRAILING_LIMIT: u64 = u16::MAX as u64;

/// Finds the central directory of an archive.
pub(super) fn find(source: Source) -> Result<(Directory, Trailing)> {
    // Search only as far back as the longest comment reaches.
    let length = source.length();
    ensure!(length >= LENGTH, "it is not a zip archive: it is too short");
    let window = length.min(LENGTH + TRAILING_LIMIT);
    let tail = read_at(source, length - window, window)?;
    // The last signature, which programs that search backwards find. A comment that contains
    // another one would mislead programs that search forwards.
    let Some(at) = memchr::memmem::rfind(&tail[..tail.len() - LENGTH_AFTER_SIGNATURE], SIGNATURE)
    else {
        bail!(
            "it is not a zip archive: no end-of-central-directory record in its last {window} bytes"
        );
    };
    let end = length - window + at as u64;
    let mut fields = ByteReader(&tail[at..]);
    fields.take(SIGNATURE.len())?;
    let (disk, directory_disk) = (fields.u16()?, fields.u16()?);
    let (members_here, members) = (fields.u16()?, fields.u16()?);
    let small = Directory {
        length: fields.u32()?.into(),
        at: fields.u32()?.into(),
        members: members.into(),
    };
    let comment = fields.u16()?;
    let comment = fields.take(comment.into())?;
    ensure!(
        fields.0.iter().all(|byte| *byte == 0),
        "trailing data after the end-of-central-directory record"
    );
    let trailing = if comment.is_empty() && fields.0.is_empty() {
        Trailing::Nothing
    } else {
        Trailing::Harmless
    };
    ensure!(
        (disk, directory_disk, members_here) == (0, 0, members),
        "it is part of a multi-disk archive"
    );
    // Zip64 records exist if and only if a field is at its maximum.
    let is_full = members == u16::MAX || small.at == ZIP64_MARKER || small.length == ZIP64_MARKER;
    let has_locator = match end.checked_sub(LOCATOR_LENGTH) {
        Some(at) => read_at(source, at, 4)? == LOCATOR_SIGNATURE,
        None => false,
    };
    let (directory, end) = match (is_full, has_locator) {
        (false, false) => (small, end),
        (true, true) => find_zip64(source, end - LOCATOR_LENGTH, small)?,
        (true, false) => {
            bail!("its end-of-central-directory record requires a Zip64 locator, and it has none")
        }
        (false, true) => {
            bail!(
                "it has a Zip64 locator that its end-of-central-directory record does not require"
            )
        }
    };
    ensure!(
        directory.at.checked_add(directory.length) == Some(end),
        "extra data before the archive, or between its central directory and its end record"
    );
    Ok((directory, trailing))
}

/// Returns the central directory as the Zip64 records state it, and the offset of the Zip64 end
/// record. A field that is not at its maximum in the ordinary record must have the same value in
/// both.
fn find_zip64(source: Source, locator: u64, small: Directory) -> Result<(Directory, u64)> {
    let record = read_at(source, locator, LOCATOR_LENGTH)?;
    let mut fields = ByteReader(&record[LOCATOR_SIGNATURE.len()..]);
    let (disk, at, disks) = (fields.u32()?, fields.u64()?, fields.u32()?);
    ensure!(
        disk == 0 && disks == 1,
        "it is part of a multi-disk archive"
    );
    ensure!(
        at.checked_add(ZIP64_LENGTH) == Some(locator),
        "its Zip64 end record and its Zip64 locator are not adjacent"
    );
    let record = read_at(source, at, ZIP64_LENGTH)?;
    let mut fields = ByteReader(&record);
    ensure!(
        fields.take(4)? == ZIP64_SIGNATURE,
        "its Zip64 locator does not point to a Zip64 end record"
    );
    ensure!(
        fields.u64()? == ZIP64_LENGTH - 12,
        "its Zip64 end record has an extensible data sector"
    );
    // Version made by, version needed to extract.
    fields.take(4)?;
    ensure!(
        (fields.u32()?, fields.u32()?) == (0, 0),
        "it is part of a multi-disk archive"
    );
    let (members_here, members) = (fields.u64()?, fields.u64()?);
    let large = Directory {
        length: fields.u64()?,
        at: fields.u64()?,
        members,
    };
    // A field at its maximum only refers to the large record.
    let agrees = |full: u64, small: u64, large: u64| small == full || small == large;
    let is_same = members_here == members
        && agrees(u16::MAX.into(), small.members, large.members)
        && agrees(ZIP64_MARKER, small.length, large.length)
        && agrees(ZIP64_MARKER, small.at, large.at);
    ensure!(
        is_same,
        "its Zip64 end record contradicts its end-of-central-directory record"
    );
    Ok((large, at))
}
