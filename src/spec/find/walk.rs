//! The walk: from a directory upwards, to the first that has a spec of a usual name.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Result;
use tracing::debug;

use super::{Around, Finding, Found, Probed, by_name};
use crate::fs;
use crate::spec::{SpecKind, SpecText};

/// The usual name of the native form, which counts before LUCI's within a directory.
const NATIVE: &str = "vpython.toml";
/// The walk ends after the directory that holds this.
const BARRIER: &str = ".gclient";

/// The nearest spec from `directory` upwards, of a trusted user where anybody can put one. Those of
/// others are passed over with a warning.
pub(super) fn up(directory: &Path, around: &mut Around<'_>) -> Result<Option<SpecText>> {
    let [first, second] = by_name::names(around.called);
    let names = [
        (NATIVE, SpecKind::VpythonToml),
        (first, SpecKind::Luci),
        (second, SpecKind::Luci),
    ];
    let mut climb = fs::Ancestors::from(directory);
    for directory in directory.ancestors() {
        for (name, kind) in names {
            if climb.lacks(name) {
                around
                    .log
                    .note(Finding::Nothing, || Probed::Walk(directory.join(name)));
                continue;
            }
            let Some(found) = Found::at(directory.join(name), Probed::Walk, around.log)? else {
                continue;
            };
            if found.is_trusted(around)
                && let Some(spec) = found.read(kind, around)?
            {
                return Ok(Some(spec));
            }
        }
        if !climb.lacks(BARRIER) && is_barrier(&directory.join(BARRIER), around)? {
            debug!(directory = %directory.display(), "no spec up to the barrier");
            around.log.note(Finding::Barrier, || {
                Probed::Barrier(directory.join(BARRIER))
            });
            break;
        }
        climb.up();
    }
    Ok(None)
}

/// Whether the walk ends at a path: something is there, and it is not what another user may have
/// put there.
fn is_barrier(path: &Path, around: &Around<'_>) -> Result<bool> {
    let found = fs::ok_if_hidden(fs::metadata(path))?.flatten();
    Ok(found.is_some_and(|found| around.trust.stranger(path, found.uid()).is_none()))
}
