//! Byte code compiled in advance: of all modules by `-vpython-tool install`, and of those that a program
//! imports by its first launch (`imports`). Of the former:
//!
//! - **Once for each wheel and kind of byte code.** It is in the unpacked wheel,
//!   `wheels/<sha256>/byte-code-<version>/`, staged and renamed as a whole, under a lock. It is
//!   removed and checked together with the wheel.
//! - **Never compared with its source** (PEP 552, unchecked hash): sources are read-only, and their
//!   times differ between machines. The byte code contains only the source's name relative to
//!   site-packages; python inserts the real path on import. A source results in the same bytes
//!   whatever else is compiled (`marshal`).
//! - **Added to complete environments**, by the same link mode as the wheels' files. This is as
//!   safe as python writing byte code on import: each file is complete when it has its name,
//!   running programs may or may not read it, a kill leaves only some of the files, and the
//!   modification time of site-packages, by which a launch detects installations, does not change,
//!   since `__pycache__` exists from the beginning. It replaces byte code that python has written.
//!   A marker file in the environment shows that all byte code was added: from then on, the digest
//!   of each file is in the list of its wheel's byte code, and `check` compares them.
//! - **On disk before it has a name there**: python reports truncated byte code as an error. In the
//!   wheel, a power failure may truncate it, like the wheel's own files: it is reliable only once
//!   an environment has the marker, and code that links it checks the sizes.
//!
//! Python never writes into a file that the store shares: it writes byte code to a new file, which
//! it renames (`importlib._bootstrap_external._write_atomic`).
//!
//! The environment that a launch builds gets the byte code that the store has of all its wheels.
//! Sources that cannot be compiled, such as templates and sources for Python 2, have none, as with
//! pip. CPython 3.6 does not support unchecked byte code, and gets none: checked byte code would
//! depend on modification times that copies do not keep. For the same reason 2.7 (`python2`) gets its
//! byte code in the environment.

mod ahead;
mod answer;
mod compiler;
mod imports;
mod list;
mod marshal;
mod modules;
mod pool;
mod program;
mod python2;
mod server;
mod statements;
mod wheel;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;
use tracing::debug;
use walkdir::WalkDir;

use super::install::{Layout, Places};
use super::link::Linker;
use super::unpacked::UnpackedWheel;
use super::venv::DIRECTORY_MODE;
use super::workers;
use crate::fs;
use crate::interpreter::{Facts, byte_code_version};
use crate::process::Process;
use crate::report::Progress;
use crate::store::{COMPILED, Entry, InstalledWheel, MANIFEST, Manifest, Store};
pub use ahead::Ahead;
pub use imports::Imports;
pub(super) use list::{ByteCode, LIST as CODE_LIST, Listed};
pub use program::Program;
pub(super) use python2::compile_modules;

use compiler::{Compiler, NoCompiler};
use list::{CodeFile, belonging};
use server::Form;
pub(super) use wheel::{DIRECTORY_PREFIX, directory_in};
use wheel::{module, of_wheel, parts, size_of_sources, sources, write_code};

/// Adds byte code to a complete environment that has none yet. Byte code only makes the first
/// imports faster, so an interpreter that cannot compile, and a store that is not writable, are not
/// errors. An environment in a shared root stays as it is. Returns whether byte code was added.
///
/// # Errors
/// The store cannot be read, or the disk is full.
pub fn add(entry: &Entry, store: &Store, process: &Process) -> Result<bool> {
    let mark = entry.path.join(COMPILED);
    if entry.shared_root.is_some() || fs::exists(&mark) {
        return Ok(false);
    }
    let done = compile_entry(entry, store, process)
        .and_then(|is_done| if is_done { set_mark(&mark) } else { Ok(()) });
    ignore_unsupported(done)
        .with_context(|| format!("cannot compile the modules in `{}`", entry.path.display()))?;
    Ok(fs::exists(&mark))
}

/// Creates an empty file at `mark`.
fn set_mark(mark: &Path) -> Result<()> {
    match fs::write_new(mark, b"", 0o444) {
        // A concurrent process has added the same byte code.
        Err(error) if !fs::is_already_exists(&error) => return Err(error),
        _ => {}
    }
    fs::sync(mark.parent().unwrap_or(mark))
}

/// Adds byte code to an environment that is being built for use outside the store.
///
/// # Errors
/// Those of [`add`].
pub(super) fn add_to_staged(
    environment: &Path,
    interpreter: &Facts,
    wheels: &[UnpackedWheel],
    context: &CompileContext,
) -> Result<()> {
    let site = environment.join(&interpreter.site_packages);
    // Python 2 has no `__pycache__`: its byte code is next to each source, and is compiled in
    // place.
    if interpreter.is_python2() {
        return ignore_unsupported(python2::compile_all(&site, &interpreter.executable));
    }
    let Some(version) = byte_code_version(&interpreter.version().to_string()) else {
        return Ok(());
    };
    let layout = Layout::of(interpreter);
    // Of two wheels with the same file, only the one whose file is installed has byte code for it.
    let places = Places::decide(&layout, wheels)?;
    let done = compile_all(wheels, &version, &interpreter.executable, context);
    let done = done.and_then(|code| {
        put(
            &belonging(&code, &layout, &places),
            &site,
            context.linker,
            Target::Staged,
        )
    });
    ignore_unsupported(done)
        .with_context(|| format!("cannot compile the modules in `{}`", environment.display()))
}

/// Adds byte code to an environment of the store that is being built, if all of it is in the store:
/// an earlier `install` has compiled the same wheels, or they are built wheels. Returns whether it is.
///
/// # Errors
/// The environment cannot be written.
pub(super) fn add_known(
    interpreter: &Facts,
    wheels: &[UnpackedWheel],
    places: &Places,
    linker: &Linker,
    environment: &Path,
) -> Result<bool> {
    let Some(version) = interpreter.byte_code_version() else {
        return Ok(false);
    };
    let with_sources = wheels.iter().filter(|wheel| size_of_sources(wheel) > 0);
    let directories: Vec<PathBuf> = with_sources
        .map(|wheel| directory_in(wheel, &version))
        .collect();
    if directories.is_empty() || !directories.iter().all(|directory| fs::exists(directory)) {
        return Ok(false);
    }
    let load = |directory: PathBuf| ByteCode::load(&directory).map(|code| (directory, code));
    // `install` replaces what is damaged.
    let Ok(byte_code) = directories
        .into_iter()
        .map(load)
        .collect::<Result<Vec<_>>>()
    else {
        return Ok(false);
    };
    let layout = Layout::of(interpreter);
    let site = environment.join(&layout.site_packages);
    let belonging = belonging(&byte_code, &layout, places);
    put(&belonging, &site, linker, Target::Staged)?;
    // The whole environment is on disk before it has its name.
    fs::write_new(&environment.join(COMPILED), b"", 0o444)?;
    Ok(true)
}

/// The context in which byte code is compiled and added.
pub(super) struct CompileContext<'a> {
    /// Stores the byte code of each wheel.
    pub store: &'a Store,
    /// Provides the compiler's environment variables.
    pub process: &'a Process,
    /// Links the files.
    pub linker: &'a Linker,
}

/// Adds byte code for all sources in a directory, in the same form as in environments.
///
/// # Errors
/// The directory cannot be read or written.
pub fn compile_directory(interpreter: &Facts, directory: &Path, process: &Process) -> Result<()> {
    if byte_code_version(&interpreter.version().to_string()).is_none() {
        return Ok(());
    }
    // Collect the sources with their sizes.
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
    let compiler = Compiler::new(
        interpreter.executable.clone(),
        process.environment.clone(),
        Form::Unchecked,
    );
    let progress = Progress::start("compiling", sources.values().sum());
    let parts = parts(
        sources
            .iter()
            .map(|(path, size)| (&**path, *size))
            .collect(),
    );
    let done = workers::in_order(&parts, |names| {
        compiler.compile(directory, names, |compiled| {
            progress.advance(sources.get(compiled.name).copied().unwrap_or_default());
            write_code(compiled, directory).map(drop)
        })
    });
    ignore_unsupported(done.map(drop))
        .with_context(|| format!("cannot compile the modules in `{}`", directory.display()))
}

/// Ignores the errors that nothing can be compiled or stored: then there is just no byte code.
fn ignore_unsupported(done: Result<()>) -> Result<()> {
    match done {
        Err(error) if error.is::<NoCompiler>() || is_read_only(&error) => {
            debug!("no byte code: {error:#}");
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

/// Compiles the modules of an environment. Returns whether its interpreter supports this.
fn compile_entry(entry: &Entry, store: &Store, process: &Process) -> Result<bool> {
    let Some(manifest) = fs::look_for_json::<Manifest>(&entry.path.join(MANIFEST))? else {
        return Ok(false);
    };
    // CPython 2.7 compiles in place.
    if manifest.python.starts_with("2.") {
        let _umask = fs::PlainUmask::set();
        return python2::compile_all(
            &entry.path.join(&manifest.site.directory),
            &manifest.interpreter,
        )
        .map(|()| true);
    }
    let Some(version) = byte_code_version(&manifest.python) else {
        return Ok(false);
    };
    let _umask = fs::PlainUmask::set();
    // Compile what the store does not have yet, then add it to the environment.
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
    let context = CompileContext {
        store,
        process,
        linker: &Linker::default(),
    };
    let byte_code = compile_all(&wheels, &version, &manifest.interpreter, &context)?;
    // The byte code must be on disk before it has a name in the environment.
    store.sync(&entry.path)?;
    let site = entry.path.join(&manifest.site.directory);
    put(
        &belonging(&byte_code, &layout, &places),
        &site,
        context.linker,
        Target::Busy,
    )?;
    Ok(true)
}

/// Returns the byte code of wheels, each with its directory.
pub(super) fn compile_all(
    wheels: &[UnpackedWheel],
    version: &str,
    interpreter: &Path,
    context: &CompileContext,
) -> Result<Vec<(PathBuf, ByteCode)>> {
    let environment = context.process.environment.clone();
    let compiler = Compiler::new(interpreter.to_path_buf(), environment, Form::Unchecked);
    let mut wheels: Vec<&UnpackedWheel> = wheels.iter().collect();
    wheels.sort_by_cached_key(|wheel| (std::cmp::Reverse(size_of_sources(wheel)), wheel.sha256));
    let total = wheels
        .iter()
        .flat_map(|wheel| sources(wheel))
        .map(|(_, size)| size)
        .sum();
    let progress = Progress::start("compiling", total);
    workers::in_order(&wheels, |wheel| {
        let part = progress.part(size_of_sources(wheel));
        let advance = |bytes| part.advance(bytes);
        of_wheel(wheel, version, &compiler, context.store, &advance)
    })
}

/// The environment to which byte code is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// An environment that programs may run in.
    Busy,
    /// An environment that no other process knows of yet. It is synced to disk before one does.
    Staged,
}

/// Adds byte code to site-packages, and replaces byte code that python has written.
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
    // Hard links refer to files that are on disk already.
    if target == Target::Busy && !staged.is_empty() && !linker.shares_files() {
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
            assert_eq!(byte_code_version(python).as_deref(), expected);
        }
    }
}
