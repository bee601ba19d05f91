//! The byte code of one wheel: its sources, and their byte code from the store or compiled now, in
//! parts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tracing::{debug, info_span};

use super::compiler::{Compiled, Compiler};
use super::list::{ByteCode, CodeFile, LIST};
use crate::build::unpacked::UnpackedWheel;
use crate::build::venv::DIRECTORY_MODE;
use crate::build::workers;
use crate::fs::{self, Digest};
use crate::store::Store;
use crate::wheel::record;
use crate::wheel::scheme::Scheme;

/// The prefix of byte code directories in an unpacked wheel.
pub(in crate::build) const DIRECTORY_PREFIX: &str = "byte-code-";
/// The number of source bytes in a part, which one process compiles: less than a second's work.
const PART: u64 = 1 << 20;
/// The weight of a byte of a name: there may be many empty sources.
const NAME: u64 = 16;

/// Returns the directory for the byte code of a wheel, in the unpacked wheel.
pub(in crate::build) fn directory_in(wheel: &UnpackedWheel, version: &str) -> PathBuf {
    wheel.directory.join(format!("{DIRECTORY_PREFIX}{version}"))
}

pub(super) fn size_of_sources(wheel: &UnpackedWheel) -> u64 {
    sources(wheel).map(|(_, size)| size).sum()
}

/// Returns the sources of a wheel for which python would look for byte code, with their sizes.
pub(super) fn sources(wheel: &UnpackedWheel) -> impl Iterator<Item = (&str, u64)> {
    let files = wheel
        .contents
        .files
        .iter()
        .filter(|file| file.destination.scheme == Scheme::Site);
    files
        .map(|file| (&*file.destination.path, file.size))
        .filter(|(path, _)| module(path).is_some())
}

/// Returns the directory of a source, with a `/` at its end, and its module; none if it is not the
/// source of a module.
pub(super) fn module(path: &str) -> Option<(&str, &str)> {
    let (directory, name) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
    let module = name.strip_suffix(".py")?;
    (!module.is_empty() && !module.contains('.')).then_some((directory, module))
}

/// Returns the byte code of a wheel, from the store or compiled now. `advance` gets the size of each
/// source that is compiled.
pub(super) fn of_wheel(
    wheel: &UnpackedWheel,
    version: &str,
    compiler: &Compiler,
    store: &Store,
    advance: &(dyn Fn(u64) + Sync),
) -> Result<(PathBuf, ByteCode)> {
    let size = size_of_sources(wheel);
    if size == 0 {
        return Ok((wheel.directory.clone(), ByteCode { files: Vec::new() }));
    }
    let name = format!("{DIRECTORY_PREFIX}{version}");
    let directory = directory_in(wheel, version);
    // Compile under a lock, unless the store has the byte code.
    let byte_code = store.part_of_wheel(
        &wheel.sha256,
        &name,
        |staging| {
            debug!(wheel = %wheel.contents.dist_info, version, "compiling the wheel");
            let _compiling =
                info_span!("compile", wheel = %wheel.contents.distribution, bytes = size).entered();
            compile(wheel, compiler, staging, advance)?;
            ByteCode::load(staging)
        },
        ByteCode::load,
    )?;
    Ok((directory, byte_code))
}

/// Compiles a wheel into the empty directory `to`.
fn compile(
    wheel: &UnpackedWheel,
    compiler: &Compiler,
    to: &Path,
    advance: &(dyn Fn(u64) + Sync),
) -> Result<()> {
    let site = wheel.directory.join(Scheme::Site.directory());
    let sizes: BTreeMap<&str, u64> = sources(wheel).collect();
    let parts = parts(sizes.clone());
    // The parts in parallel; results in order.
    let files = workers::in_order(&parts, |names| {
        let mut files = Vec::new();
        compiler.compile(&site, names, |compiled| {
            advance(sizes.get(compiled.name).copied().unwrap_or_default());
            files.extend(write_code(compiled, to)?);
            Ok(())
        })?;
        Ok(files)
    })?;
    let byte_code = ByteCode {
        files: files.into_iter().flatten().collect(),
    };
    fs::write_new(
        &to.join(LIST),
        &fs::seal(&serde_json::to_vec(&byte_code)?),
        0o444,
    )
}

/// Splits the sources, in order, into parts that do not depend on the machine: the byte code of a version
/// of python that is not known here depends on what else is in its part.
pub(super) fn parts<'a>(sources: BTreeMap<&'a str, u64>) -> Vec<Vec<&'a str>> {
    let mut parts: Vec<Vec<&'a str>> = Vec::new();
    let mut room = 0;
    for (path, size) in sources {
        let size = size + NAME * path.len() as u64;
        match parts.last_mut() {
            Some(part) if size <= room => part.push(path),
            _ => {
                parts.push(vec![path]);
                room = PART;
            }
        }
        room = room.saturating_sub(size);
    }
    parts
}

/// Returns the path of a file of byte code, relative to site-packages.
pub(super) fn path_of_code(Compiled { name, tag, .. }: &Compiled) -> Option<String> {
    let (directory, module) = module(name)?;
    Some(format!("{directory}__pycache__/{module}.{tag}.pyc"))
}

/// Writes a file of byte code.
pub(super) fn write_code(compiled: &Compiled, to: &Path) -> Result<Option<CodeFile>> {
    let Some(path) = path_of_code(compiled) else {
        return Ok(None);
    };
    let file = to.join(&path);
    fs::create_dir_all(file.parent().unwrap_or(to), DIRECTORY_MODE)?;
    fs::write_new(&file, compiled.code, 0o444)?;
    let digest = record::sha256_column(Digest::of(compiled.code).as_bytes());
    Ok(Some(CodeFile {
        path,
        digest,
        size: compiled.code.len() as u64,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_imported_is_compiled() {
        let rows = [
            ("a.py", Some(("", "a"))),
            ("p/q/__init__.py", Some(("p/q/", "__init__"))),
            ("p/a.b.py", None),
            ("p/.py", None),
            ("p/a.pyi", None),
            ("a.py/b", None),
        ];
        for (path, expected) in rows {
            assert_eq!(module(path), expected, "{path}");
        }
    }

    #[test]
    fn parts_are_in_order_and_of_limited_size() {
        let half = PART / 2 - NAME;
        let sources = BTreeMap::from([
            ("b", half),
            ("a", half),
            ("c", 1),
            ("d", 2 * PART),
            ("e", 0),
            ("f", 1),
        ]);
        assert_eq!(
            parts(sources),
            [vec!["a", "b"], vec!["c"], vec!["d"], vec!["e", "f"]]
        );
    }
}
