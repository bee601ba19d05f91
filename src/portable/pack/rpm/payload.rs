//! The payload: a cpio archive in the "new ASCII" format with the contents of the files, compressed
//! with gzip.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::portable::pack::contents::{Contents, Item, ItemKind};
use crate::portable::pack::tar;

/// File types as in `stat(2)`.
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// The size and digest of a written payload.
pub(super) struct Payload {
    /// The digest of the compressed payload.
    pub sha256: [u8; 32],
    /// The size of the compressed payload in bytes.
    pub compressed: u64,
    /// The size of the uncompressed payload in bytes.
    pub size: u64,
}

impl Payload {
    /// A placeholder of the same serialized size, for use before the payload is written.
    pub fn unknown() -> Self {
        Self {
            sha256: [0; 32],
            compressed: 0,
            size: 0,
        }
    }
}

/// A writer that counts and hashes what passes through it.
struct Metered<W> {
    to: W,
    hasher: Option<Sha256>,
    count: u64,
}

impl<W: Write> Write for Metered<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let length = self.to.write(bytes)?;
        self.count += length as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes[..length]);
        }
        Ok(length)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// Writes the payload.
pub(super) fn write(
    contents: &Contents,
    items: &[Item<'_>],
    to: &mut impl Write,
) -> Result<Payload> {
    let mut outer = Metered {
        to,
        hasher: Some(Sha256::new()),
        count: 0,
    };
    let mut size = 0;
    // `outer` measures the compressed bytes, `inner` the uncompressed ones.
    tar::in_gzip(&mut outer, |to| {
        let mut inner = Metered {
            to,
            hasher: None,
            count: 0,
        };
        for (index, item) in items.iter().enumerate() {
            member(contents, item, inode(index), &mut inner)?;
        }
        header(
            &Head {
                inode: 0,
                mode: 0,
                links: 1,
                time: 0,
                size: 0,
                name: "TRAILER!!!",
            },
            &mut inner,
        )?;
        size = inner.count;
        Ok(())
    })?;
    Ok(Payload {
        sha256: outer.hasher.unwrap_or_default().finalize().into(),
        compressed: outer.count,
        size,
    })
}

/// The inode number of the file at this index. Each file has its own, since rpm takes equal numbers
/// for hard links.
pub(super) fn inode(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

/// The fields of a member's header.
struct Head<'a> {
    inode: u32,
    mode: u32,
    links: u32,
    time: u32,
    size: u64,
    name: &'a str,
}

/// Writes a member.
fn member<W: Write>(
    contents: &Contents,
    item: &Item<'_>,
    inode: u32,
    to: &mut Metered<W>,
) -> Result<()> {
    let name = format!("./{}", item.path);
    let head = Head {
        inode,
        mode: mode(&item.kind),
        links: 1,
        time: contents.time,
        size: 0,
        name: &name,
    };
    // The content of a link is its target. Content is padded to four bytes.
    match item.kind {
        ItemKind::Directory => header(&Head { links: 2, ..head }, to),
        ItemKind::Link { target } => {
            header(
                &Head {
                    size: target.len() as u64,
                    ..head
                },
                to,
            )?;
            to.write_all(target.as_bytes())
                .context("cannot write a link")?;
            pad(to)
        }
        ItemKind::File { source, size, .. } => {
            header(&Head { size, ..head }, to)?;
            contents.copy(source, size, to)?;
            pad(to)
        }
    }
}

/// File type and permission bits as in `stat(2)`.
pub(super) fn mode(kind: &ItemKind<'_>) -> u32 {
    match kind {
        ItemKind::Directory => DIRECTORY | 0o755,
        ItemKind::Link { .. } => LINK | 0o777,
        ItemKind::File { mode, .. } => REGULAR | mode.bits(),
    }
}

/// Writes the header of a member and its name. The fields are those of `cpio(5)`, "new ASCII
/// format".
fn header<W: Write>(head: &Head<'_>, to: &mut Metered<W>) -> Result<()> {
    let Head {
        inode,
        mode,
        links,
        time,
        size,
        name,
    } = head;
    ensure!(
        u32::try_from(*size).is_ok(),
        "`{name}` is too large: a file in an rpm is smaller than 4 GiB"
    );
    let fields = [*inode, *mode, 0, 0, *links, *time]
        .map(|field| format!("{field:08x}"))
        .concat();
    let device_and_kin = "00000000".repeat(4);
    write!(
        to,
        "070701{fields}{size:08x}{device_and_kin}{:08x}00000000{name}\0",
        name.len() + 1
    )
    .context("cannot write the header of a member")?;
    pad(to)
}

/// Pads with zeros to the next multiple of four bytes.
fn pad<W: Write>(to: &mut Metered<W>) -> Result<()> {
    let rest = to.count.next_multiple_of(4) - to.count;
    to.write_all(&[0; 4][..usize::try_from(rest)?])
        .context("cannot write the payload")
}
