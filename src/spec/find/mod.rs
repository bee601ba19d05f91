//! The search for the spec: vpython probes these locations in order, and uses only the first spec
//! that it finds.
//!
//! 1. `-vpython-spec`.
//! 2. A partner file next to the script, by the given path, then next to the real file.
//! 3. Inside the script, in the text of `-c`, or in the program on standard input.
//! 4. The directories upwards from the real script's directory, or from the current directory if
//!    there is no script, up to a directory with `.gclient` or the root.
//! 5. `VPYTHON_DEFAULT_SPEC`, or else the spec that `vpython.conf` names.
//! 6. None.
//!
//! If a location has several LUCI files, the name that the program is called by decides which one
//! applies: see `by_name`.
//!
//! The search is on the warm path: vpython probes each location once, opens no file that does not
//! exist, and reads the script once.

mod by_name;
mod inside;
mod load;
mod long_path;
mod partner;
mod program;
mod search_log;
mod walk;

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::Result;
use tracing::debug;

use super::{SpecKind, SpecText};
use crate::fs::{self, Trust, limits};
use crate::invocation::{Chosen, Invocation};
use crate::process::{CalledAs, Process};
use crate::report::Failure;
use inside::Inside;
use load::load;
pub(in crate::spec) use load::{from_bytes, inside_text};
use program::search_target;
pub use search_log::{Block, Finding, Probe, Probed, SearchLog};

/// Finds the spec for a command line.
///
/// # Errors
/// A named spec or a script cannot be read, or a partner file or an inline block is broken.
pub fn find(invocation: &Invocation, process: &Process) -> Result<SpecText> {
    find_by(&mut SearchLog::default(), invocation, process)
}

/// Finds the spec for a command line, and records each probe in `log`.
///
/// # Errors
/// Those of [`find`].
pub fn find_by(
    log: &mut SearchLog,
    invocation: &Invocation,
    process: &Process,
) -> Result<SpecText> {
    select(search_all(log, invocation, process)?, &invocation.chosen)
}

/// Applies the extras and groups that the command line selects.
fn select(text: SpecText, chosen: &Chosen) -> Result<SpecText> {
    if !chosen.is_empty() && text.kind != SpecKind::Pyproject {
        let why = if text.kind == SpecKind::None {
            "there is no spec".to_owned()
        } else {
            format!("the spec is {}", text.title())
        };
        let failure =
            Failure::new("`-vpython-extra` and `-vpython-group` require a `pyproject.toml`")
                .because(why);
        return Err(failure
            .hint("pass it with `-vpython-spec pyproject.toml`")
            .into());
    }
    Ok(SpecText {
        chosen: chosen.clone(),
        ..text
    })
}

fn search_all(log: &mut SearchLog, invocation: &Invocation, process: &Process) -> Result<SpecText> {
    // 1. The flag.
    if let Some(path) = &invocation.spec {
        let loaded = load(path, "the spec that `-vpython-spec` names");
        log.note(Finding::of(&loaded), || Probed::Flag(Some(path.clone())));
        return loaded;
    }
    log.note(Finding::Nothing, || Probed::Flag(None));
    // 2 and 3. Next to the program, and inside it.
    let mut search = search_target(invocation, process, log)?;
    if let Some(spec) = search.spec {
        let warnings = search.warnings.into_iter().chain(spec.warnings).collect();
        return Ok(SpecText { warnings, ..spec });
    }
    // 4. The walk; 5. the default spec; 6. none.
    let directory = search.directory.take();
    let walked = match &directory {
        Some(directory) => {
            long_path::refuse_directory(directory, invocation)?;
            walk::up(directory, &mut search)?
        }
        None => None,
    };
    let found = match (walked, &invocation.default_spec) {
        (Some(spec), _) => spec,
        (None, Some(path)) => {
            let path = &named_by_variable(path, directory.as_deref(), process, &mut search)?;
            let (by, place) = default_spec_by(invocation, path);
            let loaded = load(path, &format!("the spec that {by} names"));
            search.log.note(Finding::of(&loaded), || place);
            loaded?
        }
        (None, None) => {
            search.log.note(Finding::Nothing, || Probed::Variable(None));
            SpecText::none()
        }
    };
    let warnings = search.warnings.into_iter().chain(found.warnings).collect();
    Ok(SpecText { warnings, ..found })
}

/// Returns the source of the default spec at `path`, for an error message and for the log.
fn default_spec_by(invocation: &Invocation, path: &Path) -> (String, Probed) {
    let conf = &invocation.conf;
    match &conf.default_spec {
        Some(set) if invocation.default_spec.as_ref() == Some(&set.value) => {
            let file = conf.file.clone().unwrap_or_default();
            (
                format!("`default-spec` in {}", conf.place(set.line)),
                Probed::Conf(file, path.to_path_buf()),
            )
        }
        _ => (
            "`VPYTHON_DEFAULT_SPEC`".to_owned(),
            Probed::Variable(Some(path.to_path_buf())),
        ),
    }
}

/// Resolves the path in `VPYTHON_DEFAULT_SPEC`: a relative path is relative to the program's
/// directory, or, if there is no such file, to the current directory.
fn named_by_variable(
    path: &Path,
    directory: Option<&Path>,
    process: &Process,
    search: &mut Search<'_>,
) -> Result<PathBuf> {
    if let Some(directory) = directory
        .filter(|directory| path.is_relative() && process.directory.as_deref() != Some(*directory))
    {
        let found = Found::at(
            directory.join(path),
            |path| Probed::Variable(Some(path)),
            search.log,
        )?;
        if let Some(found) = found.filter(|found| found.is_trusted(search)) {
            return Ok(found.path);
        }
    }
    Ok(process.absolute(path))
}

/// The results of the search next to the target and inside it.
struct Search<'t> {
    /// The spec next to it or inside it.
    spec: Option<SpecText>,
    /// The directory where the walk begins.
    directory: Option<PathBuf>,
    /// The users whose specs are trusted in any directory: the caller, root, and the script's
    /// owner.
    trust: Trust,
    /// Warnings about files and lines that are skipped.
    warnings: Vec<String>,
    /// The name of the program, which decides between LUCI's files.
    called: CalledAs,
    /// The log of probes.
    log: &'t mut SearchLog,
}

impl<'t> Search<'t> {
    /// Returns the result for a target without a spec, with the directory where the walk begins.
    fn directory(directory: Option<PathBuf>, process: &Process, log: &'t mut SearchLog) -> Self {
        let trust = Trust::of_user(process.user);
        Self {
            spec: None,
            directory,
            trust,
            warnings: Vec::new(),
            called: process.called_as(),
            log,
        }
    }

    fn with(self, inside: Inside) -> Self {
        let warnings = self.warnings.into_iter().chain(inside.warnings).collect();
        Self {
            spec: inside.spec,
            warnings,
            ..self
        }
    }
}

/// An existing file in a location that may hold a spec.
struct Found {
    path: PathBuf,
    /// The kind of the location, for the log.
    place: fn(PathBuf) -> Probed,
    /// The owner of the file or symlink.
    owner: u32,
    /// Whether it is known to be a regular file, which is faster to read.
    is_regular: bool,
}

impl Found {
    /// Probes a location. Directories, pipes and sockets are skipped like missing files. A dangling
    /// symlink counts as a file: it is meant to be a spec, and reading it will fail.
    ///
    /// # Errors
    /// The system does not report whether the file exists: continuing without it could run the
    /// program with a different spec.
    fn at(
        path: PathBuf,
        place: fn(PathBuf) -> Probed,
        log: &mut SearchLog,
    ) -> Result<Option<Self>> {
        let Some(metadata) = fs::ok_if_hidden(fs::link_metadata(&path))?.flatten() else {
            log.note(Finding::Nothing, || place(path));
            return Ok(None);
        };
        // A symlink counts by its target, if there is one.
        let target = if metadata.is_symlink() {
            fs::metadata(&path).ok().flatten()
        } else {
            None
        };
        let kind = target.as_ref().unwrap_or(&metadata).file_type();
        if kind.is_dir() || kind.is_fifo() || kind.is_socket() {
            log.note(Finding::NoFile, || place(path));
            return Ok(None);
        }
        Ok(Some(Self {
            path,
            place,
            owner: metadata.uid(),
            is_regular: kind.is_file(),
        }))
    }

    /// Checks whether the file may be used: in a directory that other users can write to, only
    /// files of trusted users may. Adds a warning otherwise.
    fn is_trusted(&self, search: &mut Search<'_>) -> bool {
        let Some(stranger) = search.trust.stranger(&self.path, self.owner) else {
            return true;
        };
        search.log.note(Finding::Stranger(self.owner), || {
            (self.place)(self.path.clone())
        });
        search
            .warnings
            .push(format!("the spec {stranger}; it is skipped"));
        false
    }

    /// Reads the whole file; returns `None` if it does not apply to the program of this name.
    fn read(&self, kind: SpecKind, search: &mut Search<'_>) -> Result<Option<SpecText>> {
        debug!(path = %self.path.display(), "found a spec");
        let bytes = if self.is_regular {
            fs::read_before_exec(&self.path, limits::SPEC)
        } else {
            fs::read_text(&self.path, limits::SPEC)
        };
        let text = bytes.and_then(|bytes| from_bytes(&self.path, kind, bytes));
        let counts = text
            .as_ref()
            .map_or(true, |text| by_name::counts(search.called, text));
        let finding = if counts {
            Finding::of(&text)
        } else {
            Finding::Python2
        };
        search.log.note(finding, || (self.place)(self.path.clone()));
        if counts { text.map(Some) } else { Ok(None) }
    }
}
