//! The lists of byte code, each with the digests of what a wheel has of one kind; and what of it
//! belongs into an environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::{directory_in, kind, size_of_sources};
use crate::build::install::{Layout, Places};
use crate::build::unpacked::UnpackedWheel;
use crate::fs::{self, Digest};
use crate::store::Manifest;

/// The list of what is in a directory of byte code.
pub(super) const LIST: &str = "byte-code.json";

/// The byte code of a wheel.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ByteCode {
    /// Its files.
    pub files: Vec<CodeFile>,
}

/// A file of byte code.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CodeFile {
    /// Its path, relative to the directory of byte code and to site-packages.
    pub path: String,
    /// Its digest, as a column of RECORD.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
}

impl ByteCode {
    /// Reads the list in a directory.
    pub fn read(directory: &Path) -> Result<Self> {
        fs::read_own_json(&directory.join(LIST))
    }

    /// Reads what is there, and looks whether it is: a file that was cut off has another size.
    pub fn load(directory: &Path) -> Result<Self> {
        let byte_code = Self::read(directory)?;
        for file in &byte_code.files {
            let path = directory.join(&file.path);
            let size =
                fs::link_metadata(&path)?.and_then(|found| found.is_file().then_some(found.len()));
            ensure!(
                size == Some(file.size),
                "`{}` is not what was compiled",
                path.display()
            );
        }
        Ok(byte_code)
    }
}

/// The byte code that an environment with this manifest and these wheels has since it was compiled,
/// as far as its lists can be read.
#[derive(Default)]
pub(in crate::build) struct Listed {
    /// That of each wheel, with its directory.
    byte_code: Vec<(PathBuf, ByteCode)>,
    /// The lists that cannot be read, each with the directory of its wheel.
    pub unreadable: Vec<(PathBuf, PathBuf)>,
}

impl Listed {
    /// Reads the lists.
    ///
    /// # Errors
    /// Nobody can tell what is there, for a reason that lies in the system.
    pub fn read(manifest: &Manifest, wheels: &[UnpackedWheel]) -> Result<Self> {
        let mut listed = Self::default();
        let Some(version) = kind(&manifest.python) else {
            return Ok(listed);
        };
        for wheel in wheels.iter().filter(|wheel| size_of_sources(wheel) > 0) {
            let directory = directory_in(wheel, &version);
            match fs::ok_if_hidden(ByteCode::read(&directory))? {
                Some(byte_code) => listed.byte_code.push((directory, byte_code)),
                None => listed
                    .unreadable
                    .push((wheel.directory.clone(), directory.join(LIST))),
            }
        }
        Ok(listed)
    }

    /// The files in a wheel, by their paths, with their digests as columns of RECORD.
    pub fn in_wheel(&self, wheel: &UnpackedWheel) -> Vec<(PathBuf, String)> {
        let of_wheel = self
            .byte_code
            .iter()
            .filter(|(directory, _)| directory.parent() == Some(&wheel.directory));
        let files = of_wheel.flat_map(|(directory, code)| {
            code.files
                .iter()
                .map(|file| (directory.join(&file.path), file.digest.clone()))
        });
        files.collect()
    }

    /// The files in the environment, by their paths relative to site-packages, with their digests.
    pub fn in_site(&self, layout: &Layout, places: &Places) -> Vec<(String, String)> {
        let files = belonging(&self.byte_code, layout, places);
        files
            .into_iter()
            .map(|(path, (_, file))| (path.to_owned(), file.digest.clone()))
            .collect()
    }
}

/// The byte code that belongs into an environment, by its path relative to site-packages, with the
/// directory that has it: not that of sources in whose place another wheel's are installed, nor
/// what a wheel brings itself.
pub(super) fn belonging<'a>(
    byte_code: &'a [(PathBuf, ByteCode)],
    layout: &Layout,
    places: &Places,
) -> BTreeMap<&'a str, (&'a Path, &'a CodeFile)> {
    let place = |path: &str| format!("{}/{path}", layout.site_packages);
    let contested: BTreeMap<&str, Digest> = places
        .collisions
        .iter()
        .map(|collision| (&*collision.place, collision.winner.sha256))
        .collect();
    let is_replaced = |directory: &Path, file: &CodeFile| {
        let winner = source_of(&file.path).and_then(|source| contested.get(&*place(&source)));
        // The directory of a wheel is named by its digest.
        winner.is_some_and(|winner| {
            directory
                .parent()
                .is_none_or(|wheel| !wheel.ends_with(winner.to_string()))
        })
    };
    let files = byte_code
        .iter()
        .flat_map(|(directory, code)| code.files.iter().map(|file| (directory.as_path(), file)));
    let files = files.filter(|(directory, file)| {
        !is_replaced(directory, file) && !places.owners.contains_key(&place(&file.path))
    });
    // Wheels may have a file in common.
    files
        .map(|(directory, file)| (&*file.path, (directory, file)))
        .collect()
}

/// The source of a file of byte code, `NAME.py` of `__pycache__/NAME.TAG.pyc`.
fn source_of(path: &str) -> Option<String> {
    let (directory, name) = path.rsplit_once("__pycache__/")?;
    let (module, _) = name.split_once('.')?;
    Some(format!("{directory}{module}.py"))
}
