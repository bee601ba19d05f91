//! [`NewLayout`]: an image layout that is written, in a directory of the caller.
//!
//! Equal blobs are written once. The list of manifests comes last: it makes the layout complete.

use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::NamedTempFile;

use super::layout::{BLOBS, Blob, INDEX, MARK, TAG, blob_name};
use super::{Descriptor, ImageIndex, Layout};
use crate::fs::{self, Digest, Hashing};

/// The permission bits of the files and directories.
pub(super) const MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;
/// The content of the file that marks a layout.
pub(super) const MARK_CONTENT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// The prefix of the names of unfinished blobs.
pub(super) const UNNAMED: &str = ".new-";
/// The size of the write buffer in bytes.
const BUFFER: usize = 1 << 16;

/// Returns whether a directory is an image layout.
#[must_use]
pub fn is_layout(directory: &Path) -> bool {
    fs::is_file(&directory.join(MARK))
}

/// An image layout that is written.
#[derive(Debug)]
pub struct NewLayout {
    directory: PathBuf,
}

impl NewLayout {
    /// Begins a layout in an empty directory.
    ///
    /// # Errors
    /// A directory cannot be created.
    pub fn begin(directory: &Path) -> Result<Self> {
        fs::create_dir_all(&directory.join(BLOBS), DIRECTORY_MODE)?;
        Ok(Self {
            directory: directory.to_path_buf(),
        })
    }

    /// Writes bytes as a blob.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor> {
        self.add_by(media_type, |to| {
            to.write_all(bytes).context("cannot write the blob")
        })
    }

    /// Writes a blob by a function, such as a compressor.
    ///
    /// # Errors
    /// The function fails, or the file cannot be written.
    pub fn add_by(
        &self,
        media_type: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<Descriptor> {
        let written = self.write(media_type, write)?;
        self.name(written)
    }

    /// Writes a blob without a name: that is known when its last byte is.
    pub(super) fn write(
        &self,
        media_type: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<(NamedTempFile, Descriptor)> {
        let unnamed = tempfile::Builder::new()
            .prefix(UNNAMED)
            .tempfile_in(self.directory.join(BLOBS))
            .with_context(|| format!("cannot create a file in `{}`", self.directory.display()))?;
        let file = unnamed.as_file().try_clone();
        let file = file.context("cannot write the blob")?;
        let mut hashed = Hashing::new(BufWriter::with_capacity(BUFFER, file));
        write(&mut hashed)?;
        hashed.flush().context("cannot write to the disk")?;
        let (digest, size) = hashed.finish();
        let descriptor = Descriptor {
            digest,
            size,
            ..Descriptor::of(media_type, b"")
        };
        Ok((unnamed, descriptor))
    }

    /// Gives a blob its name.
    pub(super) fn name(
        &self,
        (unnamed, descriptor): (NamedTempFile, Descriptor),
    ) -> Result<Descriptor> {
        let path = self.blob_path(&descriptor.digest);
        fs::set_mode(unnamed.path(), MODE)?;
        unnamed
            .persist(&path)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(descriptor)
    }

    /// Copies a blob of another layout, and compares it with its digest.
    ///
    /// # Errors
    /// The blob is missing or damaged, or the file cannot be written.
    pub fn copy(&self, layout: &Layout, descriptor: &Descriptor) -> Result<()> {
        let mut blob = layout.blob(descriptor)?;
        self.add_copy(&mut blob, descriptor)
            .with_context(|| format!("cannot copy `{}`", layout.blob_path(descriptor).display()))
    }

    /// Writes the bytes of a reader as a blob, after comparing them with its digest.
    ///
    /// # Errors
    /// The bytes differ from the digest, or the file cannot be written.
    pub fn add_copy(&self, from: &mut dyn Read, descriptor: &Descriptor) -> Result<()> {
        let written = self.write(&descriptor.media_type, |to| {
            std::io::copy(from, to)
                .map(drop)
                .context("cannot copy the blob")
        })?;
        ensure!(
            written.1.digest == descriptor.digest,
            "it differs from its digest"
        );
        self.name(written).map(drop)
    }

    /// Returns the path of a blob that was written.
    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.directory.join(blob_name(digest))
    }

    /// Opens a blob that was written.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn blob(&self, descriptor: &Descriptor) -> Result<Blob> {
        let file = fs::open_regular(&self.blob_path(&descriptor.digest))?;
        Ok(file.take(descriptor.size))
    }

    /// Writes a file beside the blobs, for tools that read something else than the list of manifests.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add_file(&self, name: &str, bytes: &[u8]) -> Result<()> {
        fs::write_new(&self.directory.join(name), bytes, MODE)
    }

    /// Completes the layout with one manifest under a tag.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finish(&self, mut manifest: Descriptor, tag: &str) -> Result<()> {
        manifest.annotations.insert(TAG.to_owned(), tag.to_owned());
        let index = serde_json::to_vec(&ImageIndex::new(vec![manifest]))?;
        fs::write_new(&self.directory.join(MARK), MARK_CONTENT, MODE)?;
        fs::write_new(&self.directory.join(INDEX), &index, MODE)
    }
}
