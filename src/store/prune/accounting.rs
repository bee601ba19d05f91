//! What the store takes, kept up to date while environments go: with the last environment that has
//! a wheel, the wheel goes too.

use std::collections::BTreeMap;

use crate::fs::Digest;
use crate::store::usage::{Stored, Usage};

/// The account of what stays.
pub(super) struct Ledger<'a> {
    usage: &'a Usage,
    /// In how many environments each wheel is.
    references: BTreeMap<Digest, usize>,
    total: u64,
}

impl<'a> Ledger<'a> {
    /// The account of these environments and their wheels. Wheels that are in none are as good as
    /// gone.
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

    /// How many bytes what stays takes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Takes out an environment that has gone.
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
