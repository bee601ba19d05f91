//! [`Base`]: the image that an environment is added to.

use anyhow::{Context, Result, ensure};

use crate::fs::Digest;
use crate::oci::{
    Descriptor, Image, ImageConfig, Layout, NewLayout, Platform, Reference, media_type,
};
use crate::portable::standalone::Standalone;
use crate::remote::registry::Registry;

/// The image that an environment is added to.
pub(crate) struct Base {
    source: Source,
    image: Image,
    pub(super) config: ImageConfig,
}

/// Where the image is.
enum Source {
    Layout(Layout),
    Registry(Registry),
}

impl Source {
    /// Returns the bytes of a document of the image.
    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        match self {
            Self::Layout(layout) => layout.document(descriptor),
            Self::Registry(registry) => registry.document(descriptor),
        }
    }
}

impl Base {
    /// Opens the image for a platform.
    ///
    /// # Errors
    /// It does not exist, is not an image for the platform, or is damaged.
    pub(super) fn open(
        reference: &Reference,
        platform: &Platform,
        environment: &Standalone,
    ) -> Result<Self> {
        let open = || {
            let (source, image) = match reference {
                Reference::Layout(reference) => {
                    let layout = Layout::open(&reference.path)?;
                    let image = layout.image(reference.tag.as_deref(), platform)?;
                    (Source::Layout(layout), image)
                }
                Reference::Registry(reference) => {
                    let registry = environment.registry(reference)?;
                    let version = reference.version_or_default();
                    let (image, _) = registry.image(&version, platform)?;
                    (Source::Registry(registry), image)
                }
            };
            let text = source.document(&image.manifest.config)?;
            let config: ImageConfig = serde_json::from_slice(&text)
                .context("its configuration is not that of an image")?;
            ensure!(
                config.platform.os == platform.os
                    && config.platform.architecture == platform.architecture,
                "it is for {} on {}, but the interpreter is for {} on {}",
                config.platform.os,
                config.platform.architecture,
                platform.os,
                platform.architecture
            );
            let (layers, digests) = (image.manifest.layers.len(), config.rootfs.diff_ids.len());
            ensure!(
                layers == digests,
                "it has {layers} layers, but its configuration lists {digests}"
            );
            Ok(Self {
                source,
                image,
                config,
            })
        };
        open().with_context(|| format!("cannot use the base `{reference}`"))
    }

    pub fn layer_count(&self) -> usize {
        self.image.manifest.layers.len()
    }

    /// Returns the digest of its manifest.
    pub fn digest(&self) -> Digest {
        self.image.descriptor.digest
    }

    /// Copies its layers, each compared with its digest.
    pub fn copy_layers(&self, layout: &NewLayout) -> Result<()> {
        let layers = &self.image.manifest.layers;
        match &self.source {
            Source::Layout(from) => layers.iter().try_for_each(|layer| layout.copy(from, layer)),
            Source::Registry(from) => from.pull_blobs(layers, layout),
        }
    }

    /// Returns the repository that has its layers, unless it is on disk.
    pub fn repository(&self) -> Option<&Registry> {
        match &self.source {
            Source::Layout(_) => None,
            Source::Registry(registry) => Some(registry),
        }
    }

    /// Returns its layers, those of Docker with the media type of OCI: the bytes are the same.
    pub fn layers(&self) -> impl Iterator<Item = Descriptor> + '_ {
        self.image.manifest.layers.iter().cloned().map(|mut layer| {
            if layer.media_type == media_type::DOCKER_LAYER {
                media_type::LAYER_GZIP.clone_into(&mut layer.media_type);
            }
            layer
        })
    }
}
