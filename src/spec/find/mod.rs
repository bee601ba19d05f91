//! Which text is the spec: the places are looked at in order, and the first that has one is the
//! only one used.
//!
//! 1. `-vpython-spec`.
//! 2. A partner file beside the script, by the path as it was given, then beside the real file.
//! 3. Inside the script, in the text of `-c`, or in the program on standard input.
//! 4. Walking up from the real script's directory, or from the current directory where there is no
//!    script, to a directory with `.gclient` or to the root.
//! 5. `VPYTHON_DEFAULT_SPEC`, or else the one that `vpython.conf` names.
//! 6. None.
//!
//! Of LUCI's files in one place, the name that the program is called by decides which counts: see
//! `by_name`.
//!
//! This is on the warm path: each place is looked at once, nothing is opened that is not there, and
//! the script is read once.

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

/// Finds the spec of a command line.
///
/// # Errors
/// A spec that is named and cannot be read, a partner file or an inline block that is broken, a
/// script that cannot be read.
pub fn find(invocation: &Invocation, process: &Process) -> Result<SpecText> {
    find_by(&mut SearchLog::default(), invocation, process)
}

/// Finds the spec of a command line, and notes each look on the way.
///
/// # Errors
/// Those of [`find`].
pub fn find_by(
    log: &mut SearchLog,
    invocation: &Invocation,
    process: &Process,
) -> Result<SpecText> {
    choose(look(log, invocation, process)?, &invocation.chosen)
}

/// Has the extras and groups count that the command line chooses.
fn choose(text: SpecText, chosen: &Chosen) -> Result<SpecText> {
    if !chosen.is_empty() && text.kind != SpecKind::Pyproject {
        let why = if text.kind == SpecKind::None {
            "there is no spec".to_owned()
        } else {
            format!("the spec is {}", text.title())
        };
        let failure =
            Failure::new("`-vpython-extra` and `-vpython-group` choose from a `pyproject.toml`")
                .because(why);
        return Err(failure
            .hint("name it: `-vpython-spec pyproject.toml`")
            .into());
    }
    Ok(SpecText {
        chosen: chosen.clone(),
        ..text
    })
}

fn look(log: &mut SearchLog, invocation: &Invocation, process: &Process) -> Result<SpecText> {
    if let Some(path) = &invocation.spec {
        let loaded = load(path, "the spec that `-vpython-spec` names");
        log.note(Finding::of(&loaded), || Probed::Flag(Some(path.clone())));
        return loaded;
    }
    log.note(Finding::Nothing, || Probed::Flag(None));
    let mut around = look_around(invocation, process, log)?;
    if let Some(spec) = around.spec {
        let warnings = around.warnings.into_iter().chain(spec.warnings).collect();
        return Ok(SpecText { warnings, ..spec });
    }
    let directory = around.directory.take();
    let walked = match &directory {
        Some(directory) => walk::up(directory, &mut around)?,
        None => None,
    };
    let found = match (walked, &invocation.default_spec) {
        (Some(spec), _) => spec,
        (None, Some(path)) => {
            let path = &named_by_variable(path, directory.as_deref(), process, &mut around)?;
            let (by, place) = default_spec_by(invocation, path);
            let loaded = load(path, &format!("the spec that {by} names"));
            around.log.note(Finding::of(&loaded), || place);
            loaded?
        }
        (None, None) => {
            around.log.note(Finding::Nothing, || Probed::Variable(None));
            SpecText::none()
        }
    };
    let warnings = around.warnings.into_iter().chain(found.warnings).collect();
    Ok(SpecText { warnings, ..found })
}

/// What names the default spec at `path`, for an error and for the trail.
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

/// The file that `VPYTHON_DEFAULT_SPEC` names: a relative path is one from the program's directory
/// on, or where nothing is there, from the current directory on.
fn named_by_variable(
    path: &Path,
    directory: Option<&Path>,
    process: &Process,
    around: &mut Around<'_>,
) -> Result<PathBuf> {
    if let Some(directory) = directory
        .filter(|directory| path.is_relative() && process.directory.as_deref() != Some(*directory))
    {
        let found = Found::at(
            directory.join(path),
            |path| Probed::Variable(Some(path)),
            around.log,
        )?;
        if let Some(found) = found.filter(|found| found.is_trusted(around)) {
            return Ok(found.path);
        }
    }
    Ok(process.absolute(path))
}

/// What the target itself tells.
struct Around<'t> {
    /// The spec beside or inside it.
    spec: Option<SpecText>,
    /// Where the walk begins.
    directory: Option<PathBuf>,
    /// Whose specs count wherever they are: those of the caller, of root, and of the script's
    /// owner.
    trust: Trust,
    /// What looks like a spec and is none.
    warnings: Vec<String>,
    /// The name of the program, by which LUCI's files count.
    called: CalledAs,
    /// Where looks are noted.
    log: &'t mut SearchLog,
}

impl<'t> Around<'t> {
    /// A target that tells nothing but where the walk begins.
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

fn look_around<'t>(
    invocation: &Invocation,
    process: &Process,
    log: &'t mut SearchLog,
) -> Result<Around<'t>> {
    match &invocation.target {
        Target::Script(path) => look_around_script(&process.absolute(path), process, log),
        Target::Command(text) => {
            let origin = Origin {
                file: None,
                lines_before: 0,
                columns_before: 0,
            };
            look_around_text(text.as_bytes(), origin, process, log)
        }
        Target::Stdin | Target::None if invocation.runs_input() => {
            match process.program_on_input()? {
                Some(text) => {
                    look_around_text(&text, Origin::file(STANDARD_INPUT.into()), process, log)
                }
                None => Ok(Around::directory(process.directory.clone(), process, log)),
            }
        }
        Target::Module(_) | Target::Stdin | Target::None | Target::Information => {
            Ok(Around::directory(process.directory.clone(), process, log))
        }
    }
}

/// A program that is no file, and so stands in the current directory.
fn look_around_text<'t>(
    text: &[u8],
    origin: Origin,
    process: &Process,
    log: &'t mut SearchLog,
) -> Result<Around<'t>> {
    let inside = inside::command(text, origin, process.directory.clone(), log)?;
    Ok(Around::directory(process.directory.clone(), process, log).with(inside))
}

/// A script that is not there or cannot be opened has nothing inside: python will say what there is
/// to say. Nor has one that is no file (`/dev/stdin`, a named pipe) anything inside or beside it:
/// its bytes are python's alone, and it stands for standard input, which has no directory.
fn look_around_script<'t>(
    path: &Path,
    process: &Process,
    log: &'t mut SearchLog,
) -> Result<Around<'t>> {
    let mut around = Around::directory(path.parent().map(Path::to_path_buf), process, log);
    let mut found = fs::ok_if_hidden(fs::link_metadata(path))?.flatten();
    let is_link = matches!(&found, Some(found) if found.is_symlink());
    if is_link {
        found = fs::ok_if_hidden(fs::metadata(path))?.flatten();
    }
    // The system's name of the current directory has no links in it.
    let is_real = !is_link && path.parent() == process.directory.as_deref();
    let Some(metadata) = found else {
        around
            .log
            .note(Finding::Nothing, || Probed::Program(path.to_path_buf()));
        return Ok(around);
    };
    if !metadata.is_file() && !metadata.is_dir() {
        around
            .log
            .note(Finding::NoFile, || Probed::Program(path.to_path_buf()));
        return Ok(Around {
            directory: process.directory.clone(),
            ..around
        });
    }
    around.trust = around.trust.and(metadata.uid());
    if metadata.is_dir() {
        return look_around_directory(path, around);
    }
    if let Some(spec) = partner::partner_of_file(path, &mut around)? {
        return Ok(Around {
            spec: Some(spec),
            ..around
        });
    }
    let Some(file) = fs::ok_if_hidden(fs::open_without_waiting(path))? else {
        around
            .log
            .note(Finding::Broken, || Probed::Program(path.to_path_buf()));
        return Ok(around);
    };
    let real = if is_real {
        path.to_path_buf()
    } else {
        fs::real_path(&file, path)?
    };
    look_around_file(file, real, path, around)
}

/// A script that was just opened, and is a file.
fn look_around_file<'t>(
    mut file: File,
    real: PathBuf,
    path: &Path,
    around: Around<'t>,
) -> Result<Around<'t>> {
    let mut around = Around {
        directory: real.parent().map(Path::to_path_buf),
        ..around
    };
    let spec = if real == path {
        None
    } else {
        partner::partner_of_file(&real, &mut around)?
    };
    if spec.is_some() {
        return Ok(Around { spec, ..around });
    }
    let inside = inside::script(&mut file, real, around.log)?;
    fs::leave_open(file);
    Ok(around.with(inside))
}

/// A directory that python runs by its `__main__.py`.
fn look_around_directory<'t>(path: &Path, mut around: Around<'t>) -> Result<Around<'t>> {
    if let Some(spec) = partner::partner_of_directory(path, &mut around)? {
        return Ok(Around {
            spec: Some(spec),
            ..around
        });
    }
    let real = fs::canonicalize(path)?;
    let spec = if real == path {
        None
    } else {
        partner::partner_of_directory(&real, &mut around)?
    };
    let main = real.join("__main__.py");
    let around = Around {
        directory: Some(real),
        ..around
    };
    if spec.is_some() {
        return Ok(Around { spec, ..around });
    }
    let Some(mut file) = fs::ok_if_hidden(fs::open_without_waiting(&main))? else {
        around.log.note(Finding::Nothing, || Probed::Program(main));
        return Ok(around);
    };
    let inside = inside::script(&mut file, main, around.log)?;
    Ok(around.with(inside))
}

/// Reads a spec that was named; its kind is told by its name and content.
fn load(path: &Path, what: &str) -> Result<SpecText> {
    let cannot = || format!("cannot use {what}");
    let limit = if kind_by_name(path) == Some(SpecKind::Pylock) {
        limits::LOCK
    } else {
        limits::SPEC
    };
    let bytes = fs::read_named_text(path, limit).with_context(cannot)?;
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
        .hint(format!("if it is in the form of `vpython.toml`, name it `{name}.toml`"))
        .into())
}

/// The spec that stands inside a script of this text.
pub(in crate::spec) fn inside_text(
    text: &[u8],
    origin: Origin,
    base: Option<PathBuf>,
) -> Result<Option<SpecText>> {
    inside::text(text, origin, base, &mut SearchLog::default()).map(|inside| inside.spec)
}

/// The kind of a file whose name leaves no doubt.
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

/// The kind of a file by what is in it: LUCI's vpython takes a spec of any name, and `.txt` files
/// are requirements whatever is in them.
fn kind_by_content(path: &Path, bytes: &[u8]) -> Option<SpecKind> {
    let extension = path.extension().unwrap_or_default();
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|_| extension != "py");
    let is_named_so = extension == "txt" || extension == "in";
    match text {
        // What is nothing to LUCI's form need not be nothing to pip's, which ends a comment at a
        // lone CR.
        Some(text) if luci::begins_with_field(text) && !requirements::is_likely(text) => {
            Some(SpecKind::Luci)
        }
        _ if is_named_so => Some(SpecKind::Requirements),
        Some(text) if luci::is_likely(text) => Some(SpecKind::Luci),
        Some(text) if requirements::is_likely(text) => Some(SpecKind::Requirements),
        _ => None,
    }
}

/// What stands at a place where a spec may be.
struct Found {
    path: PathBuf,
    /// What kind of place it is, for the trail.
    place: fn(PathBuf) -> Probed,
    /// The user whose file it is, or whose link.
    owner: u32,
    /// Whether it is known to be a regular file, which is read faster.
    is_regular: bool,
}

impl Found {
    /// Looks at a place. There is none where nothing stands, and where it is a directory, a pipe or
    /// a socket, which are stepped over. A link that leads nowhere is something: it is meant to be
    /// a spec, and reading it will fail.
    ///
    /// # Errors
    /// The system does not say whether there is one: to go on without would be another program than
    /// the one that was asked for.
    fn at(
        path: PathBuf,
        place: fn(PathBuf) -> Probed,
        log: &mut SearchLog,
    ) -> Result<Option<Self>> {
        let Some(metadata) = fs::ok_if_hidden(fs::link_metadata(&path))?.flatten() else {
            log.note(Finding::Nothing, || place(path));
            return Ok(None);
        };
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

    /// Whether it may count: where everybody can put a spec, only one of a trusted user does. Else
    /// a warning says so.
    fn is_trusted(&self, around: &mut Around<'_>) -> bool {
        let Some(stranger) = around.trust.stranger(&self.path, self.owner) else {
            return true;
        };
        around.log.note(Finding::Stranger(self.owner), || {
            (self.place)(self.path.clone())
        });
        around
            .warnings
            .push(format!("the spec {stranger}; it is skipped"));
        false
    }

    /// Reads the whole of it; none where it does not count for the program of this name.
    fn read(&self, kind: SpecKind, around: &mut Around<'_>) -> Result<Option<SpecText>> {
        debug!(path = %self.path.display(), "found a spec");
        let bytes = if self.is_regular {
            fs::read_before_exec(&self.path, limits::SPEC)
        } else {
            fs::read_text(&self.path, limits::SPEC)
        };
        let text = bytes.and_then(|bytes| from_bytes(&self.path, kind, bytes));
        let counts = text
            .as_ref()
            .map_or(true, |text| by_name::counts(around.called, text));
        let finding = if counts {
            Finding::of(&text)
        } else {
            Finding::Python2
        };
        around.log.note(finding, || (self.place)(self.path.clone()));
        if counts { text.map(Some) } else { Ok(None) }
    }
}

/// The spec that a whole file is.
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
    // Some editors put a byte order mark in front, which is nothing.
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
