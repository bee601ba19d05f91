//! The stages of a launch that lead to its environment, and their results.

use std::path::Path;

use anyhow::Result;
use tracing::info_span;

use crate::interpreter::InterpreterChoice;
use crate::invocation::Invocation;
use crate::memo::{self, Inputs, Memo, MemoName};
use crate::plan::{self, Connection, Evidence, Made, Plan};
use crate::process::Process;
use crate::spec::{Spec, SpecText};
use crate::store::{Entry, Store, WheelsKept};

use super::with_interpreter;

/// Receives the results of the stages of a launch, in their order. A launch logs them, and
/// `explain` keeps them.
pub trait Recorder {
    /// Receives warnings for the caller, one sentence each.
    fn warn<'w>(&mut self, warnings: impl IntoIterator<Item = &'w String>);

    /// The launch is warm: it reuses this environment.
    fn is_warm(&mut self, environment: &Path);

    /// The launch is cold, for the reason that `why` returns as a clause.
    fn is_cold(&mut self, why: impl FnOnce() -> String);

    /// The spec was parsed.
    fn parsed(&mut self, spec: &Spec);

    /// An interpreter was selected, or the selection failed.
    fn chose_interpreter(&mut self, choice: &InterpreterChoice);

    /// The interpreter and the wheels were selected.
    fn planned(&mut self, decided: &Decided);
}

/// Returns the result of the last launch with the same inputs, and its environment; `None` if
/// something has changed since.
pub fn recall(
    spec: &SpecText,
    store: &Store,
    memo: &MemoName,
    invocation: &Invocation,
    process: &Process,
    recorder: &mut impl Recorder,
) -> Option<(Memo, Entry)> {
    match info_span!("recall the last launch").in_scope(|| Memo::recall(store, memo, process)) {
        Ok((known, entry)) => {
            recorder.is_warm(&entry.path);
            Some((known, entry))
        }
        Err(miss) => {
            let inputs = || Inputs::of_launch(spec, invocation, process);
            recorder.is_cold(|| memo::why(miss, store, &inputs()));
            None
        }
    }
}

/// A parsed spec and its resolution on this machine.
pub struct Decided {
    /// The parsed spec.
    pub spec: Spec,
    /// The interpreter and the wheels.
    pub plan: Plan,
    /// The evidence of the resolution.
    pub evidence: Evidence,
    /// The connection to the package indexes, if the resolution has used them.
    pub connection: Option<Connection>,
    /// Keeps an interpreter from an image until an environment refers to it.
    pub python_kept: Option<WheelsKept>,
}

/// Parses and resolves a spec.
///
/// # Errors
/// The spec is invalid, or cannot be satisfied here.
pub fn decide(
    text: &SpecText,
    store: &Store,
    invocation: &Invocation,
    process: &Process,
    recorder: &mut impl Recorder,
) -> Result<Decided> {
    let spec = info_span!("parse the spec").in_scope(|| text.parse(invocation, process))?;
    // Report the warnings before anything can fail: a misspelt key may be the reason of a failure.
    recorder.warn(text.warnings.iter().chain(&spec.warnings));
    recorder.parsed(&spec);
    store.prepare_if_writable()?;
    recorder.warn(store.warnings_of_shared_roots());
    process.start_threads();
    let mut evidence = Evidence::default();
    let memo = store.memo_directory();
    // An environment refers to a copied interpreter only when it is complete.
    let is_of_image = spec.interpreter.is_some() || invocation.interpreter_image.is_some();
    let python_kept = (is_of_image && !store.is_read_only()).then(|| store.keep_wheels());
    let python_kept = python_kept.and_then(Result::ok);
    let invocation = &*with_interpreter(&spec, store, invocation, process)?;
    let made = plan::make(&spec, invocation, process, &memo, &mut evidence);
    // Which interpreters were skipped is known even if none was found.
    recorder.chose_interpreter(&evidence.choice);
    let Made { plan, connection } = made?;
    let decided = Decided {
        spec,
        plan,
        evidence,
        connection,
        python_kept,
    };
    recorder.planned(&decided);
    recorder.warn(&decided.evidence.passing);
    recorder.warn(&decided.evidence.warnings);
    Ok(decided)
}
