//! The reasons why a launch is cold.

use anyhow::Result;

use super::Store;
use super::entry::{Entry, Lookup};
use crate::fs::Stamped;
use crate::plan::Key;

/// The reason why no memo applies.
#[derive(Debug)]
pub enum Miss {
    /// No memo for the same inputs exists.
    Unknown,
    /// This file has changed since the memo was written. Others may have changed too.
    Changed(Stamped),
    /// An environment variable that the spec names has another value.
    Variable(String),
    /// The environment that the memo names is not usable as it is.
    Environment(Standing),
}

/// The state of an environment in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The environment.
    Ready,
    /// Nothing.
    Absent,
    /// It is locked exclusively, for example by a process that removes it.
    Busy,
    /// It was modified after it was built.
    Changed,
}

impl Lookup {
    /// Returns the environment if it is usable, otherwise its state.
    pub(super) fn ready(self) -> Result<Entry, Standing> {
        match self {
            Self::Ready(entry) => Ok(entry),
            Self::Absent => Err(Standing::Absent),
            Self::Busy => Err(Standing::Busy),
            Self::Changed => Err(Standing::Changed),
        }
    }
}

impl Store {
    /// Returns the state of the environment with this key. It waits for no process, and keeps no
    /// lock.
    ///
    /// # Errors
    /// It cannot be inspected.
    pub fn standing(&self, key: &Key) -> Result<Standing> {
        Ok(self.lookup(key)?.ready().err().unwrap_or(Standing::Ready))
    }
}
