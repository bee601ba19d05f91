//! vpython runs a Python program in exactly the environment that it requires.
//!
//! One run is a chain of values, each made from the one before by the stage of the same name:
//!
//! ```text
//!  argv, env, cwd ─▶ Invocation ─▶ Spec ─▶ Plan ─▶ Key ─▶ Entry ─▶ Handoff ─▶ (execve)
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`cli`] | the command line: version, help, bypass; a tool or a run of python |
//! | [`tool`] | one file for each `-vpython-tool` |
//! | [`launch`] | one run, warm path first |
//! | [`exec`] | the program that vpython becomes |
//! | [`build`] | environments and unpacked wheels are made here; never on the warm path |
//! | [`store`] | environments and unpacked wheels by key and digest; locks and memos |
//! | [`plan`] | one interpreter, every wheel, the key |
//! | [`spec`] | the spec: where it is found, and what it requires |
//! | [`invocation`] | the command line as typed: vpython's flags, python's words and its target |
//! | [`process`], [`report`], [`fs`] | what the process was given, what it prints, the disk |
//!
//! A module may name those below it in the table and nothing else, except that [`exec`] does not
//! name [`build`]. `main` calls [`cli`]. `tests/it/layers.rs` keeps these layers.

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
