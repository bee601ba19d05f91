//! Partner files: `tool.py.vpython3` is the spec of `tool.py`, `package.vpython3` that of the folder `package`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Around, Found};
use crate::fs;
use crate::spec::{SpecKind, SpecText};

/// What a partner's name has more than the script's; the first that is there counts.
const SUFFIXES: [&str; 2] = [".vpython3", ".vpython"];

/// The partner of a script.
pub(super) fn partner_of_file(script: &Path, around: &mut Around) -> Result<Option<SpecText>> {
    let mut found = partners(script).filter_map(Found::at);
    let partner = found.find(|found| found.is_trusted(&around.trusted, &mut around.warnings));
    partner.map(|found| found.read(SpecKind::Luci)).transpose()
}

/// The partner of a folder that python runs: its own, or that of the nearest folder above of which it is a part, each folder on the way
/// being a package with an `__init__.py`.
pub(super) fn partner_of_folder(folder: &Path, around: &mut Around) -> Result<Option<SpecText>> {
    for folder in folder.ancestors().take_while(|folder| fs::exists(&folder.join("__init__.py"))) {
        if let Some(spec) = partner_of_file(folder, around)? {
            return Ok(Some(spec));
        }
    }
    Ok(None)
}

/// Where partners would be. The root has no name, and so no partner.
fn partners(path: &Path) -> impl Iterator<Item = PathBuf> {
    let name = path.file_name().map(OsString::from);
    name.into_iter().flat_map(move |name| {
        SUFFIXES.map(|suffix| {
            let mut name = name.clone();
            name.push(suffix);
            path.with_file_name(name)
        })
    })
}
