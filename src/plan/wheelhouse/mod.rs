//! The wheel directories of a spec, combined.
//!
//! File names are parsed at once. A wheel is inspected and opened only when the resolver considers
//! it, and the results are cached per directory, by the wheel's stamp. So a directory of thousands
//! of wheels costs only the listing. If two directories contain the same file name, the first
//! directory wins. Files that are not wheels, or are broken, are skipped.

mod bundle;
mod crawl;
mod index;
mod index_wheels;
mod open;

use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use pep508_rs::PackageName;
use rayon::prelude::*;
use tracing::debug;

use crate::fs::{self, Digest, Stamped, Trust};
use crate::report::{self, Failure, Progress};
use crate::wheel::{Impostor, Metadata, WheelName};
use bundle::Bundle;
pub(super) use crawl::{crawl, request_lists};
use index::{Broken, Index};
pub(super) use index_wheels::{IndexWheels, pinned};

/// A wheel file in one of the directories. The names are shared, because the resolver keeps several
/// copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WheelFile {
    /// The parts of the file's name.
    pub name: Arc<WheelName>,
    /// The file's name.
    pub file_name: Arc<str>,
    /// The owner, if it is an untrusted user and others can write to the directory: the wheel is
    /// used only if its digest is pinned.
    pub untrusted_owner: Option<u32>,
    place: Place,
}

/// Where a wheel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    /// In the directory with this number.
    Directory(usize),
    /// On a package index, with this number in [`IndexWheels`].
    Index(usize),
}

impl Hash for WheelFile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The other fields follow from these.
        (&self.file_name, self.place).hash(state);
    }
}

impl WheelFile {
    /// Checks whether it is on a package index, and not in a directory.
    pub fn is_remote(&self) -> bool {
        matches!(self.place, Place::Index(_))
    }

    /// Checks that no other user can have written the wheel. The error is the reason why it is used
    /// only if its digest is pinned.
    pub fn is_trusted(&self) -> Result<(), String> {
        match self.untrusted_owner {
            Some(user) => Err(format!(
                "belongs to user {user}, and other users can write to its directory"
            )),
            None => Ok(()),
        }
    }
}

/// All wheels of all directories.
pub(super) struct Wheelhouse {
    /// The users whose files are used from directories that others can write to.
    trust: Trust,
    directories: Vec<Directory>,
    /// The paths of the directories, without those of interpreters.
    listed: HashSet<PathBuf>,
    wheels: BTreeMap<PackageName, Vec<WheelFile>>,
    /// The file names of these wheels.
    file_names: HashSet<Arc<str>>,
    skipped_files: Vec<SkippedFile>,
    fetch_command: Option<String>,
    bundle: Bundle,
    /// The package indexes, where the caller asked for them.
    of_indexes: Option<IndexWheels>,
}

/// A file in one of the directories that cannot be used as a wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SkippedFile {
    /// The file.
    pub path: PathBuf,
    /// The reason why it cannot be used, as a sentence.
    pub why: String,
}

struct Directory {
    path: PathBuf,
    index: Index,
    /// Whether it belongs to an interpreter.
    is_bundle: bool,
}

impl Wheelhouse {
    /// Returns the files in the directories that cannot be used as wheels by any interpreter: those
    /// not named like wheels, in the order of directories and names, then those that cannot be read
    /// as wheels. Opens each wheel that is not cached.
    pub fn skipped_files(&mut self) -> Vec<SkippedFile> {
        // Directories and hidden files are not meant to be wheels.
        let is_hidden = |path: &Path| {
            path.file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
        };
        let files = self
            .skipped_files
            .iter()
            .filter(|file| !is_hidden(&file.path) && fs::is_file(&file.path));
        let mut skipped_files: Vec<SkippedFile> = files.cloned().collect();
        let wheels: Vec<WheelFile> = self.wheels.values().flatten().cloned().collect();
        for wheel in wheels {
            if let Err(error) = self.metadata(&wheel) {
                let path = self.path(&wheel);
                let why = match self.broken(&wheel) {
                    Some(broken) => broken.describe(),
                    None => report::one_line(&error),
                };
                skipped_files.push(SkippedFile { path, why });
            }
        }
        skipped_files
    }

    /// Returns the wheels of a project, in the order of their directories and names. Those of
    /// package indexes come last, once [`Self::list_on_index`] has listed them.
    pub fn wheels(&self, project: &PackageName) -> &[WheelFile] {
        self.wheels.get(project).map_or(&[], Vec::as_slice)
    }

    /// Returns all wheels with a name, in the order of the directories. Tools normalise the project
    /// in file names differently, so parsed names are compared. A file hidden by another
    /// directory's is included.
    pub fn named(&self, name: &WheelName) -> Vec<WheelFile> {
        let in_wheelhouses = self
            .wheels(&name.project)
            .iter()
            .filter(|wheel| *wheel.name == *name);
        let alike: Vec<&WheelFile> = in_wheelhouses.chain(self.bundled_as(name)).collect();
        let in_directory = |directory: usize| {
            let there = alike.iter().filter(move |wheel| {
                fs::is_file(&self.directories[directory].path.join(&*wheel.file_name))
            });
            there.map(move |wheel| WheelFile {
                place: Place::Directory(directory),
                ..(*wheel).clone()
            })
        };
        let in_directories = (0..self.directories.len()).flat_map(in_directory);
        let on_index = alike.iter().filter(|wheel| wheel.is_remote());
        in_directories
            .chain(on_index.map(|wheel| (*wheel).clone()))
            .collect()
    }

    /// Returns the command that fills these directories; `None` if the spec has no directory.
    pub fn fetch_command(&self) -> Option<&str> {
        self.fetch_command.as_deref()
    }

    /// Returns the directories as a list for messages; `None` if there are none.
    pub fn directory_list(&self) -> Option<String> {
        let directories: Vec<String> = self
            .directories()
            .map(|directory| format!("`{}`", directory.display()))
            .collect();
        (!directories.is_empty()).then(|| directories.join(", "))
    }

    /// Returns where wheels are looked for, as a phrase such as "in `wheels`"; `None` if nowhere.
    pub fn places(&self) -> Option<String> {
        let directories = self.directory_list().map(|list| format!("in {list}"));
        match (directories, &self.of_indexes) {
            (directories, None) => directories,
            (None, Some(_)) => Some("on the package index".to_owned()),
            (Some(directories), Some(_)) => Some(format!("{directories} or on the package index")),
        }
    }

    /// Returns the directories' paths, without the interpreter's own.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.directories
            .iter()
            .filter(|directory| !directory.is_bundle)
            .map(|directory| directory.path.as_path())
    }

    /// Checks whether a file is in one of the directories.
    pub fn has_directory_of(&self, file: &Path) -> bool {
        file.parent()
            .is_some_and(|directory| self.listed.contains(directory))
    }

    /// Returns the path of a wheel.
    pub fn path(&self, wheel: &WheelFile) -> PathBuf {
        match wheel.place {
            Place::Directory(directory) => self.directories[directory].path.join(&*wheel.file_name),
            Place::Index(number) => self.of_index(number).shown_path(),
        }
    }

    /// Returns what a file is that cannot be read as a wheel, if it is recognized.
    pub fn impostor(&self, wheel: &WheelFile) -> Option<Impostor> {
        self.broken(wheel)
            .map_or_else(|| Impostor::at(&self.path(wheel)), |broken| broken.impostor)
    }

    /// Returns what is known about a wheel in a directory that this run could not read.
    fn broken(&self, wheel: &WheelFile) -> Option<&Broken> {
        let Place::Directory(directory) = wheel.place else {
            return None;
        };
        self.directories[directory].index.broken(&wheel.file_name)
    }

    /// Checks whether a file is a Git LFS pointer.
    pub fn is_in_lfs(&self, wheel: &WheelFile) -> bool {
        self.impostor(wheel) == Some(Impostor::LfsPointer)
    }

    /// Returns the files of a project that are not wheels.
    pub fn impostors(&self, project: &PackageName) -> Vec<PathBuf> {
        let wheels = self.wheels(project).iter();
        let impostors = wheels.filter(|wheel| self.impostor(wheel).is_some());
        impostors.map(|wheel| self.path(wheel)).collect()
    }

    /// Returns a wheel with its stamp from before it was first read; `None` for a wheel of an
    /// index: it is not a file.
    pub fn stamped(&mut self, wheel: &WheelFile) -> Option<Stamped> {
        let Place::Directory(directory) = wheel.place else {
            return None;
        };
        let path = self.path(wheel);
        let index = &mut self.directories[directory].index;
        let stamp = index.stamp(&path, &wheel.file_name);
        Some(Stamped { path, stamp })
    }

    /// Returns a wheel's metadata.
    ///
    /// # Errors
    /// It cannot be read as a wheel.
    pub fn metadata(&mut self, wheel: &WheelFile) -> Result<Metadata> {
        let path = self.path(wheel);
        let directory = match wheel.place {
            Place::Directory(directory) => directory,
            Place::Index(number) => return self.metadata_of_index(number, &wheel.name),
        };
        let index = &mut self.directories[directory].index;
        if let Some(known) = index.metadata(&path, &wheel.file_name) {
            return Ok(known);
        }
        if let Some(broken) = index.broken(&wheel.file_name) {
            let failure = Failure::new(Metadata::cannot_read(&path));
            return Err(failure.because(&broken.why).into());
        }
        let file = fs::open_regular(&path)?;
        let metadata = Metadata::of_file(&file, &wheel.name);
        match &metadata {
            Ok(metadata) => index.set_metadata(&wheel.file_name, metadata),
            Err(error) => {
                let (why, impostor) = (report::one_line(error), Impostor::of(&file));
                index.set_broken(&wheel.file_name, Broken { why, impostor });
            }
        }
        metadata.with_context(|| Metadata::cannot_read(&path))
    }

    /// Returns the digests of wheels, in their order. Those that are not cached are computed on all
    /// processors; of a wheel of an index, its index states it.
    ///
    /// # Errors
    /// A wheel cannot be read.
    pub fn digests(&mut self, wheels: &[WheelFile]) -> Result<Vec<Digest>> {
        let mut known: Vec<Option<Digest>> = Vec::new();
        let mut unknown: Vec<(usize, Stamped)> = Vec::new();
        for (position, wheel) in wheels.iter().enumerate() {
            let digest = match (wheel.place, self.stamped(wheel)) {
                (Place::Index(number), _) => Some(self.digest_of_index(number)?),
                (Place::Directory(directory), Some(stamped)) => {
                    let index = &mut self.directories[directory].index;
                    let digest = index.digest(&stamped.path, &wheel.file_name);
                    if digest.is_none() {
                        unknown.push((position, stamped));
                    }
                    digest
                }
                (Place::Directory(_), None) => None,
            };
            known.push(digest);
        }
        // Count the bytes to read, for the progress line.
        let sizes = unknown.iter().map(|(_, stamped)| stamped.stamp);
        let size = sizes.map(|stamp| stamp.map_or(0, |stamp| stamp.size)).sum();
        if unknown.is_empty() {
            return Ok(known.into_iter().flatten().collect());
        }
        let progress = Progress::start("reading wheels", size);
        let compute = |(_, stamped): &(usize, Stamped)| {
            Digest::of_file(&stamped.path, |bytes| progress.advance(bytes))
        };
        let computed = unknown
            .par_iter()
            .map(compute)
            .collect::<Result<Vec<_>>>()?;
        // Cache them for later launches.
        for ((position, _), digest) in unknown.iter().zip(computed) {
            let wheel = &wheels[*position];
            if let Place::Directory(directory) = wheel.place {
                let index = &mut self.directories[directory].index;
                index.set_digest(&wheel.file_name, digest);
            }
            known[*position] = Some(digest);
        }
        Ok(known.into_iter().flatten().collect())
    }

    /// Saves the cached facts for later launches. An error is only logged, because they can be
    /// computed again.
    pub fn remember(self) {
        for directory in self.directories {
            if let Err(error) = directory.index.save() {
                debug!(
                    "cannot save the index of `{}`: {error:#}",
                    directory.path.display()
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Evidence;
    use super::*;
    use crate::invocation::Invocation;
    use crate::spec::Spec;

    #[test]
    fn non_wheels_and_broken_wheels_are_skipped() {
        let base = tempfile::tempdir().unwrap();
        let house = base.path().join("wheels");
        fs::create_dir_all(&house.join("directory"), 0o755).unwrap();
        for name in [
            "a-1-py3-none-any.whl",
            "a-1.tar.gz",
            "a-x-py3-none-any.whl",
            ".gitignore",
        ] {
            fs::write_new(&house.join(name), b"no archive", 0o644).unwrap();
        }
        let spec = Spec {
            base: Some(base.path().to_path_buf()),
            ..Spec::default()
        };
        let invocation = Invocation::read(&crate::process::Process::default()).unwrap();
        let mut wheelhouse =
            Wheelhouse::open(&spec, &invocation, base.path(), &mut Evidence::default()).unwrap();
        let found: Vec<_> = wheelhouse
            .skipped_files()
            .into_iter()
            .map(|file| (file.path, file.why))
            .collect();
        let broken = house.join("a-1-py3-none-any.whl");
        let why = "it is not a zip archive: it is too short".to_owned();
        let expected = [
            (
                house.join("a-1.tar.gz"),
                "its name does not end in `.whl`".to_owned(),
            ),
            (
                house.join("a-x-py3-none-any.whl"),
                "`x` is not a version".to_owned(),
            ),
            (broken, why),
        ];
        assert_eq!(found, expected);
    }
}
