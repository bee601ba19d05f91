//! `-vpython-tool unpack FILE DIR`: an archive of `pack` becomes an environment, without a network
//! and without the store.
//!
//! It is extracted beside its place, held against the listing in it, and put there as a whole:
//! until then what was there before is what is used. The listing stays in the environment, and by
//! it a later run tells that there is nothing to do, and a stranger's directory from one of its
//! own.

mod extract;
mod standing;

pub use extract::extract;

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use super::pack_manifest::{LISTING, PackManifest, STATE};
use super::{install, interpreter_copy, relocate};
use crate::fs::{self, StagedDir};
use crate::invocation::{Invocation, Unpack};
use crate::plan::Facts;
use crate::process::Process;
use crate::report::{self, Failure};
use standing::{Standing, State};

/// Unpacks the archive that the words name, and prints where. Gives the exit code.
///
/// # Errors
/// The file is no archive of `pack`, or not as it was packed; something else is at the place; the
/// interpreter is not there.
pub fn run(options: &Unpack, invocation: &Invocation, process: &Process) -> Result<i32> {
    let (file, place) = named(&invocation.words, process)?;
    let link = options
        .link
        .as_ref()
        .map(|name| Link::to(name, &place, process))
        .transpose()?;
    let listing = extract::listing(&file)?;
    let python = options
        .python
        .as_deref()
        .map(|path| relocate::facts(&process.absolute(path), invocation, process))
        .transpose()?;
    check_interpreter(&listing, python.as_ref())?;
    let settled = settled(&listing, options.settle, &place)?;
    let state = State::of(
        python.as_ref().map(|facts| facts.executable.as_path()),
        settled,
    );
    if Standing::look(&place, &listing, &state)? != Standing::Wanted || StagedDir::is_beside(&place)
    {
        let staged = StagedDir::beside(&place)?;
        // Somebody else may have made it meanwhile.
        if Standing::look(&place, &listing, &state)? != Standing::Wanted {
            let listing = extract(&file, staged.path())?;
            if let Some(python) = &python {
                relocate::give_interpreter(staged.path(), python)?;
            }
            if let Some(settled) = settled {
                interpreter_copy::settle(staged.path(), settled)?;
            }
            fs::write_new(&staged.path().join(LISTING), &listing.text()?, 0o644)?;
            fs::write_new(
                &staged.path().join(STATE),
                &serde_json::to_vec_pretty(&state)?,
                0o644,
            )?;
            staged.place()?;
        }
    }
    link.map_or(Ok(()), |link| link.put())?;
    install::print(&place)
}

/// The archive and the place.
fn named(words: &[OsString], process: &Process) -> Result<(PathBuf, PathBuf)> {
    let words: Vec<&OsString> = words.iter().filter(|word| *word != "--").collect();
    match words[..] {
        [file, place] if !place.is_empty() => Ok((
            process.absolute(Path::new(file)),
            fs::plain_place(process.absolute(Path::new(place))),
        )),
        _ => {
            let failure = Failure::new(
                "`-vpython-tool unpack` takes an archive and the directory to make of it",
            );
            Err(failure
                .hint(format!(
                    "write it as in `{} -vpython-tool unpack env.tar.gz /opt/app/env`",
                    report::program()
                ))
                .into())
        }
    }
}

/// Whether there is an interpreter for what is unpacked: the one that it was packed for, or
/// `named`.
///
/// # Errors
/// There is none.
fn check_interpreter(listing: &PackManifest, named: Option<&Facts>) -> Result<()> {
    let minor = |version: &str| {
        version
            .splitn(3, '.')
            .take(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .join(".")
    };
    match (&listing.interpreter, named) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Failure::new(
            "the archive brings its own interpreter: `--python` cannot name another",
        )
        .into()),
        (Some(_), Some(facts)) if minor(&facts.version().to_string()) == minor(&listing.python) => {
            Ok(())
        }
        (Some(_), Some(facts)) => {
            let failure = Failure::new(format!(
                "the environment is for CPython {}",
                minor(&listing.python)
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
                "the environment runs on `{packed}`, which is not there"
            ));
            Err(failure
                .hint(format!(
                    "`--python PATH` names another CPython {}",
                    minor(&listing.python)
                ))
                .into())
        }
    }
}

/// The place that the environment is to name, if it is to name one.
fn settled<'a>(
    listing: &PackManifest,
    is_wanted: bool,
    place: &'a Path,
) -> Result<Option<&'a Path>> {
    if is_wanted && listing.interpreter.is_some() {
        let failure =
            Failure::new("the archive has no interpreter: there is nothing for `--settle` to do");
        return Err(failure.hint("`pack --with-python` takes one along").into());
    }
    // Python 2 finds its place by itself.
    Ok(Some(place).filter(|_| is_wanted && !listing.python.starts_with("2.")))
}

/// A link that leads to the environment.
struct Link {
    path: PathBuf,
    target: PathBuf,
}

impl Link {
    /// The link of this name: beside the environment, where it is a plain one, else in the current
    /// directory.
    ///
    /// # Errors
    /// Something else has the name.
    fn to(name: &Path, place: &Path, process: &Process) -> Result<Self> {
        let is_plain = matches!(
            name.components().collect::<Vec<_>>()[..],
            [Component::Normal(_)]
        );
        let path = if is_plain {
            place.with_file_name(name)
        } else {
            fs::plain_place(process.absolute(name))
        };
        let refuse = |why| {
            Err(
                Failure::new(format!("cannot make the link `{}`", path.display()))
                    .because(why)
                    .into(),
            )
        };
        if path == place || fs::link_metadata(&path)?.is_some_and(|found| !found.is_symlink()) {
            return refuse("something else has that name");
        }
        if path.starts_with(place) {
            return refuse("it would be in the environment");
        }
        let beside = place
            .file_name()
            .filter(|_| path.parent() == place.parent());
        Ok(Self {
            target: beside.map_or_else(|| place.to_path_buf(), PathBuf::from),
            path,
        })
    }

    fn put(&self) -> Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let put = fs::create_dir_all(directory, 0o755)
            .and_then(|()| fs::replace_link(&self.target, &self.path));
        put.with_context(|| format!("cannot make the link `{}`", self.path.display()))
    }
}
