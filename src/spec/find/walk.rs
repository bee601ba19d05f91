//! The walk: from a folder upwards, to the first that has a spec of a usual name.

use std::path::Path;

use anyhow::Result;
use tracing::debug;

use super::Found;
use crate::fs;
use crate::spec::{SpecKind, SpecText};

/// The usual names, in the order in which they count within a folder.
const NAMES: [(&str, SpecKind); 3] =
    [("vpython.toml", SpecKind::VpythonToml), (".vpython3", SpecKind::Luci), (".vpython", SpecKind::Luci)];
/// The walk ends after the folder that holds this.
const BARRIER: &str = ".gclient";

/// The nearest spec from `folder` upwards, of one of the `trusted` users where anybody can put one. Those of others are passed over with
/// a warning.
pub(super) fn up(folder: &Path, trusted: &[u32], warnings: &mut Vec<String>) -> Result<Option<SpecText>> {
    for folder in folder.ancestors() {
        for (name, kind) in NAMES {
            let Some(found) = Found::at(folder.join(name)) else { continue };
            if found.is_trusted(trusted, warnings) {
                return found.read(kind).map(Some);
            }
        }
        if fs::exists(&folder.join(BARRIER)) {
            debug!(folder = %folder.display(), "no spec up to the barrier");
            break;
        }
    }
    Ok(None)
}
