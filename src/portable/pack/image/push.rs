//! Sends an image to a registry, without a daemon and without a layout of the layers of its base.

use anyhow::Result;

use super::{Base, WrittenImage};
use crate::fs::Digest;
use crate::oci::{Descriptor, NewLayout, Version, media_type};
use crate::remote::registry::{BlobSource, BlobToPush, Registry};

/// Sends the blobs of an image that the registry lacks, and then its manifest. Returns the digest of
/// that.
pub(super) fn push(
    registry: &Registry,
    version: &Version,
    image: &WrittenImage,
    base: Option<&Base>,
    layout: &NewLayout,
) -> Result<Digest> {
    // The layers of the base come first.
    let (below, repository) =
        base.map_or((0, None), |base| (base.layer_count(), base.repository()));
    let written = |descriptor: &Descriptor| BlobToPush {
        descriptor: descriptor.clone(),
        source: BlobSource::File(layout.blob_path(&descriptor.digest)),
    };
    let layers = image.manifest.layers.iter().enumerate();
    let layers = layers.map(|(index, layer)| match repository {
        Some(repository) if index < below => BlobToPush {
            descriptor: layer.clone(),
            source: BlobSource::Repository(repository),
        },
        _ => written(layer),
    });
    let mut blobs: Vec<BlobToPush<'_>> = layers.collect();
    blobs.push(written(&image.manifest.config));
    let manifest = (media_type::MANIFEST, &*image.bytes);
    let sent = registry.push_image(std::slice::from_ref(version), manifest, &blobs)?;
    Ok(sent.manifest)
}
