//! Help, version and other information that python prints by itself: no environment is built.

use std::borrow::Cow;
use std::convert::Infallible;
use std::path::PathBuf;

use anyhow::Result;

use super::print;
use crate::exec::Handoff;
use crate::invocation::{self, Invocation};
use crate::launch;
use crate::plan::{self, Evidence};
use crate::process::{ChildSignal, Process};
use crate::spec::{self, Spec};
use crate::store::Store;

/// `-h`: prints vpython's help, then runs python for its own.
pub(super) fn help(invocation: &Invocation, process: &Process) -> Result<Infallible> {
    print(&format!("{}\nInterpreter help:\n\n", invocation::help()))?;
    let interpreter = choose_interpreter(invocation, process)?;
    Handoff::passthrough(interpreter, &["-h".into()], process).exec()
}

/// Runs python without an environment: it prints information about itself, or refuses its command
/// line.
pub(super) fn run(invocation: &Invocation, process: &Process) -> Result<Infallible> {
    Handoff::passthrough(
        choose_interpreter(invocation, process)?,
        &invocation.words,
        process,
    )
    .exec()
}

/// Chooses the interpreter of the spec.
///
/// Python prints its version even if the spec is broken, if no interpreter satisfies it, or if the
/// store is unusable. In these cases, any interpreter is sufficient.
fn choose_interpreter(invocation: &Invocation, process: &Process) -> Result<PathBuf> {
    let _signal = ChildSignal::set_default();
    let store = Store::open(invocation, process)
        .and_then(|store| store.prepare().map(|()| store))
        .ok();
    let memo = store.as_ref().map(Store::memo_directory);
    let find = |spec: &Spec| {
        let here = match &store {
            Some(store) => launch::with_interpreter(spec, store, invocation, process)?,
            None => Cow::Borrowed(invocation),
        };
        plan::find_interpreter(
            &here,
            spec,
            process,
            memo.as_deref(),
            &mut Evidence::default(),
        )
    };
    let spec = spec::find(invocation, process)
        .and_then(|text| text.parse(invocation, process))
        .unwrap_or_default();
    let facts = find(&spec).or_else(|error| find(&Spec::default()).map_err(|_| error))?;
    Ok(facts.executable)
}
