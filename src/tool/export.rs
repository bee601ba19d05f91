//! `-vpython-tool export DIR`: writes an environment outside the store.

use anyhow::Result;

use super::install;
use crate::build::Sharing;
use crate::invocation::{Export, Invocation};
use crate::portable::{self, Standalone};
use crate::process::Process;

/// Exports the environment unless it is up to date, prints its path, and returns the exit code.
///
/// # Errors
/// Returns an error if the destination holds anything that vpython did not create, if the
/// environment cannot be built, or if a file cannot be written.
pub fn run(options: &Export, invocation: &Invocation, process: &Process) -> Result<i32> {
    let mut environment = Standalone::decide(invocation, process)?;
    if options.with_pip {
        environment.add_pip()?;
    }
    let sharing = if options.copy {
        Sharing::Copied
    } else {
        Sharing::Linked
    };
    let destination = &options.directory;
    let additions = &options.additions;
    portable::export(&environment, additions, sharing, destination, process.user)?;
    install::print(destination)
}
