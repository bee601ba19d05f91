//! The selection of an interpreter: where it was found, and which candidates were skipped.

use std::fmt;
use std::path::PathBuf;

use super::Facts;
use crate::oci::PinnedReference;

/// The selection of an interpreter, or a failed one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterpreterChoice {
    /// The selected one; `None` if no candidate satisfies the spec.
    pub taken: Option<Taken>,
    /// The image that it was copied from, if it was.
    pub image: Option<PinnedReference>,
    /// The default versions that were searched for, because neither the caller nor the spec names
    /// one, up to the one that was found.
    pub defaults: Vec<String>,
    /// The candidates that were skipped before it, in search order.
    pub passed_over: Vec<PassedOver>,
}

/// The location of an interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The path under which it was found: a link, a shim, or the binary itself.
    pub path: PathBuf,
    /// The source that listed it.
    pub source: Source,
    /// What it says of itself.
    pub facts: Facts,
}

/// A source of interpreters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The caller, by `-vpython-interpreter` or `VPYTHON_INTERPRETER`.
    Named,
    /// An image that the caller or the spec names.
    Image,
    /// A directory named by version next to vpython's own binary.
    Bundle,
    /// A directory of `PATH`.
    Path,
    /// The versions that pyenv has installed.
    Pyenv,
    /// The versions that uv has installed.
    Uv,
}

/// A skipped candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Its path.
    pub path: PathBuf,
    /// The reason.
    pub why: String,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`: {}", self.path.display(), self.why)
    }
}
