//! How an interpreter was chosen: where it was found, and what was passed over before.

use std::fmt;
use std::path::PathBuf;

/// A choice among interpreters, as far as it went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterpreterChoice {
    /// The one that is taken; none where none will do.
    pub taken: Option<Taken>,
    /// The versions that were looked for first, because neither the caller nor the spec names one,
    /// up to the one that was found.
    pub defaults: Vec<String>,
    /// The candidates before it that will not do, in the order in which they were met.
    pub passed_over: Vec<PassedOver>,
}

/// Where an interpreter was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its path as it was found: a link, a shim, or the binary itself.
    pub path: PathBuf,
    /// What led there.
    pub source: Source,
}

/// What leads to interpreters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The caller, by `-vpython-interpreter` or `VPYTHON_INTERPRETER`.
    Named,
    /// A directory named by version beside vpython's own binary.
    Bundle,
    /// A directory of `PATH`.
    Path,
    /// What pyenv has installed.
    Pyenv,
    /// What uv has installed.
    Uv,
}

/// A candidate that will not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Where it is.
    pub path: PathBuf,
    /// Why not.
    pub why: String,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`: {}", self.path.display(), self.why)
    }
}
