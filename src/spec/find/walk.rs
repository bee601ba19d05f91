//! The walk: from a folder upwards, to the first that has a spec of a usual name.

use std::os::unix::fs::MetadataExt;
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
/// The permission of everybody to write.
const OTHERS_WRITE: u32 = 0o002;

/// The nearest spec from `folder` upwards, of one of the `trusted` users where anybody can put one. Those of others are passed over with
/// a warning.
pub(super) fn up(folder: &Path, trusted: &[u32], warnings: &mut Vec<String>) -> Result<Option<SpecText>> {
    for folder in folder.ancestors() {
        for (name, kind) in NAMES {
            let Some(found) = Found::at(folder.join(name)) else { continue };
            if !trusted.contains(&found.owner) && is_open_to_all(folder) {
                warnings.push(format!(
                    "`{}` is passed over: it is user {}'s, and everybody can put a spec into `{}`",
                    found.path.display(),
                    found.owner,
                    folder.display()
                ));
                continue;
            }
            return found.read(kind).map(Some);
        }
        if fs::exists(&folder.join(BARRIER)) {
            debug!(folder = %folder.display(), "no spec up to the barrier");
            break;
        }
    }
    Ok(None)
}

/// Whether everybody can write to a folder. One that cannot be looked at is taken for such.
fn is_open_to_all(folder: &Path) -> bool {
    fs::metadata(folder).ok().flatten().is_none_or(|metadata| metadata.mode() & OTHERS_WRITE != 0)
}
