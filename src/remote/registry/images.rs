//! Images that are read: a manifest for a platform, and its blobs, several at a time.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail, ensure};

use super::Registry;
use crate::oci::{
    Descriptor, Image, ImageIndex, MAX_DOCUMENT, Manifest, NewLayout, Platform, Version,
};
use crate::remote::{CONNECTIONS, in_parallel};
use crate::report::Failure;
use crate::report::progress::Progress;

/// How deep lists of manifests are nested: by platform, and once more by some tools.
const MAX_DEPTH: usize = 4;

impl Registry {
    /// Returns the image with a version for a platform, and the bytes of its manifest.
    ///
    /// # Errors
    /// The registry does not have it, or cannot be read.
    pub fn image(&self, version: &Version, platform: &Platform) -> Result<(Image, Vec<u8>)> {
        let mut version = version.clone();
        for _ in 0..MAX_DEPTH {
            let found = self.manifest(&version)?;
            let found = found.ok_or_else(|| self.absent(&version))?;
            let descriptor = Descriptor::of(&found.media_type, &found.bytes);
            let cannot = || format!("cannot read {} of `{self}`", shown(&version));
            if descriptor.is_index() {
                let list: ImageIndex = serde_json::from_slice(&found.bytes)
                    .context("it is not a list of manifests")
                    .with_context(cannot)?;
                let of_platform = list.of_platform(platform).with_context(cannot)?;
                version = Version::Digest(of_platform.digest);
                continue;
            }
            let manifest = Manifest::parse(&found.bytes).with_context(cannot)?;
            let image = Image {
                descriptor,
                manifest,
            };
            return Ok((image, found.bytes));
        }
        bail!("`{self}` nests more than {MAX_DEPTH} lists of manifests")
    }

    fn absent(&self, version: &Version) -> Failure {
        let Self {
            host, repository, ..
        } = self;
        let version = shown(version);
        Failure::new(format!(
            "the registry `{host}` has no {version} in `{repository}`"
        ))
        .hint("check the repository name and the tag")
    }

    /// Returns the bytes of a document, such as the configuration of an image.
    ///
    /// # Errors
    /// It is larger than [`MAX_DOCUMENT`], or cannot be read.
    pub fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let Descriptor { digest, size, .. } = descriptor;
        ensure!(
            *size <= MAX_DOCUMENT,
            "the size of `sha256:{digest}` in `{self}` is {size} bytes, more than the limit of {} MiB",
            MAX_DOCUMENT >> 20
        );
        let mut bytes = Vec::new();
        self.download_blob(digest, Some(*size), &mut bytes, None)?;
        Ok(bytes)
    }

    /// Downloads blobs into an image layout, several at a time, the largest first.
    ///
    /// # Errors
    /// That of the first blob that cannot be downloaded.
    pub fn pull_blobs(&self, blobs: &[Descriptor], layout: &NewLayout) -> Result<()> {
        let mut known = HashSet::new();
        let mut blobs = blobs.to_vec();
        blobs.retain(|blob| known.insert(blob.digest));
        let total = blobs.iter().map(|blob| blob.size).sum();
        let progress = Progress::download(blobs.len() as u64, total);
        for_each_blob(
            &blobs,
            |blob| blob.size,
            |blob| {
                let part = progress.part(blob.size);
                layout.add_by(&blob.media_type, |to| {
                    self.download_blob(&blob.digest, Some(blob.size), to, Some(&part))
                        .map(drop)
                })?;
                progress.finish_file();
                Ok(())
            },
        )
    }
}

/// Calls `f` for each blob, several at a time, the largest first. After an error it does not begin
/// with another one.
pub(super) fn for_each_blob<B: Sync>(
    blobs: &[B],
    size: impl Fn(&B) -> u64,
    f: impl Fn(&B) -> Result<()> + Sync,
) -> Result<()> {
    let mut blobs: Vec<&B> = blobs.iter().collect();
    blobs.sort_by_key(|blob| Reverse(size(blob)));
    let has_failed = AtomicBool::new(false);
    let results = in_parallel(CONNECTIONS, &blobs, |blob| {
        if has_failed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let result = f(blob);
        if result.is_err() {
            has_failed.store(true, Ordering::Relaxed);
        }
        result
    });
    results.into_iter().collect()
}

/// Shows a version in a message.
pub(super) fn shown(version: &Version) -> String {
    match version {
        Version::Tag(tag) => format!("tag `{tag}`"),
        Version::Digest(digest) => format!("manifest `sha256:{digest}`"),
    }
}
