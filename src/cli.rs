//! The command line: version, help, bypass, a tool or a run of python.

mod bypass;
mod information;
mod throw_away;

use anyhow::Result;

use crate::invocation::{Action, Invocation, LogLevel, Target};
use crate::process::{Process, variable};
use crate::report::{self, Failure, Kind, log, progress};
use crate::{launch, store, tool};

/// Runs the command line of a process. Returns the exit code; on success, a run of python does not
/// return.
///
/// # Errors
/// The command line is invalid, or the requested action failed; [`report::exit_code`] maps the
/// error to an exit code.
pub fn run(process: &Process) -> Result<i32> {
    let result = act(process);
    progress::end();
    result
}

fn act(process: &Process) -> Result<i32> {
    let invocation = Invocation::read(process)?;
    if bypass::is_requested(&invocation, process) {
        start_log(&invocation)?;
        return bypass::run(&invocation, process);
    }
    if process.setting(variable::PROBE).is_some() {
        let failure = Failure::new("vpython is not an interpreter");
        return Err(failure.kind(Kind::CannotExecute).into());
    }
    if invocation.is_throw_away && throw_away::needs_store(&invocation.action) {
        // The log may have a thread, which a fork would lose.
        return throw_away::run(invocation, process, act_on_store);
    }
    act_on_store(&invocation, process)
}

/// Acts, and adds a hint to an error of the file system that holds the store.
fn act_on_store(invocation: &Invocation, process: &Process) -> Result<i32> {
    start_log(invocation)?;
    follow(invocation, process).map_err(|error| store::advise(error, invocation, process))
}

fn follow(invocation: &Invocation, process: &Process) -> Result<i32> {
    let never = match (&invocation.action, &invocation.target) {
        (Action::Version, _) => return print(&version()),
        (Action::ToolHelp(help), _) => return print(help),
        (Action::Tool(tool), _) => return tool::run(tool, invocation, process),
        (Action::Help, _) => information::help(invocation, process)?,
        (Action::Run, Target::Information) => information::run(invocation, process)?,
        (Action::Run, _) => launch::run(invocation, process)?,
    };
    match never {}
}

fn version() -> String {
    format!("vpython {}\n", env!("CARGO_PKG_VERSION"))
}

/// Writes to stdout. Returns the exit code of success.
fn print(text: &str) -> Result<i32> {
    report::print(text.as_bytes())?;
    Ok(0)
}

/// Starts the log, and prints the warnings about the settings that the command line was read with.
fn start_log(invocation: &Invocation) -> Result<()> {
    log::start(
        level(invocation.log_level),
        invocation.trace.as_deref(),
        invocation.user,
    )?;
    invocation.warn(&invocation.conf.warnings);
    Ok(())
}

/// Returns the level that the log records, in addition to errors and warnings.
fn level(level: Option<LogLevel>) -> Option<tracing::Level> {
    match level {
        Some(LogLevel::Info) => Some(tracing::Level::INFO),
        Some(LogLevel::Debug) => Some(tracing::Level::DEBUG),
        Some(LogLevel::Error | LogLevel::Warning) | None => None,
    }
}
