//! `-vpython-tool pack`: packs an environment into an archive, a package or an image.

use anyhow::Result;

use crate::invocation::{Invocation, Pack};
use crate::portable::pack::Order;
use crate::portable::{self, Standalone};
use crate::process::Process;
use crate::report;

/// Packs the environment of a command line, and returns the exit code. Prints the digest of an image
/// that was sent to a registry.
///
/// # Errors
/// Returns an error if the environment cannot be built, if something in it cannot be packed, or if
/// the file cannot be written. The output file is then unchanged.
pub fn run(options: &Pack, invocation: &Invocation, process: &Process) -> Result<i32> {
    // Validate the options before anything is built.
    let order = Order::read(options, process)?;
    let environment = Standalone::decide(invocation, process)?;
    if let Some(digest) = portable::pack(&order, &environment, process)? {
        report::print(format!("sha256:{digest}\n").as_bytes())?;
    }
    Ok(0)
}
