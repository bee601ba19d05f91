//! Launch memos: what a launch came to, and from what it was decided, so that the next one like it need not decide again.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Store;
use super::entry::{Entry, Lookup, Site};
use crate::fs::{self, Stamped};
use crate::plan::{Evidence, Key};

/// Counted up when a memo says more, so that what an older vpython wrote is decided anew.
const FORMAT: u32 = 2;

/// The name of a memo: a digest of all that a launch was asked, so that launches that are asked alike share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoName(String);

impl MemoName {
    /// The name for what was asked, part by part.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(FORMAT.to_le_bytes());
        hasher.update(env!("CARGO_PKG_VERSION"));
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(hex::encode(&hasher.finalize()[..16]))
    }
}

/// What a launch came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memo {
    key: Key,
    site: Site,
    stamps: Vec<Stamped>,
    /// What the spec's author or the caller should know, each time.
    pub warnings: Vec<String>,
    /// Import roots of first-party code.
    pub python_path: Vec<TextPath>,
}

/// A path in a memo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextPath(#[serde(with = "crate::fs::path_text")] pub PathBuf);

impl Store {
    /// What a launch that was asked alike came to, with its environment; none unless all is as it was then. Starts no process,
    /// opens no wheel, waits for no lock and writes nothing.
    #[must_use]
    pub fn recall(&self, name: &MemoName) -> Option<(Memo, Entry)> {
        let memo: Memo = fs::read_json(&self.memo_file(name))?;
        if let Some(changed) = memo.stamps.iter().find(|stamped| !stamped.holds()) {
            tracing::debug!(path = %changed.path.display(), "changed since the last launch");
            return None;
        }
        match self.entry(&memo.key, &memo.site) {
            Ok(Lookup::Ready(entry)) => Some((memo, entry)),
            _ => None,
        }
    }

    /// Keeps what a launch came to.
    pub fn remember(
        &self,
        name: &MemoName,
        key: &Key,
        entry: &Entry,
        evidence: Evidence,
        python_path: &[PathBuf],
    ) -> Result<()> {
        let Evidence { stamps, warnings } = evidence;
        let python_path = python_path.iter().cloned().map(TextPath).collect();
        let memo = Memo { key: key.clone(), site: entry.site.clone(), stamps, warnings, python_path };
        fs::write_json(&self.memo_file(name), &memo)
    }

    fn memo_file(&self, name: &MemoName) -> PathBuf {
        self.memo_folder().join(format!("launch-{}.json", name.0))
    }
}
