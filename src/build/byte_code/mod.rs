//! Byte code made ahead, by `-vpython-tool install`.
//!
//! - **Once for a wheel and a kind of byte code.** Its place is in the unpacked wheel,
//!   `wheels/<sha256>/byte-code-<version>/`, staged and renamed there as a whole, under a lock.
//!   With the wheel it goes, and is checked.
//! - **Never held against its source** (PEP 552, unchecked hash): sources are read-only, and their
//!   times differ from machine to machine. It says of its source but the name relative to
//!   site-packages; python puts the real path in its place as it imports. The same wheel gives the
//!   same bytes: sources in order, in parts of their own, hash seed fixed.
//! - **Put into environments that stand**, by the same way as the wheels' files. Python does
//!   nothing else when it writes byte code as it goes, and that is why nobody is harmed: each file
//!   is whole when it has its name, programs that run there may read it or not, a kill leaves some
//!   of them, and the time of site-packages, by which a launch notices what others install, stays,
//!   since `__pycache__` is there from the beginning. It takes the place of what python has written
//!   before. A mark in the environment says that all is done: from then on each file there has its
//!   digest in the list of its wheel's byte code, and `check` holds it against that.
//! - **Before it has a name there, it is on the disk**: python reads half a file of byte code as an
//!   error. In the wheel it may be cut off by a power cut, as the wheel's own files may: there it
//!   counts from the mark on, and whoever takes it looks at the sizes.
//!
//! Python never writes into a file that the store shares: it writes byte code to a new file that
//! takes the other's name (`importlib._bootstrap_external._write_atomic`).
//!
//! A launch neither makes byte code nor looks for it. What cannot be compiled, such as templates
//! and sources for Python 2, has none, as with pip. CPython 3.6 has no unchecked byte code, and
//! gets none: it would have to be held against times of change that copies do not keep. Nor has 2.7
//! (`python2`), whose environments get theirs in place.

mod compiler;
mod list;
mod python2;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;
use tracing::{debug, info_span};
use walkdir::WalkDir;

use super::install::{Layout, Places};
use super::link::Linker;
use super::members::Scheme;
use super::record;
use super::unpacked::UnpackedWheel;
use super::venv::DIRECTORY_MODE;
use super::workers;
use crate::fs::{self, Digest};
use crate::plan::Facts;
use crate::process::Process;
use crate::report::Progress;
use crate::report::progress::Part;
use crate::store::{COMPILED, Entry, InstalledWheel, MANIFEST, Manifest, Store};
pub(super) use list::Listed;
pub(super) use python2::compile_modules;

use compiler::{Compiled, Compiler, NoCompiler};
use list::{ByteCode, CodeFile, LIST, belonging};

/// How the directories of byte code in an unpacked wheel are called.
const DIRECTORY_PREFIX: &str = "byte-code-";
/// How many bytes of sources one process compiles: a second's work.
const PART: u64 = 1 << 20;
/// How much a byte of a name counts: a command line has no room for a million.
const NAME: u64 = 16;

/// Puts byte code into an environment that stands, where it is not there yet. Without it the
/// environment is as good, only slower at first; so an interpreter that does not compile, and a
/// store that cannot be written, are no errors. Tells whether it was put there now.
///
/// # Errors
/// The store cannot be read, or there is no room.
pub fn add(entry: &Entry, store: &Store, process: &Process) -> Result<bool> {
    let mark = entry.path.join(COMPILED);
    if fs::exists(&mark) {
        return Ok(false);
    }
    let done = compile_entry(entry, store, process)
        .and_then(|is_done| if is_done { set_mark(&mark) } else { Ok(()) });
    forgive(done)
        .with_context(|| format!("cannot compile what is in `{}`", entry.path.display()))?;
    Ok(fs::exists(&mark))
}

/// Puts an empty file at `mark`, which is whole as soon as it has its name.
fn set_mark(mark: &Path) -> Result<()> {
    match fs::write_new(mark, b"", 0o444) {
        // Of all who compile at once, each has put the same.
        Err(error) if !fs::is_already_exists(&error) => return Err(error),
        _ => {}
    }
    fs::sync(mark.parent().unwrap_or(mark))
}

/// Puts byte code into an environment that is being built for a life outside of the store.
///
/// # Errors
/// Those of [`add`].
pub(super) fn add_to_staged(
    environment: &Path,
    interpreter: &Facts,
    wheels: &[UnpackedWheel],
    shop: &CompileContext,
) -> Result<()> {
    let site = environment.join(&interpreter.site_packages);
    if interpreter.is_python2() {
        return forgive(python2::compile_all(&site, &interpreter.executable));
    }
    let Some(version) = kind(&interpreter.version().to_string()) else {
        return Ok(());
    };
    let layout = Layout::of(interpreter);
    let places = Places::decide(&layout, wheels)?;
    let done = compile_all(wheels, &version, &interpreter.executable, shop);
    let done = done.and_then(|code| {
        put(
            &belonging(&code, &layout, &places),
            &site,
            shop.linker,
            Target::Staged,
        )
    });
    forgive(done).with_context(|| format!("cannot compile what is in `{}`", environment.display()))
}

/// What byte code is made and put with.
pub(super) struct CompileContext<'a> {
    /// Keeps the byte code of each wheel.
    pub store: &'a Store,
    /// Gives the compiler its environment.
    pub process: &'a Process,
    /// Puts the files.
    pub linker: &'a Linker,
}

/// Puts byte code beside all sources in a directory, as it is put into environments.
///
/// # Errors
/// The directory cannot be read or written.
pub fn compile_directory(interpreter: &Facts, directory: &Path, process: &Process) -> Result<()> {
    if kind(&interpreter.version().to_string()).is_none() {
        return Ok(());
    }
    let mut sources = BTreeMap::new();
    for entry in WalkDir::new(directory) {
        let entry = entry?;
        let path = entry
            .path()
            .strip_prefix(directory)?
            .to_str()
            .filter(|path| entry.file_type().is_file() && module(path).is_some());
        if let Some(path) = path {
            sources.insert(path.to_owned(), entry.metadata()?.len());
        }
    }
    let compiler = Compiler {
        interpreter: interpreter.executable.clone(),
        environment: process.environment.clone(),
    };
    let progress = Progress::start("compiling", sources.values().sum());
    let parts = parts(
        sources
            .iter()
            .map(|(path, size)| (&**path, *size))
            .collect(),
    );
    let done = parts.par_iter().try_for_each(|names| {
        compiler.compile(directory, names, |compiled| {
            progress.advance(sources.get(compiled.name).copied().unwrap_or_default());
            keep(compiled, directory).map(drop)
        })
    });
    forgive(done).with_context(|| format!("cannot compile what is in `{}`", directory.display()))
}

/// Where nothing can be compiled or kept, there is no byte code, and that is no error.
fn forgive(done: Result<()>) -> Result<()> {
    match done {
        Err(error) if error.is::<NoCompiler>() || is_read_only(&error) => {
            debug!("there is no byte code: {error:#}");
            Ok(())
        }
        result => result,
    }
}

fn is_read_only(error: &anyhow::Error) -> bool {
    let mut causes = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|cause| {
        matches!(
            cause.kind(),
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied
        )
    })
}

/// Compiles what is in an environment, and tells whether there is anything that can compile.
fn compile_entry(entry: &Entry, store: &Store, process: &Process) -> Result<bool> {
    let Some(manifest) = fs::look_for_json::<Manifest>(&entry.path.join(MANIFEST))? else {
        return Ok(false);
    };
    if manifest.python.starts_with("2.") {
        let _umask = fs::PlainUmask::set();
        return python2::compile_all(
            &entry.path.join(&manifest.site.directory),
            &manifest.interpreter,
        )
        .map(|()| true);
    }
    let Some(version) = kind(&manifest.python) else {
        return Ok(false);
    };
    let _umask = fs::PlainUmask::set();
    let read = |wheel: &InstalledWheel| {
        UnpackedWheel::read(&store.unpacked_wheel(&wheel.sha256), wheel.sha256)
    };
    let wheels = manifest
        .wheels
        .iter()
        .map(read)
        .collect::<Result<Vec<_>>>()?;
    let layout = Layout::of_manifest(&manifest)?;
    let places = Places::decide(&layout, &wheels)?;
    let shop = CompileContext {
        store,
        process,
        linker: &Linker::default(),
    };
    let byte_code = compile_all(&wheels, &version, &manifest.interpreter, &shop)?;
    store.sync(&entry.path)?;
    let site = entry.path.join(&manifest.site.directory);
    put(
        &belonging(&byte_code, &layout, &places),
        &site,
        shop.linker,
        Target::InUse,
    )?;
    Ok(true)
}

/// The byte code of wheels, each with its directory.
fn compile_all(
    wheels: &[UnpackedWheel],
    version: &str,
    interpreter: &Path,
    shop: &CompileContext,
) -> Result<Vec<(PathBuf, ByteCode)>> {
    let compiler = Compiler {
        interpreter: interpreter.to_path_buf(),
        environment: shop.process.environment.clone(),
    };
    let mut wheels: Vec<&UnpackedWheel> = wheels.iter().collect();
    wheels.sort_by_cached_key(|wheel| (std::cmp::Reverse(size_of_sources(wheel)), wheel.sha256));
    let total = wheels
        .iter()
        .flat_map(|wheel| sources(wheel))
        .map(|(_, size)| size)
        .sum();
    let progress = Progress::start("compiling", total);
    workers::in_order(&wheels, |wheel| {
        of_wheel(wheel, version, &compiler, shop.store, &progress)
    })
}

/// Where the byte code of a wheel is, in the unpacked wheel.
fn directory_in(wheel: &UnpackedWheel, version: &str) -> PathBuf {
    wheel.directory.join(format!("{DIRECTORY_PREFIX}{version}"))
}

fn size_of_sources(wheel: &UnpackedWheel) -> u64 {
    sources(wheel).map(|(_, size)| size).sum()
}

/// A name for the byte code of a version of python; none where there is no unchecked byte code.
/// Within a minor version it is the same, but before its first release.
fn kind(python: &str) -> Option<String> {
    let version: pep440_rs::Version = python.parse().ok()?;
    let [major, minor, ..] = *version.release() else {
        return None;
    };
    if (major, minor) < (3, 7) {
        return None;
    }
    Some(if version.is_stable() {
        format!("{major}.{minor}")
    } else {
        version.to_string()
    })
}

/// The sources of a wheel that python would look for byte code of, with their sizes.
fn sources(wheel: &UnpackedWheel) -> impl Iterator<Item = (&str, u64)> {
    let files = wheel
        .contents
        .files
        .iter()
        .filter(|file| file.destination.scheme == Scheme::Site);
    files
        .map(|file| (&*file.destination.path, file.size))
        .filter(|(path, _)| module(path).is_some())
}

/// The directory of a source, with a `/` behind it, and its module; none where it is no source of a
/// module.
fn module(path: &str) -> Option<(&str, &str)> {
    let (directory, name) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
    let module = name.strip_suffix(".py")?;
    (!module.is_empty() && !module.contains('.')).then_some((directory, module))
}

/// The byte code of a wheel, from the store or made now.
fn of_wheel(
    wheel: &UnpackedWheel,
    version: &str,
    compiler: &Compiler,
    store: &Store,
    progress: &Progress,
) -> Result<(PathBuf, ByteCode)> {
    let size = size_of_sources(wheel);
    if size == 0 {
        return Ok((wheel.directory.clone(), ByteCode { files: Vec::new() }));
    }
    let part = progress.part(size);
    let name = format!("{DIRECTORY_PREFIX}{version}");
    let directory = directory_in(wheel, version);
    let byte_code = store.part_of_wheel(
        (&wheel.sha256, &name),
        |staging| {
            debug!(wheel = %wheel.contents.dist_info, version, "compiling the wheel");
            let _compiling =
                info_span!("compile", wheel = %wheel.contents.distribution, bytes = size).entered();
            compile(wheel, compiler, staging, &part)
        },
        ByteCode::load,
    )?;
    Ok((directory, byte_code))
}

/// Compiles a wheel into the empty directory `to`.
fn compile(wheel: &UnpackedWheel, compiler: &Compiler, to: &Path, progress: &Part) -> Result<()> {
    let site = wheel.directory.join(Scheme::Site.directory());
    let sizes: BTreeMap<&str, u64> = sources(wheel).collect();
    let parts = parts(sizes.clone());
    let files = parts.par_iter().map(|names| {
        let mut files = Vec::new();
        compiler.compile(&site, names, |compiled| {
            progress.advance(sizes.get(compiled.name).copied().unwrap_or_default());
            files.extend(keep(compiled, to)?);
            Ok(())
        })?;
        Ok(files)
    });
    let files = files
        .collect::<Vec<Result<Vec<CodeFile>>>>()
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let byte_code = ByteCode {
        files: files.into_iter().flatten().collect(),
    };
    fs::write_new(
        &to.join(LIST),
        &fs::seal(&serde_json::to_vec(&byte_code)?),
        0o444,
    )
}

/// The sources in order, in parts that do not depend on the machine.
fn parts<'a>(sources: BTreeMap<&'a str, u64>) -> Vec<Vec<&'a str>> {
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

/// Writes a file of byte code.
fn keep(
    Compiled {
        name, tag, code, ..
    }: &Compiled,
    to: &Path,
) -> Result<Option<CodeFile>> {
    let Some((directory, module)) = module(name) else {
        return Ok(None);
    };
    let path = format!("{directory}__pycache__/{module}.{tag}.pyc");
    let file = to.join(&path);
    fs::create_dir_all(file.parent().unwrap_or(to), DIRECTORY_MODE)?;
    fs::write_new(&file, code, 0o444)?;
    let digest = record::sha256_column(Digest::of(code).as_bytes());
    Ok(Some(CodeFile {
        path,
        digest,
        size: code.len() as u64,
    }))
}

/// What byte code is put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// An environment that programs may run in.
    InUse,
    /// One that nobody knows of yet, and that is written to the disk before anybody does.
    Staged,
}

/// Puts byte code into site-packages, in the place of what python has written there.
fn put(
    files: &BTreeMap<&str, (&Path, &CodeFile)>,
    site: &Path,
    linker: &Linker,
    target: Target,
) -> Result<()> {
    let directories: BTreeSet<&str> = files
        .keys()
        .filter_map(|path| Some(path.rsplit_once('/')?.0))
        .collect();
    directories
        .into_iter()
        .try_for_each(|directory| fs::create_dir(&site.join(directory), DIRECTORY_MODE))?;
    let staged = files.par_iter().map(|(path, (directory, _))| {
        let to = site.join(path);
        Ok(linker
            .stage(&directory.join(path), &to)?
            .map(|unfinished| (unfinished, to)))
    });
    let staged: Vec<(PathBuf, PathBuf)> = staged
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect();
    // Second names are those of files that are on the disk already.
    if target == Target::InUse && !staged.is_empty() && !linker.shares_files() {
        fs::sync_file_system(site)?;
    }
    staged
        .par_iter()
        .try_for_each(|(unfinished, to)| Linker::finish(unfinished, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_code_is_of_a_minor_version() {
        let rows = [
            ("3.11.7", Some("3.11")),
            ("3.14.0rc1", Some("3.14.0rc1")),
            ("3.7.0", Some("3.7")),
            ("3.6.15", None),
            ("x", None),
        ];
        for (python, expected) in rows {
            assert_eq!(kind(python).as_deref(), expected);
        }
    }

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
    fn parts_are_in_order_and_hold_a_seconds_work() {
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
