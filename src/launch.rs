//! One run of vpython, in order. The warm path is short and comes first; a launch takes the cold
//! path only if the warm path finds no usable environment.

pub mod auto_prune;
mod cold;
mod interpreter;
mod local_venv;
mod log;
mod recalled;
mod stages;

use std::convert::Infallible;
use std::path::PathBuf;

use anyhow::Result;
use tracing::info_span;

pub use cold::remarks;
pub use interpreter::{with_fetched_interpreter, with_interpreter};
pub use log::Log;
pub use recalled::recalled;
pub use stages::{Decided, Recorder, decide, recall};

use crate::exec::Handoff;
use crate::invocation::Invocation;
use crate::memo::MemoName;
use crate::process::Process;
use crate::spec::{self, SpecText};
use crate::store::{Entry, Store};

/// A complete environment with its shared lock, plus the extra import roots.
pub struct Ready {
    /// The environment.
    pub entry: Entry,
    /// The import roots of the spec, which the environment does not contain.
    pub python_path: Vec<PathBuf>,
    /// Whether this launch built it.
    pub is_built: bool,
    /// Remarks that only a cold launch produces and only `install` prints.
    pub remarks: Option<Vec<String>>,
}

/// Replaces this process with the python of the environment that the command line requires.
///
/// # Errors
/// The environment cannot be built, or its python cannot be executed.
pub fn run(invocation: &Invocation, process: &Process) -> Result<Infallible> {
    let spec = find_spec(invocation, process)?;
    let ready = prepare(&spec, invocation, process)?;
    let handoff = Handoff::into_environment(
        &ready.entry.path,
        ready.entry.python(),
        &invocation.words,
        &ready.python_path,
        process,
    )?;
    hand_off(&ready.entry, handoff)
}

/// Finds the spec of a command line.
///
/// # Errors
/// A file that may contain a spec cannot be read, or another user owns it.
pub fn find_spec(invocation: &Invocation, process: &Process) -> Result<SpecText> {
    info_span!("find the spec").in_scope(|| spec::find(invocation, process))
}

/// Returns the environment of a spec. Uses the result of an earlier launch with the same inputs if
/// it is still valid, and resolves the spec otherwise.
///
/// # Errors
/// The spec is invalid, it cannot be satisfied, or its environment cannot be built.
pub fn prepare(spec: &SpecText, invocation: &Invocation, process: &Process) -> Result<Ready> {
    let ready = recall_or_build(spec, invocation, process)?;
    if invocation.local_venv {
        local_venv::keep(spec, &ready.entry.path, invocation)?;
    }
    Ok(ready)
}

fn recall_or_build(spec: &SpecText, invocation: &Invocation, process: &Process) -> Result<Ready> {
    let store = Store::open(invocation, process)?;
    let memo = MemoName::of_launch(spec, invocation, process);
    Log::found(spec);
    let mut log = Log(invocation);
    let known = stages::recall(spec, &store, &memo, invocation, process, &mut log);
    let Some((mut known, entry)) = known else {
        // The cold path: resolve the spec, and build the environment if it is missing.
        return cold::prepare(spec, &store, &memo, invocation, process);
    };
    // The warm path: nothing has changed since the memo was written.
    known.renew(&store, &memo);
    log.warn(spec.warnings.iter().chain(&known.warnings));
    let python_path = known.python_path.into_iter().map(|root| root.0).collect();
    Ok(Ready {
        entry,
        python_path,
        is_built: false,
        remarks: None,
    })
}

/// Replaces this process with a program that runs in an environment. The program inherits the
/// shared lock, so the environment stays in use until the program ends.
///
/// # Errors
/// The program cannot be executed.
pub fn hand_off(entry: &Entry, handoff: Handoff) -> Result<Infallible> {
    entry.touch();
    handoff.exec()
}
