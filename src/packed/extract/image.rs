//! Images: the layers of the environment in an image that `pack` has written, without those of its
//! base.
//!
//! The layer with the pack manifest comes first, then the others from the top down. Where two layers
//! have a member, the upper one is in the image, and the lower one is passed over.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::extraction::{Extraction, read_manifest};
use super::layer::{Layer, archive, check_digest};
use super::tar;
use crate::fs::{self, Hashing};
use crate::oci::{
    Blob, Descriptor, Image, Layout, LayoutReference, Platform, Reference, RegistryReference,
};
use crate::packed::manifest::{PACK_MANIFEST, PackManifest};
use crate::packed::{LAYER, SKELETON};
use crate::remote::Client;
use crate::remote::registry::Registry;
use crate::report::Failure;
use crate::store::Layers;

/// The maximum number of layers that are inflated at once, each in memory.
const AT_ONCE: usize = 4;

/// An image of `pack` in an image layout, or in a registry.
pub struct PackedImage {
    reference: Reference,
    source: Source,
    /// The layers of the environment: that with the pack manifest, then the others from the top
    /// down.
    layers: Vec<Descriptor>,
}

/// Where the layers of an image are.
enum Source {
    Layout(Layout),
    /// They are downloaded when they are needed, and kept in the store.
    Registry {
        registry: Box<Registry>,
        kept: Layers,
    },
}

impl PackedImage {
    /// Opens the image for a platform.
    ///
    /// # Errors
    /// It does not exist, or `pack` has not written it.
    pub fn open(reference: &LayoutReference, platform: &Platform) -> Result<Self> {
        let layout = Layout::open(&reference.path)?;
        let image = layout.image(reference.tag.as_deref(), platform)?;
        Self::new(
            Reference::Layout(reference.clone()),
            Source::Layout(layout),
            image,
        )
    }

    /// Opens the image of a registry for a platform. Its layers are kept in `kept`.
    ///
    /// # Errors
    /// The registry does not have it, or cannot be read, or `pack` has not written it.
    pub fn open_remote(
        client: &Arc<Client>,
        reference: &RegistryReference,
        platform: &Platform,
        kept: Layers,
    ) -> Result<Self> {
        let registry = Registry::new(client, reference)?;
        let (image, _) = registry.image(&reference.version_or_default(), platform)?;
        let source = Source::Registry {
            registry: Box::new(registry),
            kept,
        };
        Self::new(Reference::Registry(reference.clone()), source, image)
    }

    fn new(reference: Reference, source: Source, image: Image) -> Result<Self> {
        let Image { manifest, .. } = image;
        let kind = |layer: &Descriptor| layer.annotations.get(LAYER).cloned();
        let mut layers = manifest.layers;
        layers.retain(|layer| kind(layer).is_some());
        layers.reverse();
        // A stable sort keeps the order of the others.
        layers.sort_by_key(|layer| kind(layer).as_deref() != Some(SKELETON));
        let has_manifest = layers
            .first()
            .is_some_and(|layer| kind(layer).as_deref() == Some(SKELETON));
        if !has_manifest {
            let why = "it contains no environment that `pack` has written";
            return Err(Failure::new(format!("cannot unpack `{reference}`"))
                .because(why)
                .hint("a tool that compresses layers again also removes their annotations")
                .into());
        }
        Ok(Self {
            reference,
            source,
            layers,
        })
    }

    /// Opens layers in their order. Those of a registry that the store does not have are downloaded.
    fn open_layers(&self, layers: &[Descriptor]) -> Result<Vec<Blob>> {
        match &self.source {
            Source::Layout(layout) => layers.iter().map(|layer| layout.blob(layer)).collect(),
            Source::Registry { registry, kept } => {
                kept.open(&self.reference.to_string(), layers, |missing, layout| {
                    registry.pull_blobs(missing, layout)
                })
            }
        }
    }

    /// Reads the pack manifest.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn manifest(&self) -> Result<PackManifest> {
        let layer = self.layers.first().context("it has no layers")?;
        let read = || {
            let blobs = self.open_layers(std::slice::from_ref(layer))?;
            let mut blob = blobs.into_iter().next().context("it has no layers")?;
            tar::first_file(&mut *archive(layer, &mut blob)?, read_manifest)
        };
        read().with_context(|| self.cannot())
    }

    /// Extracts the environment, and verifies each layer and each member.
    ///
    /// # Errors
    /// A layer differs from its digest or from the pack manifest, or a file cannot be written.
    pub(super) fn extract(&self, into: &Path) -> Result<PackManifest> {
        let manifest = self.manifest()?;
        let blobs = self.open_layers(&self.layers);
        let blobs = blobs.with_context(|| self.cannot())?;
        let mut extraction = Extraction::begin(&manifest, into)?;
        extraction.pass_over(PACK_MANIFEST);
        let mut layers = self.layers.iter().zip(blobs);
        loop {
            // The members are written in the order of the layers.
            let group: Vec<_> = layers.by_ref().take(AT_ONCE).collect();
            if group.is_empty() {
                break;
            }
            let read = group
                .into_par_iter()
                .map(|(layer, blob)| (layer, Layer::read(layer, blob)));
            for (layer, content) in read.collect::<Vec<_>>() {
                content
                    .and_then(|content| extract_layer(layer, content, &mut extraction))
                    .with_context(|| self.cannot())?;
            }
        }
        extraction.finish()?;
        Ok(manifest)
    }

    fn cannot(&self) -> String {
        format!("cannot unpack `{}`", self.reference)
    }
}

/// Extracts a layer that is an archive of its own, with its pack manifest as the first member, into
/// the empty directory `into`, and verifies it completely. The files are read-only.
///
/// # Errors
/// The layer differs from its digest or from its pack manifest, or a file cannot be written.
pub fn extract_archive(
    layer: &Descriptor,
    from: &mut dyn Read,
    into: &Path,
) -> Result<PackManifest> {
    let _umask = fs::PlainUmask::set();
    let mut blob = Hashing::new(from);
    let manifest = tar::extract(&mut *archive(layer, &mut blob)?, into, 0o555)?;
    check_digest(blob, layer)?;
    Ok(manifest)
}

/// Extracts a layer, and verifies it.
fn extract_layer(
    layer: &Descriptor,
    content: Layer,
    extraction: &mut Extraction<'_>,
) -> Result<()> {
    content.extract(layer, |archive| {
        tar::members(archive, |name, found| extraction.put(name, found))
    })?;
    extraction.end_layer();
    Ok(())
}
