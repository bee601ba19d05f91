//! One file for each `-vpython-tool`, which does one thing with the environment of the command
//! line.

pub mod check;
pub mod documents;
pub mod exec;
pub mod explain;
pub mod export;
pub mod fetch;
pub mod install;
pub mod list;
pub mod lock;
pub mod pack;
pub mod prune;
pub mod push;
pub mod relocate;
pub mod unpack;
pub mod upgrade;
pub mod verify;

use anyhow::Result;

use crate::fs;
use crate::invocation::{Invocation, Target, Tool};
use crate::process::{ChildSignal, Process};
use crate::report::Failure;

/// Runs a tool, and returns its exit code.
///
/// # Errors
/// Those of the tool.
pub fn run(tool: &Tool, invocation: &Invocation, process: &Process) -> Result<i32> {
    if tool.needs_script() {
        refuse_missing_script(&invocation.target, process)?;
    }
    // A warm launch needs no threads, and a cold one starts them itself.
    let is_cold = *tool != Tool::Exec;
    let _signal = is_cold.then(ChildSignal::set_default);
    if is_cold {
        process.start_threads();
    }
    match tool {
        Tool::Check(options) => check::run(options, invocation, process),
        Tool::Completions => documents::completions(&invocation.words),
        Tool::Exec => exec::run(invocation, process).map(|never| match never {}),
        Tool::Explain(options) => explain::run(options, invocation, process),
        Tool::Export(options) => export::run(options, invocation, process),
        Tool::Fetch(options) => fetch::run(options, invocation, process),
        Tool::Install => install::run(invocation, process),
        Tool::List(options) => list::run(options, invocation, process),
        Tool::Lock(options) => lock::run(options, invocation, process),
        Tool::Man => documents::man(&invocation.words, process),
        Tool::Pack(options) => pack::run(options, invocation, process),
        Tool::Push(options) => push::run(options, invocation, process),
        Tool::Prune(options) => prune::run(options, invocation, process),
        Tool::Relocate(options) => relocate::run(options, &invocation.words, invocation, process),
        Tool::Unpack(options) => unpack::run(options, invocation, process),
        Tool::Upgrade(options) => upgrade::run(options, invocation, process),
        Tool::Verify => verify::run(invocation, process),
    }
}

/// Fails if the script of a command line does not exist. A launch leaves that error to python; a
/// tool would not notice it.
fn refuse_missing_script(target: &Target, process: &Process) -> Result<()> {
    match target {
        Target::Script(path) if !fs::look_for(&process.absolute(path))? => {
            Err(Failure::new(format!("there is no script `{}`", path.display())).into())
        }
        _ => Ok(()),
    }
}
