//! [`Failure`]: an error with a kind, several causes and a hint.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{kind, parts};

/// The reason why vpython fails, which selects the exit code; the numbers are those of `env`,
/// `nohup` and the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Kind {
    /// An invalid flag or spec, no compatible wheel, or an environment that cannot be built: 125.
    #[default]
    Refused,
    /// The program exists and cannot be executed: 126.
    CannotExecute,
    /// The program does not exist: 127.
    NotFound,
}

impl Kind {
    pub(super) const fn exit_code(self) -> i32 {
        match self {
            Self::Refused => 125,
            Self::CannotExecute => 126,
            Self::NotFound => 127,
        }
    }
}

/// An error with more than a headline: a kind, several causes, a hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The operation that failed.
    pub what: String,
    /// The reasons, one per line.
    pub causes: Vec<String>,
    /// The action to try.
    pub hint: Option<String>,
    /// The kind, which selects the exit code.
    pub kind: Kind,
}

impl Failure {
    /// Creates a failure with only a headline: the operation that failed, in lower case, names in
    /// backticks, no full stop.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            causes: Vec::new(),
            hint: None,
            kind: Kind::default(),
        }
    }

    /// Collects everything that an error says in one value.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        let (mut lines, hint) = parts(error);
        let what = if lines.is_empty() {
            String::new()
        } else {
            lines.remove(0)
        };
        Self {
            what,
            causes: lines,
            hint: hint.map(str::to_owned),
            kind: kind(error),
        }
    }

    /// Adds a cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds causes, one per line.
    #[must_use]
    pub fn because_of(mut self, causes: impl IntoIterator<Item = String>) -> Self {
        self.causes.extend(causes);
        self
    }

    /// Sets the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the kind, if it is not [`Kind::Refused`].
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}
