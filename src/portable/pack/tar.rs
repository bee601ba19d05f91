//! Tar archives, plain or compressed with gzip or Zstandard, in GNU format, which every tar of the
//! last thirty years reads.
//!
//! Every header names root as the owner and carries the same time. The output of neither compressor
//! depends on the number of processors.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use flate2::GzBuilder;
use tar::{EntryType, Header};
use walkdir::WalkDir;
use zstd::zstd_safe::CParameter;

use super::contents::{Contents, Item, ItemKind};
use super::order::Compression;
use crate::fs::{self, Digest, Hashing};
use crate::process::threads::can_start_thread;
use crate::report::Failure;

/// The gzip compression level, from 1 to 9.
const GZIP: u32 = 6;
/// The Zstandard compression level, from 1 to 19.
const ZSTD: i32 = 8;
/// The maximum number of compression threads: each needs its own memory.
const THREADS: usize = 4;
/// The number of bytes that a thread compresses at a time. Zstandard's default is four times as
/// large, and so is its memory use.
const JOB: u32 = 4 << 20;
/// The longest name that fits in a header.
const NAME_LIMIT: usize = 100;
/// The block size of a tar archive.
const BLOCK: usize = 512;

/// Writes the archive.
pub(super) fn write(
    contents: &Contents,
    compression: Compression,
    to: &mut impl Write,
) -> Result<()> {
    let items = contents.as_listed();
    match compression {
        Compression::None => archive(contents, &items, to),
        Compression::Gzip => in_gzip(to, |to| archive(contents, &items, to)),
        Compression::Zstd => in_zstd(to, |to| archive(contents, &items, to)),
    }
}

/// Writes an archive without compression that also has the parent directories of the prefix.
pub(super) fn write_installed(contents: &Contents, to: &mut impl Write) -> Result<()> {
    archive(contents, &contents.as_installed(), to)
}

fn archive(contents: &Contents, items: &[Item<'_>], to: &mut impl Write) -> Result<()> {
    members(contents, items, "", to)?;
    end(to)
}

/// Writes an archive as a layer in Zstandard. Returns its digest before compression.
pub(super) fn layer(contents: &Contents, to: &mut dyn Write) -> Result<Digest> {
    let mut digest = None;
    in_zstd(to, |to| {
        let mut to = Hashing::new(to);
        archive(contents, &contents.as_listed(), &mut to)?;
        digest = Some(to.finish().0);
        Ok(())
    })?;
    digest.context("cannot compress")
}

/// Compresses the output with gzip, with neither name nor time in its header.
pub(super) fn in_gzip<W: Write>(
    to: W,
    write: impl FnOnce(&mut flate2::write::GzEncoder<W>) -> Result<()>,
) -> Result<()> {
    let mut encoder = GzBuilder::new().write(to, flate2::Compression::new(GZIP));
    write(&mut encoder)?;
    encoder.finish().map(drop).context("cannot compress")
}

/// Compresses the output with Zstandard. The output is the same for any number of threads except 0,
/// which selects the single-threaded mode.
pub(super) fn in_zstd<W: Write>(
    to: W,
    write: impl FnOnce(&mut zstd::Encoder<'static, W>) -> Result<()>,
) -> Result<()> {
    if !can_start_thread() {
        return Err(Failure::new(
            "cannot compress with Zstandard: the system refuses to start a thread",
        )
        .hint("an archive whose name ends in `.tar.gz` needs no thread")
        .into());
    }
    let mut encoder = zstd::Encoder::new(to, ZSTD).context("cannot compress")?;
    let threads = rayon::current_num_threads().clamp(1, THREADS);
    let mut set = || {
        encoder.multithread(u32::try_from(threads).unwrap_or(1))?;
        encoder.set_parameter(CParameter::JobSize(JOB))?;
        encoder.include_checksum(true)
    };
    set().context("cannot compress")?;
    write(&mut encoder)?;
    encoder.finish().map(drop).context("cannot compress")
}

/// Writes members, each with `top` prepended to its name.
pub(super) fn members(
    contents: &Contents,
    items: &[Item<'_>],
    top: &str,
    to: &mut impl Write,
) -> Result<()> {
    for item in items {
        let name = format!("{top}{}", item.path);
        match item.kind {
            ItemKind::Directory => header(
                &format!("{name}/"),
                EntryType::Directory,
                Attributes {
                    mode: 0o755,
                    size: 0,
                    time: contents.time,
                },
                to,
            )?,
            ItemKind::Link { target } => {
                // The long target comes first, then the long name, then the header.
                long_name(target, EntryType::GNULongLink, to)?;
                link_header(&name, target, contents.time, to)?;
            }
            ItemKind::File {
                source, mode, size, ..
            } => {
                header(
                    &name,
                    EntryType::Regular,
                    Attributes {
                        mode: mode.bits(),
                        size,
                        time: contents.time,
                    },
                    to,
                )?;
                contents.copy(source, size, to)?;
                pad(size, to)?;
            }
        }
    }
    Ok(())
}

/// Writes the end-of-archive marker.
pub(super) fn end(to: &mut impl Write) -> Result<()> {
    to.write_all(&[0; 2 * BLOCK])
        .context("cannot write the end of the archive")
}

/// Writes a file that is part of the format, not of the environment.
pub(super) fn text(name: &str, content: &[u8], time: u32, to: &mut impl Write) -> Result<()> {
    header(
        name,
        EntryType::Regular,
        Attributes {
            mode: 0o644,
            size: content.len() as u64,
            time,
        },
        to,
    )?;
    to.write_all(content)
        .with_context(|| format!("cannot write `{name}`"))?;
    pad(content.len() as u64, to)
}

/// Writes the files below a directory on disk, sorted by path, and the end of the archive.
pub(super) fn directory_of_files(top: &Path, time: u32, to: &mut impl Write) -> Result<()> {
    let entries = WalkDir::new(top).min_depth(1).sort_by_file_name();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot scan `{}`", top.display()))?;
        let path = entry.path();
        let name = path.strip_prefix(top).unwrap_or(path).to_string_lossy();
        if entry.file_type().is_dir() {
            directory(&format!("{name}/"), time, to)?;
            continue;
        }
        let mut file = fs::open(path)?;
        let size = file.metadata().context("cannot inspect a file")?.len();
        let attributes = Attributes {
            mode: 0o644,
            size,
            time,
        };
        header(&name, EntryType::Regular, attributes, to)?;
        let copied = std::io::copy(&mut file, to).context("cannot write to the archive")?;
        ensure!(copied == size, "`{name}` changed while it was being packed");
        pad(size, to)?;
    }
    end(to)
}

/// Writes a directory that is part of the format, not of the environment.
pub(super) fn directory(name: &str, time: u32, to: &mut impl Write) -> Result<()> {
    let attributes = Attributes {
        mode: 0o755,
        size: 0,
        time,
    };
    header(name, EntryType::Directory, attributes, to)
}

/// What the header of a member says besides its name and kind.
#[derive(Clone, Copy)]
struct Attributes {
    mode: u32,
    /// In bytes.
    size: u64,
    /// The modification time in seconds since 1970.
    time: u32,
}

/// Writes the header of a file or directory.
fn header(name: &str, kind: EntryType, attributes: Attributes, to: &mut impl Write) -> Result<()> {
    long_name(name, EntryType::GNULongName, to)?;
    finish(plain(name, kind, attributes)?, to)
}

fn link_header(name: &str, target: &str, time: u32, to: &mut impl Write) -> Result<()> {
    long_name(name, EntryType::GNULongName, to)?;
    let attributes = Attributes {
        mode: 0o777,
        size: 0,
        time,
    };
    let mut header = plain(name, EntryType::Symlink, attributes)?;
    let field = &mut header.as_old_mut().linkname;
    let length = target.len().min(NAME_LIMIT);
    field[..length].copy_from_slice(&target.as_bytes()[..length]);
    finish(header, to)
}

fn plain(name: &str, kind: EntryType, attributes: Attributes) -> Result<Header> {
    let Attributes { mode, size, time } = attributes;
    let mut header = Header::new_gnu();
    let length = name.len().min(NAME_LIMIT);
    header.as_old_mut().name[..length].copy_from_slice(&name.as_bytes()[..length]);
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(time.into());
    header.set_uid(0);
    header.set_gid(0);
    header
        .set_username("root")
        .and_then(|()| header.set_groupname("root"))
        .context("cannot set the owner")?;
    Ok(header)
}

fn finish(mut header: Header, to: &mut impl Write) -> Result<()> {
    header.set_cksum();
    to.write_all(header.as_bytes())
        .context("cannot write the header of a member")
}

/// Writes a name that does not fit in the header as a `LongLink` member in front, as GNU tar does.
fn long_name(name: &str, kind: EntryType, to: &mut impl Write) -> Result<()> {
    if name.len() <= NAME_LIMIT {
        return Ok(());
    }
    let size = name.len() as u64 + 1;
    let attributes = Attributes {
        mode: 0o644,
        size,
        time: 0,
    };
    finish(plain("././@LongLink", kind, attributes)?, to)?;
    to.write_all(name.as_bytes())
        .and_then(|()| to.write_all(b"\0"))
        .context("cannot write a long name")?;
    pad(size, to)
}

/// Pads the last block with zeros.
fn pad(size: u64, to: &mut impl Write) -> Result<()> {
    let used = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    let rest = (BLOCK - used) % BLOCK;
    to.write_all(&[0; BLOCK][..rest])
        .context("cannot write to the archive")
}
