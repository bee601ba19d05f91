//! A run with a throw-away store: a small parent process waits for the program to end, and then
//! removes the store.

use anyhow::Result;

use crate::exec::supervise::{self, Side};
use crate::invocation::{Action, Invocation, Tool};
use crate::process::Process;
use crate::report::{self, Failure};
use crate::store::ThrowAway;

/// Runs `act` in a child process, with a store that exists as long as the child does. Returns the
/// exit code of the child, which may have become another program.
///
/// # Errors
/// The store cannot be created; the command line makes no sense with such a store; the errors of
/// `act`.
pub(super) fn run(
    mut invocation: Invocation,
    process: &Process,
    act: impl FnOnce(&Invocation, &Process) -> Result<i32>,
) -> Result<i32> {
    if let Some(failure) = refusal(&invocation) {
        return Err(failure.into());
    }
    let store = ThrowAway::make(process)?;
    match supervise::fork() {
        Ok(Side::Program) => {
            invocation.root = Some(store.path().to_owned());
            act(&invocation, process)
        }
        Ok(Side::Supervisor(supervisor)) => {
            let end = supervisor.wait(store.lock());
            if let Err(error) = store.remove() {
                report::warning(&report::one_line(&error));
            }
            Ok(end.propagate())
        }
        Err(error) => store.remove().and(Err(error)),
    }
}

/// Checks whether a command line needs a store.
pub(super) fn needs_store(action: &Action) -> bool {
    match action {
        Action::Run | Action::Help => true,
        Action::Version | Action::ToolHelp(_) => false,
        Action::Tool(tool) => !matches!(
            tool,
            Tool::Completions | Tool::Man | Tool::Relocate(_) | Tool::Unpack(_)
        ),
    }
}

/// Returns the error for a command line that makes no sense with a store that starts empty and is
/// removed afterwards.
fn refusal(invocation: &Invocation) -> Option<Failure> {
    let tool = match invocation.action {
        Action::Tool(Tool::Check(_)) => "check",
        Action::Tool(Tool::List(_)) => "list",
        Action::Tool(Tool::Prune(_)) => "prune",
        _ if invocation.local_venv => {
            let failure = Failure::new("cannot keep a link for `-vpython-local-venv`");
            let failure = failure.because(
                "the store is a throw-away store, so the link would dangle when the run ends",
            );
            return Some(failure.hint("name a store with `-vpython-root`, or leave the flag out"));
        }
        _ => return None,
    };
    let failure = Failure::new(format!("`-vpython-tool {tool}` has nothing to work on"));
    let failure =
        failure.because("the store is a throw-away store, which starts empty in each run");
    Some(failure.hint("name a store with `-vpython-root`"))
}
