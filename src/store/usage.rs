//! The contents of the store: when each environment was last used, and its disk space.
//!
//! A file that environments and an unpacked wheel share by hard links counts once. Copies that
//! share blocks (reflinks) cannot be detected, and count in full.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;
use rayon::prelude::*;

use super::Store;
use super::entry::{self, MANIFEST, Manifest, Use};
use super::processes::Processes;
use crate::fs::{self, Digest};

/// An environment in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its path.
    pub path: PathBuf,
    /// Its contents.
    pub manifest: Manifest,
    /// When it was last used, with a precision of one hour.
    pub last_use: SystemTime,
}

impl Stored {
    /// Returns whether a program runs in it: one that holds its lock, or one of these.
    pub fn use_of(&self, programs: &Processes) -> Result<Use> {
        if programs.name(&self.path) {
            Ok(Use::Busy)
        } else {
            entry::use_of(&self.path)
        }
    }

    /// Returns the digests of what it shares with other environments: its wheels, and its interpreter
    /// if that is from an image.
    pub(super) fn shared_parts(&self) -> impl Iterator<Item = Digest> {
        let wheels = self.manifest.wheels.iter().map(|wheel| wheel.sha256);
        wheels.chain(self.manifest.python_image())
    }

    /// Returns the time since its last use.
    #[must_use]
    pub fn age(&self, now: SystemTime) -> std::time::Duration {
        // A time in the future counts as now.
        now.duration_since(self.last_use).unwrap_or_default()
    }
}

impl Store {
    /// Returns the environments in the store, the longest unused first.
    pub fn stored(&self) -> Result<Vec<Stored>> {
        let directory = self.environments();
        let mut stored = Vec::new();
        for name in fs::list(&directory)?.unwrap_or_default() {
            let path = directory.join(name);
            // Another process may be removing it.
            let Some(manifest) = fs::look_for_json::<Manifest>(&path.join(MANIFEST))? else {
                continue;
            };
            let Some(metadata) = fs::metadata(&path.join(MANIFEST))? else {
                continue;
            };
            stored.push(Stored {
                path,
                manifest,
                last_use: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            });
        }
        stored.sort_by(|one, other| {
            one.last_use
                .cmp(&other.last_use)
                .then_with(|| one.path.cmp(&other.path))
        });
        Ok(stored)
    }

    /// Returns the unpacked wheels by their digests.
    pub(super) fn unpacked(&self) -> Result<BTreeMap<Digest, PathBuf>> {
        let directory = self.wheels();
        let names = fs::list(&directory)?.unwrap_or_default();
        let digest =
            |name: &std::ffi::OsString| Some((name.to_str()?.parse().ok()?, directory.join(name)));
        Ok(names.iter().filter_map(digest).collect())
    }

    /// Returns the space of everything in the store.
    pub fn usage(&self) -> Result<Usage> {
        let stored = self.stored()?;
        let unpacked = self.unpacked()?;
        // Wheels first: their inodes show which files of an environment are shared.
        let wheels: BTreeMap<Digest, Measured> = unpacked
            .into_par_iter()
            .map(|(digest, path)| (digest, Measured::of(&path)))
            .collect();
        let in_wheels: HashSet<(u64, u64)> = wheels
            .values()
            .flat_map(|measured| measured.inodes.keys().copied())
            .collect();
        let entries = stored.into_par_iter().map(|stored| {
            let measured = Measured::of(&stored.path);
            let (shared, own): (Vec<_>, Vec<_>) = measured
                .inodes
                .into_iter()
                .partition(|(inode, _)| in_wheels.contains(inode));
            let sum = |sizes: Vec<((u64, u64), u64)>| sizes.into_iter().map(|(_, size)| size).sum();
            (
                stored.manifest.key.as_str().to_owned(),
                Space {
                    own: sum(own),
                    shared: sum(shared),
                },
            )
        });
        let entries = entries.collect();
        let pythons = self.python_images()?.into_par_iter();
        let pythons = pythons.map(|(digest, path)| (digest, Measured::of(&path).total()));
        Ok(Usage {
            entries,
            pythons: pythons.collect(),
            wheels: wheels
                .into_iter()
                .map(|(digest, measured)| (digest, measured.total()))
                .collect(),
            layers: self.kept_layers()?.iter().map(|(_, size, _)| size).sum(),
        })
    }
}

/// The space of everything in the store, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// The environments, by their keys.
    pub entries: BTreeMap<String, Space>,
    /// The unpacked wheels.
    pub wheels: BTreeMap<Digest, u64>,
    /// All layers of images.
    pub layers: u64,
    /// The interpreters from images.
    pub pythons: BTreeMap<Digest, u64>,
}

/// The space of an environment, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Space {
    /// The space of its own files.
    pub own: u64,
    /// The space of the files that it shares with unpacked wheels.
    pub shared: u64,
}

impl Usage {
    /// Returns the total.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.entries.values().map(|space| space.own).sum::<u64>()
            + self.wheels.values().sum::<u64>()
            + self.layers
            + self.pythons.values().sum::<u64>()
    }
}

/// The files of a directory by device and inode numbers, with the space of each.
struct Measured {
    inodes: BTreeMap<(u64, u64), u64>,
}

impl Measured {
    /// Measures a directory. Files that are removed meanwhile do not count.
    fn of(directory: &Path) -> Self {
        let mut inodes = BTreeMap::new();
        for entry in walkdir::WalkDir::new(directory)
            .into_iter()
            .filter_map(Result::ok)
        {
            if let Ok(metadata) = entry.metadata() {
                inodes.insert(fs::inode(&metadata), fs::space(&metadata));
            }
        }
        Self { inodes }
    }

    fn total(&self) -> u64 {
        self.inodes.values().sum()
    }
}
