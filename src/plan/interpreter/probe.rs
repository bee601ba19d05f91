//! Asking an interpreter about itself: by one process, once, and then kept by stamp.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Facts;
use crate::fs::{self, Digest, Stamped};
use crate::process::{Process, variable};
use crate::report::{self, Failure, Kind, progress};

const PROBE: &str = include_str!("probe.py");
pub(super) const SUPPORTED: &str = "vpython runs CPython 2.7, and 3.6 and later";
/// The options that isolate an interpreter.
const ISOLATED: &[&str] = &["-I", "-S"];
/// And those for one that does not know these.
const ISOLATED_2: &[&str] = &["-E", "-s", "-S"];
/// What such a one says.
const UNKNOWN_OPTION: &[u8] = b"Unknown option: -I";
/// Counted up when the probe asks for more, so that what an older vpython kept is asked again.
const FORMAT: u32 = 4;
/// Variables that move a virtual environment's prefix even where `-I` is given (CPython 3.11 and
/// later).
const LAUNCHER_VARIABLES: [&str; 2] = ["__PYVENV_LAUNCHER__", "PYTHONEXECUTABLE"];

/// What was learnt, and from what.
#[derive(Serialize, Deserialize)]
pub(super) struct Known {
    format: u32,
    pub facts: Facts,
    /// The interpreter as it was found, its real binary where that is another file, its C library.
    pub stamps: Vec<Stamped>,
}

/// What the interpreter at `path` says of itself: from the directory `memo` where it was asked
/// before, by whatever name, and has not changed since.
///
/// # Errors
/// It cannot be executed, or does not answer as a Python does.
pub(super) fn facts(path: &Path, process: &Process, memo: Option<&Path>) -> Result<Known> {
    let Some(memo) = memo else {
        return Ok(Known::of(Stamped::look(path), ask(path, process)?));
    };
    if let Some(known) = recall(path, memo) {
        return Ok(known);
    }
    let found = Stamped::look(path);
    // A link and the binary that it leads to are one interpreter: `python3`, `python3.11`, and what
    // a shim stands for.
    let real = fs::canonicalize(path).ok().filter(|real| real != path);
    let known_by_real = real
        .as_deref()
        .and_then(|real| recall(real, memo))
        .filter(|known| Some(&known.facts.executable) == real.as_ref());
    let facts = if let Some(known) = known_by_real {
        known.facts
    } else {
        let facts = ask(path, process)?;
        if let Some(real) = real.filter(|real| *real == facts.executable) {
            keep(&real, &Known::of(Stamped::look(&real), facts.clone()), memo);
        }
        facts
    };
    let known = Known::of(found, facts);
    keep(path, &known, memo);
    Ok(known)
}

impl Known {
    /// What an interpreter said that was found so.
    fn of(found: Stamped, facts: Facts) -> Self {
        let real = Stamped::look(&facts.executable);
        // A link that leads to the binary has the binary's stamp.
        let real = Some(real).filter(|real| real.stamp != found.stamp);
        let libc = facts.libc_path.as_deref().map(Stamped::look);
        Self {
            format: FORMAT,
            facts,
            stamps: [Some(found), real, libc].into_iter().flatten().collect(),
        }
    }
}

/// What the interpreter at `path` said when it was asked by this name, if nothing has changed
/// since.
fn recall(path: &Path, memo: &Path) -> Option<Known> {
    let known: Known = fs::read_memo(&kept_at(path, memo))?;
    (known.format == FORMAT && known.stamps.iter().all(Stamped::holds)).then_some(known)
}

fn keep(path: &Path, known: &Known, memo: &Path) {
    if let Err(error) = fs::write_memo(&kept_at(path, memo), known) {
        tracing::debug!("cannot keep what the interpreter said: {error:#}");
    }
}

/// Whether the interpreter at `path` has been asked before, by its looks.
pub(super) fn was_asked(path: &Path, memo: &Path) -> bool {
    recall(path, memo).is_some()
}

fn kept_at(path: &Path, memo: &Path) -> PathBuf {
    let name = Digest::of(path.as_os_str().as_encoded_bytes()).to_string();
    memo.join(format!("interpreter-{}.json", &name[..32]))
}

fn ask(path: &Path, process: &Process) -> Result<Facts> {
    progress::phase("finding the interpreter");
    tracing::debug!(path = %path.display(), "asking the interpreter about itself");
    let _asking = tracing::info_span!("ask the interpreter", path = %path.display()).entered();
    let mut output = answer(path, ISOLATED, process)?;
    if !output.status.success() && output.stderr.starts_with(UNKNOWN_OPTION) {
        output = answer(path, ISOLATED_2, process)?;
    }
    if !output.status.success() {
        let said = report::last_words(&output.stderr);
        let said = if said.is_empty() {
            "it said nothing"
        } else {
            &said
        };
        return Err(cannot(path)
            .because(format!("{}: {said}", output.status))
            .hint(SUPPORTED)
            .into());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| {
        cannot(path)
            .because(format!("it does not answer as a Python does: {error}"))
            .hint(SUPPORTED)
            .into()
    })
}

/// What the interpreter at `path` answers with these options.
fn answer(path: &Path, options: &[&str], process: &Process) -> Result<Output> {
    let mut command = Command::new(path);
    command
        .args(options)
        .args(["-c", PROBE])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A wrapper that leads back to vpython ends there: with `VPYTHON_INTERPRETER` it would ask
    // itself without end.
    let is_ours = |name: &OsString| {
        name.as_encoded_bytes()
            .starts_with(variable::PREFIX.as_bytes())
    };
    let handed_on = process
        .environment
        .iter()
        .filter(|(name, _)| !is_ours(name));
    command
        .env_clear()
        .envs(handed_on.map(|(name, value)| (name, value)))
        .env(variable::PROBE, "1");
    for name in LAUNCHER_VARIABLES {
        command.env_remove(name);
    }
    command.output().map_err(|error| {
        let error = anyhow::Error::from(error);
        // That is not for the interpreter to answer for.
        let is_io_failure = fs::is_io_failure(&error);
        let said = error.to_string();
        if is_io_failure {
            error.context(cannot(path).to_string())
        } else {
            cannot(path).because(said).into()
        }
    })
}

fn cannot(path: &Path) -> Failure {
    Failure::new(format!("cannot run the interpreter `{}`", path.display()))
        .kind(Kind::CannotExecute)
}
