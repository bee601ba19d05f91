//! Checking that an environment, and the unpacked wheels that it was built from, are unchanged:
//! each file is read and hashed again.
//!
//! Byte code that vpython added has digests like all other files. Byte code that python wrote next
//! to a source, or in place of that, is not checked; it is reported separately, and python writes it
//! again if it is removed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;
use walkdir::WalkDir;

use super::activate;
use super::byte_code::Listed;
use super::direct_scripts::DirectScripts;
use super::install::{Layout, Places, own_files};
use super::unpacked::{self, UnpackedWheel};
use super::venv;
use crate::fs::{self, Digest};
use crate::report::Progress;
use crate::store::{COMPILED, Checked, Damage, Fault, MANIFEST, Manifest, Store, Stored};
use crate::wheel::record;

/// The expected state of a path.
enum Expected {
    /// A file with this digest, as a column of RECORD.
    Digest(String),
    /// Byte code with this digest, which python may replace by its own.
    ByteCode(String),
    /// A file with this content.
    Content(Vec<u8>),
    /// A link with this target.
    Link(PathBuf),
    /// The manifest.
    Manifest,
}

/// Checks all files of an environment and its wheels.
///
/// # Errors
/// A file cannot be read.
pub fn check(stored: &Stored, store: &Store) -> Result<Checked> {
    let (root, manifest) = (&stored.path, &stored.manifest);
    let (wheels, mut damages) = wheels(manifest, store)?;
    let is_compiled = fs::link_metadata(&root.join(COMPILED))?.is_some();
    let listed = if is_compiled {
        Listed::read(manifest, &wheels)?
    } else {
        Listed::default()
    };
    for (wheel, list) in &listed.unreadable {
        damages.push(damaged_list(wheel, list.clone())?);
    }
    // Files of the wheels, then those of the environment.
    let mut parts: Vec<(PathBuf, BTreeMap<PathBuf, Expected>)> = wheels
        .iter()
        .map(|wheel| (wheel.directory.clone(), files_of(wheel, &listed)))
        .collect();
    let mut checked = Checked::default();
    // The expected contents of the environment are known only if all lists are.
    if damages.is_empty() {
        let expected = expected(manifest, root, &wheels, &listed)?;
        for path in unexpected_files(root, &expected)? {
            if is_byte_code_of(&path, &expected) {
                // In site-packages itself, the build has added byte code for CPython 2.7, and a
                // launch notices new files there.
                let is_in_package = path.parent() != Some(Path::new(&manifest.site.directory));
                checked
                    .by_python
                    .extend(is_in_package.then(|| root.join(path)));
            } else {
                damages.push(Damage {
                    of: root.clone(),
                    path: root.join(path),
                    fault: Fault::Foreign,
                });
            }
        }
        parts.push((root.clone(), expected));
    }
    let progress = Progress::start(
        "checking the files",
        parts.iter().map(|(_, files)| files.len() as u64).sum(),
    );
    for (directory, files) in &parts {
        for damage in compare(directory, files, &progress)? {
            let path = damage.path.strip_prefix(directory).unwrap_or(&damage.path);
            let is_byte_code = matches!(files.get(path), Some(Expected::ByteCode(_)));
            if is_byte_code && is_pythons(&damage.path) {
                checked.replaced.push(damage);
            } else {
                damages.push(damage);
            }
        }
    }
    damages.sort();
    checked.replaced.sort();
    checked.damages = damages;
    Ok(checked)
}

/// Returns the unpacked wheels of an environment, and the damage of those whose lists cannot be
/// read.
fn wheels(manifest: &Manifest, store: &Store) -> Result<(Vec<UnpackedWheel>, Vec<Damage>)> {
    let (mut wheels, mut damages) = (Vec::new(), Vec::new());
    for installed in &manifest.wheels {
        let directory = store.unpacked_wheel(&installed.sha256);
        // A directory that is missing is another fault than a list that cannot be read.
        match fs::ok_if_hidden(UnpackedWheel::read(&directory, installed.sha256))? {
            Some(wheel) => wheels.push(wheel),
            None if fs::link_metadata(&directory)?.is_none() => {
                damages.push(Damage {
                    path: directory.clone(),
                    of: directory,
                    fault: Fault::Missing,
                });
            }
            None => damages.push(damaged_list(
                &directory,
                directory.join(unpacked::MANIFEST),
            )?),
        }
    }
    Ok((wheels, damages))
}

/// Returns the damage of an unreadable list in an unpacked wheel.
fn damaged_list(wheel: &Path, list: PathBuf) -> Result<Damage> {
    let fault = if fs::link_metadata(&list)?.is_some() {
        Fault::Changed
    } else {
        Fault::Missing
    };
    Ok(Damage {
        of: wheel.to_path_buf(),
        path: list,
        fault,
    })
}

/// Returns the expected files of an unpacked wheel, with the listed byte code.
fn files_of(wheel: &UnpackedWheel, listed: &Listed) -> BTreeMap<PathBuf, Expected> {
    let files = wheel
        .contents
        .files
        .iter()
        .map(|file| (wheel.path(file), file.digest.clone()));
    files
        .chain(listed.in_wheel(wheel))
        .map(|(path, digest)| (path, Expected::Digest(digest)))
        .collect()
}

/// Returns the damaged files of a directory. The expected paths are absolute, or relative to the
/// directory.
fn compare(
    directory: &Path,
    expected: &BTreeMap<PathBuf, Expected>,
    progress: &Progress,
) -> Result<Vec<Damage>> {
    let faults = expected.par_iter().map(|(path, expected)| {
        let path = directory.join(path);
        let fault = expected.fault_of(&path)?;
        progress.advance(1);
        Ok(fault.map(|fault| Damage {
            of: directory.to_path_buf(),
            path,
            fault,
        }))
    });
    Ok(faults
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect())
}

impl Expected {
    fn fault_of(&self, path: &Path) -> Result<Option<Fault>> {
        let Some(metadata) = fs::link_metadata(path)? else {
            return Ok(Some(Fault::Missing));
        };
        let is_right = match self {
            Self::Link(target) => metadata.is_symlink() && fs::read_link(path)? == *target,
            _ if !metadata.is_file() => false,
            Self::Digest(digest) | Self::ByteCode(digest) => {
                record::sha256_column(Digest::of_file(path, drop)?.as_bytes()) == *digest
            }
            Self::Content(content) => fs::read(path)? == *content,
            Self::Manifest => fs::look_for_json::<Manifest>(path)?.is_some(),
        };
        Ok((!is_right).then_some(Fault::Changed))
    }
}

/// Returns the expected files of an environment, by relative path.
fn expected(
    manifest: &Manifest,
    root: &Path,
    wheels: &[UnpackedWheel],
    listed: &Listed,
) -> Result<BTreeMap<PathBuf, Expected>> {
    let layout = Layout::of_manifest(manifest)?;
    let release = layout.release;
    let mut expected = BTreeMap::from([(MANIFEST.into(), Expected::Manifest)]);
    // Files of wheels, and their byte code.
    let places = Places::decide(&layout, wheels)?;
    for (place, owner) in &places.owners {
        let digest = owner.file.digest.clone();
        let file = if is_byte_code(Path::new(place)) {
            Expected::ByteCode(digest)
        } else {
            Expected::Digest(digest)
        };
        expected.insert(place.into(), file);
    }
    for (path, digest) in listed.in_site(&layout, &places) {
        expected.insert(
            Path::new(&layout.site_packages).join(path),
            Expected::ByteCode(digest),
        );
    }
    // Files that the installer writes.
    for wheel in wheels {
        let is_requested = fs::exists(
            &root
                .join(&layout.site_packages)
                .join(&wheel.contents.dist_info)
                .join("REQUESTED"),
        );
        for (path, content) in own_files(wheel, &layout, is_requested, &places)? {
            expected.insert(path, Expected::Content(content));
        }
    }
    use_direct_scripts(manifest, root, &places, &mut expected);
    if release[0] == 2 {
        for file in venv::own_files_2(&manifest.interpreter, manifest.system_packages)? {
            expected.insert(file.path, Expected::Content(file.content));
        }
    }
    // The skeleton.
    for (path, target) in venv::links(&manifest.interpreter, release, &layout.site_packages)? {
        // Byte code that python has compiled since the build is not linked.
        if is_byte_code(&path) {
            continue;
        }
        expected.insert(path, Expected::Link(target));
    }
    for (path, content) in activate::SCRIPTS {
        expected.insert(path.into(), Expected::Content(content.into()));
    }
    // Only an installed environment has it.
    if fs::link_metadata(&root.join(COMPILED))?.is_some() {
        expected.insert(COMPILED.into(), Expected::Content(Vec::new()));
    }
    // Only with a 64-bit interpreter.
    if fs::link_metadata(&root.join("lib64"))?.is_some() {
        expected.insert("lib64".into(), Expected::Link("lib".into()));
    }
    let configuration =
        venv::configuration(&manifest.interpreter, release, manifest.system_packages)?;
    expected.insert(
        "pyvenv.cfg".into(),
        Expected::Content(configuration.into_bytes()),
    );
    Ok(expected)
}

/// Replaces the scripts, and their rows in RECORD, if they name the interpreter directly.
fn use_direct_scripts(
    manifest: &Manifest,
    root: &Path,
    places: &Places,
    expected: &mut BTreeMap<PathBuf, Expected>,
) {
    let site_packages = &manifest.site.directory;
    let scripts = DirectScripts::of(&manifest.interpreter, root, site_packages);
    let Some(mut scripts) = scripts.filter(|_| manifest.python_image().is_some()) else {
        return;
    };
    for (place, owner) in &places.owners {
        let Some(name) = place.strip_prefix("bin/") else {
            continue;
        };
        let script = fs::read(&owner.wheel.path(owner.file)).ok();
        if let Some(script) = script.and_then(|content| scripts.script(name, &content)) {
            expected.insert(place.into(), Expected::Content(script));
        }
    }
    for (path, file) in expected.iter_mut() {
        if let Expected::Content(content) = file
            && path.ends_with("RECORD")
        {
            *content = scripts.record(content);
        }
    }
}

/// Returns the files of an environment that are not expected, by relative path.
fn unexpected_files(root: &Path, expected: &BTreeMap<PathBuf, Expected>) -> Result<Vec<PathBuf>> {
    let mut others = Vec::new();
    for entry in WalkDir::new(root) {
        let entry = entry.with_context(|| format!("cannot list `{}`", root.display()))?;
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        if !entry.file_type().is_dir() && !expected.contains_key(path) {
            others.push(path.to_path_buf());
        }
    }
    Ok(others)
}

fn is_byte_code(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "pyc" || extension == "pyo")
}

/// Returns whether a file has the header that python writes for its source now (PEP 552): it is compared
/// with time and size of the source. A python that ran while `install` added byte code writes such a file,
/// and so does one that finds byte code in a wheel that is not that of its source.
fn is_pythons(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    let module = name.and_then(|name| name.split('.').next());
    let (Some(module), Some(directory)) = (module, path.parent().and_then(Path::parent)) else {
        return false;
    };
    let source = directory.join(format!("{module}.py"));
    let code = fs::open_regular(path).and_then(|mut file| fs::read_beginning(&mut file, path));
    let (Ok(code), Ok(Some(source))) = (code, fs::metadata(&source)) else {
        return false;
    };
    let lowest = |number: u64| number.to_le_bytes()[..4].to_vec();
    let state = [
        vec![0; 4],
        lowest(source.mtime().cast_unsigned()),
        lowest(source.size()),
    ];
    code.get(4..16) == Some(&state.concat())
}

/// Returns whether a file is `__pycache__/NAME.TAG.pyc` for a source `NAME.py`, or, for Python 2,
/// `NAME.pyc`.
fn is_byte_code_of(path: &Path, expected: &BTreeMap<PathBuf, Expected>) -> bool {
    if is_byte_code(path) && expected.contains_key(&path.with_extension("py")) {
        return true;
    }
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(OsStr::to_str))
    else {
        return false;
    };
    if directory.file_name() != Some(OsStr::new("__pycache__")) || !name.contains(".pyc") {
        return false;
    }
    let directory_of_sources = directory.parent().unwrap_or(Path::new(""));
    // The name itself may contain dots.
    name.match_indices('.').any(|(dot, _)| {
        expected.contains_key(&directory_of_sources.join(format!("{}.py", &name[..dot])))
    })
}
