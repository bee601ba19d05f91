//! Oddities of a wheel that vpython accepts, as pip and uv do: a RECORD that disagrees with the
//! content, and spellings that violate the specifications. The wheel's sha256 protects its bytes,
//! and vpython writes correct metadata into environments in any case.
//!
//! The oddities of a wheel are stored with the unpacked wheel, so that `strict` rejects it even if
//! it was unpacked earlier.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::report::Failure;

/// The number of oddities of a wheel that are stored with their paths.
const KEPT: usize = 32;
/// The number of oddities that a message names.
const NAMED: usize = 3;

/// A kind of oddity of a member or a row of RECORD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OddityKind {
    /// RECORD does not list the member.
    Unlisted,
    /// RECORD has no digest for the member.
    NoDigest,
    /// The digest of the member differs from that in RECORD.
    OtherDigest,
    /// The size of the member differs from that in RECORD.
    OtherSize,
    /// RECORD lists a path that the archive does not have.
    Absent,
    /// RECORD has several, different rows for the path.
    SeveralRows,
    /// The digest uses an algorithm that is not SHA-256, SHA-384 or SHA-512, or cannot be read.
    OtherAlgorithm,
    /// The digest is right but has another form, such as hexadecimal digits.
    DigestForm,
    /// The path in RECORD begins with `/` or `./`, or has backslashes.
    PathForm,
    /// The archive has the member several times, with the same content.
    Repeated,
    /// The archive marks the member as a symbolic link.
    SymbolicLink,
    /// The archive has a comment, or NUL bytes after its end.
    Trailing,
}

impl OddityKind {
    /// Returns whether RECORD disagrees with the archive, which would mislead a reader of RECORD.
    fn is_disagreement(self) -> bool {
        match self {
            Self::Unlisted
            | Self::NoDigest
            | Self::OtherDigest
            | Self::OtherSize
            | Self::Absent
            | Self::SeveralRows => true,
            Self::OtherAlgorithm
            | Self::DigestForm
            | Self::PathForm
            | Self::Repeated
            | Self::SymbolicLink
            | Self::Trailing => false,
        }
    }

    /// Returns a description, to follow the path.
    fn describe(self) -> &'static str {
        match self {
            Self::Unlisted => "not in RECORD",
            Self::NoDigest => "no digest in RECORD",
            Self::OtherDigest => "different digest in RECORD",
            Self::OtherSize => "different size in RECORD",
            Self::Absent => "in RECORD, not in the archive",
            Self::SeveralRows => "several rows in RECORD",
            Self::OtherAlgorithm => "unsupported hash in RECORD",
            Self::DigestForm => "digest in RECORD not in URL-safe base64",
            Self::PathForm => "path in RECORD not normalized",
            Self::Repeated => "repeated in the archive",
            Self::SymbolicLink => "a symbolic link in the archive",
            Self::Trailing => "the archive has a comment or NUL bytes at its end",
        }
    }
}

/// An oddity of a wheel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Oddity {
    /// The member, or the path in RECORD.
    pub path: String,
    /// The kind of oddity.
    pub kind: OddityKind,
}

impl Oddity {
    /// Creates an oddity.
    pub fn new(path: &str, kind: OddityKind) -> Self {
        Self {
            path: path.to_owned(),
            kind,
        }
    }
}

/// All oddities of a wheel: their number, and the first of each sort.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oddities {
    /// The number of oddities.
    count: usize,
    /// The number of disagreements of RECORD and archive among them.
    disagreements: usize,
    /// The first oddities by path, disagreements before others.
    first: Vec<Oddity>,
}

impl Oddities {
    /// Counts and sorts oddities.
    pub fn of(found: impl IntoIterator<Item = Oddity>) -> Self {
        let found: BTreeSet<Oddity> = found.into_iter().collect();
        let (disagreements, others): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|oddity| oddity.kind.is_disagreement());
        let (count, disagreeing) = (disagreements.len() + others.len(), disagreements.len());
        Self {
            count,
            disagreements: disagreeing,
            first: disagreements.into_iter().chain(others).take(KEPT).collect(),
        }
    }

    /// Returns whether there are no oddities.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the warning about disagreements of RECORD and archive in the wheel with this file
    /// name; none if there are none.
    pub fn warning(&self, file_name: &str) -> Option<String> {
        let disagreements = self
            .first
            .iter()
            .filter(|oddity| oddity.kind.is_disagreement());
        let places = if self.disagreements == 1 {
            "one place"
        } else {
            "several places"
        };
        (self.disagreements > 0).then(|| {
            let named = named(disagreements, self.disagreements);
            format!("RECORD of `{file_name}` disagrees with its content in {places}: {named}")
        })
    }

    /// Returns the error for `strict`; none if there are no oddities.
    pub fn refusal(&self, file_name: &str) -> Option<Failure> {
        (!self.is_empty()).then(|| {
            Failure::new(format!(
                "`{file_name}` violates the wheel specifications, and `strict` is set"
            ))
            .because(named(self.first.iter(), self.count))
            .hint("rebuild the wheel with a current tool, or remove `strict`")
        })
    }
}

/// Lists the first of `count` oddities, and the number of the others.
fn named<'a>(oddities: impl Iterator<Item = &'a Oddity>, count: usize) -> String {
    let named: Vec<String> = oddities
        .take(NAMED)
        .map(|oddity| format!("`{}` ({})", oddity.path, oddity.kind.describe()))
        .collect();
    let more = count.saturating_sub(named.len());
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    named.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_disagreements_are_named_and_the_others_counted() {
        let names = ["d", "c", "b", "a"];
        let found = names
            .map(|name| Oddity::new(name, OddityKind::Unlisted))
            .into_iter();
        let oddities = Oddities::of(found.chain([Oddity::new("A", OddityKind::Repeated)]));
        let expected = "RECORD of `x.whl` disagrees with its content in several places: `a` (not in RECORD), `b` (not in RECORD), \
                        `c` (not in RECORD) and 1 more";
        assert_eq!(oddities.warning("x.whl").as_deref(), Some(expected));
        assert_eq!(
            oddities.refusal("x.whl").unwrap().causes[0],
            expected
                .split_once(": ")
                .unwrap()
                .1
                .replace("1 more", "2 more")
        );
    }

    #[test]
    fn another_spelling_is_an_oddity_for_strict_alone() {
        let oddities = Oddities::of([Oddity::new("a.py", OddityKind::DigestForm)]);
        assert_eq!(oddities.warning("x.whl"), None);
        assert_eq!(
            oddities.refusal("x.whl").unwrap().causes,
            ["`a.py` (digest in RECORD not in URL-safe base64)"]
        );
        assert!(Oddities::default().refusal("x.whl").is_none());
    }
}
