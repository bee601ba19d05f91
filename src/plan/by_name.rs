//! The wheels of registries by their names, for specs without a lock. The manifests of a registry
//! say which wheels it has, so that a resolver can choose among them as among those of an index.
//!
//! A manifest is trusted like the page of an index: it decides which bytes have a name. The bytes of
//! a wheel are compared with its digest.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use tracing::debug;

use super::sources::Sources;
use crate::oci;
use crate::remote::index::{DirectUrls, Index, IndexFile, IndexSettings, Options};
use crate::wheel::WheelName;

/// Wheels that are found by their names on servers.
pub(super) type WheelIndex = Index<Arc<Sources>>;

/// Reads the manifests of the registries among the wheelhouses. Returns an index of their wheels;
/// none if there are none. `cache` is the directory for the metadata of wheels.
///
/// # Errors
/// A registry cannot be read.
pub(super) fn index(sources: &Arc<Sources>, cache: PathBuf) -> Result<Option<WheelIndex>> {
    let mut wheels = DirectUrls::default();
    let (mut known, mut is_empty) = (HashSet::new(), true);
    for source in sources.registries() {
        let manifests = source.manifests()?;
        let layers = manifests.iter().flat_map(|manifest| &manifest.layers);
        for layer in layers {
            let Some(file_name) = layer.annotations.get(oci::TITLE) else {
                continue;
            };
            let name = match WheelName::of_annotation(file_name) {
                Ok(name) => name,
                Err(why) => {
                    debug!(registry = %source.shown, file_name, why, "skipped a blob that is not named like a wheel");
                    continue;
                }
            };
            // A wheel may be in several manifests.
            if !known.insert((file_name.clone(), layer.digest)) {
                continue;
            }
            let url = source.url_of(&layer.digest)?.as_url().to_string();
            let file = IndexFile::of_blob(file_name, url, layer.digest, layer.size);
            wheels.add_file(&name.project, file);
            is_empty = false;
        }
    }
    let options = Options {
        cache: Some(cache),
        direct: wheels,
        ..Options::default()
    };
    let index = Index::new(Arc::clone(sources), IndexSettings::default(), options);
    Ok((!is_empty).then_some(index))
}
