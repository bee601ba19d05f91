//! `--with-python`: a copy of the base interpreter in an environment that leaves the store, so that
//! both move together.
//!
//! ```text
//! ENVIRONMENT/
//!   bin/python3 -> ../python/bin/python3.11
//!   pyvenv.cfg                        without `home`: python finds its library from where the link leads
//!   python/bin/python3.11             the copy, which runs on its own too
//!   python/lib/python3.11/            the standard library, without its tests, what others have installed, and archives to link with
//!   python/lib/libpython3.11.so.1.0   where the interpreter has need of it
//!   python/include/python3.11/
//! ```
//!
//! Such a directory is a bundle too: `-vpython-interpreter` and the search beside vpython's binary
//! take it for an interpreter. What a build of python says of itself, as in its `Makefile`, stays
//! as it is. The base is only read.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use super::elf::{self, Elf, Precedence};
use crate::fs;
use crate::plan::Facts;
use crate::report::Failure;

/// The directory of the copy, relative to the environment.
pub(super) const DIRECTORY: &str = "python";
/// Directories of the standard library that no program imports, or that are not of it.
const LEFT_OUT: [&str; 6] = [
    "__pycache__",
    "dist-packages",
    "idle_test",
    "site-packages",
    "test",
    "tests",
];

/// Puts a copy of the interpreter into the environment at `environment`, which was built for it.
/// `compile` makes byte code of all sources in a directory.
///
/// # Errors
/// The interpreter cannot be found from somewhere else; the disk refuses.
pub(super) fn add(
    environment: &Path,
    interpreter: &Facts,
    compile: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let cannot = || format!("cannot take `{}` along", interpreter.executable.display());
    let copy = Copy::of(interpreter).with_context(cannot)?;
    let _umask = fs::PlainUmask::set();
    let python = environment.join(DIRECTORY);
    if fs::exists(&python) {
        return Err(Failure::new(cannot())
            .because(format!("a wheel has brought `{DIRECTORY}`"))
            .into());
    }
    copy.make(&python).with_context(cannot)?;
    compile(&python.join("lib"))?;
    seal(environment, interpreter)
}

/// Where the copy of an interpreter's binary is, relative to the environment.
pub(super) fn place(executable: &Path) -> PathBuf {
    Path::new(DIRECTORY)
        .join("bin")
        .join(executable.file_name().unwrap_or_default())
}

/// Whether a file of an environment, by its path there, is one of the copy.
pub(super) fn holds(path: &Path) -> bool {
    path.starts_with(DIRECTORY) || path == Path::new("bin/python2.7")
}

/// Has an environment find the copy.
fn seal(environment: &Path, interpreter: &Facts) -> Result<()> {
    let copy = place(&interpreter.executable);
    let mut configuration = format!(
        "include-system-site-packages = false\nversion = {}\n",
        interpreter.version()
    );
    if interpreter.is_python2() {
        seal_python2(environment, &copy)?;
        // Nobody reads it but those who look for environments.
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

/// Has the environment of a python 3 that was sealed name the place that it will have: then
/// `python -m venv` works in it too, and it is not moved any more.
pub(super) fn settle(environment: &Path, place: &Path) -> Result<()> {
    let path = environment.join("pyvenv.cfg");
    let home = place.join(DIRECTORY).join("bin");
    let home = home
        .to_str()
        .filter(|home| !home.contains('\n'))
        .context("the place cannot be written into `pyvenv.cfg`")?;
    let sealed = fs::read(&path)?;
    fs::replace(
        &path,
        &[b"home = ", home.as_bytes(), b"\n", &sealed].concat(),
        0o644,
    )
}

/// Of CPython 2.7 the environment has a binary of its own, which finds its library beside itself,
/// and links to each part of the standard library.
fn seal_python2(environment: &Path, copy: &Path) -> Result<()> {
    fs::replace(
        &environment.join("bin/python2.7"),
        &fs::read(&environment.join(copy))?,
        0o555,
    )?;
    for directory in ["lib", "lib/python2.7", "include"] {
        let up = "../".repeat(directory.split('/').count());
        for name in fs::list(&environment.join(directory))?.unwrap_or_default() {
            let path = Path::new(directory).join(&name);
            let link = environment.join(&path);
            if !fs::link_metadata(&link)?.is_some_and(|found| found.is_symlink()) {
                continue;
            }
            if fs::exists(&environment.join(DIRECTORY).join(&path)) {
                fs::replace_link(&Path::new(&up).join(DIRECTORY).join(&path), &link)?;
            } else {
                fs::remove_file(&link)?;
            }
        }
    }
    Ok(())
}

/// What is copied.
struct Copy {
    /// The directory that the base was installed to.
    prefix: PathBuf,
    /// The name of its binary in `bin`.
    binary: String,
    /// The files, by their paths relative to the prefix and to the copy, with what each is a copy
    /// of.
    files: Vec<(PathBuf, PathBuf)>,
}

impl Copy {
    fn of(interpreter: &Facts) -> Result<Self> {
        let executable = &interpreter.executable;
        let binary = executable
            .file_name()
            .and_then(OsStr::to_str)
            .context("its name is no text")?
            .to_owned();
        let prefix = executable
            .parent()
            .and_then(Path::parent)
            .context("it is in no `bin` directory")?
            .to_path_buf();
        let [major, minor, _] = interpreter.release;
        let name = format!("python{major}.{minor}");
        let mut copy = Self {
            prefix,
            binary: binary.clone(),
            files: vec![(Path::new("bin").join(&binary), executable.clone())],
        };
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
        for include in fs::list(&copy.prefix.join("include"))?.unwrap_or_default() {
            if include
                .to_string_lossy()
                .strip_prefix(&name)
                .is_some_and(|flags| flags.bytes().all(|byte| byte.is_ascii_lowercase()))
            {
                copy.add_directory(&Path::new("include").join(include))?;
            }
        }
        copy.add_library(executable)?;
        Ok(copy)
    }

    /// Adds what is in a directory of the prefix, if that is there.
    fn add_directory(&mut self, directory: &Path) -> Result<()> {
        let root = self.prefix.join(directory);
        if !fs::exists(&root) {
            return Ok(());
        }
        for entry in WalkDir::new(&root)
            .into_iter()
            .filter_entry(|entry| !is_left_out(entry))
        {
            let entry = entry?;
            // A link is copied as what it leads to, unless that is not of the standard library.
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

    /// Adds the library that the binary is but a frame for, where it is.
    fn add_library(&mut self, executable: &Path) -> Result<()> {
        let Some(elf) = Elf::parse(fs::read(executable)?) else {
            return Ok(());
        };
        let Some(name) = elf.needed.iter().find(|name| name.starts_with("libpython")) else {
            return Ok(());
        };
        let Some(run_path) = elf.run_path() else {
            let why = format!(
                "it finds `{name}` without a run path, so that a copy would find that of the system"
            );
            return Err(Failure::new(why)
                .hint("take a python that was built with a run path, or without a shared library")
                .into());
        };
        let bin = executable.parent().unwrap_or(Path::new("/"));
        let directories = run_path
            .iter()
            .map(|directory| PathBuf::from(directory.replace("$ORIGIN", &bin.to_string_lossy())));
        let library = directories
            .map(|directory| directory.join(name))
            .find(|library| fs::is_file(library));
        let library = library
            .with_context(|| format!("its library `{name}` is not where its run path says"))?;
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

    /// Makes the copy in `to`.
    fn make(&self, to: &Path) -> Result<()> {
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

    /// Copies one file; a run path into the prefix becomes one into the copy.
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

    /// The run path of the copy of the file at `path`; none where it can stay as it is.
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

fn is_left_out(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    if entry.file_type().is_dir() {
        return LEFT_OUT.contains(&&*name);
    }
    // What others configure is not python's, and what is linked with is large.
    let is_installers =
        ["EXTERNALLY-MANAGED", "sitecustomize.py", "usercustomize.py"].contains(&&*name);
    is_installers
        || [".a", ".o", ".pyc", ".pyo"]
            .iter()
            .any(|ending| name.ends_with(ending))
}
