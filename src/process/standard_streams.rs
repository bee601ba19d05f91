//! Standard streams of child processes that lead nowhere, also where `/dev/null` does not exist, as in
//! an empty root file system.

use std::process::Stdio;

use crate::fs;

/// Returns an empty standard input.
#[must_use]
pub fn no_input() -> Stdio {
    device_null()
        .or_else(|| std::io::pipe().ok().map(|(reader, _)| reader.into()))
        .unwrap_or_else(Stdio::null)
}

/// Returns a standard output whose text is lost.
#[must_use]
pub fn no_output() -> Stdio {
    device_null()
        .or_else(|| std::io::pipe().ok().map(|(_, writer)| writer.into()))
        .unwrap_or_else(Stdio::null)
}

fn device_null() -> Option<Stdio> {
    fs::open_device_null().ok().map(Stdio::from)
}
