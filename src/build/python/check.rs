//! Checking that a copied interpreter is unchanged: each file is read and hashed again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;
use walkdir::WalkDir;

use super::libraries_of;
use crate::fs::{self, Digest};
use crate::packed::manifest::{PACK_MANIFEST, PackManifest};
use crate::packed::member::Member;
use crate::store::{CLibrary, Checked, Damage, Fault, PYTHON_RECORD, Python};

/// Checks all files of a copied interpreter. Byte code that python has written is reported
/// separately.
///
/// # Errors
/// A file cannot be read.
pub fn check_python(python: &Python) -> Result<Checked> {
    let root = &python.directory;
    let mut checked = Checked::default();
    let mut damage = |path: PathBuf, fault| {
        checked.damages.push(Damage {
            of: root.clone(),
            path,
            fault,
        });
    };
    // The lists of members.
    let mut expected: HashMap<PathBuf, Member> = HashMap::new();
    let mut is_complete = true;
    for directory in std::iter::once(root.clone()).chain(libraries_of(python)) {
        let list = directory.join(PACK_MANIFEST);
        let text = fs::read(&list);
        let Some(manifest) = text.ok().and_then(|text| PackManifest::parse(&text).ok()) else {
            let is_there = fs::link_metadata(&list)?.is_some();
            let fault = if is_there {
                Fault::Changed
            } else {
                Fault::Missing
            };
            damage(list, fault);
            is_complete = false;
            continue;
        };
        let members = manifest.members.into_iter();
        expected.extend(members.map(|member| (directory.join(member.path()), member)));
    }
    let executable = python.executable();
    let patched = match &python.record.libraries {
        CLibrary::Own { executable, .. } => Some(executable),
        CLibrary::Machine { .. } => None,
    };
    // The members.
    let faults: Vec<Option<(PathBuf, Fault)>> = expected
        .par_iter()
        .map(|(path, member)| {
            let patched = patched.filter(|_| *path == executable);
            Ok(fault_of(path, member, patched)?.map(|fault| (path.clone(), fault)))
        })
        .collect::<Result<_>>()?;
    for (path, fault) in faults.into_iter().flatten() {
        damage(path, fault);
    }
    // Files that are not listed.
    for entry in WalkDir::new(root) {
        let entry = entry.with_context(|| format!("cannot list `{}`", root.display()))?;
        let path = entry.path();
        let name = path.file_name().unwrap_or_default();
        let is_own = name == PACK_MANIFEST || name == PYTHON_RECORD;
        if entry.file_type().is_dir() || is_own || expected.contains_key(path) || !is_complete {
            continue;
        }
        // CPython 2.7 writes byte code next to its source.
        let in_cache = path.parent().and_then(Path::file_name) == Some("__pycache__".as_ref());
        let has_source = expected.contains_key(&path.with_extension("py"));
        if (in_cache || has_source) && path.extension().is_some_and(|it| it == "pyc") {
            checked.by_python.push(path.to_path_buf());
        } else {
            damage(path.to_path_buf(), Fault::Foreign);
        }
    }
    checked.damages.sort();
    Ok(checked)
}

/// Returns the fault of a member. `patched` is the digest of the binary, if it was changed for its
/// place.
fn fault_of(path: &Path, member: &Member, patched: Option<&Digest>) -> Result<Option<Fault>> {
    let Some(found) = fs::link_metadata(path)? else {
        return Ok(Some(Fault::Missing));
    };
    let is_right = match member {
        Member::Directory { .. } => found.is_dir(),
        Member::Link { target, .. } => {
            found.is_symlink() && fs::read_link(path)? == Path::new(target)
        }
        Member::File { sha256, .. } => {
            found.is_file() && Digest::of_file(path, drop)? == *patched.unwrap_or(sha256)
        }
    };
    Ok((!is_right).then_some(Fault::Changed))
}
