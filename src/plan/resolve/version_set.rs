//! Sets of the versions of a project, for PubGrub.
//!
//! The versions of a project are few and known, so each has a number. The PEP 440 library decides
//! once for each number whether a requirement admits it. PubGrub computes with these sets instead
//! of version ranges, so that a set is empty exactly if it contains no wheel.

use std::fmt;

use pubgrub::VersionSet;

/// The number of bits of a word.
const WORD: u32 = u64::BITS;

/// A set of numbers: a finite one, or the complement of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Versions {
    /// One bit for each of the lowest numbers. Most projects have no more versions, and PubGrub keeps
    /// several sets for each requirement.
    first: u64,
    /// One bit for each of the other numbers; the last word is not zero, so that equal sets are equal
    /// values.
    rest: Box<[u64]>,
    /// Whether the bits are those of the complement.
    is_complement: bool,
}

impl Versions {
    /// Adds a number to a finite set.
    pub fn insert(&mut self, choice: u32) {
        let bit = 1 << (choice % WORD);
        let Some(index) = ((choice / WORD) as usize).checked_sub(1) else {
            self.first |= bit;
            return;
        };
        if self.rest.len() <= index {
            let mut rest = std::mem::take(&mut self.rest).into_vec();
            rest.resize(index + 1, 0);
            self.rest = rest.into_boxed_slice();
        }
        self.rest[index] |= bit;
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.first == 0 && self.rest.is_empty() && !self.is_complement
    }

    /// Combines the bits of two sets word by word to those of a finite set; missing words are zero.
    fn combine(&self, other: &Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let word = |set: &Self, index: usize| set.rest.get(index).copied().unwrap_or(0);
        let length = self.rest.len().max(other.rest.len());
        let mut rest: Vec<u64> = (0..length)
            .map(|index| combine(word(self, index), word(other, index)))
            .collect();
        let used = rest
            .iter()
            .rposition(|word| *word != 0)
            .map_or(0, |last| last + 1);
        rest.truncate(used);
        Self {
            first: combine(self.first, other.first),
            rest: rest.into_boxed_slice(),
            is_complement: false,
        }
    }
}

impl VersionSet for Versions {
    type V = u32;

    fn empty() -> Self {
        Self::default()
    }

    fn singleton(choice: u32) -> Self {
        let mut set = Self::default();
        set.insert(choice);
        set
    }

    fn complement(&self) -> Self {
        Self {
            is_complement: !self.is_complement,
            ..self.clone()
        }
    }

    fn intersection(&self, other: &Self) -> Self {
        match (self.is_complement, other.is_complement) {
            (false, false) => self.combine(other, |one, other| one & other),
            (false, true) => self.combine(other, |one, other| one & !other),
            (true, false) => self.combine(other, |one, other| !one & other),
            (true, true) => Self {
                is_complement: true,
                ..self.combine(other, |one, other| one | other)
            },
        }
    }

    fn contains(&self, choice: &u32) -> bool {
        let word = match ((choice / WORD) as usize).checked_sub(1) {
            None => self.first,
            Some(index) => self.rest.get(index).copied().unwrap_or(0),
        };
        (word >> (choice % WORD) & 1 == 1) != self.is_complement
    }
}

impl FromIterator<u32> for Versions {
    fn from_iter<I: IntoIterator<Item = u32>>(choices: I) -> Self {
        let mut set = Self::default();
        let choices: Vec<u32> = choices.into_iter().collect();
        // The greatest number first, so that the words are allocated once.
        choices
            .into_iter()
            .rev()
            .for_each(|choice| set.insert(choice));
        set
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_obey_the_laws_of_sets() {
        let some = |numbers: &[u32]| numbers.iter().copied().collect::<Versions>();
        let sets = [
            some(&[]),
            some(&[0]),
            some(&[1, 64, 200]),
            some(&[0, 1]),
            some(&[63, 64]),
        ];
        let sets: Vec<Versions> = sets
            .iter()
            .flat_map(|set| [set.clone(), set.complement()])
            .collect();
        for one in &sets {
            assert_eq!(one.complement().complement(), *one);
            assert_eq!(one.intersection(&one.complement()), Versions::empty());
            assert!(one.intersection(&one.complement()).is_empty());
            for other in &sets {
                let (both, either) = (one.intersection(other), one.union(other));
                for number in [0, 1, 2, 63, 64, 65, 199, 200, 201, 1000] {
                    let (in_one, in_other) = (one.contains(&number), other.contains(&number));
                    assert_eq!(
                        both.contains(&number),
                        in_one && in_other,
                        "{number} of {one} and {other}"
                    );
                    assert_eq!(
                        either.contains(&number),
                        in_one || in_other,
                        "{number} of {one} or {other}"
                    );
                }
            }
        }
    }
}
