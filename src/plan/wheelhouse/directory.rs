//! One directory of a wheelhouse, or one image layout.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::index::Index;
use crate::fs::{self, Digest};
use crate::oci::{BLOBS, LayoutReference};

/// A directory of wheels, or a set of wheels in an image layout.
pub(super) struct Directory {
    /// The directory, or that of the layout.
    pub path: PathBuf,
    pub index: Index,
    /// Whether it belongs to an interpreter.
    pub is_bundle: bool,
    /// The wheels of a layout; `None` for a directory.
    pub blobs: Option<Blobs>,
}

/// The wheels in an image layout, whose file names are their digests.
pub(super) struct Blobs {
    /// The layout.
    pub layout: LayoutReference,
    /// The digest of each wheel by its name.
    pub wheels: BTreeMap<Arc<str>, Digest>,
}

impl Directory {
    /// Returns the path of a wheel's file, which may not exist.
    pub fn path_of(&self, file_name: &str) -> PathBuf {
        match self.stated_digest(file_name) {
            Some(digest) => self.path.join(BLOBS).join(digest.to_string()),
            None => self.path.join(file_name),
        }
    }

    /// Returns whether it has a wheel, and the wheel's file exists.
    pub fn has(&self, file_name: &str) -> bool {
        let blobs = self.blobs.as_ref();
        let is_listed = blobs.is_none_or(|blobs| blobs.wheels.contains_key(file_name));
        is_listed && fs::is_file(&self.path_of(file_name))
    }

    /// Returns the digest of a wheel as the layout states it; `None` in a directory.
    pub fn stated_digest(&self, file_name: &str) -> Option<Digest> {
        self.blobs.as_ref()?.wheels.get(file_name).copied()
    }

    /// Returns the digest of a wheel as the layout states it, or else the cached one.
    pub fn digest(&mut self, path: &Path, file_name: &str) -> Option<Digest> {
        let stated = self.stated_digest(file_name);
        stated.or_else(|| self.index.digest(path, file_name))
    }

    /// Returns the name for messages: the path, or the reference to the layout.
    pub fn title(&self) -> String {
        match &self.blobs {
            Some(blobs) => blobs.layout.to_string(),
            None => self.path.display().to_string(),
        }
    }
}
