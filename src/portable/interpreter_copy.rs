//! `--with-python`: copies the base interpreter into an environment outside the store, so that both
//! can be moved together.
//!
//! ```text
//! ENVIRONMENT/
//!   bin/python3 -> ../python/bin/python3.11
//!   pyvenv.cfg                        without `home`: python follows the link to find its library
//!   python/bin/python3.11             the copy, which runs on its own too
//!   python/lib/python3.11/            the standard library, without tests, site-packages and
//!                                     archives for the linker
//!   python/lib/libpython3.11.so.1.0   if the interpreter needs it
//!   python/include/python3.11/
//! ```
//!
//! Such a directory is a bundle too: `-vpython-interpreter` and the search next to vpython's binary
//! accept it as an interpreter. The build configuration that python records, for example in its
//! `Makefile`, is copied unchanged. The base interpreter is only read.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use super::elf::{self, Elf, Precedence};
use crate::fs;
use crate::interpreter::{Facts, library_name};
use crate::report::Failure;
use crate::store::{CLibrary, PYTHON_RECORD, PythonRecord};

/// The directory of the copy, relative to the environment.
pub(super) const DIRECTORY: &str = "python";
/// Directories of the standard library that no program imports, or that do not belong to it.
const EXCLUDED: [&str; 6] = [
    "__pycache__",
    "dist-packages",
    "idle_test",
    "site-packages",
    "test",
    "tests",
];

/// Copies the interpreter into the environment at `environment`, which was built for it. `compile`
/// compiles all sources in a directory to byte code.
///
/// # Errors
/// Returns an error if the interpreter is not relocatable or a file cannot be written.
pub(super) fn add(
    environment: &Path,
    interpreter: &Facts,
    compile: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let cannot = || {
        format!(
            "cannot copy `{}` into the environment",
            interpreter.executable.display()
        )
    };
    let copy = Copy::of(interpreter).with_context(cannot)?;
    let _umask = fs::PlainUmask::set();
    let python = environment.join(DIRECTORY);
    if fs::exists(&python) {
        return Err(Failure::new(cannot())
            .because(format!("a wheel already provides `{DIRECTORY}`"))
            .into());
    }
    copy.make(&python).with_context(cannot)?;
    compile(&python.join("lib"))?;
    use_copy(environment, interpreter)
}

/// Copies the interpreter into the new directory `to`, without byte code.
///
/// # Errors
/// Returns an error if the interpreter is not relocatable or a file cannot be written.
pub(super) fn make(interpreter: &Facts, to: &Path) -> Result<()> {
    let copy = Copy::of(interpreter)?;
    let _umask = fs::PlainUmask::set();
    copy.make(to)
}

/// The path of the copied binary, relative to the environment.
pub(super) fn binary_path(executable: &Path) -> PathBuf {
    Path::new(DIRECTORY)
        .join("bin")
        .join(executable.file_name().unwrap_or_default())
}

/// Returns whether a file of an environment, given by its path there, belongs to the copy.
pub(super) fn contains(path: &Path) -> bool {
    path.starts_with(DIRECTORY) || path == Path::new("bin/python2.7")
}

/// Makes an environment use the copy.
fn use_copy(environment: &Path, interpreter: &Facts) -> Result<()> {
    let copy = binary_path(&interpreter.executable);
    let mut configuration = format!(
        "include-system-site-packages = false\nversion = {}\n",
        interpreter.version()
    );
    if interpreter.is_python2() {
        use_copy_python2(environment, &copy)?;
        // Python 2 does not read this file; tools that search for environments do.
        configuration = format!("home = {DIRECTORY}/bin\n{configuration}");
    } else {
        fs::replace_link(
            &Path::new("..").join(copy),
            &environment.join("bin/python3"),
        )?;
    }
    fs::replace(
        &environment.join("pyvenv.cfg"),
        configuration.as_bytes(),
        0o444,
    )
}

/// Records the absolute install path in an environment of python 3 that contains its interpreter.
/// `python -m venv` then works in it too, but it can no longer be moved.
pub(super) fn record_install_path(environment: &Path, install_path: &Path) -> Result<()> {
    let path = environment.join("pyvenv.cfg");
    let home = install_path.join(DIRECTORY).join("bin");
    let home = home
        .to_str()
        .filter(|home| !home.contains('\n'))
        .context("the install path cannot be written to `pyvenv.cfg`")?;
    let sealed = fs::read(&path)?;
    fs::replace(
        &path,
        &[b"home = ", home.as_bytes(), b"\n", &sealed].concat(),
        0o644,
    )
}

/// An environment of CPython 2.7 has its own binary, which finds its library next to itself, and a
/// link to each part of the standard library. Replaces the binary, and redirects the links to the
/// copy.
fn use_copy_python2(environment: &Path, copy: &Path) -> Result<()> {
    fs::replace(
        &environment.join("bin/python2.7"),
        &fs::read(&environment.join(copy))?,
        0o555,
    )?;
    for directory in ["lib", "lib/python2.7", "include"] {
        // The links are relative, so that the environment can be moved.
        let up = "../".repeat(directory.split('/').count());
        for name in fs::list(&environment.join(directory))?.unwrap_or_default() {
            let path = Path::new(directory).join(&name);
            let link = environment.join(&path);
            // Files of wheels are not links.
            if !fs::link_metadata(&link)?.is_some_and(|found| found.is_symlink()) {
                continue;
            }
            if fs::exists(&environment.join(DIRECTORY).join(&path)) {
                fs::replace_link(&Path::new(&up).join(DIRECTORY).join(&path), &link)?;
            } else {
                // A link to a part that was not copied would dangle.
                fs::remove_file(&link)?;
            }
        }
    }
    Ok(())
}

/// A planned copy of an interpreter.
struct Copy {
    /// The prefix into which the base interpreter was installed.
    prefix: PathBuf,
    /// The name of its binary in `bin`.
    binary: String,
    /// The files: the path of each relative to the prefix and to the copy, and the file to copy.
    files: Vec<(PathBuf, PathBuf)>,
}

impl Copy {
    fn of(interpreter: &Facts) -> Result<Self> {
        let executable = &interpreter.executable;
        let binary = executable
            .file_name()
            .and_then(OsStr::to_str)
            .context("its name is not UTF-8")?
            .to_owned();
        let prefix = executable
            .parent()
            .and_then(Path::parent)
            .context("it is not in a `bin` directory")?
            .to_path_buf();
        let record: Option<PythonRecord> = fs::read_json(&prefix.join(PYTHON_RECORD));
        let has_own_library =
            record.is_some_and(|record| matches!(record.libraries, CLibrary::Own { .. }));
        if has_own_library {
            let why = "it has its own C library, which it finds by an absolute path";
            return Err(Failure::new(why)
                .hint("copy it on a machine with a C library, or use its image")
                .into());
        }
        let [major, minor, _] = interpreter.release;
        let name = library_name(major, minor, interpreter.abi.free_threaded);
        let mut copy = Self {
            prefix,
            binary: binary.clone(),
            files: vec![(Path::new("bin").join(&binary), executable.clone())],
        };
        // The standard library.
        for lib in ["lib", "lib64"] {
            // On some systems one is a link to the other.
            if !fs::link_metadata(&copy.prefix.join(lib))?.is_some_and(|found| found.is_symlink()) {
                copy.add_directory(&Path::new(lib).join(&name))?;
            }
        }
        if !copy
            .files
            .iter()
            .any(|(path, _)| path.ends_with(Path::new(&name).join("os.py")))
        {
            return Err(Failure::new(format!(
                "its standard library is not in `{}/lib/{name}`",
                copy.prefix.display()
            ))
            .into());
        }
        // The headers, with ABI flags in the directory's name, for example `python3.7m`. Those of
        // a free-threaded build may be next to those of a normal one.
        for include in fs::list(&copy.prefix.join("include"))?.unwrap_or_default() {
            if include
                .to_string_lossy()
                .strip_prefix(&name)
                .is_some_and(|flags| {
                    flags
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() && byte != b't')
                })
            {
                copy.add_directory(&Path::new("include").join(include))?;
            }
        }
        copy.add_library(executable)?;
        Ok(copy)
    }

    /// Adds the contents of a directory of the prefix, if it exists.
    fn add_directory(&mut self, directory: &Path) -> Result<()> {
        let root = self.prefix.join(directory);
        if !fs::exists(&root) {
            return Ok(());
        }
        for entry in WalkDir::new(&root)
            .into_iter()
            .filter_entry(|entry| !is_excluded(entry))
        {
            let entry = entry?;
            // A link is copied as the file it points to, unless that lies outside the standard
            // library.
            let real = match entry.file_type() {
                kind if kind.is_file() => Some(entry.path().to_path_buf()),
                kind if kind.is_symlink() => fs::canonicalize(entry.path())
                    .ok()
                    .filter(|real| real.starts_with(&root) && fs::is_file(real)),
                _ => None,
            };
            if let Some(real) = real {
                self.files
                    .push((entry.path().strip_prefix(&self.prefix)?.to_path_buf(), real));
            }
        }
        Ok(())
    }

    /// Adds the shared libpython, if the binary needs one.
    fn add_library(&mut self, executable: &Path) -> Result<()> {
        let Some(elf) = Elf::parse(fs::read(executable)?) else {
            return Ok(());
        };
        let Some(name) = elf.needed.iter().find(|name| name.starts_with("libpython")) else {
            return Ok(());
        };
        let Some(run_path) = elf.run_path() else {
            let why =
                format!("it loads `{name}` without a run path, so a copy would load the system's");
            return Err(Failure::new(why)
                .hint("use a python that was built with a run path, or without a shared library")
                .into());
        };
        // Look for the library in the run path as the dynamic loader does.
        let bin = executable.parent().unwrap_or(Path::new("/"));
        let directories = run_path
            .iter()
            .map(|directory| PathBuf::from(directory.replace("$ORIGIN", &bin.to_string_lossy())));
        let library = directories
            .map(|directory| directory.join(name))
            .find(|library| fs::is_file(library));
        let library =
            library.with_context(|| format!("its library `{name}` is not in its run path"))?;
        let others = library
            .parent()
            .map(|directory| directory.join("libpython3.so"))
            .filter(|stable| fs::is_file(stable));
        for library in [Some(library), others].into_iter().flatten() {
            let name = library.file_name().unwrap_or_default();
            self.files
                .push((Path::new("lib").join(name), fs::canonicalize(&library)?));
        }
        Ok(())
    }

    /// Writes the copy to `to`.
    fn make(&self, to: &Path) -> Result<()> {
        // Create all directories first, since the files are copied in parallel.
        let directories: BTreeSet<&Path> = self
            .files
            .iter()
            .filter_map(|(path, _)| path.parent())
            .collect();
        directories
            .into_iter()
            .try_for_each(|directory| fs::create_dir_all(&to.join(directory), 0o755))?;
        self.files.par_iter().try_for_each(|(path, real)| {
            self.copy_file(path, real, &to.join(path))
                .with_context(|| format!("cannot copy `{}`", real.display()))
        })?;
        // Add the other names by which programs call the interpreter.
        let major = if self.binary.starts_with("python2") {
            "python2"
        } else {
            "python3"
        };
        for name in [major, "python"] {
            if name != self.binary {
                fs::symlink(Path::new(&self.binary), &to.join("bin").join(name))?;
            }
        }
        Ok(())
    }

    /// Copies one file. A run path into the prefix becomes one into the copy.
    fn copy_file(&self, path: &Path, real: &Path, to: &Path) -> Result<()> {
        let content = fs::read(real)?;
        let is_executable =
            fs::metadata(real)?.is_some_and(|metadata| fs::mode(&metadata) & 0o111 != 0);
        let mode = if is_executable { 0o555 } else { 0o444 };
        let moved = Elf::parse(content.clone())
            .and_then(|elf| Some((self.moved(elf.run_path()?, path)?, elf)));
        let content = match moved {
            Some((run_path, elf)) => elf.with_run_path(&run_path, Precedence::First)?,
            None => content,
        };
        fs::write_new(to, &content, mode)
    }

    /// Returns the run path for the copy of the file at `path`; `None` if it stays unchanged.
    fn moved(&self, run_path: Vec<&str>, path: &Path) -> Option<Vec<String>> {
        let directory = path.parent()?;
        let inside = |entry: &str| {
            Some(elf::by_origin(
                directory,
                Path::new(entry).strip_prefix(&self.prefix).ok()?,
            ))
        };
        let is_moved = run_path.iter().any(|entry| inside(entry).is_some());
        is_moved.then(|| {
            run_path
                .into_iter()
                .map(|entry| inside(entry).unwrap_or_else(|| entry.to_owned()))
                .collect()
        })
    }
}

fn is_excluded(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    if entry.file_type().is_dir() {
        return EXCLUDED.contains(&&*name);
    }
    // Configuration of the installing distribution does not belong to python, and archives for the
    // linker are large.
    let is_installers =
        ["EXTERNALLY-MANAGED", "sitecustomize.py", "usercustomize.py"].contains(&&*name);
    is_installers
        || [".a", ".o", ".pyc", ".pyo"]
            .iter()
            .any(|ending| name.ends_with(ending))
}
