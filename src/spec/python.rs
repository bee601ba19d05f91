//! Which Python a spec asks for: a range of versions, or where it names none, a default.

use std::fmt;

use pep440_rs::VersionSpecifiers;

/// The Python versions that will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonRange {
    /// Which versions these are (PEP 440).
    pub specifiers: VersionSpecifiers,
    /// The key or field that says so.
    pub key: &'static str,
    /// What it says.
    pub written: String,
}

impl fmt::Display for PythonRange {
    /// As a spec of the kind that has the key says it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.key.contains('-') { " =" } else { ":" };
        write!(formatter, "{}{sign} \"{}\"", self.key, self.written)
    }
}

/// Which Python is taken where a spec names no version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PythonDefault {
    /// The first that is found.
    #[default]
    First,
    /// 2.7, which LUCI's `vpython` takes; where there is none, the first that is found.
    Two,
    /// 3.11, else 3.8, which LUCI's `vpython3` takes; where there is neither, the highest Python 3.
    Three,
}

impl PythonDefault {
    /// The versions that are looked for, in this order, before any other is taken.
    #[must_use]
    pub fn versions(self) -> &'static [&'static str] {
        match self {
            Self::First => &[],
            Self::Two => &["2.7"],
            Self::Three => &["3.11", "3.8"],
        }
    }
}
