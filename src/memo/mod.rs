//! What an earlier launch found, and whether it is still valid.
//!
//! A memo has the result of a launch and the evidence for it. Its name is a digest of the inputs of
//! the launch, so that the next launch with the same inputs finds it. If there is none, or if it is
//! not valid, [`why()`] says what has changed.

mod absent;
mod inputs;
mod miss;
mod recall;
mod why;

pub use inputs::{Inputs, KnownSpec};
pub use miss::Miss;
pub use recall::{Memo, MemoName};
pub use why::{add_environment_state, why};
