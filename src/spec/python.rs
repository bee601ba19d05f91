//! The Python version that a spec requires, or the default if it names none.

use std::fmt;

use pep440_rs::VersionSpecifiers;

/// The Python versions that satisfy a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonRange {
    /// The version specifiers (PEP 440).
    pub specifiers: VersionSpecifiers,
    /// Whether only a free-threaded build satisfies the spec, as for `3.13t`.
    pub free_threaded: bool,
    /// The key or field that states them.
    pub key: &'static str,
    /// The value of the key, as written.
    pub written: String,
}

impl fmt::Display for PythonRange {
    /// Writes the range with the syntax of the spec that has the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.key.contains('-') { " =" } else { ":" };
        write!(formatter, "{}{sign} \"{}\"", self.key, self.written)
    }
}

/// The Python to use if a spec names no version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PythonDefault {
    /// The first one found.
    #[default]
    First,
    /// 2.7, the default of LUCI's `vpython`; otherwise the first one found.
    Two,
    /// 3.11, else 3.8, the defaults of LUCI's `vpython3`; otherwise the highest Python 3.
    Three,
}

impl PythonDefault {
    /// Returns the preferred versions, in order; others are used only if none of these exists.
    #[must_use]
    pub fn versions(self) -> &'static [&'static str] {
        match self {
            Self::First => &[],
            Self::Two => &["2.7"],
            Self::Three => &["3.11", "3.8"],
        }
    }
}
