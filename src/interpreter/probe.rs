//! Probes an interpreter for its facts, once, in one process, and caches them by stamp.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Facts;
use crate::fs::{self, Digest, Stamped};
use crate::process::{Process, no_input, variable};
use crate::report::{self, Failure, Kind, progress};

const PROBE: &str = include_str!("probe.py");
pub(super) const SUPPORTED: &str = "vpython supports CPython 2.7, and 3.6 and later";
/// The options that isolate an interpreter.
const ISOLATED: &[&str] = &["-I", "-S"];
/// The options that isolate a Python 2, which does not have `-I`.
const ISOLATED_2: &[&str] = &["-E", "-s", "-S"];
/// The error message of a Python 2 for `-I`.
const UNKNOWN_OPTION: &[u8] = b"Unknown option: -I";
/// Incremented when the probe returns more, so that facts cached by an older vpython are ignored.
const FORMAT: u32 = 4;
/// Variables that change a virtual environment's prefix even with `-I` (CPython 3.11 and later).
const LAUNCHER_VARIABLES: [&str; 2] = ["__PYVENV_LAUNCHER__", "PYTHONEXECUTABLE"];

/// The cached facts, and the stamps that validate them.
#[derive(Serialize, Deserialize)]
pub(super) struct Known {
    format: u32,
    pub facts: Facts,
    /// The interpreter as it was found, its real binary if that is another file, and its C library.
    pub stamps: Vec<Stamped>,
}

/// Returns the facts of the interpreter at `path`: from the directory `memo` if it was probed
/// before, under any name, and has not changed since.
///
/// # Errors
/// It cannot be executed, or its output is not that of a Python.
pub(super) fn facts(path: &Path, process: &Process, memo: Option<&Path>) -> Result<Known> {
    let Some(memo) = memo else {
        return Ok(Known::of(Stamped::look(path), probe(path, process)?));
    };
    if let Some(known) = recall(path, memo) {
        return Ok(known);
    }
    let found = Stamped::look(path);
    // A link and its target are the same interpreter: `python3`, `python3.11`, and the target of a
    // shim.
    let real = fs::canonicalize(path).ok().filter(|real| real != path);
    let known_by_real = real
        .as_deref()
        .and_then(|real| recall(real, memo))
        .filter(|known| Some(&known.facts.executable) == real.as_ref());
    let facts = if let Some(known) = known_by_real {
        known.facts
    } else {
        let facts = probe(path, process)?;
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
    /// Returns the facts of an interpreter with the stamps, given the one under which it was found.
    fn of(found: Stamped, facts: Facts) -> Self {
        let real = Stamped::look(&facts.executable);
        // A link to the binary has the same stamp as the binary.
        let real = Some(real).filter(|real| real.stamp != found.stamp);
        let libc = facts.libc_path.as_deref().map(Stamped::look);
        Self {
            format: FORMAT,
            facts,
            stamps: [Some(found), real, libc].into_iter().flatten().collect(),
        }
    }
}

/// Returns the cached facts of the interpreter at this path, if nothing has changed since.
fn recall(path: &Path, memo: &Path) -> Option<Known> {
    let known: Known = fs::read_memo(&kept_at(path, memo))?;
    (known.format == FORMAT && known.stamps.iter().all(Stamped::holds)).then_some(known)
}

fn keep(path: &Path, known: &Known, memo: &Path) {
    if let Err(error) = fs::write_memo(&kept_at(path, memo), known) {
        tracing::debug!("cannot save the interpreter's facts: {error:#}");
    }
}

/// Caches facts, so that the file at `path` is not run.
#[cfg(test)]
pub(super) fn assume(path: &Path, facts: &Facts, memo: &Path) {
    keep(path, &Known::of(Stamped::look(path), facts.clone()), memo);
}

/// Checks whether the interpreter at `path` has valid cached facts.
pub(super) fn is_known(path: &Path, memo: &Path) -> bool {
    recall(path, memo).is_some()
}

fn kept_at(path: &Path, memo: &Path) -> PathBuf {
    let name = Digest::of(path.as_os_str().as_encoded_bytes()).to_string();
    memo.join(format!("interpreter-{}.json", &name[..32]))
}

fn probe(path: &Path, process: &Process) -> Result<Facts> {
    progress::phase("finding the interpreter");
    tracing::debug!(path = %path.display(), "probing the interpreter");
    let _probing = tracing::info_span!("probe the interpreter", path = %path.display()).entered();
    let mut output = run(path, ISOLATED, process)?;
    if !output.status.success() && output.stderr.starts_with(UNKNOWN_OPTION) {
        output = run(path, ISOLATED_2, process)?;
    }
    if !output.status.success() {
        let output_end = report::last_words(&output.stderr);
        let output_end = if output_end.is_empty() {
            "it printed no error message"
        } else {
            &output_end
        };
        return Err(cannot(path)
            .because(format!("{}: {output_end}", output.status))
            .hint(SUPPORTED)
            .into());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| {
        cannot(path)
            .because(format!("its output is not that of a Python: {error}"))
            .hint(SUPPORTED)
            .into()
    })
}

/// Runs the probe with these options.
fn run(path: &Path, options: &[&str], process: &Process) -> Result<Output> {
    let mut command = Command::new(path);
    command
        .args(options)
        .args(["-c", PROBE])
        .stdin(no_input())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // `VPYTHON_PROBE` stops a wrapper that leads back to vpython; `VPYTHON_INTERPRETER` would make
    // it probe itself endlessly.
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
        // An error of the system says nothing about the interpreter.
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
