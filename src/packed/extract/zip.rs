//! Zip archives, read member by member in the order of the central directory.

use std::io::{Read, Seek};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use zip::ZipArchive;
use zip::read::ZipFile;

use super::extraction::{Extraction, Found, read_manifest};
use crate::packed::manifest::PackManifest;

/// The longest target of a link (`PATH_MAX` on Linux).
const MAX_TARGET: u64 = 4096;
/// The mask of the file type in a mode, and the type of a regular file.
const TYPE_MASK: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;

/// Reads the manifest of a zip archive.
pub(super) fn manifest(from: impl Read + Seek) -> Result<PackManifest> {
    let mut archive = ZipArchive::new(from).context("cannot read it")?;
    ensure!(!archive.is_empty(), "it is empty");
    with_member(
        archive.by_index(0).context("cannot read it")?,
        read_manifest,
    )
}

/// Extracts a zip archive.
pub(super) fn extract(from: impl Read + Seek, into: &Path) -> Result<PackManifest> {
    let mut archive = ZipArchive::new(from).context("cannot read it")?;
    ensure!(!archive.is_empty(), "it is empty");
    let manifest = with_member(
        archive.by_index(0).context("cannot read it")?,
        read_manifest,
    )?;
    let mut extraction = Extraction::begin(&manifest, into)?;
    for index in 1..archive.len() {
        with_member(
            archive.by_index(index).context("cannot read it")?,
            |name, found| extraction.put(name, found),
        )?;
    }
    extraction.finish()?;
    Ok(manifest)
}

/// Passes a member to `take`.
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
        // In a zip archive, the content of a link is its target.
        let mut target = String::new();
        member
            .by_ref()
            .take(MAX_TARGET)
            .read_to_string(&mut target)
            .with_context(|| format!("cannot read the link `{name}`"))?;
        take(&name, Found::Link(target))
    } else if mode & TYPE_MASK == REGULAR {
        let size = member.size();
        take(&name, Found::File(mode & 0o7777, size, &mut member))
    } else {
        bail!("`{name}` is not a file, directory or symbolic link")
    }
}
