//! An unpacked wheel in the store: where its files lie, and the list of them.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::members::Destination;
use super::oddities::Oddities;
use crate::fs::{self, Digest};

/// The list of an unpacked wheel's files.
pub(super) const MANIFEST: &str = "wheel.json";
/// How many files are worth handing to another thread.
const AT_ONCE: usize = 64;

/// An unpacked wheel in the store.
#[derive(Debug)]
pub(super) struct UnpackedWheel {
    /// Its directory.
    pub directory: PathBuf,
    /// The digest of the wheel file.
    pub sha256: Digest,
    /// What is in it.
    pub contents: Contents,
}

/// What is in an unpacked wheel.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Contents {
    /// The name of its `.dist-info` directory.
    pub dist_info: String,
    /// The name that its headers are installed under: the distribution's, as the wheel spells it.
    pub distribution: String,
    /// All its files but RECORD, in the order of the archive.
    pub files: Vec<UnpackedFile>,
    /// What is odd about it.
    #[serde(default, skip_serializing_if = "Oddities::is_empty")]
    pub oddities: Oddities,
}

/// A file of an unpacked wheel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct UnpackedFile {
    /// Where it goes.
    pub destination: Destination,
    /// Its digest, as a column of RECORD.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
}

impl UnpackedWheel {
    /// Reads what is in the unpacked wheel in `directory`, and looks whether it is all there: a
    /// file that is missing or was cut short is noticed by its size.
    ///
    /// # Errors
    /// A file is not there, or has not the size that it had.
    pub fn load(directory: &Path, sha256: Digest) -> Result<Self> {
        let wheel = Self::read(directory, sha256)?;
        let look = |file: &UnpackedFile| {
            let path = wheel.path(file);
            let size =
                fs::link_metadata(&path)?.and_then(|found| found.is_file().then_some(found.len()));
            ensure!(
                size == Some(file.size),
                "`{}` is not what was unpacked",
                path.display()
            );
            Ok(())
        };
        // The first in order, whichever was looked at first.
        let error = wheel
            .contents
            .files
            .par_iter()
            .with_min_len(AT_ONCE)
            .find_map_first(|file| look(file).err());
        error.map_or(Ok(wheel), Err)
    }

    /// Reads what is in the unpacked wheel in `directory`, and looks at none of it.
    pub fn read(directory: &Path, sha256: Digest) -> Result<Self> {
        let contents = fs::read_own_json(&directory.join(MANIFEST))?;
        Ok(Self {
            directory: directory.to_path_buf(),
            sha256,
            contents,
        })
    }

    /// Where a file of it lies.
    pub fn path(&self, file: &UnpackedFile) -> PathBuf {
        self.directory
            .join(file.destination.scheme.directory())
            .join(&file.destination.path)
    }
}
