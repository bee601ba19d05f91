//! The dependencies of a package, in the syntax of its package manager.
//!
//! Debian: <https://www.debian.org/doc/debian-policy/ch-relationships.html>; rpm:
//! <https://rpm-software-management.github.io/rpm/manual/dependencies.html> and, for dependencies
//! in parentheses, `boolean_dependencies.html` there.

use super::rules::{Manager, is_deb_version};

/// A dependency of an rpm.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Requirement<'a> {
    pub name: &'a str,
    pub comparison: Comparison,
    /// Empty if any version satisfies the dependency.
    pub version: &'a str,
}

/// The operator that compares an installed version with the required one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Any,
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

/// Returns what is wrong with a dependency, or `None` if it is valid.
pub(super) fn about(text: &str, manager: Manager) -> Option<String> {
    let (is_right, form) = match manager {
        Manager::Rpm => (
            Requirement::parse(text).is_some(),
            "`NAME`, `NAME >= VERSION` or `(NAME or NAME)`",
        ),
        Manager::Dpkg => (
            is_deb_depends(text),
            "`name`, `name (>= version)`, `name | name`, with commas between",
        ),
    };
    (!is_right).then(|| format!("expected {form}"))
}

impl<'a> Requirement<'a> {
    /// Parses `NAME`, `NAME >= VERSION`, or a dependency in parentheses, which is kept verbatim.
    pub fn parse(text: &'a str) -> Option<Self> {
        let is_text = text
            .chars()
            .all(|letter| !letter.is_control() && letter != ',');
        // Only rpm parses such an expression. It must not end early, as the rest would be another
        // dependency.
        if text.starts_with('(') {
            return (is_text && is_balanced(text)).then_some(Self {
                name: text,
                comparison: Comparison::Any,
                version: "",
            });
        }
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        let name = words.next()?;
        let comparison = match words.next() {
            None => Comparison::Any,
            Some("<") => Comparison::Less,
            Some("<=") => Comparison::LessOrEqual,
            Some("=" | "==") => Comparison::Equal,
            Some(">=") => Comparison::GreaterOrEqual,
            Some(">") => Comparison::Greater,
            Some(_) => return None,
        };
        let version = words.next().unwrap_or_default();
        // `rpmlib(...)` names are reserved for rpm itself.
        let is_right = is_text
            && words.next().is_none()
            && (comparison == Comparison::Any) == version.is_empty()
            && name.starts_with(|letter: char| {
                letter.is_ascii_alphanumeric() || "/_%".contains(letter)
            })
            && !name.starts_with("rpmlib(")
            && !name.contains(['<', '>', '='])
            && version
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "._+~^:-".contains(letter));
        is_right.then_some(Self {
            name,
            comparison,
            version,
        })
    }

    /// Returns whether this is a dependency in parentheses, which older versions of rpm do not
    /// support.
    pub fn is_rich(&self) -> bool {
        self.name.starts_with('(')
    }
}

/// Returns whether the last character closes the first parenthesis, and all others are balanced.
fn is_balanced(text: &str) -> bool {
    let mut depth = 0;
    let end = text.find(|letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        depth == 0
    });
    end == Some(text.len() - 1) && text.len() > 2
}

/// Returns whether a text is a valid value of Debian's `Depends` field.
fn is_deb_depends(text: &str) -> bool {
    text.split([',', '|'])
        .all(|one| is_deb_dependency(one.trim_matches(' ')))
}

fn is_deb_dependency(text: &str) -> bool {
    // As in `libc6:amd64 (>= 2.31)`.
    let (name, rest) = text
        .split_once([' ', '('])
        .map_or((text, ""), |(name, _)| (name, text[name.len()..].trim()));
    let (name, architecture) = name.split_once(':').unwrap_or((name, "any"));
    let is_plain = |text: &str, others: &str| {
        text.starts_with(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit())
            && text.chars().all(|letter| {
                letter.is_ascii_lowercase() || letter.is_ascii_digit() || others.contains(letter)
            })
    };
    let versioned = |rest: &str| {
        let inner = rest.strip_prefix('(')?.strip_suffix(')')?.trim();
        let version = ["<<", "<=", ">=", ">>", "="]
            .iter()
            .find_map(|comparison| inner.strip_prefix(comparison))?;
        Some(is_deb_version(version.trim()))
    };
    // A package name has at least two characters (Debian policy, 5.6.1).
    name.len() > 1
        && is_plain(name, "+.-")
        && is_plain(architecture, "-")
        && (rest.is_empty() || versioned(rest) == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_of_an_rpm() {
        let parsed = |name, comparison, version| {
            Some(Requirement {
                name,
                comparison,
                version,
            })
        };
        let rows = [
            ("python3", parsed("python3", Comparison::Any, "")),
            (
                "/usr/bin/python3.11",
                parsed("/usr/bin/python3.11", Comparison::Any, ""),
            ),
            (
                "python(abi)  =  3.11",
                parsed("python(abi)", Comparison::Equal, "3.11"),
            ),
            (
                "libc.so.6(GLIBC_2.17)(64bit)",
                parsed("libc.so.6(GLIBC_2.17)(64bit)", Comparison::Any, ""),
            ),
            (
                "a >= 1:2.0-3",
                parsed("a", Comparison::GreaterOrEqual, "1:2.0-3"),
            ),
            ("a < 2~rc1", parsed("a", Comparison::Less, "2~rc1")),
            (
                "(a or (b and c))",
                parsed("(a or (b and c))", Comparison::Any, ""),
            ),
            ("(a) or b", None),
            ("(a", None),
            ("()", None),
            ("", None),
            ("a >=", None),
            ("a 1", None),
            ("a>=1", None),
            ("a >= 1 2", None),
            ("a, b", None),
            ("a >= (1)", None),
            ("rpmlib(X) <= 1", None),
            ("a\nb", None),
        ];
        for (text, expected) in rows {
            assert_eq!(Requirement::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn dependencies_of_a_deb() {
        let good = [
            "python3",
            "python3 (>= 3.11~)",
            "python3(>=3.11)",
            "a1 | b2 (<< 1:2-3), c3:any",
            "libc6 (= 2.36-9+deb12u1)",
        ];
        let bad = [
            "",
            "a",
            "Python",
            "python3 >= 3.11",
            "aa (> 1)",
            "aa (>= x)",
            "aa,",
            "aa (>= 1",
            "aa [amd64]",
            "aa bb",
            "aa:",
        ];
        for text in good {
            assert!(is_deb_depends(text), "{text}");
        }
        for text in bad {
            assert!(!is_deb_depends(text), "{text}");
        }
    }
}
