//! Downloading the wheels of a plan straight into the store: each is unpacked as soon as it has
//! arrived, while the others are still on their way. No copy of a wheel remains.
//!
//! Wheels that trusted sources have built come from there, also if the wheel itself is on the disk.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use tracing::info_span;

use super::trusted::{Trusted, TrustedLayers};
use super::unpacked::{Contents, UnpackedWheel};
use super::{Compile, built, import, in_store, unpack};
use crate::fs::{self, Digest};
use crate::plan::{BuiltLayer, Connection, Plan, PlannedWheel, Unavailable};
use crate::remote::registry::Registry;
use crate::remote::{CONNECTIONS, FileToFetch, in_parallel};
use crate::report::progress::Part;
use crate::report::{self, Progress};
use crate::store::Store;
use crate::wheel::Metadata;

/// The name of the archive in the directory that it is unpacked into. No scheme has it.
const ARCHIVE: &str = "archive.whl";
/// The same of a built wheel.
const BUILT_ARCHIVE: &str = "archive.built";
/// The maximum size in bytes of a wheel that is unpacked from memory, without an archive on the
/// disk.
const IN_MEMORY: u64 = 64 << 20;
/// The maximum size of all wheels that are in memory at a time, in bytes.
const ALL_IN_MEMORY: u64 = 192 << 20;

/// The wheels that [`fetch`] has downloaded and unpacked.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The unpacked wheels.
    pub(super) wheels: HashMap<Digest, UnpackedWheel>,
    /// Warnings about the wheels, a sentence each.
    pub warnings: Vec<String>,
}

/// Downloads and unpacks the wheels of a plan that are on a server, and that neither the store nor
/// a shared root has; takes those that `trusted` sources have built; and hands each to `compile`. Does
/// nothing if there are none; `connect` is called only if a server is to be asked.
///
/// # Errors
/// A wheel cannot be downloaded, is not the planned one, or is not a wheel that every installer
/// reads alike. The wheels that have arrived stay.
pub fn fetch(
    plan: &Plan,
    store: &Store,
    trusted: Trusted<'_>,
    compile: Compile,
    connect: impl FnOnce() -> Result<Connection>,
) -> Result<Fetched> {
    let is_remote = |wheel: &PlannedWheel| wheel.to_fetch.is_some();
    if trusted.is_empty() && !plan.wheels.iter().any(is_remote) {
        return Ok(Fetched::default());
    }
    let is_missing = |wheel: &&PlannedWheel| !UnpackedWheel::exists(store, wheel.sha256);
    let mut missing: Vec<&PlannedWheel> = plan.wheels.iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(Fetched::default());
    }
    let has_remote = missing.iter().any(|wheel| is_remote(wheel));
    let mut warnings = Vec::new();
    let connection = match (has_remote, trusted.need_network()) {
        (true, _) => Some(connect()?),
        // Without the trusted sources, the wheels are unpacked.
        (false, true) => connect().map_or_else(
            |error| {
                warnings.push(report::one_line(&error));
                None
            },
            Some,
        ),
        (false, false) => None,
    };
    let layers = trusted.read(&plan.interpreter, connection.as_ref());
    missing.retain(|wheel| is_remote(wheel) || layers.of(wheel).is_some());
    // The largest first, so that the last one to finish is small. If each is compiled as soon as it
    // has arrived, those for any platform come before: the others have few sources for their size.
    missing.sort_by_cached_key(|wheel| {
        let is_compiled_early = !matches!(compile, Compile::Nothing) && is_for_any_platform(wheel);
        (!is_compiled_early, Reverse(wheel.size), wheel.name.clone())
    });
    warnings.extend(layers.warnings.iter().cloned());
    let mut fetched = Fetched {
        warnings,
        ..Fetched::default()
    };
    let downloads = Downloads {
        plan,
        store,
        connection,
        layers,
        memory: Memory::default(),
    };
    let size = missing.iter().map(|wheel| wheel.size).sum();
    let progress = Progress::download(missing.len() as u64, size);
    let results = in_parallel(CONNECTIONS, &missing, |wheel| {
        let arrived = downloads.wheel(wheel, &progress.part(wheel.size));
        if let Ok(Arrived { wheel, .. }) = &arrived {
            compile.add(wheel);
        }
        progress.finish_file();
        arrived
    });
    for result in results {
        let Arrived { wheel, warning } = result?;
        fetched.wheels.insert(wheel.sha256, wheel);
        fetched.warnings.extend(warning);
    }
    Ok(fetched)
}

fn is_for_any_platform(wheel: &PlannedWheel) -> bool {
    let file = wheel.to_fetch.as_ref();
    file.is_some_and(|file| file.file_name.ends_with("-any.whl"))
}

/// The downloads of the wheels of a plan.
struct Downloads<'a> {
    plan: &'a Plan,
    store: &'a Store,
    connection: Option<Connection>,
    /// The built wheels of trusted sources.
    layers: TrustedLayers,
    memory: Memory,
}

/// A wheel that was downloaded and unpacked.
struct Arrived {
    wheel: UnpackedWheel,
    /// A warning if its metadata is not what its index states.
    warning: Option<String>,
}

impl Downloads<'_> {
    /// Downloads a wheel into the staging directory of its unpacked form, and unpacks it.
    fn wheel(&self, wheel: &PlannedWheel, part: &Part<'_>) -> Result<Arrived> {
        let difference = OnceLock::new();
        let unpack = |staging: &Path| {
            let _fetching = info_span!("fetch", wheel = %wheel.name, bytes = wheel.size).entered();
            if let Some(contents) = self.built(wheel, staging)? {
                return Ok(contents);
            }
            let cannot = || format!("cannot unpack {}", wheel.title());
            let (Some(file), Some(connection)) = (&wheel.to_fetch, &self.connection) else {
                // A built wheel could not be used.
                self.check_file(wheel)?;
                return unpack::unpack(wheel, staging, drop).with_context(cannot);
            };
            let file = &FileToFetch {
                sha256: Some(wheel.sha256),
                ..file.clone()
            };
            if let Some(room) = file.size.and_then(|size| self.memory.take(size)) {
                let mut bytes = Vec::with_capacity(usize::try_from(room.size)?);
                connection.download(file, &mut bytes, Some(part))?;
                difference.get_or_init(|| file.difference(|name| Metadata::of_bytes(&bytes, name)));
                return unpack::unpack_bytes(wheel, &bytes, staging).with_context(cannot);
            }
            let path = staging.join(ARCHIVE);
            let mut sink = fs::create_new(&path, 0o600)?;
            connection.download(file, &mut sink, Some(part))?;
            difference.get_or_init(|| file.difference(|name| Metadata::of_wheel(&path, name)));
            let downloaded = PlannedWheel {
                path: path.clone(),
                ..wheel.clone()
            };
            let contents = unpack::unpack(&downloaded, staging, drop).with_context(cannot)?;
            fs::remove_file(&path)?;
            Ok(contents)
        };
        Ok(Arrived {
            wheel: in_store(wheel, self.store, unpack)?,
            warning: difference.into_inner().flatten(),
        })
    }
}

impl Downloads<'_> {
    /// Checks that a wheel has a file.
    fn check_file(&self, wheel: &PlannedWheel) -> Result<()> {
        match &self.plan.unavailable {
            Some(Unavailable { failure, wheels }) if wheels.contains(&wheel.sha256) => {
                Err(failure.clone().into())
            }
            _ => Ok(()),
        }
    }

    /// Extracts the built wheel that the lock pins, or else that of a trusted source, into the empty
    /// directory `staging`. Returns none if there is none that can be used.
    fn built(&self, wheel: &PlannedWheel, staging: &Path) -> Result<Option<Contents>> {
        let path = staging.join(BUILT_ARCHIVE);
        let download = |layer: &BuiltLayer, registry: Option<&Registry>| {
            let mut sink = fs::create_new(&path, 0o600)?;
            let (digest, connection) = (&layer.digest, &self.connection);
            let has_arrived = match (registry, connection) {
                (Some(registry), _) => registry.download_blob_if_there(digest, &mut sink)?,
                (None, Some(connection)) => connection.download_blob(digest, &mut sink)?,
                (None, None) => false,
            };
            if !has_arrived {
                return Ok(None);
            }
            let contents = built::extract(layer, &path, wheel, staging)?;
            fs::remove_file(&path)?;
            Ok(Some(contents))
        };
        let extracted = match (&wheel.built, self.layers.of(wheel)) {
            (Some(pinned), _) => download(pinned, None),
            (None, None) => return Ok(None),
            (None, Some(trusted)) => match &trusted.layer.path {
                Some(archive) if !fs::exists(archive) => Ok(None),
                Some(archive) => built::extract(&trusted.layer, archive, wheel, staging).map(Some),
                None => download(&trusted.layer, self.layers.registry(trusted)),
            },
        };
        match extracted {
            Ok(Some(contents)) => return Ok(Some(contents)),
            Ok(None) => {}
            Err(error) if fs::is_io_failure(&error) => return Err(error),
            Err(error) => built::note_unusable(&error, wheel),
        }
        import::clear(staging).map(|()| None)
    }
}

/// The memory for wheels that are unpacked without an archive on the disk, shared by all downloads.
/// It is limited by the sum of their sizes, and not by their number.
#[derive(Debug, Default)]
struct Memory {
    taken: AtomicU64,
}

/// A part of the memory, until it is dropped.
struct Room<'a> {
    of: &'a Memory,
    size: u64,
}

impl Memory {
    /// Takes memory for a wheel of `size` bytes; none if the wheel is too large, or others have
    /// taken too much.
    fn take(&self, size: u64) -> Option<Room<'_>> {
        let add = |taken: u64| taken.checked_add(size).filter(|sum| *sum <= ALL_IN_MEMORY);
        if size > IN_MEMORY {
            return None;
        }
        let taken = (self.taken).fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        // The room gives back what it has when it is dropped, so that there must be none otherwise.
        taken.ok().map(|_| Room { of: self, size })
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.of.taken.fetch_sub(self.size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_for_wheels_is_limited_by_their_sum() {
        let memory = Memory::default();
        assert!(memory.take(IN_MEMORY + 1).is_none(), "too large by itself");
        let rooms: Vec<_> = (0..ALL_IN_MEMORY / IN_MEMORY)
            .map(|_| memory.take(IN_MEMORY).expect("there is room"))
            .collect();
        assert!(memory.take(1).is_none(), "all is taken");
        drop(rooms);
        assert!(memory.take(IN_MEMORY).is_some(), "all was given back");
    }
}
