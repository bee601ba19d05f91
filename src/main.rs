//! The entry point: captures the process's inputs, runs vpython, and reports errors as an exit
//! code.
//!
//! The program defines C's `main` instead of Rust's, for two reasons. Rust's runtime opens
//! `/dev/null` on every closed descriptor from 0 to 2, which makes `python <&-` indistinguishable
//! from `python </dev/null`. It also ignores SIGPIPE, maps a signal stack and reads
//! `/proc/self/maps`, which accounts for half of the system calls of a warm launch.
#![no_main]

use std::ffi::{c_char, c_int};

/// The function that the C library calls to start the program. It ignores its arguments: on Linux
/// the standard library captures them in the initialisation array, before `main`.
// The only item that needs this allowance: the linker must see the name unmangled, and the program
// must define no other `main`.
#[allow(
    unsafe_code,
    reason = "an unmangled `main` is what the C library calls"
)]
#[unsafe(no_mangle)]
pub extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    vpython::run()
}
