//! Images: the layers of the environment in an image that `pack` has written, without those of its
//! base.
//!
//! The layer with the pack manifest comes first, then the others from the top down. Where two layers
//! have a member, the upper one is in the image, and the lower one is passed over.

use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use flate2::bufread::MultiGzDecoder;
use tempfile::TempDir;

use super::extraction::{Extraction, read_manifest};
use super::tar;
use crate::fs::{self, Hashing};
use crate::oci::{
    Descriptor, Image, Layout, LayoutReference, NewLayout, Platform, Reference, RegistryReference,
    media_type,
};
use crate::portable::manifest::{PACK_MANIFEST, PackManifest};
use crate::portable::pack::image::{LAYER, SKELETON};
use crate::remote::Client;
use crate::remote::registry::Registry;
use crate::report::Failure;

/// An image of `pack` in an image layout, or in a registry.
pub struct PackedImage {
    reference: Reference,
    layout: Layout,
    /// The repository that the layout is filled from.
    pulled: Option<Pulled>,
    /// The layers of the environment: that with the pack manifest, then the others from the top
    /// down.
    layers: Vec<Descriptor>,
}

/// An image of a registry, whose layers are downloaded into a temporary layout when they are needed.
struct Pulled {
    registry: Registry,
    layout: NewLayout,
    directory: TempDir,
}

impl PackedImage {
    /// Opens the image for a platform.
    ///
    /// # Errors
    /// It does not exist, or `pack` has not written it.
    pub fn open(reference: &LayoutReference, platform: &Platform) -> Result<Self> {
        let layout = Layout::open(&reference.path)?;
        let image = layout.image(reference.tag.as_deref(), platform)?;
        Self::new(Reference::Layout(reference.clone()), layout, image, None)
    }

    /// Opens the image of a registry for a platform.
    ///
    /// # Errors
    /// The registry does not have it, or cannot be read, or `pack` has not written it.
    pub fn open_remote(
        client: &Arc<Client>,
        reference: &RegistryReference,
        platform: &Platform,
    ) -> Result<Self> {
        let registry = Registry::new(client, reference)?;
        let (image, manifest) = registry.image(&reference.version_or_default(), platform)?;
        let directory = fs::create_temporary_dir()?;
        let layout = NewLayout::begin(directory.path())?;
        let written = layout.add(&image.descriptor.media_type, &manifest)?;
        layout.finish(written, "latest")?;
        let pulled = Pulled {
            registry,
            layout,
            directory,
        };
        let layout = Layout::open(pulled.directory.path())?;
        let reference = Reference::Registry(reference.clone());
        Self::new(reference, layout, image, Some(pulled))
    }

    fn new(
        reference: Reference,
        layout: Layout,
        image: Image,
        pulled: Option<Pulled>,
    ) -> Result<Self> {
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
            layout,
            pulled,
            layers,
        })
    }

    /// Downloads layers of an image of a registry that were not downloaded yet.
    fn pull(&self, layers: &[Descriptor]) -> Result<()> {
        let Some(pulled) = &self.pulled else {
            return Ok(());
        };
        let mut missing = layers.to_vec();
        missing.retain(|layer| !fs::exists(&pulled.layout.blob_path(&layer.digest)));
        pulled.registry.pull_blobs(&missing, &pulled.layout)
    }

    /// Reads the pack manifest.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn manifest(&self) -> Result<PackManifest> {
        let layer = self.layers.first().context("it has no layers")?;
        let read = || {
            self.pull(std::slice::from_ref(layer))?;
            let mut blob = self.layout.blob(layer)?;
            tar::first_file(&mut *content(layer, &mut blob)?, read_manifest)
        };
        read().with_context(|| self.cannot())
    }

    /// Extracts the environment, and verifies each layer and each member.
    ///
    /// # Errors
    /// A layer differs from its digest or from the pack manifest, or a file cannot be written.
    pub(super) fn extract(&self, into: &Path) -> Result<PackManifest> {
        let manifest = self.manifest()?;
        self.pull(&self.layers).with_context(|| self.cannot())?;
        let mut extraction = Extraction::begin(&manifest, into)?;
        extraction.pass_over(PACK_MANIFEST);
        for layer in &self.layers {
            self.extract_layer(layer, &mut extraction)
                .with_context(|| self.cannot())?;
        }
        extraction.finish()?;
        Ok(manifest)
    }

    fn extract_layer(&self, layer: &Descriptor, extraction: &mut Extraction<'_>) -> Result<()> {
        let mut blob = Hashing::new(self.layout.blob(layer)?);
        tar::members(&mut *content(layer, &mut blob)?, |name, found| {
            extraction.put(name, found)
        })?;
        extraction.end_layer();
        // The digest covers all bytes, also those after the end of the compressed stream.
        std::io::copy(&mut blob, &mut std::io::sink()).context("cannot read its end")?;
        let (found, _) = blob.finish();
        ensure!(
            found == layer.digest,
            "the layer `{}` differs from its digest: its bytes have the digest `{found}`",
            self.layout.blob_path(layer).display()
        );
        Ok(())
    }

    fn cannot(&self) -> String {
        format!("cannot unpack `{}`", self.reference)
    }
}

/// Returns the tar archive in a layer.
fn content<'a>(layer: &Descriptor, from: &'a mut dyn Read) -> Result<Box<dyn Read + 'a>> {
    let from = BufReader::new(from);
    Ok(match layer.media_type.as_str() {
        media_type::LAYER => Box::new(from),
        media_type::LAYER_GZIP | media_type::DOCKER_LAYER => Box::new(MultiGzDecoder::new(from)),
        media_type::LAYER_ZSTD => {
            Box::new(::zstd::Decoder::with_buffer(from).context("cannot read it")?)
        }
        other => bail!("a layer has the media type `{other}`"),
    })
}
