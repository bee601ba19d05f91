//! Why a launch is not the same as one before it.

use anyhow::Result;

use super::Store;
use super::entry::{Entry, Lookup};
use crate::fs::Stamped;
use crate::plan::Key;

/// Why there is no memo to go by.
#[derive(Debug)]
pub enum Miss {
    /// No launch was asked the same, as far as is remembered.
    Unknown,
    /// This is no longer what it was when the memo was made. There may be others.
    Changed(Stamped),
    /// An environment variable that the spec names has another value.
    Variable(String),
    /// What the launch came to does not stand as it was left.
    Environment(Standing),
}

/// What stands where an environment of a key belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The environment.
    Ready,
    /// Nothing.
    Absent,
    /// An environment that somebody has for himself, as who removes it does.
    Busy,
    /// Something that is no longer what was built.
    Changed,
}

impl Lookup {
    /// The environment, if there is one to use.
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
    /// What stands under a key. Waits for nobody, and keeps no lock.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn standing(&self, key: &Key) -> Result<Standing> {
        Ok(self.lookup(key)?.ready().err().unwrap_or(Standing::Ready))
    }
}
