//! The disk space of the store, updated while environments are removed: with the last environment
//! that uses a wheel or an interpreter from an image, that is removed too.

use std::collections::BTreeMap;

use crate::fs::Digest;
use crate::store::usage::{Stored, Usage};

/// The space of everything that stays.
pub(super) struct Ledger<'a> {
    usage: &'a Usage,
    /// The number of environments that use each wheel, and each interpreter from an image.
    references: BTreeMap<Digest, usize>,
    total: u64,
}

impl<'a> Ledger<'a> {
    /// Sums up these environments, their wheels and their interpreters. What no environment uses does
    /// not count.
    pub fn of(usage: &'a Usage, stored: &[Stored]) -> Self {
        let mut references = BTreeMap::new();
        for part in stored.iter().flat_map(Stored::shared_parts) {
            *references.entry(part).or_default() += 1;
        }
        let mut ledger = Self {
            usage,
            references,
            total: 0,
        };
        let own: u64 = stored.iter().map(|stored| ledger.own(stored)).sum();
        ledger.total = own
            + ledger
                .references
                .keys()
                .map(|digest| ledger.shared(digest))
                .sum::<u64>();
        ledger
    }

    /// Returns the space of everything that stays, in bytes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Subtracts a removed environment.
    pub fn remove(&mut self, gone: &Stored) {
        self.total -= self.own(gone);
        for part in gone.shared_parts() {
            let Some(count) = self.references.get_mut(&part) else {
                continue;
            };
            *count -= 1;
            if *count == 0 {
                self.total -= self.shared(&part);
            }
        }
    }

    fn own(&self, stored: &Stored) -> u64 {
        self.usage
            .entries
            .get(stored.manifest.key.as_str())
            .map_or(0, |space| space.own)
    }

    fn shared(&self, digest: &Digest) -> u64 {
        let Usage {
            wheels, pythons, ..
        } = self.usage;
        let size = wheels.get(digest).or_else(|| pythons.get(digest));
        size.copied().unwrap_or_default()
    }
}
