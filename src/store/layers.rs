//! Layers of images, as a registry has them: the next image that shares one does not download it
//! again.
//!
//! ```text
//! v1/layers/blobs/sha256/<digest>
//! ```
//!
//! A layer is compared with its digest before it is used, and one that differs is downloaded again.
//! So nothing else depends on these files; the time of modification is that of the last use.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::Store;
use super::lock::BuildLock;
use super::prune::Act;
use crate::fs::{self, Attempt, Digest};
use crate::invocation::Invocation;
use crate::oci::{BLOBS, Blob, Descriptor, NewLayout};
use crate::process::Process;

/// The lock of a process that downloads layers or removes them.
const LAYERS: &str = "layers";

/// Where layers are kept.
#[derive(Debug)]
pub enum Layers {
    /// In a store.
    Store(Box<Store>),
    /// In a directory of this run: there is no store, and none can be created.
    Temporary(TempDir),
}

impl Layers {
    /// Returns the layers for a command line: those of the store, if it can be written.
    ///
    /// # Errors
    /// Not even a temporary directory can be created.
    pub fn of(invocation: &Invocation, process: &Process) -> Result<Self> {
        let store = Store::open(invocation, process).and_then(|store| {
            store.prepare()?;
            Ok(store)
        });
        match store {
            Ok(store) => Ok(Self::Store(Box::new(store))),
            Err(error) => {
                tracing::debug!("layers are not kept: {error:#}");
                fs::create_temporary_dir().map(Self::Temporary)
            }
        }
    }

    /// Opens layers of an image in their order, after `download` has written those that are missing.
    /// Meanwhile no other process downloads layers or removes them. `source` says where they come
    /// from.
    ///
    /// # Errors
    /// Those of `download`, also of another process that has just failed to download the same
    /// layers from the same source; a file cannot be read or written.
    pub fn open(
        &self,
        source: &str,
        layers: &[Descriptor],
        download: impl FnOnce(&[Descriptor], &NewLayout) -> Result<()>,
    ) -> Result<Vec<Blob>> {
        let store = match self {
            Self::Store(store) => store,
            Self::Temporary(directory) => {
                return open_or_download(&NewLayout::begin(directory.path())?, layers, download);
            }
        };
        let digests = layers.iter().map(|one| one.digest.to_string());
        let inputs: Vec<String> = std::iter::once(source.to_owned()).chain(digests).collect();
        let inputs = Digest::of(inputs.join("\n").as_bytes());
        let activity = "downloading layers of an image";
        let mut lock = BuildLock::wait(&store.lock_file(LAYERS), activity)?;
        lock.work(&inputs, |lock| {
            let layout = NewLayout::begin(&store.layers())?;
            if lock.excludes {
                store.remove_unfinished_layers()?;
            }
            open_or_download(&layout, layers, download)
        })
    }
}

impl Store {
    /// Removes what killed downloads have left. The caller holds the lock.
    fn remove_unfinished_layers(&self) -> Result<()> {
        let directory = self.layers().join(BLOBS);
        for name in fs::list(&directory)?.unwrap_or_default() {
            let is_layer = name
                .to_str()
                .is_some_and(|name| name.parse::<Digest>().is_ok());
            if !is_layer {
                fs::remove_any(&directory.join(name))?;
            }
        }
        Ok(())
    }

    /// Returns the layers, the longest unused first: path, bytes, and last use.
    pub(super) fn kept_layers(&self) -> Result<Vec<(PathBuf, u64, SystemTime)>> {
        let directory = self.layers().join(BLOBS);
        let mut layers = Vec::new();
        for name in fs::list(&directory)?.unwrap_or_default() {
            let path = directory.join(name);
            if let Some(metadata) = fs::link_metadata(&path)? {
                let last_use = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                layers.push((path, fs::space(&metadata), last_use));
            }
        }
        layers.sort_by(|(one, _, used), (other, _, later)| used.cmp(later).then(one.cmp(other)));
        Ok(layers)
    }

    /// Removes the layers that were last used more than `older_than` ago, and as many as necessary
    /// for `others` and them to have at most `max_size` bytes. None is removed while one is
    /// downloaded. Returns how many were removed, and their size in bytes.
    pub(super) fn remove_layers(
        &self,
        older_than: Duration,
        max_size: Option<u64>,
        others: u64,
        act: Act,
    ) -> Result<(usize, u64)> {
        let layers = self.kept_layers()?;
        let (mut count, mut removed) = (0, 0);
        if layers.is_empty() {
            return Ok((count, removed));
        }
        let lock = fs::open_or_create(&self.lock_file(LAYERS))?;
        if fs::try_lock_exclusive(&lock) == Attempt::Busy {
            return Ok((count, removed));
        }
        let now = SystemTime::now();
        let all: u64 = layers.iter().map(|(_, size, _)| size).sum();
        for (path, size, last_use) in layers {
            let is_too_much = max_size.is_some_and(|max| others + all - removed > max);
            // A time in the future counts as now.
            let age = now.duration_since(last_use).unwrap_or_default();
            if !is_too_much && age < older_than {
                continue;
            }
            if act == Act::Remove {
                fs::remove_any(&path)?;
            }
            count += 1;
            removed += size;
        }
        Ok((count, removed))
    }

    fn layers(&self) -> PathBuf {
        self.layout.join(LAYERS)
    }
}

/// Opens layers in a layout, after `download` has written those that are missing or damaged.
fn open_or_download(
    layout: &NewLayout,
    layers: &[Descriptor],
    download: impl FnOnce(&[Descriptor], &NewLayout) -> Result<()>,
) -> Result<Vec<Blob>> {
    let mut missing = Vec::new();
    for layer in layers {
        if !is_whole(&layout.blob_path(&layer.digest), layer)? {
            missing.push(layer.clone());
        }
    }
    download(&missing, layout)?;
    layers.iter().map(|layer| layout.blob(layer)).collect()
}

/// Returns whether a layer exists and has its digest, and records its use. Anything else with its
/// name is removed.
fn is_whole(path: &Path, layer: &Descriptor) -> Result<bool> {
    let Some(metadata) = fs::link_metadata(path)? else {
        return Ok(false);
    };
    if metadata.is_file() && metadata.len() == layer.size {
        let mut file = fs::open_regular(path)?;
        let digest = Digest::of_reader(&mut file, |_| {})
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        if digest == layer.digest {
            file.set_modified(SystemTime::now())
                .with_context(|| format!("cannot record the use of `{}`", path.display()))?;
            return Ok(true);
        }
    }
    fs::remove_any(path)?;
    Ok(false)
}
