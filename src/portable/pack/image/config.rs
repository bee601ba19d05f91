//! The configuration of an image: platform, environment variables, program, and the list of layers.

use anyhow::Result;
use serde_json::{Map, json};

use super::{Contents, ImageRequest, KEY, Written};
use crate::oci::{History, ImageConfig, Manifest, Platform, Process, RootFs};
use crate::portable::pack::shown_time;

/// The label of an image with the version of its python.
const PYTHON: &str = "vpython.python";
/// The search path of programs in an image that does not set one, as container tools have it.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Returns the configuration of an image with these layers above those of its base, whose
/// configuration is `base`.
pub(super) fn config(
    request: &ImageRequest,
    contents: &Contents,
    base: Option<ImageConfig>,
    layers: &[Written],
    platform: &Platform,
) -> ImageConfig {
    let mut config = base.unwrap_or_else(|| empty(platform));
    let created = shown_time(contents.time);
    config.created = Some(created.clone());
    set_process(&mut config.config, request, contents);
    for layer in layers {
        config.rootfs.diff_ids.push(layer.diff_id.clone());
        config.history.push(History {
            created: Some(created.clone()),
            created_by: Some(format!("vpython pack: {}", layer.title)),
            rest: Map::new(),
        });
    }
    config
}

fn empty(platform: &Platform) -> ImageConfig {
    ImageConfig {
        created: None,
        platform: platform.clone(),
        config: Process::default(),
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids: Vec::new(),
        },
        history: Vec::new(),
        rest: Map::new(),
    }
}

/// Sets what a container of the image runs. What the base has set stays, if nothing here replaces
/// it.
fn set_process(process: &mut Process, request: &ImageRequest, contents: &Contents) {
    let manifest = &contents.manifest;
    let prefix = manifest.prefix.as_deref().unwrap_or_default();
    let variables = process.env.get_or_insert_default();
    let path = variables.iter_mut().find(|line| line.starts_with("PATH="));
    let directory = format!("{prefix}/bin");
    if let Some(path) = path {
        *path = format!("PATH={directory}:{}", &path["PATH=".len()..]);
    } else {
        variables.insert(0, format!("PATH={directory}:{DEFAULT_PATH}"));
    }
    let python = || {
        let name = if manifest.python.starts_with("2.") {
            "python"
        } else {
            "python3"
        };
        vec![format!("{directory}/{name}")]
    };
    process.entrypoint = Some(request.entrypoint.clone().unwrap_or_else(python));
    // The arguments of the base are for its own program.
    process.cmd = None;
    if request.user.is_some() {
        process.user.clone_from(&request.user);
    }
    let labels = process.labels.get_or_insert_default();
    labels.insert(KEY.to_owned(), manifest.key.clone());
    labels.insert(PYTHON.to_owned(), manifest.python.clone());
    labels.extend(request.labels.clone());
}

/// Returns the `manifest.json` that `docker load` reads:
/// <https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format>.
pub(super) fn docker_manifest(
    manifest: &Manifest,
    request: &ImageRequest,
    tag: &str,
) -> Result<Vec<u8>> {
    let path = |digest| format!("blobs/sha256/{digest}");
    let layers = manifest.layers.iter().map(|layer| path(layer.digest));
    Ok(serde_json::to_vec(&json!([{
        "Config": path(manifest.config.digest),
        "RepoTags": [format!("{}:{tag}", request.name)],
        "Layers": layers.collect::<Vec<_>>(),
    }]))?)
}
