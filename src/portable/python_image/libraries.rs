//! The libraries that an interpreter and its extension modules load from this machine, and those
//! that wheels may expect there, with the loader itself.
//!
//! The loader says where they are: `ld.so --list FILE` (`ld.so(8)`), which musl's loader has too.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use rayon::prelude::*;
use walkdir::WalkDir;

use crate::build;
use crate::fs;
use crate::interpreter::{Facts, Libc};
use crate::process::no_input;
use crate::report::{self, Failure};

/// The libraries that manylinux wheels may use without bringing them, apart from those of a desktop
/// (PEP 599, and the policies of `auditwheel`), and the name services that old versions of the C
/// library load by name.
const OF_WHEELS: [&str; 14] = [
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "libm.so.6",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libpthread.so.0",
    "libresolv.so.2",
    "libnss_files.so.2",
    "libnss_dns.so.2",
    "libmvec.so.1",
    "libatomic.so.1",
    "libz.so.1",
    "libexpat.so.1",
];
/// The module for windows, which needs a desktop and the scripts of Tcl.
const OF_DESKTOP: &str = "_tkinter.";

/// Copies the libraries of an interpreter into a directory, each under the name by which the loader
/// looks for it. `copy` is the copy of the interpreter. Returns `false` if it needs none.
///
/// # Errors
/// The loader cannot be run, or a library cannot be copied.
pub(super) fn collect(interpreter: &Facts, copy: &Path, to: &Path) -> Result<bool> {
    let Some(loader) = build::loader_of(fs::read(&interpreter.executable)?)? else {
        return Ok(false);
    };
    let prefix = interpreter.executable.parent().and_then(Path::parent);
    let prefix = prefix.context("it is not in a `bin` directory")?;
    let mut libraries = list(&loader, &interpreter.executable, &OF_WHEELS.join(":"))?;
    let modules: Vec<PathBuf> = modules(copy)?
        .into_iter()
        .map(|path| Some(prefix.join(path)).filter(|it| fs::is_file(it)))
        .collect::<Option<_>>()
        .unwrap_or_default();
    let of_modules = modules.par_iter().map(|module| list(&loader, module, ""));
    for found in of_modules.collect::<Result<Vec<_>>>()? {
        libraries.extend(found);
    }
    // The interpreter's own library is in the copy.
    libraries.retain(|name, _| !fs::exists(&copy.join("lib").join(name)));
    let name = loader.file_name().unwrap_or_default().to_string_lossy();
    libraries.insert(name.into_owned(), loader.clone());
    for (name, path) in &libraries {
        let is_executable = *path == loader || fs::mode(&fs::open(path)?.metadata()?) & 0o111 != 0;
        let mode = if is_executable { 0o755 } else { 0o644 };
        fs::write_new(&to.join(name), &fs::read(path)?, mode)?;
    }
    Ok(true)
}

/// Returns the name and the version of the C library.
pub(super) fn title(interpreter: &Facts) -> String {
    match interpreter.libc {
        Libc::Glibc { major, minor } => format!("glibc {major}.{minor}"),
        Libc::Musl { major, minor } => format!("musl {major}.{minor}"),
        Libc::Other => "unknown".to_owned(),
    }
}

/// Returns the extension modules and libraries of a copy, relative to it.
fn modules(copy: &Path) -> Result<Vec<PathBuf>> {
    let mut modules = Vec::new();
    for entry in WalkDir::new(copy.join("lib")).sort_by_file_name() {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy();
        let is_module = name.contains(".so") && !name.starts_with(OF_DESKTOP);
        if !entry.file_type().is_file() || !is_module {
            continue;
        }
        let mut head = [0; 4];
        let read = fs::open(entry.path())?.read(&mut head);
        if read.is_ok_and(|length| length == head.len()) && head == object::elf::ELFMAG {
            modules.push(entry.path().strip_prefix(copy)?.to_path_buf());
        }
    }
    Ok(modules)
}

/// Returns the libraries that the loader would load for a file, and further ones that exist, by
/// their names.
fn list(loader: &Path, file: &Path, further: &str) -> Result<BTreeMap<String, PathBuf>> {
    let output = Command::new(loader)
        .arg("--list")
        .arg(file)
        .env_clear()
        .env("LD_PRELOAD", further)
        .stdin(no_input())
        .output();
    let output = output.with_context(|| format!("cannot run the loader `{}`", loader.display()))?;
    if !output.status.success() {
        let failure = Failure::new(format!(
            "the loader cannot list the libraries of `{}`",
            file.display()
        ));
        let said = report::last_words(&output.stderr);
        return Err(failure.because(said).into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(library).collect())
}

/// Parses a line such as `libm.so.6 => /lib/libm.so.6 (0x00007f…)`. Other lines are those of the
/// kernel, of the loader, and of libraries that do not exist.
fn library(line: &str) -> Option<(String, PathBuf)> {
    let (name, path) = line.trim().split_once(" => ")?;
    let (path, _) = path.rsplit_once(" (")?;
    let is_plain = !name.contains('/') && path.starts_with('/');
    is_plain.then(|| (name.to_owned(), PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_loader_are_parsed() {
        let rows = [
            (
                "\tlibm.so.6 => /lib/a b/libm.so.6 (0x00007f35a3800000)",
                Some(("libm.so.6", "/lib/a b/libm.so.6")),
            ),
            ("\tlinux-vdso.so.1 (0x00007ffd05dfe000)", None),
            ("\t/lib64/ld-linux-x86-64.so.2 (0x00007f35a3a9d000)", None),
            ("\tlibtk8.6.so => not found", None),
            ("\tstatically linked", None),
        ];
        for (line, expected) in rows {
            let expected = expected.map(|(name, path)| (name.to_owned(), PathBuf::from(path)));
            assert_eq!(library(line), expected, "{line}");
        }
    }
}
