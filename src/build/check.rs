//! Whether an environment, and the unpacked wheels that it was made of, are as they were made: each file is read and hashed again.
//!
//! Byte code that python has written beside a source of the environment's is as it should be, whatever is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;
use walkdir::WalkDir;

use super::activate;
use super::byte_code;
use super::install::{Layout, Places, own_files};
use super::record;
use super::unpacked::UnpackedWheel;
use super::venv;
use crate::fs::{self, Digest};
use crate::report::Progress;
use crate::store::{COMPILED, Damage, Fault, MANIFEST, Manifest, Store, Stored};

/// What a path of an environment is.
enum Expected {
    /// A file of this digest, as a column of RECORD.
    Digest(String),
    /// A file of this content.
    Content(Vec<u8>),
    /// A link that says this.
    Link(PathBuf),
    /// A file of any content.
    Anything,
}

/// All that is wrong with an environment and its wheels, sorted.
///
/// # Errors
/// Something cannot be read.
pub fn check(stored: &Stored, store: &Store) -> Result<Vec<Damage>> {
    let mut wheels = Vec::new();
    let mut parts = Vec::new();
    let mut damages = Vec::new();
    for installed in &stored.manifest.wheels {
        let folder = store.unpacked_wheel(&installed.sha256);
        match UnpackedWheel::read(&folder, installed.sha256) {
            Ok(wheel) => {
                parts.push((folder, files_of(&wheel)?));
                wheels.push(wheel);
            }
            Err(_) => damages.push(Damage { path: folder.clone(), of: folder, fault: Fault::Missing }),
        }
    }
    // Without all the wheels nobody knows what the environment should have.
    if wheels.len() == stored.manifest.wheels.len() {
        let expected = expected(&stored.manifest, &stored.path, &wheels)?;
        damages.extend(foreign(&stored.path, &expected)?);
        parts.push((stored.path.clone(), expected));
    }
    let progress = Progress::start("checking the files", parts.iter().map(|(_, files)| files.len() as u64).sum());
    for (folder, files) in &parts {
        damages.extend(compare(folder, files, &progress)?);
    }
    damages.sort();
    Ok(damages)
}

/// All that an unpacked wheel has.
fn files_of(wheel: &UnpackedWheel) -> Result<BTreeMap<PathBuf, Expected>> {
    let mut files: BTreeMap<PathBuf, Expected> =
        wheel.contents.files.iter().map(|file| (wheel.path(file), Expected::Digest(file.digest.clone()))).collect();
    files.extend(byte_code::of_unpacked(&wheel.folder)?.into_iter().map(|(path, digest)| (path, Expected::Digest(digest))));
    Ok(files)
}

/// The files of a folder that are not what they should be. Their paths are absolute, or relative to the folder.
fn compare(folder: &Path, expected: &BTreeMap<PathBuf, Expected>, progress: &Progress) -> Result<Vec<Damage>> {
    let faults = expected.par_iter().map(|(path, expected)| {
        let path = folder.join(path);
        let fault = expected.fault_of(&path)?;
        progress.advance(1);
        Ok(fault.map(|fault| Damage { of: folder.to_path_buf(), path, fault }))
    });
    Ok(faults.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

impl Expected {
    fn fault_of(&self, path: &Path) -> Result<Option<Fault>> {
        let Some(metadata) = fs::link_metadata(path)? else { return Ok(Some(Fault::Missing)) };
        let is_right = match self {
            Self::Link(target) => metadata.is_symlink() && fs::read_link(path)? == *target,
            _ if !metadata.is_file() => false,
            Self::Digest(digest) => record::sha256_column(Digest::of_file(path, drop)?.as_bytes()) == *digest,
            Self::Content(content) => fs::read(path)? == *content,
            Self::Anything => true,
        };
        Ok((!is_right).then_some(Fault::Changed))
    }
}

/// All that an environment has, by its path in it.
fn expected(manifest: &Manifest, root: &Path, wheels: &[UnpackedWheel]) -> Result<BTreeMap<PathBuf, Expected>> {
    let layout = Layout::of_manifest(manifest)?;
    let release = layout.release;
    let mut expected = BTreeMap::from([(MANIFEST.into(), Expected::Anything)]);
    let places = Places::decide(&layout, wheels)?;
    for (place, owner) in &places.owners {
        expected.insert(place.into(), Expected::Digest(owner.file.digest.clone()));
    }
    for wheel in wheels {
        let is_requested = fs::exists(&root.join(&layout.site_packages).join(&wheel.contents.dist_info).join("REQUESTED"));
        for (path, content) in own_files(wheel, &layout, is_requested, &places)? {
            expected.insert(path, Expected::Content(content));
        }
    }
    if release[0] == 2 {
        for (path, content, _) in venv::own_files_2(&manifest.interpreter, manifest.system_packages)? {
            expected.insert(path, Expected::Content(content));
        }
    }
    for (path, target) in venv::links(&manifest.interpreter, release)? {
        // What python has compiled since is not linked.
        if is_byte_code(&path) {
            continue;
        }
        expected.insert(path, Expected::Link(target));
    }
    for (path, content) in activate::SCRIPTS {
        expected.insert(path.into(), Expected::Content(content.into()));
    }
    // Only an installed one has it.
    if fs::look_for(&root.join(COMPILED))? {
        expected.insert(COMPILED.into(), Expected::Content(Vec::new()));
    }
    // Only a 64-bit interpreter has it.
    if fs::link_metadata(&root.join("lib64"))?.is_some() {
        expected.insert("lib64".into(), Expected::Link("lib".into()));
    }
    let configuration = venv::configuration(&manifest.interpreter, release, manifest.system_packages)?;
    expected.insert("pyvenv.cfg".into(), Expected::Content(configuration.into_bytes()));
    Ok(expected)
}

/// What is in an environment and should not be.
fn foreign(root: &Path, expected: &BTreeMap<PathBuf, Expected>) -> Result<Vec<Damage>> {
    let sources: BTreeSet<&Path> = expected.keys().map(PathBuf::as_path).collect();
    let mut foreign = Vec::new();
    for entry in WalkDir::new(root) {
        let entry = entry.with_context(|| format!("cannot list `{}`", root.display()))?;
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let is_known = entry.file_type().is_dir() || expected.contains_key(path) || is_byte_code_of(path, &sources);
        if !is_known {
            foreign.push(Damage { of: root.to_path_buf(), path: entry.path().to_path_buf(), fault: Fault::Foreign });
        }
    }
    Ok(foreign)
}

fn is_byte_code(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "pyc" || extension == "pyo")
}

/// Whether a file is `__pycache__/NAME.TAG.pyc` beside a source `NAME.py`, or, as Python 2 has it, `NAME.pyc`.
fn is_byte_code_of(path: &Path, sources: &BTreeSet<&Path>) -> bool {
    if is_byte_code(path) && sources.contains(path.with_extension("py").as_path()) {
        return true;
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(OsStr::to_str)) else { return false };
    if folder.file_name() != Some(OsStr::new("__pycache__")) || !name.contains(".pyc") {
        return false;
    }
    let sources_folder = folder.parent().unwrap_or(Path::new(""));
    // A name may have dots of its own.
    name.match_indices('.').any(|(dot, _)| sources.contains(sources_folder.join(format!("{}.py", &name[..dot])).as_path()))
}
