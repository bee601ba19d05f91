//! Zip archives, member by member in the order of their directory.

use std::io::{Read, Seek};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use zip::ZipArchive;
use zip::read::ZipFile;

use super::placing::{Found, Placing, read_listing};
use crate::tool::pack_manifest::PackManifest;

/// The longest text of a link (`PATH_MAX` of Linux).
const LONGEST: u64 = 4096;
/// What of a mode tells the kind, and which kind is a regular file.
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;

/// Reads what a zip archive says that is in it.
pub(super) fn listing(from: impl Read + Seek) -> Result<PackManifest> {
    let mut archive = ZipArchive::new(from).context("cannot read it")?;
    ensure!(!archive.is_empty(), "there is nothing in it");
    with_member(archive.by_index(0).context("cannot read it")?, read_listing)
}

/// Extracts a zip archive.
pub(super) fn extract(from: impl Read + Seek, into: &Path) -> Result<PackManifest> {
    let mut archive = ZipArchive::new(from).context("cannot read it")?;
    ensure!(!archive.is_empty(), "there is nothing in it");
    let listing = with_member(archive.by_index(0).context("cannot read it")?, read_listing)?;
    let mut placing = Placing::begin(&listing, into)?;
    for index in 1..archive.len() {
        with_member(
            archive.by_index(index).context("cannot read it")?,
            |name, found| placing.put(name, found),
        )?;
    }
    placing.finish()?;
    Ok(listing)
}

/// Hands a member over.
fn with_member<R: Read, T>(
    mut member: ZipFile<'_, R>,
    take: impl FnOnce(&str, Found<'_>) -> Result<T>,
) -> Result<T> {
    let name = String::from_utf8(member.name_raw().to_vec())
        .context("the name of a member is not UTF-8")?;
    let mode = member
        .unix_mode()
        .with_context(|| format!("`{name}` has no mode"))?;
    if member.is_dir() {
        take(&name, Found::Directory)
    } else if member.is_symlink() {
        let mut target = String::new();
        member
            .by_ref()
            .take(LONGEST)
            .read_to_string(&mut target)
            .with_context(|| format!("cannot read the link `{name}`"))?;
        take(&name, Found::Link(target))
    } else if mode & KIND == REGULAR {
        let size = member.size();
        take(&name, Found::File(mode & 0o7777, size, &mut member))
    } else {
        bail!("`{name}` is neither a file, a directory nor a symbolic link")
    }
}
