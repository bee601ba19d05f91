//! The disk space of the store, updated while environments are removed: with the last environment
//! that uses a wheel, the wheel is removed too.

use std::collections::BTreeMap;

use crate::fs::Digest;
use crate::store::usage::{Stored, Usage};

/// The space of everything that stays.
pub(super) struct Ledger<'a> {
    usage: &'a Usage,
    /// The number of environments that use each wheel.
    references: BTreeMap<Digest, usize>,
    total: u64,
}

impl<'a> Ledger<'a> {
    /// Sums up these environments and their wheels. Wheels that no environment uses do not count.
    pub fn of(usage: &'a Usage, stored: &[Stored]) -> Self {
        let mut references = BTreeMap::new();
        for wheel in stored.iter().flat_map(|stored| &stored.manifest.wheels) {
            *references.entry(wheel.sha256).or_default() += 1;
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
                .map(|digest| ledger.wheel(digest))
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
        for wheel in &gone.manifest.wheels {
            let Some(count) = self.references.get_mut(&wheel.sha256) else {
                continue;
            };
            *count -= 1;
            if *count == 0 {
                self.total -= self.wheel(&wheel.sha256);
            }
        }
    }

    fn own(&self, stored: &Stored) -> u64 {
        self.usage
            .entries
            .get(stored.manifest.key.as_str())
            .map_or(0, |space| space.own)
    }

    fn wheel(&self, digest: &Digest) -> u64 {
        self.usage.wheels.get(digest).copied().unwrap_or_default()
    }
}
