//! A setting with the option, variable, file or spec that names it, for messages.

use std::fmt;
use std::path::PathBuf;

use crate::spec::Location;

/// A value, and what names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<T> {
    /// The value.
    pub value: T,
    /// What names it.
    pub by: NamedBy,
}

/// What names a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedBy {
    /// An option of the command line, with its dashes.
    Option(&'static str),
    /// The spec.
    Spec(Location),
    /// An environment variable.
    Variable(String),
    /// A line of a settings file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// Nothing: vpython's default.
    Default,
}

impl fmt::Display for NamedBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(option) => write!(formatter, "`{option}`"),
            Self::Spec(place) => place.fmt(formatter),
            Self::Variable(name) => write!(formatter, "`{name}`"),
            Self::File { path, line } => write!(formatter, "`{}`, line {line}", path.display()),
            Self::Default => formatter.write_str("vpython's default"),
        }
    }
}
