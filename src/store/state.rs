//! The states of an environment in the store, as a launch finds it.

use anyhow::Result;

use super::Store;
use super::entry::{Entry, Lookup};
use crate::plan::Key;

/// The state of an environment in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvironmentState {
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
    pub fn ready(self) -> Result<Entry, EnvironmentState> {
        match self {
            Self::Ready(entry) => Ok(entry),
            Self::Absent => Err(EnvironmentState::Absent),
            Self::Busy => Err(EnvironmentState::Busy),
            Self::Changed => Err(EnvironmentState::Changed),
        }
    }
}

impl Store {
    /// Returns the state of the environment with this key, in the store or a shared root. It waits
    /// for no process, and keeps no lock.
    ///
    /// # Errors
    /// It cannot be inspected.
    pub fn state_of(&self, key: &Key) -> Result<EnvironmentState> {
        match self.lookup(key)?.ready() {
            Err(EnvironmentState::Absent) if self.shared_root_with(key).is_some() => {
                Ok(EnvironmentState::Ready)
            }
            found => Ok(found.err().unwrap_or(EnvironmentState::Ready)),
        }
    }
}
