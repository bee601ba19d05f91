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
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngSeed};

    use super::*;

    /// The numbers below this one need four words.
    const BOUND: u32 = 200;

    /// Generates sets, each with the numbers below [`BOUND`] that it contains.
    fn sets() -> impl Strategy<Value = (Versions, BTreeSet<u32>)> {
        // Near the ends of words, or anywhere.
        let number = prop_oneof![0..3_u32, 62..67_u32, 126..130_u32, 0..BOUND];
        (vec(number, 0..6), any::<bool>()).prop_map(|(numbers, is_complement)| {
            let set: Versions = numbers.iter().copied().collect();
            let numbers = BTreeSet::from_iter(numbers);
            if is_complement {
                (set.complement(), complement(&numbers))
            } else {
                (set, numbers)
            }
        })
    }

    fn complement(numbers: &BTreeSet<u32>) -> BTreeSet<u32> {
        &(0..BOUND).collect() - numbers
    }

    fn numbers(set: &Versions) -> BTreeSet<u32> {
        (0..BOUND).filter(|number| set.contains(number)).collect()
    }

    proptest! {
        #![proptest_config(Config {
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..Config::with_cases(1000)
        })]

        #[test]
        fn sets_obey_the_laws_of_sets((one, in_one) in sets(), (other, in_other) in sets()) {
            prop_assert_eq!(&numbers(&one), &in_one);
            prop_assert_eq!(numbers(&one.complement()), complement(&in_one));
            prop_assert_eq!(numbers(&one.intersection(&other)), &in_one & &in_other);
            prop_assert_eq!(numbers(&one.union(&other)), &in_one | &in_other);
            // PubGrub relies on equal sets being equal values.
            prop_assert_eq!(one.complement().complement(), one.clone());
            prop_assert_eq!(one.intersection(&other), other.intersection(&one));
            prop_assert_eq!(one.intersection(&one.union(&other)), one.clone());
            prop_assert_eq!(one.intersection(&one.complement()), Versions::empty());
            prop_assert_eq!(one.is_empty(), one == Versions::empty());
            prop_assert_eq!(one.is_empty(), in_one.is_empty());
        }
    }
}
