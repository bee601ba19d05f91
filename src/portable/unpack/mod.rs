//! Creates an environment from an archive or an image of `pack`. Only an image in a registry needs the
//! network, and the store, which keeps its layers.
//!
//! vpython extracts the archive next to the destination, verifies it against its manifest, and
//! renames it into place as a whole; until then the previous environment remains in use. The
//! manifest stays in the environment. By it a later run recognizes that nothing is to be done, and
//! tells its own environments from other directories.

mod existing;

use std::path::Path;

use anyhow::Result;

use super::{interpreter_copy, relocate};
use crate::fs::{self, StagedDir};
use crate::interpreter::Facts;
use crate::invocation::{Invocation, Unpack};
use crate::packed::Packed;
use crate::packed::manifest::{PACK_MANIFEST, PackManifest, UNPACK_STATE};
use crate::process::Process;
use crate::report::Failure;
use existing::{Existing, State};

/// Unpacks an archive or an image into the directory `destination`, unless it is there and up to date. Of the
/// options, `python` replaces the interpreter that the archive was packed for, and with `settle` a
/// packed interpreter gets the destination as its prefix.
///
/// # Errors
/// Returns an error if the file is not an archive of `pack` or is damaged, if the destination holds
/// anything that vpython did not unpack, or if the interpreter does not exist.
pub fn unpack(
    packed: &Packed,
    destination: &Path,
    options: &Unpack,
    invocation: &Invocation,
    process: &Process,
) -> Result<()> {
    let manifest = packed.manifest()?;
    let python = options
        .python
        .as_deref()
        .map(|path| relocate::facts(&process.absolute(path), invocation, process))
        .transpose()?;
    check_interpreter(&manifest, python.as_ref())?;
    let install_path = install_path(&manifest, options.settle, destination)?;
    let python_path = python.as_ref().map(|facts| facts.executable.as_path());
    let state = State::of(python_path, install_path);
    let inspect = |path: &Path, manifest: &PackManifest| {
        Existing::inspect(path, manifest, &state, process.user)
    };
    if inspect(destination, &manifest)? == Existing::UpToDate && !StagedDir::is_beside(destination)
    {
        return Ok(());
    }
    let staged = StagedDir::beside(destination)?;
    // Another process may have unpacked it in the meantime.
    if inspect(destination, &manifest)? == Existing::UpToDate {
        return Ok(());
    }
    let manifest = packed.extract(staged.path())?;
    if let Some(python) = &python {
        relocate::give_interpreter(staged.path(), python)?;
    }
    if let Some(install_path) = install_path {
        interpreter_copy::record_install_path(staged.path(), install_path)?;
    }
    // The manifest and the state come last: they make the environment complete.
    fs::write_new(&staged.path().join(PACK_MANIFEST), &manifest.text()?, 0o644)?;
    fs::write_new(
        &staged.path().join(UNPACK_STATE),
        &serde_json::to_vec_pretty(&state)?,
        0o644,
    )?;
    staged.place(|old| inspect(old, &manifest).map(drop))
}

/// Checks that an interpreter for the environment exists: the one that it was packed for, or
/// `named`.
///
/// # Errors
/// Returns an error if it does not exist or has another version.
fn check_interpreter(manifest: &PackManifest, named: Option<&Facts>) -> Result<()> {
    let minor = |version: &str| {
        version
            .splitn(3, '.')
            .take(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .join(".")
    };
    let wanted = |manifest: &PackManifest| {
        let threads = if manifest.is_free_threaded() {
            "free-threaded "
        } else {
            ""
        };
        format!("{threads}CPython {}", minor(&manifest.python))
    };
    // An interpreter fits if it has the same minor version, and both are free-threaded or neither.
    match (&manifest.interpreter, named) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Failure::new(
            "the archive contains its own interpreter; `--python` does not apply",
        )
        .into()),
        (Some(_), Some(facts))
            if minor(&facts.version().to_string()) == minor(&manifest.python)
                && facts.abi.free_threaded == manifest.is_free_threaded() =>
        {
            Ok(())
        }
        (Some(_), Some(facts)) => {
            let failure = Failure::new(format!("the environment requires {}", wanted(manifest)));
            Err(failure
                .because(format!(
                    "`{}` is {}",
                    facts.executable.display(),
                    facts.title()
                ))
                .into())
        }
        (Some(packed), None) if fs::is_file(Path::new(packed)) => Ok(()),
        (Some(packed), None) => {
            let failure = Failure::new(format!(
                "the environment requires `{packed}`, which does not exist"
            ));
            Err(failure
                .hint(format!(
                    "name another {} with `--python PATH`",
                    wanted(manifest)
                ))
                .into())
        }
    }
}

/// Returns the absolute install path to record, if `--settle` requests it.
fn install_path<'a>(
    manifest: &PackManifest,
    is_requested: bool,
    destination: &'a Path,
) -> Result<Option<&'a Path>> {
    if is_requested && manifest.interpreter.is_some() {
        let failure =
            Failure::new("the archive contains no interpreter; `--settle` does not apply");
        return Err(failure
            .hint("pack the environment with `--with-python`")
            .into());
    }
    // Python 2 determines its prefix by itself.
    Ok(Some(destination).filter(|_| is_requested && !manifest.python.starts_with("2.")))
}
