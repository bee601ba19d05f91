//! The wheels of image layouts on disk: the layers of the manifests of one type, by the names that
//! annotations give them.
//!
//! The digests come from the layout's list of manifests, so that the list decides what is
//! installed: it is trusted like a wheel. Each manifest is compared with its digest here, and each
//! wheel where it is unpacked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, ensure};
use rayon::prelude::*;
use tracing::debug;

use super::directory::{Blobs, Directory};
use super::index::Index;
use super::{Place, WheelFile, Wheelhouse};
use crate::fs::{self, Digest};
use crate::oci::{self, Layout, LayoutReference};
use crate::plan::{Evidence, InLayout};
use crate::report::Failure;
use crate::wheel::WheelName;

/// The most wheels of one name, with different digests, in a layout.
const MAX_OF_NAME: usize = 64;

/// The hint for a layout that cannot be read.
const HOW_TO_COPY: &str = "copy the layout again, or write it with `-vpython-tool push`";

/// Wheels of a layout by name.
type Set = BTreeMap<Arc<str>, (Arc<WheelName>, Digest)>;

impl Wheelhouse {
    /// Adds the wheels of an image layout; returns `false` if it does not exist. Layers that are
    /// not named like wheels are skipped.
    ///
    /// # Errors
    /// It is not an image layout, or a document in it is damaged.
    pub(super) fn add_layout(
        &mut self,
        layout: &LayoutReference,
        memo: &Path,
        evidence: &mut Evidence,
    ) -> Result<bool> {
        let mut known = self.directories.iter().filter_map(|it| it.blobs.as_ref());
        if known.any(|blobs| blobs.layout == *layout) {
            return Ok(true);
        }
        // A tool that adds a manifest replaces the list. The stamp is from before it is read.
        let list = layout.path.join(oci::INDEX);
        evidence.stamps.look(&list);
        let Some(metadata) = fs::metadata(&layout.path)? else {
            return Ok(false);
        };
        if !metadata.is_dir() {
            return Err(refusal_of_archive(&layout.path).into());
        }
        let blobs = layout.path.join(oci::BLOBS);
        // Who may write the list decides about all wheels, and so does who may exchange a directory
        // of blobs.
        let writable = [&list, &layout.path.join("blobs"), &blobs];
        let other_owner = writable.iter().find_map(|path| self.other_owner(path));
        let trust = self.trust.within(&blobs);
        for (number, wheels) in sets(layout)?.into_iter().enumerate() {
            let names: Vec<String> = wheels.keys().map(ToString::to_string).collect();
            let title = match number {
                0 => layout.to_string(),
                more => format!("{layout}#{more}"),
            };
            let directory = Directory {
                path: layout.path.clone(),
                index: Index::load(Path::new(&title), &names, memo),
                is_bundle: false,
                blobs: Some(Blobs {
                    layout: layout.clone(),
                    wheels: wheels
                        .iter()
                        .map(|(file_name, (_, digest))| (Arc::clone(file_name), *digest))
                        .collect(),
                }),
            };
            let place = Place::Directory(self.directories.len());
            for (file_name, (name, _)) in wheels {
                let path = directory.path_of(&file_name);
                let owner_of_blob = || trust.as_ref().and_then(|trust| trust.other_owner(&path));
                let wheel = WheelFile {
                    name,
                    untrusted_owner: other_owner.or_else(owner_of_blob),
                    file_name,
                    place,
                };
                // A wheel that is missing here does not hide one of another directory.
                if fs::is_file(&path) {
                    self.add_wheel(wheel);
                } else {
                    self.missing_blobs.push(wheel);
                }
            }
            self.directories.push(directory);
        }
        Ok(true)
    }

    /// Adds the wheels whose blobs are missing, so that errors name them, after all others.
    pub(super) fn add_missing_blobs(&mut self) {
        for wheel in std::mem::take(&mut self.missing_blobs) {
            self.add_wheel(wheel);
        }
    }

    /// Returns the image layout that a wheel is in; `None` if it is elsewhere.
    pub fn in_layout(&self, wheel: &WheelFile) -> Option<InLayout> {
        let Place::Directory(directory) = wheel.place else {
            return None;
        };
        let blobs = self.directories[directory].blobs.as_ref()?;
        Some(InLayout {
            layout: blobs.layout.clone(),
            file_name: Arc::clone(&wheel.file_name),
        })
    }

    /// Returns the untrusted user who may have put a file into its directory.
    fn other_owner(&self, path: &Path) -> Option<u32> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        self.trust.within(directory)?.other_owner(path)
    }

    /// Returns the digest of a wheel's file if its layout states another one.
    pub(super) fn differing_digest(&self, wheel: &WheelFile) -> Result<Option<Digest>> {
        let Place::Directory(directory) = wheel.place else {
            return Ok(None);
        };
        let directory = &self.directories[directory];
        let Some(stated) = directory.stated_digest(&wheel.file_name) else {
            return Ok(None);
        };
        let found = Digest::of_file(&directory.path_of(&wheel.file_name), drop)?;
        Ok((found != stated).then_some(found))
    }

    /// Hashes the wheels of image layouts. A launch compares a digest where it unpacks a wheel.
    ///
    /// # Errors
    /// Wheels differ from their digests; the error lists all of them.
    pub fn check_blobs(&self) -> Result<()> {
        let wheels: Vec<&WheelFile> = self.wheels.values().flatten().collect();
        let compared = wheels.into_par_iter().map(|wheel| {
            // A file that cannot be read is not a candidate; its reader says why.
            let found = self.differing_digest(wheel).ok()??;
            let blob = self.path(wheel);
            Some(format!(
                "`{}`, the blob `{}`, has the sha256 `{found}`",
                wheel.file_name,
                blob.display()
            ))
        });
        let differing: Vec<String> = compared.flatten_iter().collect();
        if differing.is_empty() {
            return Ok(());
        }
        Err(
            Failure::new("wheels in image layouts differ from their digests")
                .because_of(differing)
                .hint(InLayout::HOW_TO_REPAIR)
                .into(),
        )
    }

    /// Returns the path of a wheel for messages: its own name, in the directory or the layout that
    /// has it.
    pub fn path_in_wheelhouse(&self, wheel: &WheelFile) -> PathBuf {
        match wheel.place {
            Place::Directory(directory) => {
                Path::new(&self.directories[directory].title()).join(&*wheel.file_name)
            }
            Place::Index(_) => self.path(wheel),
        }
    }
}

/// Reads the wheels of a layout. Those of a name that occurred before, with another digest, are in
/// a further set.
fn sets(layout: &LayoutReference) -> Result<Vec<Set>> {
    let read = Layout::open(&layout.path)
        .and_then(|opened| opened.artifacts(oci::WHEELS_TYPE, layout.tag.as_deref()));
    let manifests = read.map_err(|error| {
        let failure = Failure::of(&error);
        let hint = failure.hint.clone();
        failure.hint(hint.unwrap_or_else(|| HOW_TO_COPY.to_owned()))
    })?;
    let mut sets = vec![Set::new()];
    // Of two wheels with one name, that of the manifest that was added last is used.
    let layers = manifests
        .into_iter()
        .rev()
        .flat_map(|image| image.manifest.layers);
    for layer in layers {
        let name = layer.annotations.get(oci::TITLE);
        let file_name = name.map_or("", String::as_str);
        let name = match WheelName::of_annotation(file_name) {
            Ok(name) => Arc::new(name),
            Err(why) => {
                debug!(layout = %layout, file_name, why, "skipped a blob that is not named like a wheel");
                continue;
            }
        };
        // The first set without another wheel of that name.
        let is_free = |set: &Set| {
            let known = set.get(file_name);
            known.is_none_or(|(_, digest)| *digest == layer.digest)
        };
        let number = sets.iter().position(is_free).unwrap_or(sets.len());
        ensure!(
            number < MAX_OF_NAME,
            "`{layout}` has more than {MAX_OF_NAME} different wheels `{file_name}`: name a manifest by its tag"
        );
        if number == sets.len() {
            sets.push(Set::new());
        }
        sets[number].insert(file_name.into(), (name, layer.digest));
    }
    Ok(sets)
}

/// Returns the error for a `.tar` of a layout.
fn refusal_of_archive(path: &Path) -> Failure {
    let shown = path.display();
    Failure::new(format!("cannot use `{shown}` as a wheelhouse"))
        .because("it is not a directory: vpython reads wheels from an image layout that is unpacked")
        .hint(format!(
            "unpack it: `mkdir DIR && tar -xf {shown} -C DIR`, or `skopeo copy oci-archive:{shown} oci:DIR`"
        ))
}
