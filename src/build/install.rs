//! Unpacked wheels put into an environment: every file in its place, RECORD, INSTALLER and REQUESTED written.
//!
//! All places are decided before the first file is put, so that two wheels that want the same file are found out at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::archive;
use super::link::Linker;
use super::members::{Destination, Scheme};
use super::record::{self, Row};
use super::unpack::{UnpackedFile, UnpackedWheel};
use super::venv::FOLDER;
use crate::fs;
use crate::plan::{Facts, Plan};
use crate::report::Failure;

/// What INSTALLER says.
const INSTALLER: &[u8] = b"vpython\n";

/// Installs the wheels into the skeleton at `root`.
///
/// # Errors
/// Two wheels have different files for one place, or a wheel has one for a place of the environment's own.
pub(super) fn install(plan: &Plan, wheels: &[UnpackedWheel], root: &Path) -> Result<()> {
    let layout = Layout::of(&plan.interpreter);
    let places = Places::decide(&layout, wheels)?;
    for folder in places.folders() {
        fs::create_dir_all(&root.join(folder), FOLDER)?;
    }
    let linker = Linker::default();
    places.0.par_iter().try_for_each(|(place, owner)| linker.put(&owner.wheel.path(owner.file), &root.join(place)))?;
    wheels.par_iter().try_for_each(|wheel| {
        let requested = plan.wheels.iter().any(|planned| planned.sha256 == wheel.sha256 && planned.is_requested());
        own_files(wheel, &layout, requested)?
            .iter()
            .try_for_each(|(path, content)| fs::write_new(&root.join(path), content, 0o444))
    })
}

/// As much of an interpreter as decides where files go.
pub(super) struct Layout {
    /// The folder of packages, relative to the environment.
    pub site_packages: String,
    /// Major, minor and micro version.
    pub release: [u32; 3],
}

impl Layout {
    fn of(interpreter: &Facts) -> Self {
        Self { site_packages: interpreter.site_packages.clone(), release: interpreter.release }
    }
}

/// A file and the wheel that brings it.
pub(super) struct Owner<'a> {
    wheel: &'a UnpackedWheel,
    pub file: &'a UnpackedFile,
}

/// Every file to be put, by its path relative to the environment.
pub(super) struct Places<'a>(pub BTreeMap<PathBuf, Owner<'a>>);

impl<'a> Places<'a> {
    /// Decides on the place of each file.
    ///
    /// # Errors
    /// Two wheels have different files for one place, or a wheel has one for a place of the environment's own.
    pub fn decide(layout: &Layout, wheels: &'a [UnpackedWheel]) -> Result<Self> {
        let mut places: BTreeMap<PathBuf, Owner<'a>> = BTreeMap::new();
        for wheel in wheels {
            for file in &wheel.contents.files {
                let place = place(&file.destination, &wheel.contents.distribution, layout);
                if let Some(why) = reserved(&place, wheel) {
                    return Err(refusal(wheel, &place, why).into());
                }
                match places.get(&place) {
                    None => drop(places.insert(place, Owner { wheel, file })),
                    Some(other) if other.file.digest == file.digest => {}
                    Some(other) => {
                        let why = format!("`{}` brings another file of that name", other.wheel.contents.dist_info);
                        return Err(refusal(wheel, &place, &why).into());
                    }
                }
            }
        }
        let places = Self(places);
        places.refuse_files_as_folders(layout)?;
        Ok(places)
    }

    /// A place cannot be a file and a folder at once.
    fn refuse_files_as_folders(&self, layout: &Layout) -> Result<()> {
        let own = [Path::new("bin"), Path::new("lib64"), Path::new(&layout.site_packages)];
        let folders: BTreeSet<&Path> = self.folders().into_iter().chain(own).flat_map(Path::ancestors).collect();
        match self.0.iter().find(|(place, _)| folders.contains(place.as_path())) {
            Some((place, owner)) => Err(refusal(owner.wheel, place, "a folder of that name is there").into()),
            None => Ok(()),
        }
    }

    /// The folders of all places, each before those in it.
    fn folders(&self) -> BTreeSet<&Path> {
        self.0.keys().filter_map(|place| place.parent()).collect()
    }
}

fn refusal(wheel: &UnpackedWheel, place: &Path, why: &str) -> Failure {
    Failure::new(format!("cannot install `{}` of `{}`", place.display(), wheel.contents.dist_info)).because(why)
}

/// Where a file goes, relative to the environment. `lib64` is a link to `lib`.
fn place(destination: &Destination, distribution: &str, layout: &Layout) -> PathBuf {
    let [major, minor, _] = layout.release;
    let path = match destination.scheme {
        Scheme::Site => Path::new(&layout.site_packages).join(&destination.path),
        Scheme::Scripts => Path::new("bin").join(&destination.path),
        Scheme::Headers => {
            Path::new("include/site").join(format!("python{major}.{minor}")).join(distribution).join(&destination.path)
        }
        Scheme::Data => PathBuf::from(&destination.path),
    };
    match path.strip_prefix("lib64") {
        Ok(rest) if rest != Path::new("") => Path::new("lib").join(rest),
        _ => path,
    }
}

/// Why nobody may bring this file, or a file below it.
fn reserved(place: &Path, wheel: &UnpackedWheel) -> Option<&'static str> {
    for place in place.ancestors() {
        let text = place.to_string_lossy();
        // On file systems where case does not count, other spellings are the same file.
        let text = archive::folded(&text);
        if matches!(&*text, "pyvenv.cfg" | "vpython.json") {
            return Some("it is a part of the environment itself");
        }
        if text.strip_prefix("bin/").is_some_and(is_interpreter_name) {
            return Some("it would take the place of the interpreter");
        }
    }
    let own = ["RECORD", "INSTALLER", "REQUESTED"];
    let is_own = own.iter().any(|name| place.ends_with(Path::new(&wheel.contents.dist_info).join(name)));
    is_own.then_some("installers write that file themselves")
}

fn is_interpreter_name(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|version| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

/// INSTALLER, REQUESTED and RECORD of the `.dist-info` folder: their paths in the environment, and what is in them.
pub(super) fn own_files(wheel: &UnpackedWheel, layout: &Layout, requested: bool) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let dist_info = &wheel.contents.dist_info;
    let site_packages = Path::new(&layout.site_packages);
    let mut files = Vec::new();
    // A file that the wheel brings twice, in two schemes that are one folder, has one row.
    let mut rows: BTreeMap<String, Row> = wheel.contents.files.iter().map(|file| row(file, wheel, layout)).collect();
    let own = [("INSTALLER", Some(INSTALLER)), ("REQUESTED", requested.then_some(&b""[..]))];
    for (name, content) in own.into_iter().filter_map(|(name, content)| Some((name, content?))) {
        let path = format!("{dist_info}/{name}");
        files.push((site_packages.join(&path), content.to_vec()));
        let digest = record::sha256_column(&Sha256::digest(content));
        rows.insert(path, Row { digest: Some(digest), size: Some(content.len() as u64) });
    }
    let path = format!("{dist_info}/RECORD");
    files.push((site_packages.join(&path), record::render(rows, &path)?));
    Ok(files)
}

/// The row of a file. Its path is relative to site-packages.
fn row(file: &UnpackedFile, wheel: &UnpackedWheel, layout: &Layout) -> (String, Row) {
    let place = place(&file.destination, &wheel.contents.distribution, layout);
    let path = if let Ok(path) = place.strip_prefix(&layout.site_packages) {
        path.to_string_lossy().into_owned()
    } else {
        let up = "../".repeat(Path::new(&layout.site_packages).components().count());
        format!("{up}{}", place.display())
    };
    (path, Row { digest: Some(file.digest.clone()), size: Some(file.size) })
}
