//! An unpacked wheel in the store: its files and their list.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::fs::{self, Digest};
use crate::store::Store;
use crate::wheel::oddities::Oddities;
use crate::wheel::scheme::Destination;

/// The file with the list of an unpacked wheel's files.
pub(super) const MANIFEST: &str = "wheel.json";
/// The minimum number of files for each parallel task.
const MIN_BATCH: usize = 64;

/// An unpacked wheel in the store.
#[derive(Debug)]
pub(super) struct UnpackedWheel {
    /// The directory that contains it.
    pub directory: PathBuf,
    /// The digest of the wheel file.
    pub sha256: Digest,
    /// Its contents.
    pub contents: Contents,
}

/// The contents of an unpacked wheel.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Contents {
    /// The name of its `.dist-info` directory.
    pub dist_info: String,
    /// The distribution name, as the wheel spells it: the directory that its headers are installed
    /// into.
    pub distribution: String,
    /// Its files except RECORD, in the order of the archive.
    pub files: Vec<UnpackedFile>,
    /// Its oddities.
    #[serde(default, skip_serializing_if = "Oddities::is_empty")]
    pub oddities: Oddities,
}

/// A file of an unpacked wheel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct UnpackedFile {
    /// Its destination.
    pub destination: Destination,
    /// Its digest, as a column of RECORD.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Returns the paths where an unpacked wheel may be: in the store, then in the shared roots.
fn places(store: &Store, sha256: Digest) -> impl Iterator<Item = PathBuf> {
    std::iter::once(store.unpacked_wheel(&sha256)).chain(store.shared_wheels(sha256))
}

impl UnpackedWheel {
    /// Reads the contents of the unpacked wheel in `directory`, and checks that all files exist
    /// with the right size, which detects missing and truncated files.
    ///
    /// # Errors
    /// A file is missing or has the wrong size.
    pub fn load(directory: &Path, sha256: Digest) -> Result<Self> {
        let wheel = Self::read(directory, sha256)?;
        let look = |file: &UnpackedFile| {
            let path = wheel.path(file);
            let size =
                fs::link_metadata(&path)?.and_then(|found| found.is_file().then_some(found.len()));
            ensure!(
                size == Some(file.size),
                "`{}` has changed since it was unpacked",
                path.display()
            );
            Ok(())
        };
        // The first error in order, to be deterministic.
        let error = wheel
            .contents
            .files
            .par_iter()
            .with_min_len(MIN_BATCH)
            .find_map_first(|file| look(file).err());
        error.map_or(Ok(wheel), Err)
    }

    /// Reads the contents of the unpacked wheel in `directory`, without checking its files.
    pub fn read(directory: &Path, sha256: Digest) -> Result<Self> {
        let contents = fs::read_own_json(&directory.join(MANIFEST))?;
        Ok(Self {
            directory: directory.to_path_buf(),
            sha256,
            contents,
        })
    }

    /// Returns whether the store or a shared root has the wheel unpacked, with all files.
    pub fn exists(store: &Store, sha256: Digest) -> bool {
        places(store, sha256).any(|place| Self::load(&place, sha256).is_ok())
    }

    /// Reads the contents of the unpacked wheel in the store or else in a shared root, without
    /// checking its files.
    ///
    /// # Errors
    /// The error in the store, if no shared root has the wheel.
    pub fn read_anywhere(store: &Store, sha256: Digest) -> Result<Self> {
        Self::read(&store.unpacked_wheel(&sha256), sha256).or_else(|error| {
            let mut shared = store.shared_wheels(sha256);
            shared
                .find_map(|place| Self::read(&place, sha256).ok())
                .ok_or(error)
        })
    }

    /// Returns the path of one of its files.
    pub fn path(&self, file: &UnpackedFile) -> PathBuf {
        self.directory
            .join(file.destination.scheme.directory())
            .join(&file.destination.path)
    }
}
