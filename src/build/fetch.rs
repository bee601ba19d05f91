//! Downloading the wheels of a plan straight into the store: each is unpacked as soon as it has
//! arrived, while the others are still on their way. No copy of a wheel remains.

use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result};
use tracing::info_span;

use super::unpack;
use super::unpacked::UnpackedWheel;
use crate::fs;
use crate::plan::{Connection, Plan, PlannedWheel};
use crate::remote::{CONNECTIONS, FileToFetch, in_parallel};
use crate::report::Progress;
use crate::store::Store;
use crate::wheel::Metadata;

/// The name of the archive in the directory that it is unpacked into. No scheme has it.
const ARCHIVE: &str = "archive.whl";
/// The maximum size in bytes of a wheel that is unpacked from memory, without an archive on the
/// disk: there are as many at a time as there are connections.
const IN_MEMORY: u64 = 32 << 20;

/// Downloads and unpacks the wheels of a plan that are on a server and not in the store. Does
/// nothing if there are none; `connect` is called only if there are some. Returns warnings about the
/// wheels, a sentence each.
///
/// # Errors
/// A wheel cannot be downloaded, is not the planned one, or is not a wheel that every installer
/// reads alike. The wheels that have arrived stay.
pub fn fetch(
    plan: &Plan,
    store: &Store,
    connect: impl FnOnce() -> Result<Connection>,
) -> Result<Vec<String>> {
    let is_missing = |wheel: &PlannedWheel| {
        UnpackedWheel::load(&store.unpacked_wheel(&wheel.sha256), wheel.sha256).is_err()
    };
    let wheels = plan.wheels.iter();
    let remote = wheels.filter_map(|wheel| Some((wheel, wheel.to_fetch.as_ref()?)));
    let mut missing: Vec<_> = remote.filter(|(wheel, _)| is_missing(wheel)).collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    // The largest first, so that the last one to finish is small.
    missing.sort_by(|(one, _), (other, _)| {
        let by_size = other.size.cmp(&one.size);
        by_size.then_with(|| one.name.cmp(&other.name))
    });
    let connection = connect()?;
    let size = missing.iter().map(|(wheel, _)| wheel.size).sum();
    let progress = Progress::download(missing.len() as u64, size);
    let results = in_parallel(CONNECTIONS, &missing, |(wheel, file)| {
        let fetched = fetch_wheel(wheel, file, store, &connection, &progress);
        progress.finish_file();
        fetched
    });
    let warnings: Vec<Option<String>> = results.into_iter().collect::<Result<_>>()?;
    Ok(warnings.into_iter().flatten().collect())
}

/// Downloads a wheel into the staging directory of its unpacked form, and unpacks it. Returns a
/// warning if its metadata is not what its index states.
fn fetch_wheel(
    wheel: &PlannedWheel,
    file: &FileToFetch,
    store: &Store,
    connection: &Connection,
    progress: &Progress,
) -> Result<Option<String>> {
    let part = progress.part(wheel.size);
    let difference = OnceLock::new();
    let unpack = |staging: &Path| {
        let _fetching = info_span!("fetch", wheel = %wheel.name, bytes = wheel.size).entered();
        let cannot = || format!("cannot unpack `{}`", wheel.path.display());
        let file = &FileToFetch {
            sha256: Some(wheel.sha256),
            ..file.clone()
        };
        if let Some(size) = file.size.filter(|size| *size <= IN_MEMORY) {
            let mut bytes = Vec::with_capacity(usize::try_from(size)?);
            connection.download(file, &mut bytes, Some(&part))?;
            difference.get_or_init(|| file.difference(|name| Metadata::of_bytes(&bytes, name)));
            return unpack::unpack_bytes(wheel, &bytes, staging).with_context(cannot);
        }
        let path = staging.join(ARCHIVE);
        let mut sink = fs::create_new(&path, 0o600)?;
        connection.download(file, &mut sink, Some(&part))?;
        difference.get_or_init(|| file.difference(|name| Metadata::of_wheel(&path, name)));
        let downloaded = PlannedWheel {
            path: path.clone(),
            ..wheel.clone()
        };
        unpack::unpack(&downloaded, staging, drop).with_context(cannot)?;
        fs::remove_file(&path)
    };
    store.wheel(&wheel.sha256, &wheel.path, unpack, |directory| {
        UnpackedWheel::load(directory, wheel.sha256).map(drop)
    })?;
    Ok(difference.into_inner().flatten())
}
