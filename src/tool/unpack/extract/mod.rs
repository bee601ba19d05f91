//! The environment in an archive, put into a folder and held against the listing in it.
//!
//! Nothing is believed but the listing, which comes first: a member is written only if it is listed, has not come before, and has the size
//! that is listed, and it stays only if its digest is right. All folders are made from the listing beforehand, in a folder that was empty,
//! so that nothing is ever written through a link.

mod placing;
mod tar;
mod zip;

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use anyhow::{Context, Result};
use flate2::bufread::MultiGzDecoder;

use crate::fs;
use crate::report::Failure;
use crate::tool::listing::Listing;

/// Where the magic number of a tar archive stands.
const TAR_MAGIC: usize = 257;

/// Extracts a `.tar`, `.tar.gz`, `.tar.zst` or `.zip` of `pack`, told by its content, into the empty folder `into`, and verifies all of it:
/// nothing is missing, nothing is there besides, and every member is as it is listed. After an error the folder is to be thrown away.
///
/// # Errors
/// The file is no such archive, or not as it was packed; the disk refuses.
pub fn extract(file: &Path, into: &Path) -> Result<Listing> {
    let _umask = fs::PlainUmask::set();
    let opened = fs::open(file)?;
    extract_from(opened, into).with_context(|| format!("cannot unpack `{}`", file.display()))
}

fn extract_from(mut file: File, into: &Path) -> Result<Listing> {
    let mut head = Vec::new();
    file.by_ref().take(512).read_to_end(&mut head).context("cannot read it")?;
    file.rewind().context("cannot read it")?;
    let file = BufReader::new(file);
    match &head[..] {
        [0x1f, 0x8b, ..] => tar::extract(MultiGzDecoder::new(file), into),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => tar::extract(::zstd::Decoder::with_buffer(file).context("cannot read it")?, into),
        [b'P', b'K', ..] => zip::extract(file, into),
        [0xed, 0xab, 0xee, 0xdb, ..] => Err(foreign("an rpm", "`rpm --install` installs it").into()),
        head if head.starts_with(b"!<arch>\n") => Err(foreign("a deb", "`dpkg --install` installs it").into()),
        head if head.get(TAR_MAGIC..TAR_MAGIC + 5) == Some(b"ustar") => tar::extract(file, into),
        _ => Err(Failure::new("it is no archive of tar or zip").into()),
    }
}

/// The error for a package.
fn foreign(what: &str, hint: &str) -> Failure {
    Failure::new(format!("it is {what}")).hint(hint)
}
