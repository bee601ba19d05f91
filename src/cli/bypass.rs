//! `VPYTHON_BYPASS`: vpython steps aside, and the next python on `PATH` runs.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use anyhow::Result;

use super::print;
use crate::exec::Handoff;
use crate::interpreter;
use crate::invocation::{self, Action, Invocation, Tool};
use crate::process::{Process, variable};
use crate::report::{self, Failure, Kind};
use crate::tool;
use crate::tool::explain::Explanation;

/// The only value of `VPYTHON_BYPASS` that enables the bypass, unless `vpython.conf` sets another.
/// LUCI users set this value on machines without a bundled python.
const BYPASS: &str = "manually managed python not supported by chrome operations";

/// The maximum number of bypassed launches, each of which was started by the previous one. As
/// rustup does, vpython takes more for an endless chain: the next python may be a wrapper that leads
/// back to vpython. A python program may well run vpython again, whether in a process of its own or
/// in the same one.
const MAX_DEPTH: u32 = 20;

/// Checks whether the caller has requested the bypass. Warns if the variable has a value other than
/// the one that enables it.
pub(super) fn is_requested(invocation: &Invocation, process: &Process) -> bool {
    let Some(value) = process.setting(variable::BYPASS) else {
        return false;
    };
    let text = invocation
        .conf
        .bypass
        .as_ref()
        .map_or(BYPASS, |text| &text.value);
    let is_exact = value == OsStr::new(text);
    if !is_exact {
        let value = value.to_string_lossy();
        report::warning(&format!(
            "`{}` is ignored: it is `{value}`, not `{text}`",
            variable::BYPASS
        ));
    }
    is_exact
}

/// Runs the next python on `PATH` with the caller's arguments and environment unchanged, except for
/// [`variable::BYPASS_DEPTH`].
///
/// As in LUCI's vpython, a tool does nothing, so that a CI step may keep it; but `explain` says that
/// vpython is bypassed, and `exec` runs the program.
pub(super) fn run(invocation: &Invocation, process: &Process) -> Result<i32> {
    match &invocation.action {
        Action::Tool(Tool::Explain(options)) => {
            return Explanation::of_bypass(invocation, process, next_python(process))
                .print(options);
        }
        Action::Tool(Tool::Exec) => {
            return run_next(&invocation.words, process).map(|never| match never {});
        }
        Action::Tool(_) => return Ok(0),
        Action::ToolHelp(help) => return print(help),
        Action::Version => return print(&super::version()),
        Action::Help => print(&invocation::help()).map(drop)?,
        Action::Run => {}
    }
    let python = next_python(process)?;
    let help = [OsStr::new("-h").to_owned()];
    let words = if invocation.action == Action::Help {
        &help[..]
    } else {
        &invocation.words
    };
    pass_on(python, words, process).map(|never| match never {})
}

/// Replaces this process with the program of this name on `PATH`.
/// Doing nothing would make a test run through `exec` look successful.
fn run_next(words: &[OsString], process: &Process) -> Result<Infallible> {
    let (name, arguments) = words
        .split_first()
        .ok_or_else(tool::exec::missing_script_name)?;
    let program = interpreter::next_on_path(name, process).ok_or_else(|| {
        let failure = Failure::new(format!("no program `{}` on `PATH`", name.to_string_lossy()));
        failure
            .because(format!("`{}` is set", variable::BYPASS))
            .kind(Kind::NotFound)
    })?;
    pass_on(program, arguments, process)
}

/// Replaces this process with a program, unless that has led back to vpython too often.
fn pass_on(program: PathBuf, words: &[OsString], process: &Process) -> Result<Infallible> {
    let depth = process.variable(variable::BYPASS_DEPTH);
    let depth = depth.and_then(|text| text.to_str()?.parse::<u32>().ok());
    let depth = depth.unwrap_or(0);
    if depth >= MAX_DEPTH {
        let program = program.display();
        let failure = Failure::new(format!(
            "cannot run `{program}`, which may lead back to vpython"
        ));
        let bypass = variable::BYPASS;
        return Err(failure
            .because(format!(
                "`{bypass}` is set, and each of {depth} launches has started the next one"
            ))
            .hint(format!(
                "put another python first on `PATH`, or unset `{bypass}`"
            ))
            .kind(Kind::CannotExecute)
            .into());
    }
    let mut handoff = Handoff::passthrough(program, words, process);
    handoff.set(variable::BYPASS_DEPTH, (depth + 1).to_string().into());
    handoff.exec()
}

/// Returns the python that a bypassed launch runs.
fn next_python(process: &Process) -> Result<PathBuf> {
    interpreter::next_python_on_path(process).ok_or_else(|| {
        let failure = Failure::new("no python on `PATH` other than vpython")
            .because(format!("`{}` is set", variable::BYPASS));
        failure.kind(Kind::NotFound).into()
    })
}
