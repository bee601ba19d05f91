//! The edge: what the process was given goes in, an exit code or another program comes out.
//!
//! The program starts at C's `main` and not at Rust's, for two reasons. Rust's start-up opens
//! `/dev/null` on each of the descriptors 0 to 2 that is closed, after which nobody can tell
//! `python <&-` from `python </dev/null`; and it ignores SIGPIPE, maps a signal stack and reads
//! `/proc/self/maps`, which makes up half of the system calls of a warm launch.
#![no_main]

use std::ffi::{c_char, c_int};

use vpython::process::Process;
use vpython::{cli, report};

/// Where the C library starts the program. The arguments are not read here: on Linux the standard
/// library takes them from the initialisation array, before `main`.
// The one line that needs the permission: the name must reach the linker as it is, and no other
// `main` may exist.
#[allow(
    unsafe_code,
    reason = "an unmangled `main` is what the C library calls"
)]
#[unsafe(no_mangle)]
pub extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    let process = Process::capture();
    if let Some(name) = &process.name {
        report::set_program(name);
    }
    let code = cli::run(&process).unwrap_or_else(|error| {
        report::error(&error);
        report::exit_code(&error)
    });
    report::log::finish_trace();
    code
}
