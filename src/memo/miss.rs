//! The reasons why a launch is cold.

use std::path::PathBuf;

use crate::fs::Stamped;
use crate::store::EnvironmentState;

/// The reason why no memo applies.
#[derive(Debug)]
pub enum Miss {
    /// No memo for the same inputs exists.
    Unknown,
    /// This file has changed since the memo was written. Others may have changed too.
    Changed(Stamped),
    /// An environment variable that the spec names has another value.
    Variable(String),
    /// The environment that the memo names is in this shared root, which no longer has it, or not as
    /// it was.
    SharedRoot(PathBuf),
    /// The environment that the memo names is not usable as it is.
    Environment(EnvironmentState),
}
