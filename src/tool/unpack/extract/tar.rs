//! Tar archives, member by member from the beginning on.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use tar::{Archive, Entry, EntryType};

use super::placing::{Found, Placing, read_listing};
use crate::tool::pack_manifest::PackManifest;

/// How much may follow the end of an archive: tar fills blocks of 10 KiB, and others may be larger.
const FILLING: u64 = 1 << 20;

/// Reads what a tar archive says that is in it.
pub(super) fn listing(from: impl Read) -> Result<PackManifest> {
    let mut archive = Archive::new(from);
    let first = archive
        .entries()
        .context("cannot read it")?
        .next()
        .context("there is nothing in it")?;
    with_member(first, read_listing)
}

/// Extracts a tar archive.
pub(super) fn extract(from: impl Read, into: &Path) -> Result<PackManifest> {
    let mut archive = Archive::new(from);
    let mut entries = archive.entries().context("cannot read it")?;
    let first = entries.next().context("there is nothing in it")?;
    let listing = with_member(first, read_listing)?;
    let mut placing = Placing::begin(&listing, into)?;
    for entry in entries {
        with_member(entry, |name, found| placing.put(name, found))?;
    }
    placing.finish()?;
    // What was compressed ends with a checksum.
    let filling = std::io::copy(
        &mut archive.into_inner().take(FILLING),
        &mut std::io::sink(),
    )
    .context("cannot read its end")?;
    ensure!(filling < FILLING, "there is more behind its end");
    Ok(listing)
}

/// Hands a member over.
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
                .with_context(|| format!("`{name}` is a link to nothing"))?;
            take(&name, Found::Link(text(&target)?))
        }
        EntryType::Regular => {
            let mode = entry
                .header()
                .mode()
                .with_context(|| format!("cannot read the mode of `{name}`"))?
                & 0o7777;
            let size = entry.size();
            take(&name, Found::File(mode, size, &mut entry))
        }
        kind => bail!(
            "`{name}` is neither a file, a directory nor a symbolic link, but of the kind `{}`",
            kind.as_byte().escape_ascii()
        ),
    }
}

fn text(name: &[u8]) -> Result<String> {
    String::from_utf8(name.to_vec())
        .with_context(|| format!("the name `{}` is not UTF-8", String::from_utf8_lossy(name)))
}
