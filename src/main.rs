//! The entry point: captures the process's inputs, runs vpython, and reports errors as an exit
//! code.
//!
//! The program defines C's `main` instead of Rust's, for two reasons. Rust's runtime opens
//! `/dev/null` on every closed descriptor from 0 to 2, which makes `python <&-` indistinguishable
//! from `python </dev/null`. It also ignores SIGPIPE, maps a signal stack and reads
//! `/proc/self/maps`, which accounts for half of the system calls of a warm launch.
#![no_main]

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

/// The function that the C library calls to start the program.
// The only item that needs this allowance: the linker must see the name unmangled, and the program
// must define no other `main`.
#[allow(
    unsafe_code,
    reason = "an unmangled `main` is what the C library calls"
)]
#[unsafe(no_mangle)]
pub extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    vpython::run(command_line(count, words))
}

/// Returns the words of the command line. The standard library has them before `main` with glibc
/// only; elsewhere it gets them from its own runtime, which this program does not start.
#[allow(
    unsafe_code,
    reason = "C passes `main` the number of words, and a pointer to each"
)]
fn command_line(count: c_int, words: *const *const c_char) -> impl Iterator<Item = OsString> {
    (0..usize::try_from(count).unwrap_or(0)).map(move |index| {
        let word = unsafe { CStr::from_ptr(*words.add(index)) };
        OsStr::from_bytes(word.to_bytes()).to_owned()
    })
}
