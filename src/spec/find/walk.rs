//! The walk: from a folder upwards, to the first that has a spec of a usual name.

use std::path::Path;

use anyhow::Result;
use tracing::debug;

use super::{Around, Finding, Found, LookedAt};
use crate::fs;
use crate::spec::{SpecKind, SpecText};

/// The usual names, in the order in which they count within a folder.
const NAMES: [(&str, SpecKind); 3] =
    [("vpython.toml", SpecKind::VpythonToml), (".vpython3", SpecKind::Luci), (".vpython", SpecKind::Luci)];
/// The walk ends after the folder that holds this.
const BARRIER: &str = ".gclient";

/// The nearest spec from `folder` upwards, of a trusted user where anybody can put one. Those of others are passed over with a warning.
pub(super) fn up(folder: &Path, around: &mut Around<'_>) -> Result<Option<SpecText>> {
    let mut climb = fs::Climb::from(folder);
    for folder in folder.ancestors() {
        for (name, kind) in NAMES {
            if climb.lacks(name) {
                around.trail.note(Finding::Nothing, || LookedAt::Walk(folder.join(name)));
                continue;
            }
            let Some(found) = Found::at(folder.join(name), LookedAt::Walk, around.trail)? else { continue };
            if found.is_trusted(around) {
                return found.read(kind, around.trail).map(Some);
            }
        }
        if !climb.lacks(BARRIER) && fs::look_for(&folder.join(BARRIER))? {
            debug!(folder = %folder.display(), "no spec up to the barrier");
            around.trail.note(Finding::Barrier, || LookedAt::Barrier(folder.join(BARRIER)));
            break;
        }
        climb.up();
    }
    Ok(None)
}
