//! vpython runs a Python program in exactly the environment that the program's spec describes.
//!
//! One run is a chain of values. Each stage produces the value of the same name from the previous
//! one:
//!
//! ```text
//!  argv, env, cwd ─▶ Invocation ─▶ Spec ─▶ Plan ─▶ Key ─▶ Entry ─▶ Handoff ─▶ (execve)
//! ```
//!
//! | module | contents |
//! |---|---|
//! | [`cli`] | the command line: version, help, bypass; a tool or a run of python |
//! | [`tool`] | one file for each `-vpython-tool` |
//! | [`launch`] | one run, warm path first |
//! | [`exec`] | replacing the process with python |
//! | [`build`] | building environments and unpacking wheels; never on the warm path |
//! | [`store`] | environments and unpacked wheels, by key and digest; locks and memos |
//! | [`plan`] | the resolution on this machine: one interpreter, each wheel, the key |
//! | [`spec`] | the requirements, and the location where each is written |
//! | [`invocation`] | the command line: vpython's flags, python's arguments and the target |
//! | [`process`], [`report`], [`fs`] | process inputs, output to the user, file system access |
//!
//! Each module may use the modules below it in the table and no others, except that [`exec`] does
//! not use [`build`]. `main` calls [`cli`]. A test enforces these dependencies.

pub mod build;
pub mod cli;
pub mod exec;
pub mod fs;
pub mod invocation;
pub mod launch;
pub mod plan;
pub mod process;
pub mod report;
pub mod spec;
pub mod store;
pub mod tool;
