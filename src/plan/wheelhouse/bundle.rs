//! The wheels in an interpreter's `ensurepip`, as far as they are seeds: a last resort after the
//! wheel directories.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pep508_rs::PackageName;
use tracing::debug;

use super::index::Index;
use super::{Directory, Place, WheelFile, Wheelhouse};
use crate::fs::{self, Stamped};
use crate::plan::seed::is_seed;
use crate::wheel::WheelName;

/// The known bundled wheels.
pub(super) struct Bundle {
    /// Whether the spec uses them.
    is_wanted: bool,
    memo: PathBuf,
    /// The directories that were listed, with their stamps.
    looked: Vec<Stamped>,
    wheels: Vec<WheelFile>,
}

impl Bundle {
    /// Creates an empty one. `memo` is the store's directory for cached facts about wheels.
    pub fn new(is_wanted: bool, memo: &Path) -> Self {
        Self {
            is_wanted,
            memo: memo.to_path_buf(),
            looked: Vec::new(),
            wheels: Vec::new(),
        }
    }
}

impl Wheelhouse {
    /// Checks whether the spec has seeds, or takes them from the interpreter.
    pub fn is_seeded(&self) -> bool {
        self.bundle.is_wanted
    }

    /// Returns the wheels of a seed in these directories of an interpreter; empty for any other
    /// project, or if the spec does not use them.
    pub fn bundled(&mut self, project: &PackageName, directories: &[PathBuf]) -> Vec<WheelFile> {
        if !self.bundle.is_wanted || !is_seed(project.as_ref()) {
            return Vec::new();
        }
        for directory in directories {
            self.open_bundle(directory);
        }
        self.bundle
            .wheels
            .iter()
            .filter(|wheel| wheel.name.project == *project)
            .cloned()
            .collect()
    }

    /// Returns the bundled wheels with that name.
    pub(super) fn bundled_as<'a>(
        &'a self,
        name: &'a WheelName,
    ) -> impl Iterator<Item = &'a WheelFile> {
        self.bundle
            .wheels
            .iter()
            .filter(move |wheel| *wheel.name == *name)
    }

    /// Returns the interpreters' directories that were listed, with their stamps.
    pub fn bundles_seen(&self) -> &[Stamped] {
        &self.bundle.looked
    }

    /// Lists a directory once. An unreadable directory counts as empty: nothing depends on it.
    fn open_bundle(&mut self, directory: &Path) {
        if self
            .bundle
            .looked
            .iter()
            .any(|looked| looked.path == directory)
        {
            return;
        }
        // The stamp is taken before the listing, so that a change in between is noticed.
        self.bundle.looked.push(Stamped::look(directory));
        let names = match fs::list(directory) {
            Ok(names) => names.unwrap_or_default(),
            Err(error) => {
                debug!("cannot list the interpreter's bundled wheels: {error:#}");
                return;
            }
        };
        let names: Vec<String> = names
            .into_iter()
            .filter_map(|name| name.into_string().ok())
            .collect();
        let index = Index::load(directory, &names, &self.bundle.memo);
        let position = self.directories.len();
        self.directories.push(Directory {
            path: directory.to_path_buf(),
            index,
            is_bundle: true,
            blobs: None,
        });
        // Only seeds are used from here.
        for file_name in names {
            if let Ok(name) = WheelName::parse(&file_name)
                && is_seed(name.project.as_ref())
            {
                self.bundle.wheels.push(WheelFile {
                    name: Arc::new(name),
                    file_name: file_name.into(),
                    untrusted_owner: None,
                    place: Place::Directory(position),
                });
            }
        }
    }
}
