//! Versions in names and ranges, which determine the interpreters to search for.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Component, Path};

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};

use super::Facts;
use crate::invocation::split_threading;

/// A version to search for, because the caller names it instead of a file (`3.12`, or `python3.12`)
/// or because it is a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedVersion {
    /// The version as it is written, such as `3.12`.
    pub text: String,
    /// The reason for the search, as in `3.12 is requested`.
    pub how: &'static str,
    /// The matching versions.
    pub specifiers: VersionSpecifiers,
    /// Whether only a free-threaded build matches, as for `3.13t`.
    pub free_threaded: bool,
}

impl NamedVersion {
    /// Parses a path of one component as a version.
    pub fn of(path: &Path) -> Option<Self> {
        // A path of several components names a file.
        let mut components = path.components();
        let (Some(Component::Normal(name)), None) = (components.next(), components.next()) else {
            return None;
        };
        let name = name.to_str()?;
        let text = name.strip_prefix("python").unwrap_or(name);
        let (version, free_threaded) = split_threading(text);
        let parts: Vec<&str> = version.split('.').collect();
        let is_number = |part: &&str| {
            !part.is_empty() && part.len() < 4 && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !parts.iter().all(is_number) || parts.len() > 3 {
            return None;
        }
        // `3.11` admits every patch release, `3.11.4` only itself.
        let rest = if parts.len() < 3 { ".*" } else { "" };
        Some(Self {
            text: text.to_owned(),
            how: "requested",
            specifiers: format!("=={version}{rest}").parse().ok()?,
            free_threaded,
        })
    }

    /// Checks whether an interpreter has this version.
    pub fn admits(&self, facts: &Facts) -> bool {
        self.specifiers.contains(facts.version())
            && (facts.abi.free_threaded || !self.free_threaded)
    }

    /// Returns the same version as a default.
    pub fn by_default(self) -> Self {
        Self {
            how: "preferred",
            ..self
        }
    }

    /// Returns the range of all higher versions.
    pub fn above(version: &Version) -> Self {
        let specifier = VersionSpecifier::greater_than_version(version.clone());
        Self {
            text: specifier.to_string(),
            how: "requested",
            specifiers: specifier.into(),
            free_threaded: false,
        }
    }
}

/// Returns the only minor version of Python 3 that a range allows, as for `==3.11.*`, `==3.11.7`
/// and `~=3.11.2`.
pub(super) fn single_minor(wanted: &VersionSpecifiers) -> Option<u32> {
    wanted.iter().find_map(|specifier| {
        let release = specifier.version().release();
        let single = match specifier.operator() {
            Operator::Equal | Operator::EqualStar | Operator::ExactEqual => release.len() >= 2,
            Operator::TildeEqual => release.len() >= 3,
            _ => false,
        };
        let minor = (single && release[0] == 3).then(|| release[1])?;
        u32::try_from(minor).ok()
    })
}

/// Checks whether a range contains Python 2.7 and no Python 3.
pub(super) fn is_for_python2(wanted: &VersionSpecifiers) -> bool {
    // The range may select a patch level, so try each.
    let has = |major: u64, minors: std::ops::Range<u64>| {
        minors
            .into_iter()
            .any(|minor| (0..40).any(|patch| wanted.contains(&Version::new([major, minor, patch]))))
    };
    has(2, 7..8) && !has(3, 0..60)
}

/// A name with a minor version, such as `python3.11`, or `python3.13t` of a free-threaded build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VersionedName {
    /// The minor version.
    pub minor: u32,
    /// Whether it is that of a free-threaded build.
    pub free_threaded: bool,
}

impl VersionedName {
    /// Parses the name of a program.
    pub fn parse(name: &OsStr) -> Option<Self> {
        let (version, free_threaded) = split_threading(name.to_str()?.strip_prefix("python")?);
        Some(Self {
            minor: version.strip_prefix("3.")?.parse().ok()?,
            free_threaded,
        })
    }
}

impl fmt::Display for VersionedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = if self.free_threaded { "t" } else { "" };
        write!(formatter, "python3.{}{threads}", self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_may_name_a_version() {
        let rows = [
            ("3.12", Some("==3.12.*")),
            ("python3.12", Some("==3.12.*")),
            ("3.12.4", Some("==3.12.4")),
            ("python3", Some("==3.*")),
            ("2.7", Some("==2.7.*")),
            ("3.13t", Some("==3.13.*")),
            ("python3.13.1t", Some("==3.13.1")),
            ("python", None),
            ("./3.12", None),
            ("/usr/bin/python3.12", None),
            ("3.12.", None),
            ("3.12.4.1", None),
            ("pypy3.10", None),
            ("python3.12-dbg", None),
            ("3t", None),
            ("3.13tt", None),
        ];
        for (word, range) in rows {
            let named = NamedVersion::of(Path::new(word));
            let is_free_threaded = named.as_ref().is_some_and(|named| named.free_threaded);
            assert_eq!(
                is_free_threaded,
                range.is_some() && word.ends_with('t'),
                "{word}"
            );
            let named = named.map(|named| named.specifiers.to_string());
            assert_eq!(named.as_deref(), range, "{word}");
        }
    }

    #[test]
    fn a_range_with_one_minor_version_is_recognized() {
        let rows = [
            ("==3.11.*", Some(11)),
            ("==3.11.7", Some(11)),
            ("~=3.11.2", Some(11)),
            ("===3.9.1", Some(9)),
            ("~=3.11", None),
            (">=3.11", None),
            ("==3.*", None),
        ];
        for (range, minor) in rows {
            assert_eq!(single_minor(&range.parse().unwrap()), minor, "{range}");
        }
    }

    #[test]
    fn python_2_requires_a_range_without_python_3() {
        let rows = [
            ("==2.7.*", true),
            ("~=2.7.5", true),
            ("==2.7.18", true),
            ("<3", true),
            (">=2.7,<3.0", true),
            ("==2.*", true),
            ("==2.6.*", false),
            (">=2.7", false),
            (">=2.7,!=3.0.*,!=3.1.*", false),
            ("==3.11.*", false),
            (">=3.8", false),
        ];
        for (range, expected) in rows {
            assert_eq!(is_for_python2(&range.parse().unwrap()), expected, "{range}");
        }
    }

    #[test]
    fn names_with_a_version_are_recognized() {
        for (name, minor, free_threaded) in [("python3.11", 11, false), ("python3.13t", 13, true)] {
            let parsed = VersionedName {
                minor,
                free_threaded,
            };
            assert_eq!(VersionedName::parse(OsStr::new(name)), Some(parsed));
            assert_eq!(parsed.to_string(), name);
        }
        for name in [
            "python3",
            "python3.11-config",
            "python3.",
            "python2.7",
            "python3.t",
        ] {
            assert_eq!(VersionedName::parse(OsStr::new(name)), None, "{name}");
        }
    }
}
