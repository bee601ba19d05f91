//! What is known of a folder's wheels, kept by each wheel's stamp, so that a wheel is read once until it changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Metadata;
use crate::fs::{self, Digest, Stamp};

/// Counted up when more is kept, so that what an older vpython kept is read again.
const FORMAT: u32 = 2;

/// The index of one folder.
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

/// What is known of one wheel, as long as its stamp holds.
#[derive(Clone, Serialize, Deserialize)]
struct Known {
    stamp: Option<Stamp>,
    metadata: Option<Metadata>,
    sha256: Option<Digest>,
}

impl Index {
    /// What is known of the wheels in `folder`.
    pub fn load(folder: &Path, memo: &Path) -> Self {
        let name = Digest::of(folder.as_os_str().as_encoded_bytes()).to_string();
        let file = memo.join(format!("wheelhouse-{}.json", &name[..32]));
        let kept = fs::read_json::<Kept>(&file).filter(|kept| kept.format == FORMAT);
        Self { file, wheels: kept.map(|kept| kept.wheels).unwrap_or_default(), changed: false }
    }

    /// The metadata of the wheel at `path`, if it is known.
    pub fn metadata(&mut self, path: &Path, file_name: &str) -> Option<Metadata> {
        self.current(path, file_name).metadata.clone()
    }

    /// The digest of the wheel at `path`, if it is known.
    pub fn digest(&mut self, path: &Path, file_name: &str) -> Option<Digest> {
        self.current(path, file_name).sha256
    }

    /// Keeps the metadata of a wheel that was looked up before.
    pub fn set_metadata(&mut self, file_name: &str, metadata: &Metadata) {
        self.set(file_name, |known| known.metadata = Some(metadata.clone()));
    }

    /// Keeps the digest of a wheel that was looked up before.
    pub fn set_digest(&mut self, file_name: &str, sha256: Digest) {
        if self.wheels.get(file_name).is_none_or(|known| known.sha256 != Some(sha256)) {
            self.set(file_name, |known| known.sha256 = Some(sha256));
        }
    }

    /// Writes the index, if there is anything new.
    pub fn save(self) -> Result<()> {
        if !self.changed {
            return Ok(());
        }
        fs::write_json(&self.file, &Kept { format: FORMAT, wheels: self.wheels })
    }

    /// The entry of a wheel, emptied where the wheel has changed. Its stamp is taken before it is read.
    fn current(&mut self, path: &Path, file_name: &str) -> &mut Known {
        let stamp = Stamp::of(path);
        let fresh = || Known { stamp, metadata: None, sha256: None };
        let known = self.wheels.entry(file_name.to_owned()).or_insert_with(fresh);
        if known.stamp != stamp {
            *known = fresh();
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
    fn what_is_known_is_known_until_the_wheel_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (house, memo) = (folder.path().join("house"), folder.path().join("memo"));
        fs::create_dir_all(&house, 0o755).unwrap();
        fs::create_dir_all(&memo, 0o755).unwrap();
        let wheel = house.join("a.whl");
        fs::write_new(&wheel, b"one", 0o644).unwrap();
        let mut index = Index::load(&house, &memo);
        assert_eq!(index.digest(&wheel, "a.whl"), None);
        index.set_digest("a.whl", Digest::of(b"one"));
        index.save().unwrap();
        assert_eq!(Index::load(&house, &memo).digest(&wheel, "a.whl"), Some(Digest::of(b"one")));
        fs::write_atomically(&wheel, b"two").unwrap();
        assert_eq!(Index::load(&house, &memo).digest(&wheel, "a.whl"), None);
    }
}
