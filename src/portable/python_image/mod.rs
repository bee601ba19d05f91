//! The image of an interpreter: a copy that can be moved, as `--with-python` makes it, in one layer,
//! and the C library and other libraries of this machine in another, for machines without them.
//!
//! The same interpreter results in the same bytes. Each layer is an archive of its own, with its pack
//! manifest as the first member.

mod libraries;

use std::path::Path;

use anyhow::{Context, Result};
use rayon::join;
use serde_json::Map;

use super::{interpreter_copy, pack};
use crate::build;
use crate::fs;
use crate::interpreter::Facts;
use crate::oci::{
    Annotations, Descriptor, GrowingLayout, History, ImageConfig, Manifest, Platform, Process,
    RootFs, media_type,
};
use crate::packed::manifest::PackManifest;
use crate::packed::{C_LIBRARY, LAYER, PLATFORM, SKELETON};
use crate::process;
use crate::report::progress;

/// The label with the version of python, and that with what it says of its build.
const PYTHON: &str = "vpython.python";
const BUILD: &str = "vpython.build";
/// The directory of the C library in the image. No run path names it, so that an interpreter in a
/// container uses the C library of its base.
const LIBRARIES: &str = "/vpython-libc";

/// The image of an interpreter that was written to an image layout.
pub struct PythonImage {
    /// Its manifest, which is not listed yet.
    pub manifest: Descriptor,
    /// Its layers and its configuration.
    pub blobs: Vec<Descriptor>,
    /// The number of blobs that the layout lacked.
    pub new: usize,
    /// Their size in bytes.
    pub new_bytes: u64,
}

impl PythonImage {
    /// Writes the image of an interpreter to an image layout.
    ///
    /// # Errors
    /// The interpreter is not relocatable, its libraries cannot be found, or a file cannot be
    /// written.
    pub fn write(
        interpreter: &Facts,
        layout: &GrowingLayout,
        process: &process::Process,
    ) -> Result<Self> {
        let cannot = || format!("cannot copy `{}`", interpreter.executable.display());
        let time = pack::time(process)?;
        progress::phase("copying the interpreter");
        let staged = fs::create_temporary_dir()?;
        let (python, libraries) = (
            staged.path().join("python"),
            staged.path().join("libraries"),
        );
        interpreter_copy::make(interpreter, &python).with_context(cannot)?;
        build::compile_directory(interpreter, &python.join("lib"), process)?;
        fs::create_dir(&libraries, 0o755)?;
        let has_libraries =
            libraries::collect(interpreter, &python, &libraries).with_context(cannot)?;
        // A layer is compressed by several processors, but the first one leaves some of them idle.
        let layer = |directory: &Path, prefix| {
            write_layer(interpreter, directory, prefix, time, layout).with_context(cannot)
        };
        let (of_python, of_libraries) = join(
            || layer(&python, None),
            || has_libraries.then(|| layer(&libraries, Some(LIBRARIES))),
        );
        let annotation = |name: &str, value: String| (name.to_owned(), value);
        let mut layers = vec![of_python?];
        layers[0]
            .descriptor
            .annotations
            .extend([annotation(LAYER, SKELETON.to_owned())]);
        if let Some(mut layer) = of_libraries.transpose()? {
            let loader = libraries::title(interpreter);
            layer
                .descriptor
                .annotations
                .extend([annotation(C_LIBRARY, loader)]);
            layers.push(layer);
        }
        finish(interpreter, layers, time, layout)
    }
}

/// A layer that was written.
struct Layer {
    descriptor: Descriptor,
    /// Its digest before compression, as `sha256:…`.
    diff_id: String,
    is_new: bool,
}

fn write_layer(
    interpreter: &Facts,
    directory: &Path,
    prefix: Option<&str>,
    time: u32,
    layout: &GrowingLayout,
) -> Result<Layer> {
    let members = pack::members_of(directory)?;
    let manifest = PackManifest::of_interpreter(interpreter, prefix, members)?;
    let mut diff_id = String::new();
    let (descriptor, is_new) = layout.add_by(media_type::LAYER_ZSTD, |to| {
        let digest = pack::write_layer(directory, manifest, time, to)?;
        diff_id = format!("sha256:{digest}");
        Ok(())
    })?;
    Ok(Layer {
        descriptor,
        diff_id,
        is_new,
    })
}

/// Adds the configuration and the manifest.
fn finish(
    interpreter: &Facts,
    layers: Vec<Layer>,
    time: u32,
    layout: &GrowingLayout,
) -> Result<PythonImage> {
    let machine = interpreter.linux_machine();
    let platform = Platform::linux(machine.unwrap_or(&interpreter.platform));
    let labels = Annotations::from([
        (PYTHON.to_owned(), interpreter.version().to_string()),
        (BUILD.to_owned(), interpreter.build.clone()),
    ]);
    let created = pack::shown_time(time);
    let history = |_: &Layer| History {
        created: Some(created.clone()),
        created_by: Some("vpython push --python".to_owned()),
        rest: Map::new(),
    };
    let config = ImageConfig {
        created: Some(created.clone()),
        platform: platform.clone(),
        config: Process {
            labels: Some(labels),
            ..Process::default()
        },
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids: layers.iter().map(|layer| layer.diff_id.clone()).collect(),
        },
        history: layers.iter().map(history).collect(),
        rest: Map::new(),
    };
    let (config, is_new) = layout.add(media_type::CONFIG, &serde_json::to_vec(&config)?)?;
    let mut blobs = vec![(config.clone(), is_new)];
    blobs.extend(layers.into_iter().map(|it| (it.descriptor, it.is_new)));
    let new = blobs.iter().filter(|(_, is_new)| *is_new);
    let (count, bytes) = new.fold((0, 0), |(count, bytes), (blob, _)| {
        (count + 1, bytes + blob.size)
    });
    let blobs: Vec<Descriptor> = blobs.into_iter().map(|(blob, _)| blob).collect();
    let mut manifest = Manifest::new(config, blobs[1..].to_vec());
    manifest
        .annotations
        .insert(PLATFORM.to_owned(), platform.architecture.clone());
    let (mut manifest, _) = layout.add(media_type::MANIFEST, &serde_json::to_vec(&manifest)?)?;
    manifest.platform = Some(platform);
    Ok(PythonImage {
        manifest,
        blobs,
        new: count,
        new_bytes: bytes,
    })
}
