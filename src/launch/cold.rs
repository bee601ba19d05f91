//! A cold launch: resolves the spec, builds the environment if it is missing, and writes a memo for
//! the next launch.

use std::time::Instant;

use anyhow::Result;
use tracing::info_span;

use super::stages::{self, Decided};
use super::{Log, Ready, auto_prune};
use crate::build::{self, Ahead, Compile, Imports, Program};
use crate::invocation::{Action, Invocation, LogLevel, Tool};
use crate::memo::{Inputs, Memo, MemoName};
use crate::plan::{self, Evidence, Key};
use crate::process::{ChildSignal, Process};
use crate::report::progress;
use crate::spec::{self, SpecText};
use crate::store::Store;

/// Resolves a spec, and builds its environment if it is missing.
pub(super) fn prepare(
    text: &SpecText,
    store: &Store,
    memo: &MemoName,
    invocation: &Invocation,
    process: &Process,
) -> Result<Ready> {
    let _signal = ChildSignal::set_default();
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
        mut connection,
        python_kept,
    } = stages::decide(text, store, invocation, process, &mut Log(invocation))?;
    let key = Key::of(&plan);
    let mut is_built = false;
    let begin = Instant::now();
    let mut build = |ahead: Option<&Ahead>| {
        // The store calls the closure only if it has no environment with this key.
        store.environment(&plan, &key, |staging| {
            is_built = true;
            // The resolution has opened connections that are used again.
            let connect = || match connection.take() {
                Some(connection) => Ok(connection),
                None => plan::connect(&spec, invocation, process, &store.memo_directory()),
            };
            let fill = |compile: Compile| {
                let trusted = build::Trusted::of(&spec, invocation);
                let fetched = build::fetch(&plan, store, trusted, compile, connect)?;
                invocation.warn(&fetched.warnings);
                info_span!("build the environment")
                    .in_scope(|| build::environment(&plan, store, fetched, compile, staging))
            };
            let program = (invocation.action == Action::Run)
                .then(|| Program::of(invocation, &spec.python_path, process));
            let warnings = match (ahead, program.flatten()) {
                (Some(ahead), _) => fill(Compile::Wheels(ahead)),
                (None, Some(program)) => {
                    Imports::during(program, &plan.interpreter, process, |imports| {
                        fill(imports.map_or(Compile::Nothing, Compile::Imports))
                    })
                }
                (None, None) => fill(Compile::Nothing),
            }?;
            build::rewrite_scripts(&plan.interpreter, staging, &store.path_of(&key))?;
            invocation.warn(warnings.iter().chain(&store.warning_of_noexec(&plan)));
            Ok(())
        })
    };
    let entry = match invocation.action {
        Action::Tool(Tool::Install) => Ahead::during(&plan.interpreter, store, process, build)?,
        _ => build(None)?,
    };
    // The environment keeps its interpreter now, and this launch may prune.
    drop(python_kept);
    Log::prepared(&entry.path, is_built.then(|| begin.elapsed()));
    evidence.warnings.splice(0..0, spec.warnings);
    let remarks = Some(remarks(&mut evidence, invocation));
    // Without a memo the next launch is only slower, so an error here is not fatal.
    let kept = Memo::remember(store, memo, &key, &entry, evidence, &spec.python_path);
    if let Err(error) =
        kept.and_then(|()| Inputs::of_launch(text, invocation, process).keep(store, &key))
    {
        tracing::debug!("cannot write the memo of this launch: {error:#}");
    }
    // A build is slow anyway, so it is the time to free space.
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

/// Takes the remarks out of the evidence that a launch does not print: those about the requirements
/// of listed wheels and about missing seeds. Each remark is one sentence.
#[must_use]
pub fn remarks(evidence: &mut Evidence, invocation: &Invocation) -> Vec<String> {
    let mut remarks = std::mem::take(&mut evidence.remarks);
    let unseeded = std::mem::take(&mut evidence.unseeded);
    // Many programs import `pkg_resources` from setuptools; hardly any imports the other two seeds.
    if unseeded
        .iter()
        .any(|seed| seed.project.as_ref() == "setuptools")
    {
        let unseeded: Vec<String> = unseeded.iter().map(|seed| format!("`{seed}`")).collect();
        let how = match invocation.why_nothing_is_fetched() {
            Some(why) => format!("nothing can be fetched: {why}"),
            None => format!("`{}` downloads them", invocation.command_of_tool("fetch")),
        };
        remarks.push(format!(
            "there are no wheels for the seed packages {}; {how}",
            unseeded.join(", ")
        ));
    }
    remarks
}
