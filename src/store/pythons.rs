//! Interpreters that were copied from images, each under the digest of its image.
//!
//! A copy has the form of the environment's `--with-python`, and a record of how it finds the C
//! library. It is one of the things that environments share: staged and renamed as a whole, removed
//! with the last environment that uses it, and used where it is in a shared root.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::processes::Processes;
use super::publish::{Making, python_lock};
use super::{Damage, Fault, Manifest, SharedRoot, Store, Stored, Use};
use crate::fs::{self, Digest, TextPath};
use crate::process;

/// The file in a copy that describes it, written last.
pub const PYTHON_RECORD: &str = "vpython-python.json";
/// Incremented when the meaning of the record changes.
const FORMAT: u32 = 1;

/// What is known about a copied interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonRecord {
    format: u32,
    /// The digest of the image.
    pub image: Digest,
    /// The image as it was named, for people.
    pub reference: String,
    /// The version of python.
    pub python: String,
    /// The machine that it is for, by its name in Rust.
    machine: String,
    /// The path of the binary in the copy.
    executable: String,
    /// How it finds the C library.
    pub libraries: CLibrary,
}

/// How a copied interpreter finds the C library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CLibrary {
    /// By the loader of this machine.
    Machine {
        /// The loader; none if it needs none.
        loader: Option<TextPath>,
    },
    /// By its own loader, whose absolute path is in the binary.
    Own {
        /// The path of the copy when it was made.
        place: TextPath,
        /// The digest of the binary.
        executable: Digest,
    },
}

/// A copied interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// The directory of the copy.
    pub directory: PathBuf,
    /// What is known about it.
    pub record: PythonRecord,
}

impl Python {
    /// Returns the path of the binary.
    #[must_use]
    pub fn executable(&self) -> PathBuf {
        self.directory.join(&self.record.executable)
    }
}

/// Makes the copy at `path` look damaged, to warm launches too.
pub(super) fn outdate_python(path: &Path) -> Result<()> {
    let record: Option<PythonRecord> = fs::read_json(&path.join(PYTHON_RECORD));
    if let Some(record) = record {
        let executable = path.join(record.executable);
        if fs::exists(&executable) {
            fs::set_modified(&executable, SystemTime::UNIX_EPOCH)?;
        }
        fs::remove_file(&path.join(PYTHON_RECORD))?;
    }
    Ok(())
}

/// Returns the time since the copy at `path` was made.
pub(super) fn age_of_python(path: &Path, now: SystemTime) -> Duration {
    let record = fs::metadata(&path.join(PYTHON_RECORD)).ok().flatten();
    // Without a record, it is garbage.
    let made = record.map_or(Some(SystemTime::UNIX_EPOCH), |it| it.modified().ok());
    let age = made.and_then(|made| now.duration_since(made).ok());
    age.unwrap_or_default()
}

impl PythonRecord {
    /// Describes a copy for this machine.
    #[must_use]
    pub fn new(
        image: Digest,
        reference: String,
        python: String,
        executable: String,
        libraries: CLibrary,
    ) -> Self {
        Self {
            format: FORMAT,
            image,
            reference,
            python,
            machine: process::MACHINE.to_owned(),
            executable,
            libraries,
        }
    }

    /// Reads the record of the copy at `path`, and checks that it can be used there.
    pub(super) fn load(path: &Path, image: &Digest) -> Result<Self> {
        let record: Self = fs::read_own_json(&path.join(PYTHON_RECORD))?;
        ensure!(
            record.format == FORMAT && record.image == *image,
            "its record is not that of `sha256:{image}`"
        );
        ensure!(
            record.machine == process::MACHINE,
            "it is for {}",
            record.machine
        );
        let executable = path.join(&record.executable);
        ensure!(
            fs::is_file(&executable),
            "`{}` does not exist",
            executable.display()
        );
        match &record.libraries {
            CLibrary::Machine { loader: None } => {}
            CLibrary::Machine {
                loader: Some(loader),
            } => ensure!(
                fs::exists(&loader.0),
                "it needs the loader `{}`, which does not exist",
                loader.0.display()
            ),
            CLibrary::Own { place, .. } => {
                let inode = |path: &Path| Some(fs::inode(&fs::metadata(path).ok()??));
                ensure!(
                    inode(&place.0) == inode(path),
                    "it works only at the path `{}`",
                    place.0.display()
                );
            }
        }
        Ok(record)
    }
}

impl Manifest {
    /// Returns the digest of the image that the interpreter comes from, if it is in a store.
    #[must_use]
    pub fn python_image(&self) -> Option<Digest> {
        let copy = self.interpreter.parent()?.parent()?;
        let is_in_store = copy.parent()?.file_name()? == "pythons";
        let name = copy.file_name().filter(|_| is_in_store)?;
        name.to_str()?.parse().ok()
    }
}

impl SharedRoot {
    fn python_path(&self, image: &Digest) -> PathBuf {
        let pythons = self.path.join(super::LAYOUT_DIRECTORY).join("pythons");
        pythons.join(image.to_string())
    }
}

impl Store {
    /// Returns the path of the interpreter from an image, which need not exist.
    #[must_use]
    pub fn python_path(&self, image: &Digest) -> PathBuf {
        self.pythons().join(image.to_string())
    }

    /// Returns the interpreter from an image if the store or a shared root has it.
    #[must_use]
    pub fn find_python(&self, image: &Digest) -> Option<Python> {
        let own = std::iter::once_with(|| self.python_path(image));
        let shared = || {
            let roots = self.shared_roots().iter();
            roots.map(|root| root.python_path(image))
        };
        let mut places = own.chain(std::iter::once_with(shared).flatten());
        places.find_map(|directory| match PythonRecord::load(&directory, image) {
            Ok(record) => Some(Python { directory, record }),
            Err(error) => {
                tracing::debug!("cannot use `{}`: {error:#}", directory.display());
                None
            }
        })
    }

    /// Returns the interpreter from an image. If it is missing or damaged, `make` copies it into an
    /// empty directory, and concurrent callers share a single copying. `inputs` is a digest of
    /// everything that `make` depends on besides the image.
    ///
    /// # Errors
    /// The error of `make`, here or in the process that was waited for; nothing is left under the
    /// final name.
    pub fn python(
        &self,
        image: &Digest,
        inputs: Digest,
        make: impl FnOnce(&Path) -> Result<PythonRecord>,
    ) -> Result<Python> {
        // It has the mode of the other directories.
        let mode = fs::metadata(&self.environments())?.map_or(0o700, |it| fs::mode(&it) & 0o755);
        fs::create_dir_all(&self.pythons(), mode)?;
        fs::set_mode(&self.pythons(), mode)?;
        let record = self.make_python(image, inputs, make)?;
        fs::sync(&self.pythons())?;
        Ok(Python {
            directory: self.python_path(image),
            record,
        })
    }

    /// Returns the record of an interpreter from an image, in the same way as [`Store::wheel`].
    /// `inputs` is a digest of everything that `make` depends on besides the image.
    ///
    /// # Errors
    /// The error of `make`, here or in the process that was waited for; nothing is left under the
    /// final name.
    fn make_python(
        &self,
        digest: &Digest,
        inputs: Digest,
        make: impl FnOnce(&Path) -> Result<PythonRecord>,
    ) -> Result<PythonRecord> {
        let making = Making {
            path: self.python_path(digest),
            lock: python_lock(&digest.to_string()),
            activity: "fetching a required interpreter",
            remedy: "fetches it again",
            inputs,
        };
        let make = |staging: &Path| {
            let record = make(staging)?;
            // A warm launch starts it without a check, so after a power failure it must be complete.
            self.sync(staging)?;
            Ok(record)
        };
        self.shared(&making, make, |path| PythonRecord::load(path, digest))
    }

    /// Returns the digests of the interpreters from images in the store, and their paths.
    pub fn python_images(&self) -> Result<Vec<(Digest, PathBuf)>> {
        let directory = self.pythons();
        let names = fs::list(&directory)?.unwrap_or_default();
        let parse = |name: &std::ffi::OsString| {
            let digest: Digest = name.to_str()?.parse().ok()?;
            Some((digest, directory.join(name)))
        };
        Ok(names.iter().filter_map(parse).collect())
    }

    /// Returns the interpreters from these images in the store, after the damage of those whose
    /// records cannot be read.
    pub fn pythons_to_check(
        &self,
        is_checked: impl Fn(&Digest) -> bool,
    ) -> Result<(Vec<Damage>, Vec<Python>)> {
        let (mut damages, mut pythons) = (Vec::new(), Vec::new());
        for (digest, directory) in self.python_images()? {
            if !is_checked(&digest) {
                continue;
            }
            let path = directory.join(PYTHON_RECORD);
            if let Some(record) = fs::look_for_json::<PythonRecord>(&path)? {
                pythons.push(Python { directory, record });
                continue;
            }
            let is_there = fs::link_metadata(&path)?.is_some();
            let fault = if is_there {
                Fault::Changed
            } else {
                Fault::Missing
            };
            damages.push(Damage {
                of: directory,
                path,
                fault,
            });
        }
        Ok((damages, pythons))
    }

    /// Returns the damage that interpreters are which environments of this store use, and which are
    /// gone.
    #[must_use]
    pub fn missing_pythons(&self, stored: &[Stored]) -> Vec<Damage> {
        let images = stored
            .iter()
            .filter_map(|stored| Some((stored, stored.manifest.python_image()?)));
        let own = images.map(|(stored, image)| (stored, self.python_path(&image)));
        // One in a shared root is not the concern of this store.
        let missing = own.filter(|(stored, path)| {
            !fs::exists(&stored.manifest.interpreter) && !fs::exists(path)
        });
        let damage = |path: PathBuf| Damage {
            of: path.clone(),
            path,
            fault: Fault::Missing,
        };
        missing.map(|(_, path)| damage(path)).collect()
    }

    /// Returns whether a program runs in an environment that uses the interpreter at `path`.
    pub(super) fn is_python_in_use(&self, path: &Path) -> Result<bool> {
        let programs = Processes::look();
        let name = path.file_name().unwrap_or_default();
        for stored in self.stored()? {
            let image = stored.manifest.python_image();
            let is_user = image.is_some_and(|image| *name == *image.to_string());
            if is_user && stored.use_of(&programs)? != Use::Free {
                return Ok(true);
            }
        }
        Ok(programs.name(path))
    }

    /// Returns the interpreters from images in the store whose records can be read.
    pub fn pythons_in_store(&self) -> Result<Vec<Python>> {
        let read = |(_, directory): (Digest, PathBuf)| {
            let record: PythonRecord = fs::read_json(&directory.join(PYTHON_RECORD))?;
            Some(Python { directory, record })
        };
        Ok(self.python_images()?.into_iter().filter_map(read).collect())
    }
}
