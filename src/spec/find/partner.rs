//! Partner files: `tool.py.vpython3` is the spec of `tool.py`, `package.vpython3` that of the
//! directory `package`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Found, Probed, Search, by_name};
use crate::fs;
use crate::process::CalledAs;
use crate::spec::{SpecKind, SpecText};

/// Returns the partner of a script.
pub(super) fn partner_of_file(script: &Path, search: &mut Search<'_>) -> Result<Option<SpecText>> {
    for path in partners(script, search.called) {
        let Some(found) = Found::at(path, Probed::Partner, search.log)? else {
            continue;
        };
        if found.is_trusted(search)
            && let Some(spec) = found.read(SpecKind::Luci, search)?
        {
            return Ok(Some(spec));
        }
    }
    Ok(None)
}

/// Returns the partner of a directory that Python runs: its own, or that of the nearest enclosing
/// package. Each directory on the way must be a package with an `__init__.py`.
pub(super) fn partner_of_directory(
    directory: &Path,
    search: &mut Search<'_>,
) -> Result<Option<SpecText>> {
    for directory in directory.ancestors() {
        if !fs::look_for(&directory.join("__init__.py"))? {
            break;
        }
        if let Some(spec) = partner_of_file(directory, search)? {
            return Ok(Some(spec));
        }
    }
    Ok(None)
}

/// Returns the candidate paths of partner files, in order of precedence. The root directory has no
/// name, and so no partner.
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
