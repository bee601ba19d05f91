//! Versions in names and ranges, which determine the interpreters to search for.

use std::ffi::OsStr;
use std::path::{Component, Path};

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};

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
        let parts: Vec<&str> = text.split('.').collect();
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
            specifiers: format!("=={text}{rest}").parse().ok()?,
        })
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
        }
    }
}

/// Returns the only minor version of Python 3 that a range allows, as for `==3.11.*`, `==3.11.7`
/// and `~=3.11.2`.
pub(super) fn single_minor(wanted: &VersionSpecifiers) -> Option<u64> {
    wanted.iter().find_map(|specifier| {
        let release = specifier.version().release();
        let single = match specifier.operator() {
            Operator::Equal | Operator::EqualStar | Operator::ExactEqual => release.len() >= 2,
            Operator::TildeEqual => release.len() >= 3,
            _ => false,
        };
        (single && release[0] == 3).then(|| release[1])
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

/// Returns the minor version in a name such as `python3.11`.
pub(super) fn minor_in_name(name: &OsStr) -> Option<u32> {
    name.to_str()?.strip_prefix("python3.")?.parse().ok()
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
            ("python", None),
            ("./3.12", None),
            ("/usr/bin/python3.12", None),
            ("3.12.", None),
            ("3.12.4.1", None),
            ("pypy3.10", None),
            ("python3.12-dbg", None),
        ];
        for (word, range) in rows {
            let named = NamedVersion::of(Path::new(word)).map(|named| named.specifiers.to_string());
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
        assert_eq!(minor_in_name(OsStr::new("python3.11")), Some(11));
        for name in ["python3", "python3.11-config", "python3.", "python2.7"] {
            assert_eq!(minor_in_name(OsStr::new(name)), None, "{name}");
        }
    }
}
