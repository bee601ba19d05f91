//! Installing unpacked wheels into an environment: linking every file into place, and writing
//! RECORD, INSTALLER and REQUESTED.
//!
//! All places are decided before the first file is linked, so that each file is written once, even
//! if several wheels have a file for the same place.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pep440_rs::Version;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::activate;
use super::collisions::{Collision, ReadMetadata, install_order, unpacked_metadata};
use super::link::Linker;
use super::unpacked::{UnpackedFile, UnpackedWheel};
use super::venv::DIRECTORY_MODE;
use crate::fs::{self, Digest};
use crate::interpreter::Facts;
use crate::plan::Plan;
use crate::report::{Failure, Progress};
use crate::store::{COMPILED, MANIFEST, Manifest};
use crate::wheel::archive;
use crate::wheel::record::{self, Row};
use crate::wheel::scheme::{Destination, Scheme};

/// The minimum number of directories for each parallel task.
const MIN_BATCH: usize = 16;
/// The content of INSTALLER.
const INSTALLER: &[u8] = b"vpython\n";

/// Installs the wheels, whose files have these places, into the skeleton at `root`.
///
/// # Errors
/// Two wheels have different files for one place and the plan is strict; writing fails.
pub(super) fn install(
    plan: &Plan,
    wheels: &[UnpackedWheel],
    places: &Places,
    linker: &Linker,
    root: &Path,
) -> Result<()> {
    let layout = Layout::of(&plan.interpreter);
    if plan.strict
        && let Some(collision) = places.collisions.first()
    {
        return Err(collision.refusal().into());
    }
    // Directories first, then all files in parallel.
    places.make_directories(root)?;
    let progress = Progress::start("linking the files", places.owners.len() as u64);
    places.owners.par_iter().try_for_each(|(place, owner)| {
        progress.advance(1);
        linker.put(&owner.wheel.path(owner.file), &root.join(place))
    })?;
    // Then the metadata that the installer writes.
    let planned = plan.wheels.iter();
    let requested: HashSet<&Digest> = planned
        .filter(|planned| planned.is_requested())
        .map(|planned| &planned.sha256)
        .collect();
    wheels.par_iter().try_for_each(|wheel| {
        let is_requested = requested.contains(&wheel.sha256);
        own_files(wheel, &layout, is_requested, places)?
            .iter()
            .try_for_each(|(path, content)| fs::write_new(&root.join(path), content, 0o444))
    })
}

/// The properties of an interpreter that decide the places of files.
pub(super) struct Layout {
    /// The site-packages directory, relative to the environment.
    pub site_packages: String,
    /// Major, minor and micro version.
    pub release: [u32; 3],
}

impl Layout {
    pub fn of(interpreter: &Facts) -> Self {
        Self {
            site_packages: interpreter.site_packages.clone(),
            release: interpreter.release,
        }
    }

    /// Returns the layout of an existing environment.
    ///
    /// # Errors
    /// Its manifest has no valid Python version.
    pub fn of_manifest(manifest: &Manifest) -> Result<Self> {
        let version: Version = manifest
            .python
            .parse()
            .with_context(|| format!("`{}` is not a Python version", manifest.python))?;
        let part = |index: usize| {
            version
                .release()
                .get(index)
                .and_then(|part| u32::try_from(*part).ok())
                .unwrap_or_default()
        };
        Ok(Self {
            site_packages: manifest.site.directory.clone(),
            release: [part(0), part(1), part(2)],
        })
    }
}

/// A file and the wheel that contains it.
pub(super) struct Owner<'a> {
    pub wheel: &'a UnpackedWheel,
    pub file: &'a UnpackedFile,
}

/// The places of all files. If several wheels have different files for one place, the wheel that is
/// installed last wins, as with pip.
pub(super) struct Places<'a> {
    /// Every file to be linked, by its path relative to the environment: plain names joined by `/`.
    pub owners: BTreeMap<String, Owner<'a>>,
    /// The places for which several wheels have different files.
    pub collisions: Vec<Collision<'a>>,
}

impl<'a> Places<'a> {
    /// Decides the place of each file. `wheels` are in the order of their project names.
    ///
    /// # Errors
    /// A wheel has a file for a place that is reserved for the environment, or a file where others
    /// need a directory.
    pub fn decide(layout: &Layout, wheels: &'a [UnpackedWheel]) -> Result<Self> {
        Self::decide_by(layout, wheels, &unpacked_metadata)
    }

    /// Like [`Places::decide`], with another way to read METADATA.
    pub fn decide_by(
        layout: &Layout,
        wheels: &'a [UnpackedWheel],
        metadata: ReadMetadata,
    ) -> Result<Self> {
        let mut owners: BTreeMap<String, Owner<'a>> = BTreeMap::new();
        let mut contested: Vec<(String, Owner<'a>)> = Vec::new();
        for wheel in wheels {
            for file in &wheel.contents.files {
                let place = place(&file.destination, &wheel.contents.distribution, layout);
                if let Some(why) = reserved(&place, file.destination.scheme, wheel) {
                    return Err(refusal(wheel, &place, why).into());
                }
                match owners.get(&place) {
                    None => drop(owners.insert(place, Owner { wheel, file })),
                    Some(other) if other.file.digest == file.digest => {}
                    Some(_) => contested.push((place, Owner { wheel, file })),
                }
            }
        }
        let mut places = Self {
            owners,
            collisions: Vec::new(),
        };
        // The install order requires METADATA, so it is determined only for collisions.
        if !contested.is_empty() {
            places.decide_collisions(contested, &install_order(wheels, metadata)?);
        }
        places.refuse_files_as_directories(layout)?;
        Ok(places)
    }

    /// Gives each contested place to the wheel that is last in `order`.
    fn decide_collisions(&mut self, contested: Vec<(String, Owner<'a>)>, order: &[Digest]) {
        let ranks: HashMap<&Digest, usize> = order
            .iter()
            .enumerate()
            .map(|(rank, sha256)| (sha256, rank))
            .collect();
        let rank = |owner: &Owner| ranks.get(&owner.wheel.sha256);
        for (place, mut loser) in contested {
            let Some(winner) = self.owners.get_mut(&place) else {
                continue;
            };
            if rank(&loser) > rank(winner) {
                std::mem::swap(winner, &mut loser);
            }
            let winner = winner.wheel;
            self.collisions.push(Collision {
                place,
                loser: loser.wheel,
                winner,
            });
        }
        // A third wheel may have won the place since.
        for collision in &mut self.collisions {
            collision.winner = self
                .owners
                .get(&collision.place)
                .map_or(collision.winner, |owner| owner.wheel);
        }
    }

    /// Returns whether the file of `wheel` is the one that is installed at `place`.
    pub fn has(&self, place: &str, wheel: &UnpackedWheel, file: &UnpackedFile) -> bool {
        self.owners.get(place).is_some_and(|owner| {
            owner.wheel.sha256 == wheel.sha256 || owner.file.digest == file.digest
        })
    }

    /// Rejects places that would be both a file and a directory.
    fn refuse_files_as_directories(&self, layout: &Layout) -> Result<()> {
        let site_packages = format!("{}/", layout.site_packages);
        let mut directories = self.directories();
        for own in ["bin/", "lib64/", &site_packages] {
            add_directories(own, &mut directories);
        }
        match self
            .owners
            .iter()
            .find(|(place, _)| directories.contains(place.as_str()))
        {
            Some((place, owner)) => {
                Err(refusal(owner.wheel, place, "a directory has that name").into())
            }
            None => Ok(()),
        }
    }

    /// Returns the directories of all places, and their ancestors.
    fn directories(&self) -> HashSet<&str> {
        let mut directories = HashSet::new();
        self.owners
            .keys()
            .for_each(|place| add_directories(place, &mut directories));
        directories
    }

    /// Creates each directory once: level by level, and all directories of a level in parallel.
    fn make_directories(&self, root: &Path) -> Result<()> {
        let mut levels: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for directory in self.directories() {
            levels
                .entry(directory.matches('/').count())
                .or_default()
                .push(directory);
        }
        for directories in levels.values_mut() {
            directories.sort_unstable();
            directories
                .par_iter()
                .with_min_len(MIN_BATCH)
                .try_for_each(|directory| fs::create_dir(&root.join(directory), DIRECTORY_MODE))?;
        }
        Ok(())
    }
}

/// Adds the ancestors of a place.
fn add_directories<'a>(place: &'a str, directories: &mut HashSet<&'a str>) {
    let mut rest = place;
    while let Some((directory, _)) = rest.rsplit_once('/') {
        if !directories.insert(directory) {
            return;
        }
        rest = directory;
    }
}

fn refusal(wheel: &UnpackedWheel, place: &str, why: &str) -> Failure {
    Failure::new(format!(
        "cannot install `{place}` of `{}`",
        wheel.contents.dist_info
    ))
    .because(why)
}

/// Returns the place of a file, relative to the environment. `lib64` is a link to `lib`.
fn place(
    Destination { scheme, path }: &Destination,
    distribution: &str,
    layout: &Layout,
) -> String {
    let [major, minor, _] = layout.release;
    let path = match scheme {
        Scheme::Site => format!("{}/{path}", layout.site_packages),
        Scheme::Scripts => format!("bin/{path}"),
        Scheme::Headers => format!("include/site/python{major}.{minor}/{distribution}/{path}"),
        Scheme::Data => path.clone(),
    };
    match path.strip_prefix("lib64/") {
        Some(rest) => format!("lib/{rest}"),
        None => path,
    }
}

/// Returns why a wheel must not have a file at or below this place, if so.
fn reserved(place: &str, scheme: Scheme, wheel: &UnpackedWheel) -> Option<&'static str> {
    // The environment has no files of its own in site-packages.
    let shared = Path::new(if scheme == Scheme::Site { "" } else { place });
    for place in shared.ancestors() {
        let text = place.to_string_lossy();
        // On case-insensitive file systems, other spellings name the same file.
        let text = archive::folded(&text);
        let is_activation = || activate::SCRIPTS.iter().any(|(path, _)| *path == text);
        if ["pyvenv.cfg", MANIFEST, COMPILED].contains(&&*text) || is_activation() {
            return Some("it is part of the environment itself");
        }
        if text.strip_prefix("bin/").is_some_and(is_interpreter_name) {
            return Some("it would replace the interpreter");
        }
    }
    let (directory, name) = place.rsplit_once('/').unwrap_or_default();
    let is_own = ["RECORD", "INSTALLER", "REQUESTED"].contains(&name)
        && directory
            .strip_suffix(&*wheel.contents.dist_info)
            .is_some_and(|before| before.is_empty() || before.ends_with('/'));
    is_own.then_some("installers write that file themselves")
}

fn is_interpreter_name(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|version| {
        version
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    })
}

/// Returns INSTALLER, REQUESTED and RECORD of the `.dist-info` directory: their paths in the
/// environment, and their contents.
pub(super) fn own_files(
    wheel: &UnpackedWheel,
    layout: &Layout,
    requested: bool,
    places: &Places,
) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let dist_info = &wheel.contents.dist_info;
    let site_packages = Path::new(&layout.site_packages);
    let mut files = Vec::new();
    // A file that the wheel has in two schemes with the same directory has one row.
    let mut rows: BTreeMap<String, Row> = wheel
        .contents
        .files
        .iter()
        .filter_map(|file| row(file, wheel, layout, places))
        .collect();
    let own = [
        ("INSTALLER", Some(INSTALLER)),
        ("REQUESTED", requested.then_some(&b""[..])),
    ];
    for (name, content) in own
        .into_iter()
        .filter_map(|(name, content)| Some((name, content?)))
    {
        let path = format!("{dist_info}/{name}");
        files.push((site_packages.join(&path), content.to_vec()));
        let digest = record::sha256_column(&Sha256::digest(content));
        rows.insert(
            path,
            Row {
                digest: Some(digest),
                size: Some(content.len() as u64),
            },
        );
    }
    let path = format!("{dist_info}/RECORD");
    files.push((site_packages.join(&path), record::render(rows, &path)?));
    Ok(files)
}

/// Returns the row of a file, with a path relative to site-packages; none if another wheel's file
/// is installed in its place.
fn row(
    file: &UnpackedFile,
    wheel: &UnpackedWheel,
    layout: &Layout,
    places: &Places,
) -> Option<(String, Row)> {
    let place = place(&file.destination, &wheel.contents.distribution, layout);
    if !places.has(&place, wheel, file) {
        return None;
    }
    // A file outside site-packages has a path with `..`.
    let in_site = place
        .strip_prefix(&layout.site_packages)
        .and_then(|rest| rest.strip_prefix('/'));
    let path = in_site.map_or_else(
        || {
            format!(
                "{}{place}",
                "../".repeat(layout.site_packages.split('/').count())
            )
        },
        str::to_owned,
    );
    Some((
        path,
        Row {
            digest: Some(file.digest.clone()),
            size: Some(file.size),
        },
    ))
}
