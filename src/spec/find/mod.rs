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
mod partner;
mod search_log;
mod walk;

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tracing::debug;

use super::{Origin, STANDARD_INPUT, SpecKind, SpecText, luci, pylock, requirements};
use crate::fs::{self, Trust, limits};
use crate::invocation::{Chosen, Invocation, Target};
use crate::process::{CalledAs, Process};
use crate::report::Failure;
use inside::Inside;
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
        Some(directory) => walk::up(directory, &mut search)?,
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

fn search_target<'t>(
    invocation: &Invocation,
    process: &Process,
    log: &'t mut SearchLog,
) -> Result<Search<'t>> {
    match &invocation.target {
        Target::Script(path) => search_script(&process.absolute(path), process, log),
        Target::Command(text) => {
            let origin = Origin {
                file: None,
                lines_before: 0,
                columns_before: 0,
            };
            search_text(text.as_bytes(), origin, process, log)
        }
        // A program on standard input is read only if Python would run it.
        Target::Stdin | Target::None if invocation.runs_input() => {
            match process.program_on_input()? {
                Some(text) => search_text(&text, Origin::file(STANDARD_INPUT.into()), process, log),
                None => Ok(Search::directory(process.directory.clone(), process, log)),
            }
        }
        Target::Module(_) | Target::Stdin | Target::None | Target::Information => {
            Ok(Search::directory(process.directory.clone(), process, log))
        }
    }
}

/// Searches a program that is not a file, and so belongs to the current directory.
fn search_text<'t>(
    text: &[u8],
    origin: Origin,
    process: &Process,
    log: &'t mut SearchLog,
) -> Result<Search<'t>> {
    let inside = inside::command(text, origin, process.directory.clone(), log)?;
    Ok(Search::directory(process.directory.clone(), process, log).with(inside))
}

/// Searches a script. One that does not exist or cannot be opened contains no spec: Python reports
/// the error. One that is not a regular file (`/dev/stdin`, a named pipe) has no spec inside or
/// next to it: only Python may consume its bytes, and it may be standard input, which has no
/// directory.
fn search_script<'t>(path: &Path, process: &Process, log: &'t mut SearchLog) -> Result<Search<'t>> {
    let mut search = Search::directory(path.parent().map(Path::to_path_buf), process, log);
    let mut found = fs::ok_if_hidden(fs::link_metadata(path))?.flatten();
    let is_link = matches!(&found, Some(found) if found.is_symlink());
    if is_link {
        found = fs::ok_if_hidden(fs::metadata(path))?.flatten();
    }
    // The system's path of the current directory contains no symlinks.
    let is_real = !is_link && path.parent() == process.directory.as_deref();
    // A missing script: Python reports it.
    let Some(metadata) = found else {
        search
            .log
            .note(Finding::Nothing, || Probed::Program(path.to_path_buf()));
        return Ok(search);
    };
    if !metadata.is_file() && !metadata.is_dir() {
        search
            .log
            .note(Finding::NoFile, || Probed::Program(path.to_path_buf()));
        return Ok(Search {
            directory: process.directory.clone(),
            ..search
        });
    }
    // The script's owner is trusted; a directory runs by its `__main__.py`.
    search.trust = search.trust.and(metadata.uid());
    if metadata.is_dir() {
        return search_directory(path, search);
    }
    // The partner by the given path comes before the script's content.
    if let Some(spec) = partner::partner_of_file(path, &mut search)? {
        return Ok(Search {
            spec: Some(spec),
            ..search
        });
    }
    let Some(file) = fs::ok_if_hidden(fs::open_without_waiting(path))? else {
        search
            .log
            .note(Finding::Broken, || Probed::Program(path.to_path_buf()));
        return Ok(search);
    };
    let real = if is_real {
        path.to_path_buf()
    } else {
        fs::real_path(&file, path)?
    };
    search_file(file, real, path, search)
}

/// Searches a regular file that has just been opened.
fn search_file<'t>(
    mut file: File,
    real: PathBuf,
    path: &Path,
    search: Search<'t>,
) -> Result<Search<'t>> {
    let mut search = Search {
        directory: real.parent().map(Path::to_path_buf),
        ..search
    };
    let spec = if real == path {
        None
    } else {
        partner::partner_of_file(&real, &mut search)?
    };
    if spec.is_some() {
        return Ok(Search { spec, ..search });
    }
    let inside = inside::script(&mut file, real, search.log)?;
    fs::leave_open(file);
    Ok(search.with(inside))
}

/// Searches a directory that Python runs by its `__main__.py`.
fn search_directory<'t>(path: &Path, mut search: Search<'t>) -> Result<Search<'t>> {
    if let Some(spec) = partner::partner_of_directory(path, &mut search)? {
        return Ok(Search {
            spec: Some(spec),
            ..search
        });
    }
    // Then the partner by the real path, then the text of `__main__.py`.
    let real = fs::canonicalize(path)?;
    let spec = if real == path {
        None
    } else {
        partner::partner_of_directory(&real, &mut search)?
    };
    let main = real.join("__main__.py");
    let search = Search {
        directory: Some(real),
        ..search
    };
    if spec.is_some() {
        return Ok(Search { spec, ..search });
    }
    let Some(mut file) = fs::ok_if_hidden(fs::open_without_waiting(&main))? else {
        search.log.note(Finding::Nothing, || Probed::Program(main));
        return Ok(search);
    };
    let inside = inside::script(&mut file, main, search.log)?;
    Ok(search.with(inside))
}

/// Reads a named spec; its name and content determine its kind.
fn load(path: &Path, what: &str) -> Result<SpecText> {
    let cannot = || format!("cannot use {what}");
    let limit = if kind_by_name(path) == Some(SpecKind::Pylock) {
        limits::LOCK
    } else {
        limits::SPEC
    };
    let bytes = fs::read_named_text(path, limit).with_context(cannot)?;
    // The name decides first, then an inline block, then the content.
    if let Some(kind) = kind_by_name(path) {
        return from_bytes(path, kind, bytes).with_context(cannot);
    }
    let directory = path.parent().map(Path::to_path_buf);
    let inside = inside::text(
        &bytes,
        Origin::file(path.to_path_buf()),
        directory,
        &mut SearchLog::default(),
    )?;
    if let Some(spec) = inside.spec {
        return Ok(spec);
    }
    if let Some(kind) = kind_by_content(path, &bytes) {
        return from_bytes(path, kind, bytes);
    }
    let name = path
        .file_name()
        .map(OsStr::as_bytes)
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    Err(Failure::new(cannot())
        .because(format!(
            "`{}` is neither a `.toml`, `.vpython3` or `.txt` file nor a script with a `# /// script` or `[VPYTHON:BEGIN]` block",
            path.display()
        ))
        .hint(format!("if it has the format of `vpython.toml`, rename it to `{name}.toml`"))
        .into())
}

/// Returns the spec inside a script with this text.
pub(in crate::spec) fn inside_text(
    text: &[u8],
    origin: Origin,
    base: Option<PathBuf>,
) -> Result<Option<SpecText>> {
    inside::text(text, origin, base, &mut SearchLog::default()).map(|inside| inside.spec)
}

/// Returns the kind of a file if its name is unambiguous.
fn kind_by_name(path: &Path) -> Option<SpecKind> {
    let name = path.file_name()?.as_bytes();
    if pylock::is_lock(name) {
        return Some(SpecKind::Pylock);
    }
    if name == b"pyproject.toml" {
        return Some(SpecKind::Pyproject);
    }
    if name.ends_with(b".toml") {
        return Some(SpecKind::VpythonToml);
    }
    (name.ends_with(b".vpython3") || name.ends_with(b".vpython")).then_some(SpecKind::Luci)
}

/// Returns the kind of a file by its content: LUCI's vpython accepts a spec of any name, and `.txt`
/// files are requirements regardless of their content.
fn kind_by_content(path: &Path, bytes: &[u8]) -> Option<SpecKind> {
    let extension = path.extension().unwrap_or_default();
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|_| extension != "py");
    let is_named_so = extension == "txt" || extension == "in";
    match text {
        // A text that is empty in LUCI's form may not be empty in pip's, where a lone CR ends a
        // comment.
        Some(text) if luci::begins_with_field(text) && !requirements::is_likely(text) => {
            Some(SpecKind::Luci)
        }
        _ if is_named_so => Some(SpecKind::Requirements),
        Some(text) if luci::is_likely(text) => Some(SpecKind::Luci),
        Some(text) if requirements::is_likely(text) => Some(SpecKind::Requirements),
        _ => None,
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

/// Returns the spec that a whole file contains.
pub(in crate::spec) fn from_bytes(path: &Path, kind: SpecKind, bytes: Vec<u8>) -> Result<SpecText> {
    let utf16 = if kind == SpecKind::Requirements {
        requirements::from_utf16(&bytes)
    } else {
        None
    };
    let content = utf16
        .map_or_else(|| String::from_utf8(bytes), Ok)
        .map_err(|error| {
            let line =
                memchr::memchr_iter(b'\n', &error.as_bytes()[..error.utf8_error().valid_up_to()])
                    .count()
                    + 1;
            Failure::new(format!("bad spec in `{}`", path.display()))
                .because(format!("line {line} is not UTF-8"))
        })?;
    // Drop the byte order mark that some editors write.
    let content = content
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(content);
    Ok(SpecText {
        kind,
        origin: Origin::file(path.to_path_buf()),
        base: path.parent().map(Path::to_path_buf),
        content,
        warnings: Vec::new(),
        chosen: Chosen::default(),
    })
}
