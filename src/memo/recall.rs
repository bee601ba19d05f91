//! Launch memos: the result of a launch and the evidence for it, so that the next launch with the
//! same inputs need not decide again. A launch whose memo is still valid is warm, any other is cold.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::absent::{self, AbsentPaths};
use super::inputs::for_each_input;
use super::miss::Miss;
use crate::fs::{self, Digest, Stamped, TextPath};
use crate::invocation::Invocation;
use crate::plan::{Evidence, Key};
use crate::process::Process;
use crate::spec::SpecText;
use crate::store::{Entry, EnvironmentState, SharedRoot, Site, Store};

/// The name of a memo: a digest of all inputs of a launch, so that launches with the same inputs
/// share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoName(String);

impl MemoName {
    /// Returns the name for a launch, from the spec's text and location, and the settings that
    /// affect the result.
    #[must_use]
    pub fn of_launch(spec: &SpecText, invocation: &Invocation, process: &Process) -> Self {
        let mut hasher = Sha256::new();
        for_each_input(spec, invocation, process, |input, bytes| {
            for part in [input.as_bytes(), bytes] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        });
        Self(hex::encode(&hasher.finalize()[..16]))
    }
}

/// The result of a launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memo {
    /// The environment.
    pub key: Key,
    site: Site,
    /// The shared root that has the environment; none if it is in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shared_root: Option<SharedRoot>,
    stamps: Vec<Stamped>,
    missing: Vec<AbsentPaths>,
    /// Environment variables as digests: a variable that a spec uses may hold a password.
    variables: BTreeMap<String, Option<Digest>>,
    /// When the wheels that only some launches check were last checked, in seconds since 1970; none
    /// if there are none.
    others_seen: Option<u64>,
    /// Warnings for the spec's author or the caller, repeated at each launch.
    pub warnings: Vec<String>,
    /// Import roots of first-party code.
    pub python_path: Vec<TextPath>,
}

/// The wheels that a launch checks once an hour, in a file of their own: reading them takes as long
/// as a launch.
#[derive(Debug, Serialize, Deserialize)]
struct OtherWheels {
    /// As in a memo: the file is removed with the environment.
    key: Key,
    stamps: Vec<Stamped>,
}

/// How long the last check of the other wheels is valid.
const OTHERS_PRECISION: Duration = Duration::from_hours(1);

impl Memo {
    /// Returns the memo of an earlier launch with the same inputs, and its environment; a miss
    /// unless everything is unchanged. It starts no process, opens no wheel, waits for no lock and
    /// writes nothing.
    ///
    /// # Errors
    /// The reason for the miss.
    pub fn recall(
        store: &Store,
        name: &MemoName,
        process: &Process,
    ) -> Result<(Self, Entry), Miss> {
        let memo: Self = fs::read_memo_before_exec(&memo_file(store, name)).ok_or(Miss::Unknown)?;
        let changed = memo.stamps.iter().find(|stamped| !stamped.holds()).cloned();
        if let Some(changed) =
            changed.or_else(|| memo.missing.iter().find_map(AbsentPaths::appeared))
        {
            tracing::debug!(path = %changed.path.display(), "changed since the last launch");
            return Err(Miss::Changed(changed));
        }
        // Then the environment variables.
        let is_set = |name: &str, value: &Option<Digest>| {
            process
                .setting(name)
                .map(|now| Digest::of(now.to_string_lossy().as_bytes()))
                == *value
        };
        if let Some((name, _)) = memo
            .variables
            .iter()
            .find(|(name, value)| !is_set(name, value))
        {
            tracing::debug!(name, "changed since the last launch");
            return Err(Miss::Variable(name.clone()));
        }
        // Then, once an hour, the other wheels.
        if memo.others_are_due(SystemTime::now()) {
            memo.look_at_other_wheels(store, name)?;
        }
        if let Some(root) = &memo.shared_root {
            let entry = root.entry(&memo.key, &memo.site);
            let entry = entry.ok_or_else(|| Miss::SharedRoot(root.path.clone()))?;
            return Ok((memo, entry));
        }
        let lookup = store
            .entry(&memo.key, &memo.site)
            .map_err(|_| Miss::Environment(EnvironmentState::Absent))?;
        Ok((memo, lookup.ready().map_err(Miss::Environment)?))
    }

    /// Checks the wheels that only some launches check.
    fn look_at_other_wheels(&self, store: &Store, name: &MemoName) -> Result<(), Miss> {
        let others: OtherWheels =
            fs::read_memo(&other_wheels_file(store, name)).ok_or(Miss::Unknown)?;
        // The file belongs to another launch with the same inputs and a different result.
        if others.key != self.key {
            return Err(Miss::Unknown);
        }
        others
            .stamps
            .into_iter()
            .find(|stamped| !stamped.holds())
            .map_or(Ok(()), |changed| Err(Miss::Changed(changed)))
    }

    /// Records that [`Memo::recall`] has checked all wheels, if that was due: at most once an
    /// hour. In a read-only store, nothing is recorded, and each launch checks all wheels.
    pub fn renew(&mut self, store: &Store, name: &MemoName) {
        let now = SystemTime::now();
        if self.others_are_due(now) {
            self.others_seen = Some(seconds(now));
            if let Err(error) = fs::write_memo(&memo_file(store, name), self) {
                tracing::debug!("cannot record that all wheels were checked: {error:#}");
            }
        }
    }

    /// Stores the memo of a launch.
    pub fn remember(
        store: &Store,
        name: &MemoName,
        key: &Key,
        entry: &Entry,
        evidence: Evidence,
        python_path: &[PathBuf],
    ) -> Result<()> {
        let Evidence {
            stamps,
            other_wheels,
            variables,
            warnings,
            ..
        } = evidence;
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name, value.map(|text| Digest::of(text.as_bytes()))))
            .collect();
        let python_path = python_path.iter().cloned().map(TextPath).collect();
        // Separate the evidence that files do not exist: it is cheaper to check by directory.
        let (stamps, missing) = absent::split_absent(stamps.into_vec(), SystemTime::now());
        // The other wheels have a file of their own, written before the memo that refers to it.
        let others_seen = (!other_wheels.is_empty()).then(|| seconds(SystemTime::now()));
        if others_seen.is_some() {
            let others = OtherWheels {
                key: key.clone(),
                stamps: other_wheels,
            };
            fs::write_memo(&other_wheels_file(store, name), &others)?;
        }
        let memo = Self {
            key: key.clone(),
            site: entry.site.clone(),
            shared_root: entry.shared_root.clone(),
            stamps,
            missing,
            variables,
            others_seen,
            warnings,
            python_path,
        };
        fs::write_memo(&memo_file(store, name), &memo)
    }

    /// Returns whether the wheels that only some launches check are due. A time in the future does
    /// not count.
    fn others_are_due(&self, now: SystemTime) -> bool {
        let age = self.others_seen.map(|seen| seconds(now).checked_sub(seen));
        age.is_some_and(|age| age.is_none_or(|age| age >= OTHERS_PRECISION.as_secs()))
    }
}

fn memo_file(store: &Store, name: &MemoName) -> PathBuf {
    store
        .memo_directory()
        .join(format!("launch-{}.json", name.0))
}

fn other_wheels_file(store: &Store, name: &MemoName) -> PathBuf {
    store
        .memo_directory()
        .join(format!("wheels-of-{}.json", name.0))
}

/// Returns the seconds since 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
