//! The directories of wheels that a spec may take from, as one.
//!
//! Names are read at once; a wheel is looked at and opened only when the resolver considers it, and
//! what was read is kept per directory, by the wheel's stamp. So a directory of thousands of wheels
//! costs the reading of its names. Of two files with one name, the one in the first directory
//! counts. What is no wheel, or a broken one, is passed over.

mod bundle;
mod file_name;
mod impostor;
mod index;
mod lenient;
mod metadata;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use pep508_rs::PackageName;
use rayon::prelude::*;
use tracing::debug;

pub(super) use file_name::WheelName;
pub(super) use impostor::Impostor;
pub(super) use lenient::{read_requirement, read_specifiers};
pub(super) use metadata::Metadata;
pub use metadata::requires_dist;

use super::Evidence;
use crate::fs::{self, Digest, Stamped, Trust};
use crate::invocation::{Invocation, WheelsSource};
use crate::report::{self, Failure, Progress};
use crate::spec::{Packages, Spec};
use bundle::Bundle;
use index::Index;

/// Directories of these names beside a spec are wheelhouses.
const BESIDE_SPEC: [&str; 2] = ["wheels", "pip_packages"];

/// How many wheels of other users a warning names.
const NAMED_AT_MOST: usize = 3;

/// A wheel file in one of the directories.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct WheelFile {
    /// What the file's name says.
    pub name: WheelName,
    /// The file's name.
    pub file_name: String,
    /// Its owner, where that is a user who is not trusted and others can write to the directory: it
    /// counts only where its digest is pinned.
    pub stranger: Option<u32>,
    /// Which of the directories it is in.
    directory: usize,
}

impl WheelFile {
    /// That no other user can have put the wheel where it is; or why it does not count unless its
    /// digest is pinned.
    pub fn is_trusted(&self) -> Result<(), String> {
        match self.stranger {
            Some(user) => Err(format!(
                "belongs to user {user}, and others can write to its directory"
            )),
            None => Ok(()),
        }
    }
}

/// All wheels of all directories.
pub(super) struct Wheelhouse {
    /// Whose files count in directories that others can write to.
    trust: Trust,
    directories: Vec<Directory>,
    wheels: BTreeMap<PackageName, Vec<WheelFile>>,
    passed_over: Vec<PassedOver>,
    fetch_command: Option<String>,
    bundle: Bundle,
}

/// A file in one of the directories that cannot be used as a wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PassedOver {
    /// The file.
    pub path: PathBuf,
    /// Why it cannot be used, as a sentence.
    pub why: String,
}

struct Directory {
    path: PathBuf,
    index: Index,
    /// Whether it is an interpreter's own.
    is_bundle: bool,
}

impl Wheelhouse {
    /// Lists the directories of a launch: the caller's, the spec's, those of the usual names beside
    /// the spec, those that its lock names, the site's, and `wheels` beside the program. `memo` is
    /// the directory for what is known of wheels.
    ///
    /// # Errors
    /// A directory that the spec or the flag names is not there.
    pub fn open(
        spec: &Spec,
        invocation: &Invocation,
        memo: &Path,
        evidence: &mut Evidence,
    ) -> Result<Self> {
        let caller = &invocation.wheels;
        let fetch_command = spec
            .base
            .as_ref()
            .map(|_| invocation.command_of_tool("fetch"));
        let (trust, bundle) = (spec.trust.clone(), Bundle::new(spec.seed, memo));
        let (directories, wheels, passed_over) = (Vec::new(), BTreeMap::new(), Vec::new());
        let mut wheelhouse = Self {
            trust,
            directories,
            wheels,
            passed_over,
            fetch_command,
            bundle,
        };
        for path in &caller.directories {
            let is_there = wheelhouse.add(path, memo, evidence)?;
            match caller.source {
                WheelsSource::Flag if !is_there => {
                    return Err(Failure::new(format!("no directory `{}`", path.display()))
                        .because("`-vpython-wheels` names it")
                        .into());
                }
                WheelsSource::Variable if !is_there => {
                    debug!(directory = %path.display(), "no such directory; `VPYTHON_WHEELS` names it");
                }
                _ => {}
            }
        }
        for directory in &spec.wheelhouses {
            if !wheelhouse.add(&directory.value, memo, evidence)? {
                let hint = "paths in a spec are relative to the spec's own directory";
                let fetch = wheelhouse
                    .fetch_command
                    .map(|command| format!("; `{command}` makes it and fills it"));
                let hint = format!("{hint}{}", fetch.unwrap_or_default());
                let what = format!("no directory `{}`", directory.value.display());
                return Err(Failure::new(what)
                    .because(format!("it is named in {}", directory.place))
                    .hint(hint)
                    .into());
            }
        }
        let named_in_lock = match &spec.packages {
            Packages::Locked(lock) => lock.directories(),
            _ => BTreeSet::new(),
        };
        let base = spec.base.clone().unwrap_or_default();
        for path in beside(spec).chain(named_in_lock.into_iter().map(Path::to_path_buf)) {
            wheelhouse.add_if_trusted(&path, &base, memo, evidence)?;
        }
        for path in &caller.of_site {
            wheelhouse.add(path, memo, evidence)?;
        }
        if let Some(path) = &caller.of_program {
            wheelhouse.add_if_trusted(
                path,
                path.parent().unwrap_or(Path::new("/")),
                memo,
                evidence,
            )?;
        }
        if !matches!(spec.packages, Packages::Locked(_)) {
            evidence.warnings.extend(wheelhouse.warnings_of_strangers());
        }
        Ok(wheelhouse)
    }

    /// Where a file of this name is among the directories that are the spec's own, and not the
    /// caller's.
    pub fn path_in_own_directories(file_name: &str, spec: &Spec) -> Option<PathBuf> {
        let own = spec
            .wheelhouses
            .iter()
            .map(|directory| directory.value.clone())
            .chain(beside(spec));
        own.map(|directory| directory.join(file_name))
            .find(|path| fs::is_file(path))
    }

    /// Adds the wheels of a directory that is looked for below `base`, unless another user may have
    /// put it there.
    fn add_if_trusted(
        &mut self,
        path: &Path,
        base: &Path,
        memo: &Path,
        evidence: &mut Evidence,
    ) -> Result<()> {
        match self.trust.stranger_on_way(path, base) {
            None => drop(self.add(path, memo, evidence)?),
            Some(stranger) => {
                evidence.look(&stranger.path);
                evidence
                    .warnings
                    .push(format!("the wheel directory {stranger}; it is skipped"));
            }
        }
        Ok(())
    }

    /// Adds the wheels of a directory; false where there is none. The file names that are no
    /// wheel's are passed over.
    fn add(&mut self, path: &Path, memo: &Path, evidence: &mut Evidence) -> Result<bool> {
        if self.directories.iter().any(|known| known.path == path) {
            return Ok(true);
        }
        evidence.look(path);
        let Some(names) = fs::list(path)? else {
            return Ok(false);
        };
        let names: Vec<String> = names
            .into_iter()
            .filter_map(|name| name.into_string().ok())
            .collect();
        let index = Index::load(path, &names, memo);
        let trust = self.trust.within(path);
        let directory = self.directories.len();
        let hidden: HashSet<String> = match directory {
            0 => HashSet::new(),
            _ => self
                .wheels
                .values()
                .flatten()
                .map(|known| known.file_name.clone())
                .collect(),
        };
        self.directories.push(Directory {
            path: path.to_path_buf(),
            index,
            is_bundle: false,
        });
        for file_name in names {
            match WheelName::parse(&file_name) {
                Ok(name) => {
                    if !hidden.contains(&file_name) {
                        let stranger = trust
                            .as_ref()
                            .and_then(|trust| trust.other_owner(&path.join(&file_name)));
                        let wheels = self.wheels.entry(name.project.clone()).or_default();
                        wheels.push(WheelFile {
                            name,
                            file_name,
                            stranger,
                            directory,
                        });
                    }
                }
                Err(why) => {
                    debug!(directory = %path.display(), file_name, why, "passed over a file that is named like no wheel");
                    self.passed_over.push(PassedOver {
                        path: path.join(file_name),
                        why,
                    });
                }
            }
        }
        Ok(true)
    }

    /// The wheels that other users may have put into directories, a sentence for each directory.
    fn warnings_of_strangers(&self) -> Vec<String> {
        let mut by_directory: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for wheel in self
            .wheels
            .values()
            .flatten()
            .filter(|wheel| wheel.stranger.is_some())
        {
            by_directory
                .entry(wheel.directory)
                .or_default()
                .push(&wheel.file_name);
        }
        let say = |(directory, mut names): (usize, Vec<&str>)| {
            names.sort_unstable();
            let more = names.len().saturating_sub(NAMED_AT_MOST);
            let more = if more == 0 {
                String::new()
            } else {
                format!(" and {more} more")
            };
            names.truncate(NAMED_AT_MOST);
            let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
            format!(
                "wheels of other users in `{}`, to which others can write, are skipped unless their digest is pinned: {}{more}",
                self.directories[directory].path.display(),
                names.join(", ")
            )
        };
        by_directory.into_iter().map(say).collect()
    }

    /// The files in the directories that cannot be used as wheels, whatever the interpreter: those
    /// that are named like none, in the order of directories and names, then those that cannot be
    /// read as what they are named. Each wheel is opened that is not known yet.
    pub fn passed_over(&mut self) -> Vec<PassedOver> {
        // Directories, and files that are hidden, are not meant to be wheels.
        let is_hidden = |path: &Path| {
            path.file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
        };
        let files = self
            .passed_over
            .iter()
            .filter(|file| !is_hidden(&file.path) && fs::is_file(&file.path));
        let mut passed_over: Vec<PassedOver> = files.cloned().collect();
        let wheels: Vec<WheelFile> = self.wheels.values().flatten().cloned().collect();
        for wheel in wheels {
            if let Err(error) = self.metadata(&wheel) {
                let path = self.path(&wheel);
                let why = Impostor::at(&path).map_or_else(
                    || report::one_line(&error),
                    |impostor| format!("it {impostor}"),
                );
                passed_over.push(PassedOver { path, why });
            }
        }
        passed_over
    }

    /// The wheels of a project, in the order of their directories and names.
    pub fn wheels(&self, project: &PackageName) -> &[WheelFile] {
        self.wheels.get(project).map_or(&[], Vec::as_slice)
    }

    /// All wheels of a name, in the order of the directories. Tools write the project's part of a
    /// name in different ways, so what the name says counts. A directory whose file is hidden by
    /// that of another has its own here.
    pub fn named(&self, name: &WheelName) -> Vec<WheelFile> {
        let in_wheelhouses = self
            .wheels(&name.project)
            .iter()
            .filter(|wheel| wheel.name == *name);
        let alike: Vec<&WheelFile> = in_wheelhouses.chain(self.bundled_as(name)).collect();
        let in_directory = |directory: usize| {
            let there = alike.iter().filter(move |wheel| {
                fs::is_file(&self.directories[directory].path.join(&wheel.file_name))
            });
            there.map(move |wheel| WheelFile {
                directory,
                ..(*wheel).clone()
            })
        };
        (0..self.directories.len()).flat_map(in_directory).collect()
    }

    /// What to type to have these directories filled; none where there is no place for a directory.
    pub fn fetch_command(&self) -> Option<&str> {
        self.fetch_command.as_deref()
    }

    /// The directories' paths, without the interpreter's own.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.directories
            .iter()
            .filter(|directory| !directory.is_bundle)
            .map(|directory| directory.path.as_path())
    }

    /// Where a wheel is.
    pub fn path(&self, wheel: &WheelFile) -> PathBuf {
        self.directories[wheel.directory]
            .path
            .join(&wheel.file_name)
    }

    /// What a file is that cannot be read as a wheel, where that can be told.
    pub fn impostor(&self, wheel: &WheelFile) -> Option<Impostor> {
        Impostor::at(&self.path(wheel))
    }

    /// Whether a file is yet to be fetched by Git LFS.
    pub fn is_in_lfs(&self, wheel: &WheelFile) -> bool {
        self.impostor(wheel) == Some(Impostor::LfsPointer)
    }

    /// The files of a project that are something else than wheels.
    pub fn impostors(&self, project: &PackageName) -> Vec<PathBuf> {
        let paths = self.wheels(project).iter().map(|wheel| self.path(wheel));
        paths.filter(|path| Impostor::at(path).is_some()).collect()
    }

    /// A wheel and what stands there, or stood there when it was first read.
    pub fn stamped(&mut self, wheel: &WheelFile) -> Stamped {
        let path = self.path(wheel);
        let stamp = self.directories[wheel.directory]
            .index
            .stamp(&path, &wheel.file_name);
        Stamped { path, stamp }
    }

    /// What a wheel says of itself.
    ///
    /// # Errors
    /// It cannot be read as a wheel.
    pub fn metadata(&mut self, wheel: &WheelFile) -> Result<Metadata> {
        let path = self.path(wheel);
        let index = &mut self.directories[wheel.directory].index;
        if let Some(known) = index.metadata(&path, &wheel.file_name) {
            return Ok(known);
        }
        let metadata = metadata::read(&path, &wheel.name)?;
        index.set_metadata(&wheel.file_name, &metadata);
        Ok(metadata)
    }

    /// The digests of wheels, in their order; those that are not known yet are computed on all
    /// processors.
    pub fn digests(&mut self, wheels: &[WheelFile]) -> Result<Vec<Digest>> {
        let stamps: Vec<Stamped> = wheels.iter().map(|wheel| self.stamped(wheel)).collect();
        let known: Vec<Option<Digest>> = wheels
            .iter()
            .zip(&stamps)
            .map(|(wheel, stamped)| {
                self.directories[wheel.directory]
                    .index
                    .digest(&stamped.path, &wheel.file_name)
            })
            .collect();
        let unknown = stamps
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none());
        let size = unknown
            .map(|(stamped, _)| stamped.stamp.map_or(0, |stamp| stamp.size))
            .sum();
        let progress = Progress::start("reading wheels", size);
        let compute =
            |stamped: &Stamped| Digest::of_file(&stamped.path, |bytes| progress.advance(bytes));
        let digests = stamps
            .par_iter()
            .zip(known)
            .map(|(stamped, known)| known.map_or_else(|| compute(stamped), Ok))
            .collect::<Result<Vec<_>>>()?;
        for (wheel, digest) in wheels.iter().zip(&digests) {
            self.directories[wheel.directory]
                .index
                .set_digest(&wheel.file_name, *digest);
        }
        Ok(digests)
    }

    /// Keeps what was learnt for the next time. It can be found again, so a failure costs nothing
    /// but time.
    pub fn remember(self) {
        for directory in self.directories {
            if let Err(error) = directory.index.save() {
                debug!(
                    "cannot keep the index of `{}`: {error:#}",
                    directory.path.display()
                );
            }
        }
    }
}

/// The directories of the usual names beside a spec.
fn beside(spec: &Spec) -> impl Iterator<Item = PathBuf> {
    spec.base
        .iter()
        .flat_map(|base| BESIDE_SPEC.map(|name| base.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_wheel_and_what_is_broken_is_passed_over() {
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
            .passed_over()
            .into_iter()
            .map(|file| (file.path, file.why))
            .collect();
        let broken = house.join("a-1-py3-none-any.whl");
        let why = format!(
            "cannot read `{}` as a wheel: invalid Zip archive: Could not find EOCD",
            broken.display()
        );
        let expected = [
            (
                house.join("a-1.tar.gz"),
                "its name does not end in `.whl`".to_owned(),
            ),
            (
                house.join("a-x-py3-none-any.whl"),
                "`x` is no version".to_owned(),
            ),
            (broken, why),
        ];
        assert_eq!(found, expected);
    }
}
