//! rpm packages, in the format that all versions of rpm since 4.6 read:
//! <https://rpm-software-management.github.io/rpm/manual/format_v4.html>.
//!
//! ```text
//! lead | signature: digests of header and payload | header: metadata and file list | payload: a cpio archive in gzip
//! ```
//!
//! `docs/ship.md` says why the `rpm` crate does not write them. The package contains no scripts, so
//! installing it runs no code. It is not signed; `rpm --addsign` can sign it afterwards.

mod fields;
mod header;
mod payload;

use std::io::{Read, Seek, SeekFrom, Write};

use anyhow::{Context, Result, ensure};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

use super::contents::Contents;
use super::package::Package;
use super::rules::Manager;
use fields::Size;
use header::{Header, tag};
use payload::Payload;

/// The length of the lead in bytes.
const LEAD: usize = 96;
/// The size of the chunks in which the payload is hashed, in bytes.
const CHUNK: usize = 1 << 18;

/// Writes the package for an interpreter of this machine, for example `x86_64`.
///
/// The payload is last in the file, but the parts before it contain its digests. So it is written
/// first, at an offset that leaves room for them.
pub(super) fn write(
    contents: &Contents,
    package: &Package,
    machine: &str,
    to: &mut (impl Read + Write + Seek),
) -> Result<()> {
    let cannot = "cannot write the package";
    let arch = package.arch(Manager::Rpm, machine)?;
    // The sizes of signature and header do not depend on the payload's digests, so a placeholder
    // yields the offset of the payload.
    let items = fields::owned(contents.as_installed());
    let describe = |payload: &Payload| {
        fields::header(contents, package, &arch, (&items, payload)).bytes(tag::REGION_OF_HEADER)
    };
    let size = Size::of(&items);
    let sign = |header: &[u8], payload: &Payload, md5| signature(header, payload, (md5, size));
    let room = describe(&Payload::unknown()).len();
    let start = LEAD + sign(&[], &Payload::unknown(), [0; 16]).len() + room;
    to.seek(SeekFrom::Start(start as u64)).context(cannot)?;
    let payload = payload::write(contents, &items, to)?;
    let header = describe(&payload);
    ensure!(
        header.len() == room,
        "the size of the package header changed while the payload was written"
    );
    // The MD5 digest covers header and payload, so the payload is read back.
    to.seek(SeekFrom::Start(start as u64)).context(cannot)?;
    let md5 = md5_of(&header, to)?;
    to.seek(SeekFrom::Start(0)).context(cannot)?;
    let name = format!("{}-{}-{}", package.name, package.version, package.release);
    for part in [&lead(&name)[..], &sign(&header, &payload, md5), &header] {
        to.write_all(part).context(cannot)?;
    }
    Ok(())
}

/// The MD5 digest of the header followed by the rest of a reader.
fn md5_of(header: &[u8], from: &mut impl Read) -> Result<[u8; 16]> {
    let mut hasher = Md5::new();
    hasher.update(header);
    let mut chunk = vec![0; CHUNK];
    loop {
        match from
            .read(&mut chunk)
            .context("cannot read the payload again")?
        {
            0 => return Ok(hasher.finalize().into()),
            length => hasher.update(&chunk[..length]),
        }
    }
}

/// The lead. rpm reads only its magic number and version.
fn lead(name: &str) -> [u8; LEAD] {
    let mut lead = [0; LEAD];
    // Version 3.0, a binary package; the header states the architecture.
    lead[..10].copy_from_slice(&[0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0, 0, 0]);
    let length = name.len().min(65);
    lead[10..10 + length].copy_from_slice(&name.as_bytes()[..length]);
    // Linux, and a signature in the form of a header.
    lead[77] = 1;
    lead[79] = 5;
    lead
}

/// The signature: digests and sizes, padded to a multiple of eight bytes.
fn signature(header: &[u8], payload: &Payload, (md5, size): ([u8; 16], Size)) -> Vec<u8> {
    let mut signature = Header::default();
    signature.text(tag::SIGNED_SHA1, &hex::encode(Sha1::digest(header)));
    signature.text(tag::SIGNED_SHA256, &hex::encode(Sha256::digest(header)));
    size.put(
        &mut signature,
        (tag::SIGNED_SIZE, tag::SIGNED_LONG_SIZE),
        header.len() as u64 + payload.compressed,
    );
    size.put(
        &mut signature,
        (tag::SIGNED_PAYLOAD_SIZE, tag::SIGNED_LONG_PAYLOAD_SIZE),
        payload.size,
    );
    signature.binary(tag::SIGNED_MD5, &md5);
    let mut bytes = signature.bytes(tag::REGION_OF_SIGNATURE);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}
