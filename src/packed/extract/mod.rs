//! Extracts an archive into a directory and verifies it against the manifest in it.
//!
//! Only the manifest, which is the first member, is trusted: a member is written only if it is
//! listed, has not occurred before, and has the listed size, and the extraction fails if its digest
//! differs. All directories are created from the manifest beforehand, in an empty directory, so
//! that nothing is ever written through a link.

mod extraction;
mod image;
mod layer;
mod tar;
mod zip;

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::bufread::MultiGzDecoder;

use crate::fs;
use crate::packed::manifest::PackManifest;
use crate::report::Failure;

/// The offset of the magic number of a tar archive.
const TAR_MAGIC: usize = 257;

pub use image::{PackedImage, extract_archive};

/// What `pack` has written.
pub enum Packed {
    /// A `.tar`, `.tar.gz`, `.tar.zst` or `.zip`.
    Archive(PathBuf),
    /// An image.
    Image(Box<PackedImage>),
}

impl Packed {
    /// Reads only the manifest.
    ///
    /// # Errors
    /// Returns an error if `pack` has not written it.
    pub fn manifest(&self) -> Result<PackManifest> {
        match self {
            Self::Archive(file) => manifest(file),
            Self::Image(image) => image.manifest(),
        }
    }

    /// Extracts the environment into the empty directory `into`, as [`extract`] does.
    ///
    /// # Errors
    /// Those of [`extract`].
    pub fn extract(&self, into: &Path) -> Result<PackManifest> {
        match self {
            Self::Archive(file) => extract(file, into),
            Self::Image(image) => {
                let _umask = fs::PlainUmask::set();
                image.extract(into)
            }
        }
    }
}

/// Reads only the manifest of an archive of `pack`: a `.tar`, `.tar.gz`, `.tar.zst` or `.zip`,
/// recognized by its content.
///
/// # Errors
/// Returns an error if the file is not such an archive.
fn manifest(file: &Path) -> Result<PackManifest> {
    let manifest = || match Archive::open(file)? {
        Archive::Tar(from) => tar::manifest(from),
        Archive::Zip(from) => zip::manifest(from),
    };
    manifest().with_context(|| format!("cannot unpack `{}`", file.display()))
}

/// Extracts such an archive into the empty directory `into`, and verifies it completely: no member
/// is missing, none is extra, and each is as listed. After an error the caller must discard the
/// directory.
///
/// # Errors
/// Returns an error if the file is not such an archive, if it differs from what was packed, or if a
/// file cannot be written.
pub fn extract(file: &Path, into: &Path) -> Result<PackManifest> {
    let _umask = fs::PlainUmask::set();
    let extract = || match Archive::open(file)? {
        Archive::Tar(from) => tar::extract(from, into, 0o777),
        Archive::Zip(from) => zip::extract(from, into),
    };
    extract().with_context(|| format!("cannot unpack `{}`", file.display()))
}

/// An open archive.
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
        // Decide by content, because a downloaded file may have any name.
        Ok(match &head[..] {
            [0x1f, 0x8b, ..] => Self::Tar(Box::new(MultiGzDecoder::new(file))),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Tar(Box::new(
                ::zstd::Decoder::with_buffer(file).context("cannot read it")?,
            )),
            [b'P', b'K', ..] => Self::Zip(file),
            [0xed, 0xab, 0xee, 0xdb, ..] => {
                return Err(foreign("an rpm", "install it with `rpm --install`").into());
            }
            head if head.starts_with(b"!<arch>\n") => {
                return Err(foreign("a deb", "install it with `dpkg --install`").into());
            }
            head if head.get(TAR_MAGIC..TAR_MAGIC + 5) == Some(b"ustar") => {
                Self::Tar(Box::new(file))
            }
            _ => return Err(Failure::new("it is not a tar or zip archive").into()),
        })
    }
}

/// The error for a file that is a package.
fn foreign(what: &str, hint: &str) -> Failure {
    Failure::new(format!("it is {what}")).hint(hint)
}
