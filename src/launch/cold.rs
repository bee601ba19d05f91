//! A cold launch: decides on the environment, builds it where it is missing, and notes both for the
//! next launch.

use std::time::Instant;

use anyhow::Result;
use tracing::info_span;

use super::{Ready, account, auto_prune};
use crate::build;
use crate::invocation::{Action, Invocation, LogLevel};
use crate::plan::{self, Evidence, Key, Plan};
use crate::process::Process;
use crate::report::progress;
use crate::spec::{self, Spec, SpecText};
use crate::store::{Inputs, MemoName, Store};

/// Decides on the environment of a spec, and builds it unless it is there.
pub(super) fn prepare(
    text: &SpecText,
    store: &Store,
    memo: &MemoName,
    invocation: &Invocation,
    process: &Process,
) -> Result<Ready> {
    if invocation.action == Action::Run
        && invocation.log_level >= Some(LogLevel::Info)
        && let Some(remark) = spec::unnamed(text, "install", invocation, process)
    {
        tracing::info!("{remark}");
    }
    let Decided {
        spec,
        plan,
        mut evidence,
    } = decide(text, store, invocation, process)?;
    let key = Key::of(&plan);
    let mut is_built = false;
    let begin = Instant::now();
    let entry = store.environment(&plan, &key, |staging| {
        is_built = true;
        let warnings = info_span!("build the environment")
            .in_scope(|| build::environment(&plan, store, staging))?;
        invocation.warn(&warnings);
        Ok(())
    })?;
    account::of_environment(&entry.path, is_built.then(|| begin.elapsed()));
    evidence.warnings.splice(0..0, spec.warnings);
    let remarks = Some(remarks(&mut evidence, invocation));
    let kept = store.remember(memo, &key, &entry, evidence, &spec.python_path);
    if let Err(error) =
        kept.and_then(|()| store.keep_inputs(&Inputs::of_launch(text, invocation, process), &key))
    {
        tracing::debug!("cannot keep a memo of this launch: {error:#}");
    }
    if is_built && !invocation.is_throw_away {
        progress::phase("pruning the store");
        info_span!("prune opportunistically")
            .in_scope(|| auto_prune::run(store, invocation, process));
    }
    Ok(Ready {
        entry,
        python_path: spec.python_path,
        is_built,
        remarks,
    })
}

/// A parsed spec, and the environment that satisfies it on this machine.
pub struct Decided {
    /// What the spec says.
    pub spec: Spec,
    /// The interpreter and the wheels.
    pub plan: Plan,
    /// What the decision was made from.
    pub evidence: Evidence,
}

/// Parses a spec, and decides on the interpreter and the wheels. Prints the warnings about both.
///
/// # Errors
/// The spec is invalid, or cannot be satisfied here.
pub fn decide(
    text: &SpecText,
    store: &Store,
    invocation: &Invocation,
    process: &Process,
) -> Result<Decided> {
    let spec = info_span!("parse the spec").in_scope(|| text.parse(process))?;
    // Before anything can fail: a misspelt key may be the reason.
    invocation.warn(text.warnings.iter().chain(&spec.warnings));
    store.prepare()?;
    let (plan, evidence) = plan::make(&spec, invocation, process, &store.memo_directory())?;
    account::of_plan(&plan, &spec, &evidence);
    invocation.warn(&evidence.warnings);
    Ok(Decided {
        spec,
        plan,
        evidence,
    })
}

/// Takes the remarks about listed wheels and seeds out of the evidence, a sentence each. A launch does
/// not print them.
#[must_use]
pub fn remarks(evidence: &mut Evidence, invocation: &Invocation) -> Vec<String> {
    let mut remarks = std::mem::take(&mut evidence.remarks);
    let unseeded = std::mem::take(&mut evidence.unseeded);
    // Many programs import `pkg_resources`, and hardly one the other two.
    if unseeded
        .iter()
        .any(|seed| seed.project.as_ref() == "setuptools")
    {
        let unseeded: Vec<String> = unseeded.iter().map(|seed| format!("`{seed}`")).collect();
        let command = invocation.command_of_tool("fetch");
        remarks.push(format!(
            "there is no wheel to seed {} from; `{command}` brings what is missing",
            unseeded.join(", ")
        ));
    }
    remarks
}
