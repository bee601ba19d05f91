//! `-vpython-tool unpack FILE DIR`: creates an environment from an archive of `pack`, without a
//! network and without the store.
//!
//! vpython extracts the archive next to the destination, verifies it against its manifest, and
//! renames it into place as a whole; until then the previous environment remains in use. The
//! manifest stays in the environment. By it a later run recognizes that nothing is to be done, and
//! tells its own environments from other directories.

mod existing;
mod extract;

pub use extract::extract;

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use super::pack_manifest::{PACK_MANIFEST, PackManifest, UNPACK_STATE};
use super::{install, interpreter_copy, relocate};
use crate::fs::{self, StagedDir};
use crate::interpreter::Facts;
use crate::invocation::{Invocation, Unpack};
use crate::process::Process;
use crate::report::{self, Failure};
use existing::{Existing, State};

/// Unpacks the archive that the command line names, prints the path of the environment, and returns
/// the exit code.
///
/// # Errors
/// Returns an error if the file is not an archive of `pack` or is damaged, if the destination holds
/// anything that vpython did not unpack, or if the interpreter does not exist.
pub fn run(options: &Unpack, invocation: &Invocation, process: &Process) -> Result<i32> {
    let (file, destination) = named(&invocation.words, process)?;
    // Validate everything before anything is written.
    let link = options
        .link
        .as_ref()
        .map(|name| Link::to(name, &destination, process))
        .transpose()?;
    let manifest = extract::manifest(&file)?;
    let python = options
        .python
        .as_deref()
        .map(|path| relocate::facts(&process.absolute(path), invocation, process))
        .transpose()?;
    check_interpreter(&manifest, python.as_ref())?;
    let install_path = install_path(&manifest, options.settle, &destination)?;
    let state = State::of(
        python.as_ref().map(|facts| facts.executable.as_path()),
        install_path,
    );
    if Existing::inspect(&destination, &manifest, &state, process.user)? != Existing::UpToDate
        || StagedDir::is_beside(&destination)
    {
        let staged = StagedDir::beside(&destination)?;
        // Another process may have unpacked it in the meantime.
        if Existing::inspect(&destination, &manifest, &state, process.user)? != Existing::UpToDate {
            let manifest = extract(&file, staged.path())?;
            if let Some(python) = &python {
                relocate::give_interpreter(staged.path(), python)?;
            }
            if let Some(install_path) = install_path {
                interpreter_copy::record_install_path(staged.path(), install_path)?;
            }
            fs::write_new(&staged.path().join(PACK_MANIFEST), &manifest.text()?, 0o644)?;
            fs::write_new(
                &staged.path().join(UNPACK_STATE),
                &serde_json::to_vec_pretty(&state)?,
                0o644,
            )?;
            staged
                .place(|old| Existing::inspect(old, &manifest, &state, process.user).map(drop))?;
        }
    }
    link.map_or(Ok(()), |link| link.put())?;
    install::print(&destination)
}

/// Returns the archive and the destination.
fn named(words: &[OsString], process: &Process) -> Result<(PathBuf, PathBuf)> {
    let words: Vec<&OsString> = words.iter().filter(|word| *word != "--").collect();
    match words[..] {
        [file, destination] if !destination.is_empty() => Ok((
            process.absolute(Path::new(file)),
            fs::plain_place(process.absolute(Path::new(destination))),
        )),
        _ => {
            let failure =
                Failure::new("`-vpython-tool unpack` takes an archive and a destination directory");
            Err(failure
                .hint(format!(
                    "for example: `{} -vpython-tool unpack env.tar.gz /opt/app/env`",
                    report::program()
                ))
                .into())
        }
    }
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
    // An interpreter fits if it has the same minor version.
    match (&manifest.interpreter, named) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Failure::new(
            "the archive contains its own interpreter; `--python` does not apply",
        )
        .into()),
        (Some(_), Some(facts))
            if minor(&facts.version().to_string()) == minor(&manifest.python) =>
        {
            Ok(())
        }
        (Some(_), Some(facts)) => {
            let failure = Failure::new(format!(
                "the environment requires CPython {}",
                minor(&manifest.python)
            ));
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
                    "name another CPython {} with `--python PATH`",
                    minor(&manifest.python)
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

/// A link to the environment.
struct Link {
    path: PathBuf,
    target: PathBuf,
}

impl Link {
    /// The link with this name: next to the environment if it is a plain name, else relative to the
    /// current directory.
    ///
    /// # Errors
    /// Returns an error if the name is in use by anything but a link, or lies inside the
    /// environment.
    fn to(name: &Path, destination: &Path, process: &Process) -> Result<Self> {
        let is_plain = matches!(
            name.components().collect::<Vec<_>>()[..],
            [Component::Normal(_)]
        );
        let path = if is_plain {
            destination.with_file_name(name)
        } else {
            fs::plain_place(process.absolute(name))
        };
        // Only an existing link may be replaced.
        let refuse = |why| {
            Err(
                Failure::new(format!("cannot create the link `{}`", path.display()))
                    .because(why)
                    .into(),
            )
        };
        if path == destination || fs::link_metadata(&path)?.is_some_and(|found| !found.is_symlink())
        {
            return refuse("the name is already in use");
        }
        if path.starts_with(destination) {
            return refuse("it would be inside the environment");
        }
        // In the same directory, the link is relative, so that both can be moved together.
        let sibling = destination
            .file_name()
            .filter(|_| path.parent() == destination.parent());
        Ok(Self {
            target: sibling.map_or_else(|| destination.to_path_buf(), PathBuf::from),
            path,
        })
    }

    fn put(&self) -> Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let put = fs::create_dir_all(directory, 0o755)
            .and_then(|()| fs::replace_link(&self.target, &self.path));
        put.with_context(|| format!("cannot create the link `{}`", self.path.display()))
    }
}
