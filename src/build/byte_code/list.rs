//! The lists of byte code, each with the digests of one kind of byte code of a wheel, and the
//! selection of the files for an environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::wheel::{directory_in, size_of_sources};
use crate::build::install::{Layout, Places};
use crate::build::unpacked::UnpackedWheel;
use crate::fs::{self, Digest};
use crate::interpreter::byte_code_version;
use crate::store::Manifest;

/// The file with the list of a byte code directory.
pub(in crate::build) const LIST: &str = "byte-code.json";

/// The byte code of a wheel.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::build) struct ByteCode {
    /// Its files.
    pub files: Vec<CodeFile>,
}

/// A file of byte code.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::build) struct CodeFile {
    /// Its path, relative to the byte code directory and to site-packages.
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

    /// Returns the paths of its files, sorted.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = self.files.iter().map(|file| file.path.clone()).collect();
        paths.sort_unstable();
        paths
    }

    /// Reads the list, and checks the sizes of the files, which detects truncated ones.
    pub fn load(directory: &Path) -> Result<Self> {
        let byte_code = Self::read(directory)?;
        for file in &byte_code.files {
            let path = directory.join(&file.path);
            let size =
                fs::link_metadata(&path)?.and_then(|found| found.is_file().then_some(found.len()));
            ensure!(
                size == Some(file.size),
                "`{}` has changed since it was compiled",
                path.display()
            );
        }
        Ok(byte_code)
    }
}

/// The byte code of a compiled environment with this manifest and these wheels, as far as its lists
/// can be read.
#[derive(Default)]
pub(in crate::build) struct Listed {
    /// The byte code of each wheel, with its directory.
    byte_code: Vec<(PathBuf, ByteCode)>,
    /// The lists that cannot be read, each with the directory of its wheel.
    pub unreadable: Vec<(PathBuf, PathBuf)>,
}

impl Listed {
    /// Reads the lists.
    ///
    /// # Errors
    /// An I/O failure prevents finding out whether a list exists.
    pub fn read(manifest: &Manifest, wheels: &[UnpackedWheel]) -> Result<Self> {
        let mut listed = Self::default();
        let Some(version) = byte_code_version(&manifest.python) else {
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

    /// Returns the files in a wheel by path, with their digests as columns of RECORD.
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

    /// Returns the files in the environment by path relative to site-packages, with their digests.
    pub fn in_site(&self, layout: &Layout, places: &Places) -> Vec<(String, String)> {
        let files = belonging(&self.byte_code, layout, places);
        files
            .into_iter()
            .map(|(path, (_, file))| (path.to_owned(), file.digest.clone()))
            .collect()
    }
}

/// Returns the byte code for an environment, by path relative to site-packages, with its directory.
/// It excludes byte code of sources that another wheel's file replaces, and files that a wheel
/// contains itself.
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
        // A wheel's directory is named after its digest.
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
    // Several wheels may have the same file.
    files
        .map(|(directory, file)| (&*file.path, (directory, file)))
        .collect()
}

/// Returns the source of a byte code file, `NAME.py` for `__pycache__/NAME.TAG.pyc`.
fn source_of(path: &str) -> Option<String> {
    let (directory, name) = path.rsplit_once("__pycache__/")?;
    let (module, _) = name.split_once('.')?;
    Some(format!("{directory}{module}.py"))
}
