//! Tar archives, read member by member in sequence.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use tar::{Archive, Entry, EntryType};

use super::extraction::{Extraction, Found, read_manifest};
use crate::packed::manifest::PackManifest;

/// The maximum padding after the end of an archive: tar fills records of 10 KiB, and other tools
/// may use larger ones.
const MAX_PADDING: u64 = 1 << 20;

/// Reads the manifest of a tar archive.
pub(super) fn manifest(from: impl Read) -> Result<PackManifest> {
    let mut archive = Archive::new(from);
    let first = archive
        .entries()
        .context("cannot read it")?
        .next()
        .context("it is empty")?;
    with_member(first, read_manifest)
}

/// Extracts a tar archive. Files get only the permission bits in `mask`.
pub(super) fn extract(from: impl Read, into: &Path, mask: u32) -> Result<PackManifest> {
    let mut archive = Archive::new(from);
    let mut entries = archive.entries().context("cannot read it")?;
    let first = entries.next().context("it is empty")?;
    let manifest = with_member(first, read_manifest)?;
    let mut extraction = Extraction::begin(&manifest, into)?.masked(mask);
    for entry in entries {
        with_member(entry, |name, found| extraction.put(name, found))?;
    }
    extraction.finish()?;
    finish(archive.into_inner())?;
    Ok(manifest)
}

/// Passes the first file of a tar archive to `take`.
pub(super) fn first_file<T>(
    from: &mut dyn Read,
    take: impl FnOnce(&str, Found<'_>) -> Result<T>,
) -> Result<T> {
    let mut archive = Archive::new(from);
    for entry in archive.entries().context("cannot read it")? {
        let entry = entry.context("cannot read it")?;
        if entry.header().entry_type() != EntryType::Directory {
            return with_member(Ok(entry), take);
        }
    }
    bail!("it contains no file")
}

/// Passes each member of a tar archive to `take`.
pub(super) fn members(
    from: &mut dyn Read,
    mut take: impl FnMut(&str, Found<'_>) -> Result<()>,
) -> Result<()> {
    let mut archive = Archive::new(from);
    for entry in archive.entries().context("cannot read it")? {
        with_member(entry, &mut take)?;
    }
    finish(archive.into_inner())
}

/// Reads what follows the end of an archive: that verifies the checksum of the compressed stream.
fn finish(rest: impl Read) -> Result<()> {
    let padding = std::io::copy(&mut rest.take(MAX_PADDING), &mut std::io::sink())
        .context("cannot read its end")?;
    ensure!(
        padding < MAX_PADDING,
        "there is trailing data after its end"
    );
    Ok(())
}

/// Passes a member to `take`.
fn with_member<R: Read, T>(
    entry: std::io::Result<Entry<'_, R>>,
    take: impl FnOnce(&str, Found<'_>) -> Result<T>,
) -> Result<T> {
    let mut entry = entry.context("cannot read it")?;
    let name = text(&entry.path_bytes())?;
    match entry.header().entry_type() {
        EntryType::Directory => take(&name, Found::Directory),
        EntryType::Symlink => {
            let target = entry
                .link_name_bytes()
                .with_context(|| format!("the link `{name}` has no target"))?;
            take(&name, Found::Link(text(&target)?))
        }
        // Only the permission bits, without the file type that some tools store too.
        EntryType::Regular => {
            let mode = entry
                .header()
                .mode()
                .with_context(|| format!("cannot read the mode of `{name}`"))?
                & 0o7777;
            let size = entry.size();
            take(&name, Found::File(mode, size, &mut entry))
        }
        // Hard links and devices are never packed.
        kind => bail!(
            "`{name}` is not a file, directory or symbolic link, but of the type `{}`",
            kind.as_byte().escape_ascii()
        ),
    }
}

fn text(name: &[u8]) -> Result<String> {
    String::from_utf8(name.to_vec())
        .with_context(|| format!("the name `{}` is not UTF-8", String::from_utf8_lossy(name)))
}
