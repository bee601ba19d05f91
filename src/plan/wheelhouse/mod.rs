//! The wheel directories and image layouts of a spec, combined.
//!
//! File names are parsed at once. A wheel is inspected and opened only when the resolver considers
//! it, and the results are cached per directory, by the wheel's stamp. So a directory of thousands
//! of wheels costs only the listing. If two directories contain the same file name, the first
//! directory wins. Files that are not wheels, or are broken, are skipped.

mod bundle;
mod crawl;
mod digests;
mod directory;
mod index;
mod index_wheels;
mod layout;
mod open;

use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use pep508_rs::PackageName;

use crate::fs::{self, Stamped, Trust};
use crate::report;
use crate::wheel::{Impostor, Metadata, WheelName};
use bundle::Bundle;
pub(super) use crawl::{crawl, request_lists};
use directory::Directory;
use index::Broken;
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
    /// In the directory or image layout with this number.
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
    /// Wheels of image layouts whose files are missing.
    missing_blobs: Vec<WheelFile>,
    /// The wheelhouses on servers, which are not asked.
    on_servers: Vec<String>,
    /// The registries whose wheels are found by their names.
    registries: Vec<String>,
    /// The command that fetches wheels, where it can be used.
    fetch_command: Option<String>,
    /// What forbids it, a sentence.
    fetching_forbidden: Option<String>,
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
                let path = self.path_in_wheelhouse(&wheel);
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
            let there = alike
                .iter()
                .filter(move |wheel| self.directories[directory].has(&wheel.file_name));
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

    /// Returns what forbids to fetch wheels, a sentence; `None` if nothing does.
    #[must_use]
    pub fn fetching_forbidden(&self) -> Option<&str> {
        self.fetching_forbidden.as_deref()
    }

    /// Returns the directories, image layouts and registries that have wheels by their names, as a
    /// list for messages; `None` if there are none.
    pub fn directory_list(&self) -> Option<String> {
        let named = self.directories.iter().filter(|it| !it.is_bundle);
        let registries = self.registries.iter().cloned();
        let mut titles: Vec<String> = named
            .map(Directory::title)
            .chain(registries)
            .map(|title| format!("`{title}`"))
            .collect();
        // A layout may count as several directories.
        titles.dedup();
        (!titles.is_empty()).then(|| titles.join(", "))
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

    /// Returns the reason why [`Self::places`] returns `None`, as a sentence.
    pub fn why_no_places(&self) -> String {
        match self.why_servers_are_not_asked() {
            Some(why) => format!("no wheel directory is configured, and {why}"),
            None => "no wheel directory is configured, and there is no `wheels` next to the spec"
                .to_owned(),
        }
    }

    /// Returns that this run does not ask the wheelhouses on servers, as a sentence; `None` if it
    /// does, or if there are none.
    pub fn why_servers_are_not_asked(&self) -> Option<String> {
        let servers: Vec<String> = self
            .on_servers
            .iter()
            .map(|server| format!("`{server}`"))
            .collect();
        (!servers.is_empty() && self.of_indexes.is_none()).then(|| {
            let servers = servers.join(" and ");
            format!("a launch asks {servers} only if it may fetch")
        })
    }

    /// Checks whether wheelhouses are on servers.
    pub fn has_servers(&self) -> bool {
        !self.on_servers.is_empty()
    }

    /// Returns the directories' paths, without the interpreter's own and image layouts.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.directories
            .iter()
            .filter(|directory| !directory.is_bundle && directory.blobs.is_none())
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
            Place::Directory(directory) => self.directories[directory].path_of(&wheel.file_name),
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

    /// Checks whether the bytes of a wheel, which this run could not read, differ from the digest in
    /// its image layout.
    pub fn is_damaged(&self, wheel: &WheelFile) -> bool {
        self.broken(wheel).is_some_and(|broken| broken.is_damaged)
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
            return Err(broken.failure(&path).into());
        }
        let file = fs::open_regular(&path)?;
        let error = match Metadata::of_file(&file, &wheel.name) {
            Ok(metadata) => {
                index.set_metadata(&wheel.file_name, &metadata);
                return Ok(metadata);
            }
            Err(error) => error,
        };
        // If the bytes differ from their digest, that is the reason.
        let broken = match self.differing_digest(wheel)? {
            Some(found) => Broken::damaged(&found),
            None => Broken {
                why: report::one_line(&error),
                impostor: Impostor::of(&file),
                is_damaged: false,
            },
        };
        let failure = broken.is_damaged.then(|| broken.failure(&path));
        let index = &mut self.directories[directory].index;
        index.set_broken(&wheel.file_name, broken);
        Err(match failure {
            Some(failure) => failure.into(),
            None => error.context(Metadata::cannot_read(&path)),
        })
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
