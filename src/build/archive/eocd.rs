//! The record that ends an archive (4.3.16 of the format), and the two before it in an archive that
//! is too large for its fields (4.3.14 and 4.3.15). Programs look for it in several ways where
//! something follows it; here only a comment and NUL bytes may, which all of them pass.

use anyhow::{Result, bail, ensure};

use super::Source;
use super::byte_reader::{ByteReader, ZIP64_MARKER, read_at};

const SIGNATURE: &[u8] = b"PK\x05\x06";
const LENGTH: u64 = 22;
const LENGTH_AFTER_SIGNATURE: usize = 18;
const LARGE_SIGNATURE: &[u8] = b"PK\x06\x06";
const LARGE_LENGTH: u64 = 56;
const LOCATOR_SIGNATURE: &[u8] = b"PK\x06\x07";
const LOCATOR_LENGTH: u64 = 20;

/// Where the central directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Directory {
    /// Where it begins.
    pub at: u64,
    /// How many bytes it is.
    pub length: u64,
    /// How many members it has.
    pub members: u64,
}

/// What follows the record that ends an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trailing {
    /// Nothing.
    Nothing,
    /// A comment, NUL bytes, or both.
    Harmless,
}

/// How many bytes may follow the record: as many as the longest comment has, which is how far
/// programs look back.
const TRAILING_LIMIT: u64 = u16::MAX as u64;

/// Finds the central directory of an archive.
pub(super) fn find(source: Source) -> Result<(Directory, Trailing)> {
    let length = source.length();
    ensure!(length >= LENGTH, "it is no zip archive: it is too short");
    let window = length.min(LENGTH + TRAILING_LIMIT);
    let tail = read_at(source, length - window, window)?;
    // The last signature, as programs find it that look backwards; a comment that holds another
    // would mislead those that look forwards.
    let Some(at) = memchr::memmem::rfind(&tail[..tail.len() - LENGTH_AFTER_SIGNATURE], SIGNATURE)
    else {
        bail!("it is no zip archive: no record ends it within its last {window} bytes");
    };
    let end = length - window + at as u64;
    let mut fields = ByteReader(&tail[at..]);
    fields.take(4)?;
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
        "data that no archive has follows the record that ends it"
    );
    let trailing = if comment.is_empty() && fields.0.is_empty() {
        Trailing::Nothing
    } else {
        Trailing::Harmless
    };
    ensure!(
        (disk, directory_disk, members_here) == (0, 0, members),
        "it is a part of an archive on several disks"
    );
    let is_full = members == u16::MAX || small.at == ZIP64_MARKER || small.length == ZIP64_MARKER;
    let has_locator = match end.checked_sub(LOCATOR_LENGTH) {
        Some(at) => read_at(source, at, 4)? == LOCATOR_SIGNATURE,
        None => false,
    };
    let (directory, end) = match (is_full, has_locator) {
        (false, false) => (small, end),
        (true, true) => find_large(source, end - LOCATOR_LENGTH, small)?,
        (true, false) => bail!("its end says that it is a Zip64 archive, and it is none"),
        (false, true) => {
            bail!("it is a Zip64 archive by one record at its end, and none by another")
        }
    };
    ensure!(
        directory.at.checked_add(directory.length) == Some(end),
        "something stands before the archive, or between its central directory and its end"
    );
    Ok((directory, trailing))
}

/// The central directory by the records of a Zip64 archive, and where these begin. A field that is
/// not full in the ordinary record has the same value in both.
fn find_large(source: Source, locator: u64, small: Directory) -> Result<(Directory, u64)> {
    let record = read_at(source, locator, LOCATOR_LENGTH)?;
    let mut fields = ByteReader(&record[4..]);
    let (disk, at, disks) = (fields.u32()?, fields.u64()?, fields.u32()?);
    ensure!(
        disk == 0 && disks == 1,
        "it is a part of an archive on several disks"
    );
    ensure!(
        at.checked_add(LARGE_LENGTH) == Some(locator),
        "its two Zip64 records do not stand side by side"
    );
    let record = read_at(source, at, LARGE_LENGTH)?;
    let mut fields = ByteReader(&record);
    ensure!(
        fields.take(4)? == LARGE_SIGNATURE,
        "it has no Zip64 record where it says that it has one"
    );
    ensure!(
        fields.u64()? == LARGE_LENGTH - 12,
        "its Zip64 record has a part of its own"
    );
    fields.take(4)?;
    ensure!(
        (fields.u32()?, fields.u32()?) == (0, 0),
        "it is a part of an archive on several disks"
    );
    let (members_here, members) = (fields.u64()?, fields.u64()?);
    let large = Directory {
        length: fields.u64()?,
        at: fields.u64()?,
        members,
    };
    let agrees = |full: u64, small: u64, large: u64| small == full || small == large;
    let is_same = members_here == members
        && agrees(u16::MAX.into(), small.members, large.members)
        && agrees(ZIP64_MARKER, small.length, large.length)
        && agrees(ZIP64_MARKER, small.at, large.at);
    ensure!(is_same, "its Zip64 record says something else than its end");
    Ok((large, at))
}
