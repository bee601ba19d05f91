//! Partner files: `tool.py.vpython3` is the spec of `tool.py`, `package.vpython3` that of the
//! directory `package`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Around, Found, Probed, by_name};
use crate::fs;
use crate::process::CalledAs;
use crate::spec::{SpecKind, SpecText};

/// The partner of a script.
pub(super) fn partner_of_file(script: &Path, around: &mut Around<'_>) -> Result<Option<SpecText>> {
    for path in partners(script, around.called) {
        let Some(found) = Found::at(path, Probed::Partner, around.log)? else {
            continue;
        };
        if found.is_trusted(around)
            && let Some(spec) = found.read(SpecKind::Luci, around)?
        {
            return Ok(Some(spec));
        }
    }
    Ok(None)
}

/// The partner of a directory that python runs: its own, or that of the nearest directory above of
/// which it is a part, each directory on the way being a package with an `__init__.py`.
pub(super) fn partner_of_directory(
    directory: &Path,
    around: &mut Around<'_>,
) -> Result<Option<SpecText>> {
    for directory in directory.ancestors() {
        if !fs::look_for(&directory.join("__init__.py"))? {
            break;
        }
        if let Some(spec) = partner_of_file(directory, around)? {
            return Ok(Some(spec));
        }
    }
    Ok(None)
}

/// Where partners would be, in the order in which they count. The root has no name, and so no
/// partner.
fn partners(path: &Path, called: CalledAs) -> impl Iterator<Item = PathBuf> {
    let name = path.file_name().map(OsString::from);
    name.into_iter().flat_map(move |name| {
        by_name::names(called).map(|suffix| {
            let mut name = name.clone();
            name.push(suffix);
            path.with_file_name(name)
        })
    })
}
