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
mod request;
mod split;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use rayon::prelude::*;

pub(super) use request::{ImageForm, ImageRequest, given};

use super::contents::Contents;
use super::{MODE, buffered, tar};
use crate::fs::{self, Hashing, StagedDir};
use crate::interpreter::Facts;
use crate::invocation::Compression;
use crate::oci::{
    Annotations, Descriptor, Layout, Manifest, NewLayout, Platform, is_layout, media_type,
};
use crate::report::Failure;
use base::Base;
use owner::Owners;
use split::Layer;

/// The tag of the image in its layout.
const TAG: &str = "latest";
/// The annotation of an image with the key of its environment.
pub(crate) const KEY: &str = "vpython.key";
/// The annotation of a layer that says what it contains; `unpack` reads it.
pub(crate) const LAYER: &str = "vpython.layer";
/// The value of [`LAYER`] for the layer that has the pack manifest.
pub(crate) const SKELETON: &str = "skeleton";
/// The annotation of a layer with the wheel that it contains.
const WHEEL: &str = "vpython.wheel";
/// The annotation of an image with the digest of the image that it was added to:
/// <https://github.com/opencontainers/image-spec/blob/main/annotations.md>.
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// Checks that the base of an image can be used with an interpreter, before anything is built.
///
/// # Errors
/// It cannot be read, or is for another platform.
pub(super) fn check_base(request: &ImageRequest, interpreter: &Facts) -> Result<()> {
    open_base(request, interpreter).map(drop)
}

fn open_base(request: &ImageRequest, interpreter: &Facts) -> Result<Option<Base>> {
    let open = |base| Base::open(base, &platform(interpreter));
    request.base.as_ref().map(open).transpose()
}

fn platform(interpreter: &Facts) -> Platform {
    let machine = interpreter.linux_machine();
    Platform::linux(machine.unwrap_or(&interpreter.platform))
}

/// Writes the image of an environment of an interpreter.
///
/// # Errors
/// The base cannot be read, the output may not be replaced, or a file cannot be written.
pub(super) fn write(
    request: &ImageRequest,
    contents: &Contents,
    interpreter: &Facts,
    output: &Path,
) -> Result<()> {
    let staged = StagedDir::beside(output)?;
    let layout = NewLayout::begin(staged.path())?;
    let image = image(request, contents, interpreter, &layout)?;
    layout.finish(image, TAG)?;
    match request.form {
        ImageForm::Directory => staged.place(may_replace),
        ImageForm::Tar => fs::replace_by(output, MODE, |file| {
            buffered(file, |file| {
                tar::directory_of_files(staged.path(), contents.time, file)
            })
        }),
    }
}

/// Writes the blobs of an image. Returns its manifest.
fn image(
    request: &ImageRequest,
    contents: &Contents,
    interpreter: &Facts,
    layout: &NewLayout,
) -> Result<Descriptor> {
    let base = open_base(request, interpreter)?;
    let below = base.as_ref().map_or(0, Base::layer_count);
    let owners = Owners::find(contents, &interpreter.site_packages)?;
    let layers = split::layers(contents, &owners, request.layers(below)?);
    if let Some(base) = &base {
        base.copy_layers(layout)?;
    }
    // A layer is compressed by one processor.
    let written: Vec<Written> = layers
        .par_iter()
        .map(|layer| write_layer(contents, layer, request.compression, layout))
        .collect::<Result<_>>()?;
    let platform = platform(interpreter);
    let of_base = base.as_ref().map(|base| base.config.clone());
    let config = config::config(request, contents, of_base, &written, &platform);
    let config = layout.add(media_type::CONFIG, &serde_json::to_vec(&config)?)?;
    let mut manifest = Manifest::new(config, Vec::new());
    if let Some(base) = base {
        let digest = format!("sha256:{}", base.digest());
        manifest.annotations.insert(BASE_DIGEST.to_owned(), digest);
        manifest.layers.extend(base.into_layers());
    }
    let own = written.into_iter().map(|written| written.descriptor);
    manifest.layers.extend(own);
    let key = (KEY.to_owned(), contents.manifest.key.clone());
    manifest.annotations.extend([key.clone()]);
    let docker = config::docker_manifest(&manifest, request, TAG)?;
    layout.add_file("manifest.json", &docker)?;
    let mut descriptor = layout.add(media_type::MANIFEST, &serde_json::to_vec(&manifest)?)?;
    descriptor.platform = Some(platform);
    descriptor.annotations.extend([key]);
    Ok(descriptor)
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
