//! The cached facts about a directory's wheels, keyed by each wheel's stamp, so that a wheel is
//! read once until it changes.
//!
//! It contains only wheels that were queried. Name, version and tags are not cached, because they
//! come from the file's name.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::fs::{self, Digest, Stamp};
use crate::plan::InLayout;
use crate::report::Failure;
use crate::wheel::{Impostor, Metadata};

/// Incremented when the contents or their meaning change, so that an index of an older vpython is
/// ignored.
const FORMAT: u32 = 3;

/// The index of one directory.
pub(super) struct Index {
    file: PathBuf,
    wheels: BTreeMap<String, Known>,
    changed: bool,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    wheels: BTreeMap<String, Known>,
}

/// The cached facts about one wheel, valid as long as its stamp matches.
#[derive(Serialize, Deserialize)]
struct Known {
    stamp: Option<Stamp>,
    metadata: Option<Metadata>,
    sha256: Option<Digest>,
    /// Why it could not be read as a wheel in this run.
    #[serde(skip)]
    broken: Option<Box<Broken>>,
    /// Whether the stamp was verified in this run.
    #[serde(skip)]
    is_current: bool,
}

/// What is known about a file that cannot be read as a wheel.
pub(super) struct Broken {
    /// The error, in one line that does not name the file.
    pub why: String,
    /// What it is instead.
    pub impostor: Option<Impostor>,
    /// Whether its bytes differ from the digest that an image layout states.
    pub is_damaged: bool,
}

impl Broken {
    /// Describes a wheel of an image layout whose bytes have another digest.
    pub fn damaged(found: &Digest) -> Self {
        Self {
            why: format!("its sha256 is `{found}`, which is not the digest in the image layout"),
            impostor: None,
            is_damaged: true,
        }
    }

    /// Returns the error of the file at `path`.
    pub fn failure(&self, path: &Path) -> Failure {
        let failure = Failure::new(Metadata::cannot_read(path)).because(&self.why);
        if self.is_damaged {
            failure.hint(InLayout::HOW_TO_REPAIR)
        } else {
            failure
        }
    }

    /// Returns why it is skipped, as a sentence.
    pub fn describe(&self) -> String {
        self.impostor
            .map_or_else(|| self.why.clone(), |impostor| format!("it {impostor}"))
    }
}

impl Index {
    /// Loads the cached facts for `directory`, which now contains `names`. Facts about other files
    /// are dropped.
    pub fn load(directory: &Path, names: &[String], memo: &Path) -> Self {
        let name = Digest::of(directory.as_os_str().as_encoded_bytes()).to_string();
        let file = memo.join(format!("wheelhouse-{}.json", &name[..32]));
        let kept = fs::read_memo::<Kept>(&file).filter(|kept| kept.format == FORMAT);
        let mut wheels = kept.map(|kept| kept.wheels).unwrap_or_default();
        let before = wheels.len();
        let there: HashSet<&str> = names.iter().map(String::as_str).collect();
        wheels.retain(|file_name, _| there.contains(file_name.as_str()));
        Self {
            file,
            changed: wheels.len() != before,
            wheels,
        }
    }

    /// Returns the stamp of the wheel at `path` from before it was first read.
    pub fn stamp(&mut self, path: &Path, file_name: &str) -> Option<Stamp> {
        self.current(path, file_name).stamp
    }

    /// Returns the metadata of the wheel at `path`, if cached.
    pub fn metadata(&mut self, path: &Path, file_name: &str) -> Option<Metadata> {
        self.current(path, file_name).metadata.clone()
    }

    /// Returns the digest of the wheel at `path`, if cached.
    pub fn digest(&mut self, path: &Path, file_name: &str) -> Option<Digest> {
        self.current(path, file_name).sha256
    }

    /// Caches the metadata of a wheel that was queried before.
    pub fn set_metadata(&mut self, file_name: &str, metadata: &Metadata) {
        self.set(file_name, |known| known.metadata = Some(metadata.clone()));
    }

    /// Caches the digest of a wheel that was queried before.
    pub fn set_digest(&mut self, file_name: &str, sha256: Digest) {
        if self
            .wheels
            .get(file_name)
            .is_none_or(|known| known.sha256 != Some(sha256))
        {
            self.set(file_name, |known| known.sha256 = Some(sha256));
        }
    }

    /// Returns why a wheel that was queried before could not be read in this run.
    pub fn broken(&self, file_name: &str) -> Option<&Broken> {
        self.wheels.get(file_name)?.broken.as_deref()
    }

    /// Records until the end of the run that a wheel that was queried before cannot be read. The next
    /// run tries again.
    pub fn set_broken(&mut self, file_name: &str, broken: Broken) {
        if let Some(known) = self.wheels.get_mut(file_name) {
            known.broken = Some(Box::new(broken));
        }
    }

    /// Writes the index if it has changed. Wheels without any facts are dropped.
    pub fn save(mut self) -> Result<()> {
        if !self.changed {
            return Ok(());
        }
        self.wheels
            .retain(|_, known| known.metadata.is_some() || known.sha256.is_some());
        fs::write_memo(
            &self.file,
            &Kept {
                format: FORMAT,
                wheels: self.wheels,
            },
        )
    }

    /// Returns the entry of a wheel, which is reset if the wheel has changed. The stamp is taken
    /// once, before the wheel is read.
    fn current(&mut self, path: &Path, file_name: &str) -> &mut Known {
        let fresh = |stamp| Known {
            stamp,
            metadata: None,
            sha256: None,
            broken: None,
            is_current: true,
        };
        let look = || fresh(Stamp::of(path));
        let known = self.wheels.entry(file_name.to_owned()).or_insert_with(look);
        if !known.is_current {
            let stamp = Stamp::of(path);
            if known.stamp == stamp {
                known.is_current = true;
            } else {
                *known = fresh(stamp);
            }
        }
        known
    }

    fn set(&mut self, file_name: &str, change: impl FnOnce(&mut Known)) {
        if let Some(known) = self.wheels.get_mut(file_name) {
            change(known);
            self.changed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_cached_until_the_wheel_changes() {
        let directory = tempfile::tempdir().unwrap();
        let (house, memo) = (
            directory.path().join("house"),
            directory.path().join("memo"),
        );
        fs::create_dir_all(&house, 0o755).unwrap();
        fs::create_dir_all(&memo, 0o755).unwrap();
        let wheel = house.join("a.whl");
        fs::write_new(&wheel, b"one", 0o644).unwrap();
        let load = || Index::load(&house, &["a.whl".to_owned()], &memo);
        let mut index = load();
        assert_eq!(index.digest(&wheel, "a.whl"), None);
        index.set_digest("a.whl", Digest::of(b"one"));
        index.save().unwrap();
        assert_eq!(load().digest(&wheel, "a.whl"), Some(Digest::of(b"one")));
        fs::write_atomically(&wheel, b"two").unwrap();
        assert_eq!(load().digest(&wheel, "a.whl"), None);
        // A wheel that is no longer listed is dropped.
        fs::write_atomically(&wheel, b"one").unwrap();
        let mut index = load();
        index.digest(&wheel, "a.whl");
        index.set_digest("a.whl", Digest::of(b"one"));
        index.save().unwrap();
        Index::load(&house, &[], &memo).save().unwrap();
        assert_eq!(load().digest(&wheel, "a.whl"), None);
    }
}
