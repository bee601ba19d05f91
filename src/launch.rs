//! One run of vpython, in order. The warm path is short and comes first; the cold path starts where
//! it ends.

mod account;
pub mod auto_prune;
mod cold;
mod local_venv;
pub mod miss;

use std::convert::Infallible;
use std::path::PathBuf;

use anyhow::Result;
use tracing::info_span;

pub use cold::{Decided, decide, remarks};

use crate::exec::Handoff;
use crate::invocation::Invocation;
use crate::process::Process;
use crate::spec::{self, SpecText};
use crate::store::{Entry, Inputs, MemoName, Store};

/// A complete environment with its shared lock, plus the extra import roots.
pub struct Ready {
    /// The environment.
    pub entry: Entry,
    /// The import roots of the spec, which are not part of the environment.
    pub python_path: Vec<PathBuf>,
    /// Whether this run has built it.
    pub is_built: bool,
    /// What only a cold launch finds out, and only `install` says.
    pub remarks: Option<Vec<String>>,
}

/// Runs python in the environment that the spec of the command line requires.
///
/// # Errors
/// The environment cannot be made, or its python cannot be executed.
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
/// A place where a spec may be cannot be read, or another user owns it.
pub fn find_spec(invocation: &Invocation, process: &Process) -> Result<SpecText> {
    info_span!("find the spec").in_scope(|| spec::find(invocation, process))
}

/// Finds the environment that a spec requires: that of the last launch with the same inputs, else
/// decided and, where it is missing, built.
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
    account::of_spec(spec);
    match info_span!("recall the last launch").in_scope(|| store.recall(&memo, process)) {
        Ok((mut known, entry)) => {
            account::of_hit(&entry.path);
            store.renew(&memo, &mut known);
            invocation.warn(spec.warnings.iter().chain(&known.warnings));
            let python_path = known.python_path.into_iter().map(|root| root.0).collect();
            Ok(Ready {
                entry,
                python_path,
                is_built: false,
                remarks: None,
            })
        }
        Err(miss) => {
            let inputs = || Inputs::of_launch(spec, invocation, process);
            account::of_miss(|| miss::why(miss, &store, &inputs()));
            cold::prepare(spec, &store, &memo, invocation, process)
        }
    }
}

/// Becomes a program of an environment, which keeps the lock on it.
///
/// # Errors
/// The program cannot be executed.
pub fn hand_off(entry: &Entry, handoff: Handoff) -> Result<Infallible> {
    entry.touch();
    handoff.exec()
}
