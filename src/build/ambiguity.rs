//! What another unzip program would read differently: refused before anything of an archive is unpacked.
//!
//! The zip library takes the last of two members with one name, and never looks at the names in the local headers; other programs do
//! otherwise. So the central directory is walked here once more, as <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>
//! (4.3.7 and 4.3.12) lays it out: each name stands there once, and again before the member's content.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, bail};

/// A record of the central directory: its signature, and its length without name, extra field and comment.
const DIRECTORY_RECORD: ([u8; 4], usize) = (*b"PK\x01\x02", 46);
/// A local header: likewise.
const LOCAL_HEADER: ([u8; 4], usize) = (*b"PK\x03\x04", 30);

/// Looks at the archive in `file`, whose central directory begins at `directory` and has `members` members by the library's
/// count. `offset` is how many bytes stand before the archive.
///
/// # Errors
/// Two members have one name, a local header has another name than the directory, or something stands before the archive.
pub(super) fn refuse(file: &File, directory: u64, offset: u64, members: usize) -> Result<()> {
    if offset != 0 {
        bail!("{offset} bytes stand before the archive");
    }
    let length = usize::try_from(file.metadata()?.len().saturating_sub(directory))?;
    let mut records = vec![0; length];
    file.read_exact_at(&mut records, directory).context("the central directory cannot be read")?;
    let mut names = HashSet::new();
    let mut rest = &records[..];
    while rest.len() >= DIRECTORY_RECORD.1 && rest.starts_with(&DIRECTORY_RECORD.0) {
        let lengths = [28, 30, 32].map(|at| usize::from(u16_at(rest, at)));
        let end = DIRECTORY_RECORD.1 + lengths.iter().sum::<usize>();
        let name =
            rest.get(DIRECTORY_RECORD.1..DIRECTORY_RECORD.1 + lengths[0]).context("the central directory is cut short")?;
        if !names.insert(name) {
            bail!("two members have the name `{}`", String::from_utf8_lossy(name));
        }
        refuse_other_local_name(file, u64::from(u32_at(rest, 42)), name)?;
        rest = rest.get(end..).context("the central directory is cut short")?;
    }
    if names.len() != members {
        bail!("its central directory has {} members by one way of reading, and {members} by another", names.len());
    }
    Ok(())
}

fn refuse_other_local_name(file: &File, at: u64, name: &[u8]) -> Result<()> {
    let mut header = vec![0; LOCAL_HEADER.1 + name.len()];
    let named = || format!("member `{}`", String::from_utf8_lossy(name));
    file.read_exact_at(&mut header, at).with_context(|| format!("{} cannot be read", named()))?;
    let is_same = header.starts_with(&LOCAL_HEADER.0)
        && usize::from(u16_at(&header, 26)) == name.len()
        && header[LOCAL_HEADER.1..] == *name;
    if !is_same {
        bail!("{} has another name in its local header", named());
    }
    Ok(())
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
