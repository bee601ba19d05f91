//! [`Base`]: the image that an environment is added to.

use anyhow::{Context, Result, ensure};

use crate::fs::Digest;
use crate::oci::{
    Descriptor, Image, ImageConfig, Layout, NewLayout, Platform, Reference, media_type,
};
use crate::report::Failure;

/// An image on disk.
pub(super) struct Base {
    layout: Layout,
    image: Image,
    pub config: ImageConfig,
}

impl Base {
    /// Opens the image for a platform.
    ///
    /// # Errors
    /// It does not exist, is not an image for the platform, or is damaged.
    pub fn open(reference: &Reference, platform: &Platform) -> Result<Self> {
        let open = || {
            let Reference::Layout(reference) = reference else {
                return Err(Failure::new("it is in a registry")
                    .hint("copy it to a directory first: `skopeo copy docker://IMAGE oci:DIR`")
                    .into());
            };
            let layout = Layout::open(&reference.path)?;
            let image = layout.image(reference.tag.as_deref(), platform)?;
            let text = layout.document(&image.manifest.config)?;
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
                layout,
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
        let mut layers = self.image.manifest.layers.iter();
        layers.try_for_each(|layer| layout.copy(&self.layout, layer))
    }

    /// Returns its layers, those of Docker with the media type of OCI: the bytes are the same.
    pub fn into_layers(self) -> impl Iterator<Item = Descriptor> {
        self.image.manifest.layers.into_iter().map(|mut layer| {
            if layer.media_type == media_type::DOCKER_LAYER {
                media_type::LAYER_GZIP.clone_into(&mut layer.media_type);
            }
            layer
        })
    }
}
