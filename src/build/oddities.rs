//! What is sloppy about a wheel and installed all the same, as pip and uv do: a RECORD that
//! disagrees with the content, and spellings that the specifications do not have. The wheel's
//! sha256 protects its bytes; what is written into environments is right whatever it says.
//!
//! The oddities of a wheel are kept with the unpacked wheel, so that `strict` refuses it also where
//! it was unpacked before.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::report::Failure;

/// How many oddities of a wheel are kept with their paths.
const KEPT: usize = 32;
/// How many are named in a message.
const NAMED: usize = 3;

/// What is odd about a member or a row of RECORD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OddityKind {
    /// RECORD does not list the member.
    Unlisted,
    /// RECORD has a row without a digest for the member.
    NoDigest,
    /// The member has another digest than RECORD says.
    OtherDigest,
    /// The member has another size than RECORD says.
    OtherSize,
    /// RECORD lists a path that the archive does not have.
    Absent,
    /// RECORD has several rows for the path, which differ.
    SeveralRows,
    /// The digest uses an algorithm that is not SHA-256, SHA-384 or SHA-512, or cannot be read.
    OtherAlgorithm,
    /// The digest is right and written in another form, such as hexadecimal digits.
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
    /// Whether RECORD says something else than the archive has, which a reader of RECORD would be
    /// misled by.
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

    /// What it is, as the rest of a sentence about the path.
    fn describe(self) -> &'static str {
        match self {
            Self::Unlisted => "not in RECORD",
            Self::NoDigest => "no digest in RECORD",
            Self::OtherDigest => "another digest in RECORD",
            Self::OtherSize => "another size in RECORD",
            Self::Absent => "in RECORD, not in the archive",
            Self::SeveralRows => "several rows in RECORD",
            Self::OtherAlgorithm => "RECORD uses no secure hash",
            Self::DigestForm => "digest in RECORD not in URL-safe base64",
            Self::PathForm => "path in RECORD not in normal form",
            Self::Repeated => "several times in the archive",
            Self::SymbolicLink => "a symbolic link in the archive",
            Self::Trailing => "the archive has a comment or NUL bytes at its end",
        }
    }
}

/// One thing that is odd about a wheel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Oddity {
    /// The member, or the path in RECORD.
    pub path: String,
    /// What is odd about it.
    pub kind: OddityKind,
}

impl Oddity {
    /// The oddity of a path.
    pub fn new(path: &str, kind: OddityKind) -> Self {
        Self {
            path: path.to_owned(),
            kind,
        }
    }
}

/// All that is odd about a wheel: how much, and the first of each sort.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Oddities {
    /// How many there are.
    count: usize,
    /// How many of them are disagreements of RECORD and archive.
    disagreements: usize,
    /// The first ones in order of their paths, disagreements before others.
    first: Vec<Oddity>,
}

impl Oddities {
    /// Counts and sorts what was found.
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

    /// Whether nothing is odd.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The warning about disagreements of RECORD and archive in the wheel of this file name; none
    /// where there are none.
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

    /// The error that these are where `strict` is asked for; none where nothing is odd.
    pub fn refusal(&self, file_name: &str) -> Option<Failure> {
        (!self.is_empty()).then(|| {
            Failure::new(format!(
                "`{file_name}` is not as the specifications of wheels say, and `strict` is set"
            ))
            .because(named(self.first.iter(), self.count))
            .hint("build the wheel again with a current tool, or leave out `strict`")
        })
    }
}

/// The first of `count` oddities, and how many more there are.
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
