//! Images that are sent: blobs that the repository lacks, several at a time, and then the manifest.

use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Context, Result};

use super::images::for_each_blob;
use super::{Pushed, Registry};
use crate::fs::{self, Digest};
use crate::oci::{Descriptor, Version};
use crate::remote::Content;
use crate::report::progress::Progress;

/// A blob to send.
pub struct BlobToPush<'a> {
    /// Its digest and size.
    pub descriptor: Descriptor,
    /// Where it is.
    pub source: BlobSource<'a>,
}

/// Where a blob is.
pub enum BlobSource<'a> {
    /// A file.
    File(PathBuf),
    /// Another repository. One of the same registry gives it without a transfer, where the registry
    /// does that.
    Repository(&'a Registry),
}

/// What was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The digest of the manifest.
    pub manifest: Digest,
    /// The number of blobs that were transferred.
    pub blobs: usize,
    /// Their size in bytes.
    pub bytes: u64,
}

impl Registry {
    /// Stores blobs, and then the manifest that names them, under each version. Nothing refers to the
    /// blobs if one of them cannot be stored.
    ///
    /// # Errors
    /// A blob or the manifest cannot be stored, or a blob cannot be read.
    pub fn push_image(
        &self,
        versions: &[Version],
        manifest: (&str, &[u8]),
        blobs: &[BlobToPush<'_>],
    ) -> Result<Sent> {
        let mut known = HashSet::new();
        let mut blobs: Vec<&BlobToPush<'_>> = blobs.iter().collect();
        blobs.retain(|blob| known.insert(blob.descriptor.digest));
        let total = blobs.iter().map(|blob| blob.descriptor.size).sum();
        let progress = Progress::upload(blobs.len() as u64, total);
        let (sent, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
        for_each_blob(
            &blobs,
            |blob| blob.descriptor.size,
            |blob| {
                if self.push_blob(blob, &progress)? == Pushed::Uploaded {
                    sent.fetch_add(1, Ordering::Relaxed);
                    bytes.fetch_add(blob.descriptor.size, Ordering::Relaxed);
                }
                progress.finish_file();
                Ok(())
            },
        )?;
        let (media_type, text) = manifest;
        for version in versions {
            self.put_manifest(version, media_type, text)?;
        }
        Ok(Sent {
            manifest: Digest::of(text),
            blobs: sent.into_inner(),
            bytes: bytes.into_inner(),
        })
    }

    fn push_blob(&self, blob: &BlobToPush<'_>, progress: &Progress) -> Result<Pushed> {
        let Descriptor { digest, size, .. } = &blob.descriptor;
        let part = progress.part(*size);
        match &blob.source {
            BlobSource::File(path) => {
                let file = fs::open_regular(path)?;
                let content = Content::of_file(&file, *size).with_progress(Some(&part));
                self.upload_blob(digest, &content, None)
            }
            BlobSource::Repository(other) => {
                if self.has_blob(digest)? {
                    return Ok(Pushed::Existed);
                }
                let is_here = other.origin() == self.origin();
                if is_here && self.mount_blob(digest, other.repository())? {
                    return Ok(Pushed::Mounted);
                }
                let mut file = fs::create_unnamed()?;
                other.download_blob(digest, Some(*size), &mut file, None)?;
                file.flush().context("cannot write a temporary file")?;
                let content = Content::of_file(&file, *size).with_progress(Some(&part));
                self.upload_blob(digest, &content, None)
            }
        }
    }
}
