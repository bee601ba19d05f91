//! Images: an environment as an OCI image layout, in a directory `.oci` or a file `.oci.tar`, which
//! registries, container tools and `docker load` take.
//!
//! The environment is split into layers so that images share them: the interpreter, each of the
//! largest wheels, the other wheels, what depends on all of them, and the included directories. A
//! wheel's layer depends only on the wheel, the minor version of python, the layout version, the
//! prefix and the compression. Source: the image specification,
//! <https://github.com/opencontainers/image-spec/blob/main/manifest.md>.

mod base;
mod config;
mod owner;
mod push;
mod request;
mod split;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use rayon::prelude::*;

pub(super) use request::{ImageForm, ImageRequest, given};

use super::contents::Contents;
use super::{MODE, buffered, tar};
use crate::fs::{self, Digest, Hashing, StagedDir};
use crate::interpreter::Facts;
use crate::invocation::Compression;
use crate::oci::{
    Annotations, Descriptor, Layout, Manifest, NewLayout, Platform, is_layout, media_type,
};
use crate::packed::{LAYER, SKELETON};
use crate::portable::standalone::Standalone;
use crate::remote::registry::Registry;
use crate::report::Failure;
use base::Base;
use owner::Owners;
use split::Layer;

/// The tag of the image in its layout.
const TAG: &str = "latest";
/// The annotation of an image with the key of its environment.
const KEY: &str = "vpython.key";
/// The annotation of a layer with the wheel that it contains.
const WHEEL: &str = "vpython.wheel";
/// The annotation of an image with the digest of the image that it was added to:
/// <https://github.com/opencontainers/image-spec/blob/main/annotations.md>.
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// What an image needs from elsewhere.
#[derive(Default)]
pub(super) struct Sources {
    base: Option<Base>,
    /// The repository that the image is sent to.
    destination: Option<Registry>,
}

impl Sources {
    /// Opens the base of an image, before anything is built.
    ///
    /// # Errors
    /// The base cannot be read, or is for another platform, or the network may not be used.
    pub fn open(request: &ImageRequest, environment: &Standalone) -> Result<Self> {
        let platform = platform(&environment.plan.interpreter);
        let base = |base| Base::open(base, &platform, environment);
        let destination = match &request.form {
            ImageForm::Registry(reference) => {
                let cannot = || format!("cannot send the image to `{reference}`");
                let registry = environment.registry(reference).with_context(cannot)?;
                // A missing permission is an error before anything is built.
                registry.check_upload().with_context(cannot)?;
                Some(registry)
            }
            _ => None,
        };
        Ok(Self {
            base: request.base.as_ref().map(base).transpose()?,
            destination,
        })
    }
}

fn platform(interpreter: &Facts) -> Platform {
    let machine = interpreter.linux_machine();
    Platform::linux(machine.unwrap_or(&interpreter.platform))
}

/// Writes the image of an environment, or sends it to a registry. Returns its digest in that case.
///
/// # Errors
/// The base cannot be read, the output may not be replaced, a file cannot be written, or the
/// registry refuses the image.
pub(super) fn write(
    request: &ImageRequest,
    sources: &Sources,
    contents: &Contents,
    interpreter: &Facts,
    output: &Path,
) -> Result<Option<Digest>> {
    let staged = StagedDir::beside(output)?;
    let layout = NewLayout::begin(staged.path())?;
    let image = image(request, sources, contents, interpreter, &layout)?;
    let base = sources.base.as_ref();
    match &request.form {
        ImageForm::Registry(reference) => {
            let version = reference.version_or_default();
            let push = |registry| push::push(registry, &version, &image, base, &layout);
            let pushed = sources.destination.as_ref().map(push).transpose();
            return pushed.with_context(|| format!("cannot send the image to `{reference}`"));
        }
        ImageForm::Directory => {
            layout.finish(image.descriptor, TAG)?;
            staged.place(may_replace)?;
        }
        ImageForm::Tar => {
            layout.finish(image.descriptor, TAG)?;
            fs::replace_by(output, MODE, |file| {
                buffered(file, |file| {
                    tar::directory_of_files(staged.path(), contents.time, file)
                })
            })?;
        }
    }
    Ok(None)
}

/// An image whose blobs were written.
struct WrittenImage {
    descriptor: Descriptor,
    manifest: Manifest,
    /// The bytes of the manifest.
    bytes: Vec<u8>,
}

/// Writes the blobs of an image; those of a base only if they are not in the registry that it is
/// for, or are on disk.
fn image(
    request: &ImageRequest,
    sources: &Sources,
    contents: &Contents,
    interpreter: &Facts,
    layout: &NewLayout,
) -> Result<WrittenImage> {
    let base = sources.base.as_ref();
    let below = base.map_or(0, Base::layer_count);
    let owners = Owners::find(contents, &interpreter.site_packages)?;
    let layers = split::layers(contents, &owners, request.layers(below)?);
    let is_copied = sources.destination.is_none();
    if let Some(base) = base.filter(|base| is_copied || base.repository().is_none()) {
        base.copy_layers(layout)?;
    }
    // A layer is compressed by one processor.
    let written: Vec<Written> = layers
        .par_iter()
        .map(|layer| write_layer(contents, layer, request.compression, layout))
        .collect::<Result<_>>()?;
    let platform = platform(interpreter);
    let of_base = base.map(|base| base.config.clone());
    let config = config::config(request, contents, of_base, &written, &platform);
    let config = layout.add(media_type::CONFIG, &serde_json::to_vec(&config)?)?;
    let mut manifest = Manifest::new(config, Vec::new());
    if let Some(base) = base {
        let digest = format!("sha256:{}", base.digest());
        manifest.annotations.insert(BASE_DIGEST.to_owned(), digest);
        manifest.layers.extend(base.layers());
    }
    let own = written.into_iter().map(|written| written.descriptor);
    manifest.layers.extend(own);
    let key = (KEY.to_owned(), contents.manifest.key.clone());
    manifest.annotations.extend([key.clone()]);
    let docker = config::docker_manifest(&manifest, request, TAG)?;
    layout.add_file("manifest.json", &docker)?;
    let bytes = serde_json::to_vec(&manifest)?;
    let mut descriptor = layout.add(media_type::MANIFEST, &bytes)?;
    descriptor.platform = Some(platform);
    descriptor.annotations.extend([key]);
    Ok(WrittenImage {
        descriptor,
        manifest,
        bytes,
    })
}

/// A layer that was written.
struct Written {
    descriptor: Descriptor,
    /// Its digest before compression, as `sha256:…`.
    diff_id: String,
    title: String,
}

/// Compresses a layer.
fn write_layer(
    contents: &Contents,
    layer: &Layer<'_>,
    compression: Compression,
    layout: &NewLayout,
) -> Result<Written> {
    let mut diff_id = String::new();
    let mut archive = |to: &mut dyn Write| {
        let mut to = Hashing::new(to);
        tar::members(contents, &layer.items, "", &mut to)?;
        tar::end(&mut to)?;
        diff_id = format!("sha256:{}", to.finish().0);
        Ok(())
    };
    let media_type = match compression {
        Compression::Gzip => media_type::LAYER_GZIP,
        Compression::Zstd => media_type::LAYER_ZSTD,
    };
    let mut descriptor = layout
        .add_by(media_type, |to| match compression {
            Compression::Gzip => tar::in_gzip(to, |to| archive(to)),
            Compression::Zstd => tar::in_zstd(to, |to| archive(to)),
        })
        .with_context(|| format!("cannot write the layer of {}", layer.title))?;
    let annotation = |(name, value): &(&str, String)| ((*name).to_owned(), value.clone());
    descriptor.annotations = layer
        .annotations
        .iter()
        .map(annotation)
        .collect::<Annotations>();
    Ok(Written {
        descriptor,
        diff_id,
        title: layer.title.clone(),
    })
}

/// Checks that a directory may be replaced by an image: it is empty, or a layout with nothing but
/// images that `pack` has written.
pub(super) fn may_replace(directory: &Path) -> Result<()> {
    if fs::list(directory)?.is_some_and(|names| names.is_empty()) {
        return Ok(());
    }
    let is_ours = is_layout(directory) && {
        let index = Layout::open(directory)?.index()?;
        let mut manifests = index.manifests.iter();
        manifests.all(|manifest| manifest.annotations.contains_key(KEY))
    };
    if is_ours {
        Ok(())
    } else {
        let why = "it is a directory that `pack` has not written";
        Err(
            Failure::new(format!("cannot replace `{}`", directory.display()))
                .because(why)
                .hint("choose another name, or remove it")
                .into(),
        )
    }
}
