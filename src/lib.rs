//! vpython runs a Python program in exactly the environment that it asks for.
//!
//! One run is a chain of values, each made from the one before by the stage of the same name:
//!
//! ```text
//!  argv, env, cwd ─▶ Invocation ─▶ Spec ─▶ Plan ─▶ Key ─▶ Entry ─▶ Handoff ─▶ (execve)
//! ```
//!
//! | module | what lives there |
//! |---|---|
//! | [`launch`] | one run, warm road first |
//! | [`invocation`] | what was typed: our flags, python's command line and its target |
//! | [`spec`] | what is asked for, and where that is written |
//! | [`plan`] | what it comes to here: one interpreter, each wheel, the key |
//! | [`store`] | environments and unpacked wheels, by key and digest; locks and memos |
//! | [`build`] | making environments and unpacking wheels; never on the warm path |
//! | [`exec`] | becoming python |
//! | [`tool`] | one file for each `-vpython-tool` |
//! | [`process`], [`report`], [`fs`] | what was given, what is said, what is on the disk |
//!
//! Each line of the table may use those above it in the chain and those of the last line, and
//! nothing else: `main` calls `launch`, `launch` calls the stages, and no stage knows a later one.
//! `build` is reached only through what `launch` hands to the store for a miss. A test holds these
//! arrows.

pub mod build;
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
