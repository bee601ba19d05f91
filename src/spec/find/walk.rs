//! The walk: from a directory upwards, to the first one with a spec of a usual name.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Result;
use tracing::debug;

use super::{Finding, Found, Probed, Search, by_name};
use crate::fs;
use crate::spec::{SpecKind, SpecText};

/// The file name of the native form, which has precedence over LUCI's within a directory.
const NATIVE: &str = "vpython.toml";
/// The walk ends after the directory that contains this file.
const BARRIER: &str = ".gclient";

/// Returns the nearest spec from `directory` upwards. In directories that other users can write to,
/// vpython skips specs of untrusted users, with a warning.
pub(super) fn up(directory: &Path, search: &mut Search<'_>) -> Result<Option<SpecText>> {
    let [first, second] = by_name::names(search.called);
    let names = [
        (NATIVE, SpecKind::VpythonToml),
        (first, SpecKind::Luci),
        (second, SpecKind::Luci),
    ];
    let mut climb = fs::Ancestors::from(directory);
    for directory in directory.ancestors() {
        for (name, kind) in names {
            // Fast path for the common case: the file does not exist.
            if climb.lacks(name) {
                search
                    .log
                    .note(Finding::Nothing, || Probed::Walk(directory.join(name)));
                continue;
            }
            let Some(found) = Found::at(directory.join(name), Probed::Walk, search.log)? else {
                continue;
            };
            if found.is_trusted(search)
                && let Some(spec) = found.read(kind, search)?
            {
                return Ok(Some(spec));
            }
        }
        // The barrier ends the walk only after its own directory.
        if !climb.lacks(BARRIER) && is_barrier(&directory.join(BARRIER), search)? {
            debug!(directory = %directory.display(), "no spec up to the barrier");
            search.log.note(Finding::Barrier, || {
                Probed::Barrier(directory.join(BARRIER))
            });
            break;
        }
        climb.up();
    }
    Ok(None)
}

/// Checks whether a path ends the walk: it exists, and no untrusted user may have planted it.
fn is_barrier(path: &Path, search: &Search<'_>) -> Result<bool> {
    let found = fs::ok_if_hidden(fs::metadata(path))?.flatten();
    Ok(found.is_some_and(|found| search.trust.stranger(path, found.uid()).is_none()))
}
