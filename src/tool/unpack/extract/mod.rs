//! The environment in an archive, put into a directory and held against the listing in it.
//!
//! Nothing is believed but the listing, which comes first: a member is written only if it is
//! listed, has not come before, and has the size that is listed, and it stays only if its digest is
//! right. All directories are made from the listing beforehand, in a directory that was empty, so
//! that nothing is ever written through a link.

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
use crate::tool::pack_manifest::PackManifest;

/// Where the magic number of a tar archive stands.
const TAR_MAGIC: usize = 257;

/// What an archive says that is in it, a `.tar`, `.tar.gz`, `.tar.zst` or `.zip` of `pack`, told by
/// its content. Nothing else of it is read.
///
/// # Errors
/// The file is no such archive.
pub fn listing(file: &Path) -> Result<PackManifest> {
    let listing = || match Archive::open(file)? {
        Archive::Tar(from) => tar::listing(from),
        Archive::Zip(from) => zip::listing(from),
    };
    listing().with_context(|| format!("cannot unpack `{}`", file.display()))
}

/// Extracts such an archive into the empty directory `into`, and verifies all of it: nothing is
/// missing, nothing is there besides, and every member is as it is listed. After an error the
/// directory is to be thrown away.
///
/// # Errors
/// The file is no such archive, or not as it was packed; the disk refuses.
pub fn extract(file: &Path, into: &Path) -> Result<PackManifest> {
    let _umask = fs::PlainUmask::set();
    let extract = || match Archive::open(file)? {
        Archive::Tar(from) => tar::extract(from, into),
        Archive::Zip(from) => zip::extract(from, into),
    };
    extract().with_context(|| format!("cannot unpack `{}`", file.display()))
}

/// An archive that is read.
enum Archive {
    Tar(Box<dyn Read>),
    Zip(BufReader<File>),
}

impl Archive {
    fn open(path: &Path) -> Result<Self> {
        let mut file = fs::open_regular(path)?;
        let mut head = Vec::new();
        file.by_ref()
            .take(512)
            .read_to_end(&mut head)
            .context("cannot read it")?;
        file.rewind().context("cannot read it")?;
        let file = BufReader::new(file);
        Ok(match &head[..] {
            [0x1f, 0x8b, ..] => Self::Tar(Box::new(MultiGzDecoder::new(file))),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Tar(Box::new(
                ::zstd::Decoder::with_buffer(file).context("cannot read it")?,
            )),
            [b'P', b'K', ..] => Self::Zip(file),
            [0xed, 0xab, 0xee, 0xdb, ..] => {
                return Err(foreign("an rpm", "`rpm --install` installs it").into());
            }
            head if head.starts_with(b"!<arch>\n") => {
                return Err(foreign("a deb", "`dpkg --install` installs it").into());
            }
            head if head.get(TAR_MAGIC..TAR_MAGIC + 5) == Some(b"ustar") => {
                Self::Tar(Box::new(file))
            }
            _ => return Err(Failure::new("it is no archive of tar or zip").into()),
        })
    }
}

/// The error for a package.
fn foreign(what: &str, hint: &str) -> Failure {
    Failure::new(format!("it is {what}")).hint(hint)
}
