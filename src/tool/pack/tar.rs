//! Tar archives, plain, in gzip or in Zstandard: GNU's form, which every tar of the last thirty
//! years reads.
//!
//! Headers have no names of users but root's, and no times but one. Neither compression depends on
//! the number of processors.

use std::io::Write;

use anyhow::{Context, Result};
use flate2::GzBuilder;
use tar::{EntryType, Header};
use zstd::zstd_safe::CParameter;

use super::contents::{Contents, Item, What};
use super::order::Compression;

/// How hard gzip tries, from 1 to 9.
const GZIP: u32 = 6;
/// How hard Zstandard tries, from 1 to 19.
const ZSTD: i32 = 8;
/// How many threads compress at most: each takes memory of its own.
const THREADS: usize = 4;
/// How many bytes a thread compresses at a time. Left to itself it is four times as much, and so is
/// the memory.
const JOB: u32 = 4 << 20;
/// The longest name that has room in a header.
const ROOM: usize = 100;
/// The unit of a tar archive.
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

fn archive(contents: &Contents, items: &[Item<'_>], to: &mut impl Write) -> Result<()> {
    members(contents, items, "", to)?;
    end(to)
}

/// Compresses what is written with gzip: no name, no time.
pub(super) fn in_gzip<W: Write>(
    to: W,
    write: impl FnOnce(&mut flate2::write::GzEncoder<W>) -> Result<()>,
) -> Result<()> {
    let mut encoder = GzBuilder::new().write(to, flate2::Compression::new(GZIP));
    write(&mut encoder)?;
    encoder.finish().map(drop).context("cannot compress")
}

/// Compresses what is written with Zstandard. Its output is the same for any number of threads but
/// none.
fn in_zstd<W: Write>(
    to: W,
    write: impl FnOnce(&mut zstd::Encoder<'static, W>) -> Result<()>,
) -> Result<()> {
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

/// Writes members. `top` is what each name has in front.
pub(super) fn members(
    contents: &Contents,
    items: &[Item<'_>],
    top: &str,
    to: &mut impl Write,
) -> Result<()> {
    for item in items {
        let name = format!("{top}{}", item.path);
        match item.what {
            What::Directory => header(
                &format!("{name}/"),
                EntryType::Directory,
                (0o755, 0, contents.time),
                to,
            )?,
            What::Link { target } => {
                long_name(target, EntryType::GNULongLink, to)?;
                link_header(&name, target, contents.time, to)?;
            }
            What::File {
                source, mode, size, ..
            } => {
                header(
                    &name,
                    EntryType::Regular,
                    (mode.bits(), size, contents.time),
                    to,
                )?;
                contents.copy(source, size, to)?;
                pad(size, to)?;
            }
        }
    }
    Ok(())
}

/// Writes the end of an archive.
pub(super) fn end(to: &mut impl Write) -> Result<()> {
    to.write_all(&[0; 2 * BLOCK])
        .context("cannot write the end of the archive")
}

/// Writes a file of the archive's own.
pub(super) fn text(name: &str, content: &[u8], time: u32, to: &mut impl Write) -> Result<()> {
    header(
        name,
        EntryType::Regular,
        (0o644, content.len() as u64, time),
        to,
    )?;
    to.write_all(content)
        .with_context(|| format!("cannot write `{name}`"))?;
    pad(content.len() as u64, to)
}

/// Writes a directory of the archive's own.
pub(super) fn directory(name: &str, time: u32, to: &mut impl Write) -> Result<()> {
    header(name, EntryType::Directory, (0o755, 0, time), to)
}

/// Writes the header of a file or directory with this mode, size and time.
fn header(
    name: &str,
    kind: EntryType,
    (mode, size, time): (u32, u64, u32),
    to: &mut impl Write,
) -> Result<()> {
    long_name(name, EntryType::GNULongName, to)?;
    finish(plain(name, kind, (mode, size, time))?, to)
}

fn link_header(name: &str, target: &str, time: u32, to: &mut impl Write) -> Result<()> {
    long_name(name, EntryType::GNULongName, to)?;
    let mut header = plain(name, EntryType::Symlink, (0o777, 0, time))?;
    let field = &mut header.as_old_mut().linkname;
    let length = target.len().min(ROOM);
    field[..length].copy_from_slice(&target.as_bytes()[..length]);
    finish(header, to)
}

fn plain(name: &str, kind: EntryType, (mode, size, time): (u32, u64, u32)) -> Result<Header> {
    let mut header = Header::new_gnu();
    let length = name.len().min(ROOM);
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
        .context("cannot name the owner")?;
    Ok(header)
}

fn finish(mut header: Header, to: &mut impl Write) -> Result<()> {
    header.set_cksum();
    to.write_all(header.as_bytes())
        .context("cannot write the header of a member")
}

/// Writes a name that has no room in the header behind it, as GNU's tar does.
fn long_name(name: &str, kind: EntryType, to: &mut impl Write) -> Result<()> {
    if name.len() <= ROOM {
        return Ok(());
    }
    let size = name.len() as u64 + 1;
    finish(plain("././@LongLink", kind, (0o644, size, 0))?, to)?;
    to.write_all(name.as_bytes())
        .and_then(|()| to.write_all(b"\0"))
        .context("cannot write a long name")?;
    pad(size, to)
}

/// Fills the last block.
fn pad(size: u64, to: &mut impl Write) -> Result<()> {
    let used = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    let rest = (BLOCK - used) % BLOCK;
    to.write_all(&[0; BLOCK][..rest])
        .context("cannot write to the archive")
}
