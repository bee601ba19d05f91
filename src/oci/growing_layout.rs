//! [`GrowingLayout`]: an image layout on disk that manifests are added to, and that others may have
//! written before.
//!
//! Blobs are written under temporary names, and the list of manifests is replaced last, so that
//! readers see the old layout or the new one. Concurrent writers take turns.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::layout::{BLOBS, INDEX, MARK, TAG, is_name_of};
use super::new_layout::{MARK_CONTENT, MODE, UNNAMED};
use super::{Descriptor, Layout, MAX_DOCUMENT, NewLayout, is_layout};
use crate::fs::{self, Attempt, Digest, Trust};
use crate::report::{self, Failure};

/// An image layout that manifests are added to, with its lock.
#[derive(Debug)]
pub struct GrowingLayout {
    directory: PathBuf,
    blobs: NewLayout,
    trust: Trust,
    /// The open directory.
    _lock: std::fs::File,
}

impl GrowingLayout {
    /// Opens a layout, or creates it in a missing or empty directory. Waits until no other process
    /// adds to it. `trust` has the users whose files may be in it.
    ///
    /// # Errors
    /// It is another kind of directory, another user may have put files into it, or a file cannot be
    /// written.
    pub fn open(directory: &Path, trust: &Trust) -> Result<Self> {
        Self::lock(directory, trust)
            .with_context(|| format!("cannot write the image layout `{}`", directory.display()))
    }

    fn lock(directory: &Path, trust: &Trust) -> Result<Self> {
        if let Some(stranger) = trust.stranger_on_way(directory, Path::new("/")) {
            bail!("{stranger}");
        }
        refuse_other_content(directory)?;
        fs::create_dir_all(directory, 0o755)?;
        let lock = fs::open(directory)?;
        let mut attempt = fs::try_lock_exclusive(&lock);
        if attempt == Attempt::Busy {
            let shown = directory.display();
            report::notice(&format!(
                "waiting for another process that adds to `{shown}`"
            ));
            if fs::lock_exclusive(&lock) {
                attempt = Attempt::Held;
            }
        }
        // A list of another user would become this user's, and so would be trusted.
        for name in [MARK, INDEX, "blobs", BLOBS] {
            let path = directory.join(name);
            let within = trust.within(path.parent().unwrap_or(Path::new("/")));
            if let Some(owner) = within.and_then(|trust| trust.other_owner(&path)) {
                bail!(
                    "`{}` belongs to user {owner}, and other users can write to its directory",
                    path.display()
                );
            }
        }
        // The mark comes first: a killed process leaves a layout that can be completed.
        if !is_layout(directory) {
            fs::replace(&directory.join(MARK), MARK_CONTENT, MODE)?;
        }
        let layout = Self {
            directory: directory.to_path_buf(),
            blobs: NewLayout::begin(directory)?,
            trust: trust.clone(),
            _lock: lock,
        };
        if attempt == Attempt::Held {
            layout.remove_unnamed()?;
        }
        Ok(layout)
    }

    /// Removes the unfinished blobs of killed processes, as far as they can be removed.
    fn remove_unnamed(&self) -> Result<()> {
        let blobs = self.directory.join(BLOBS);
        for name in fs::list(&blobs)?.unwrap_or_default() {
            if name.as_encoded_bytes().starts_with(UNNAMED.as_bytes()) {
                let _ = fs::remove_file(&blobs.join(name));
            }
        }
        Ok(())
    }

    /// Adds a document as a blob. Returns its descriptor, and whether the layout lacked it.
    ///
    /// # Errors
    /// The document is too large, or the file cannot be written.
    pub fn add(&self, media_type: &str, bytes: &[u8]) -> Result<(Descriptor, bool)> {
        ensure!(
            bytes.len() as u64 <= MAX_DOCUMENT,
            "the manifest has {} bytes, more than the limit of {} MiB",
            bytes.len(),
            MAX_DOCUMENT >> 20
        );
        let descriptor = Descriptor::of(media_type, bytes);
        let is_new = !self.has(&descriptor)?;
        if is_new {
            self.blobs.add(media_type, bytes)?;
        }
        Ok((descriptor, is_new))
    }

    /// Adds a blob that a function writes. Returns its descriptor, and whether the layout lacked it.
    ///
    /// # Errors
    /// The function fails, or the file cannot be written.
    pub fn add_by(
        &self,
        media_type: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<(Descriptor, bool)> {
        let (unnamed, descriptor) = self.blobs.write(media_type, write)?;
        let is_new = !self.has(&descriptor)?;
        if is_new {
            self.blobs.name((unnamed, descriptor.clone()))?;
        }
        Ok((descriptor, is_new))
    }

    /// Adds a copy of a file as a blob. Returns whether the layout lacked it.
    ///
    /// # Errors
    /// The file differs from the digest, or cannot be copied.
    pub fn add_copy(&self, descriptor: &Descriptor, path: &Path) -> Result<bool> {
        if self.has(descriptor)? {
            return Ok(false);
        }
        let mut file = fs::open_regular(path)?;
        let copied = self.blobs.add_copy(&mut file, descriptor);
        copied.with_context(|| format!("cannot copy `{}`", path.display()))?;
        Ok(true)
    }

    /// Returns whether the layout has a blob. One that is damaged, or that another user may have
    /// written, is replaced.
    fn has(&self, descriptor: &Descriptor) -> Result<bool> {
        let path = self.blobs.blob_path(&descriptor.digest);
        let found = fs::link_metadata(&path)?;
        if !found.is_some_and(|found| found.is_file() && found.len() == descriptor.size) {
            return Ok(false);
        }
        let within = self.trust.within(&self.directory.join(BLOBS));
        let is_ours = within.is_none_or(|trust| trust.other_owner(&path).is_none());
        Ok(is_ours && Digest::of_file(&path, drop)? == descriptor.digest)
    }

    /// Lists a manifest under tags, which other manifests lose. Returns whether the list has
    /// changed. All blobs are on disk before it is replaced.
    ///
    /// # Errors
    /// The list cannot be read or written.
    pub fn tag(&self, manifest: &Descriptor, tags: &[String]) -> Result<bool> {
        let path = self.directory.join(INDEX);
        // Other tools' fields are kept.
        let mut index = if fs::exists(&path) {
            Layout::open(&self.directory)?.index_value()?
        } else {
            json!({ "schemaVersion": 2, "mediaType": super::media_type::INDEX, "manifests": [] })
        };
        let before = index.clone();
        let manifests = index.get_mut("manifests").and_then(Value::as_array_mut);
        let manifests =
            manifests.with_context(|| format!("`{}` has no list of manifests", path.display()))?;
        for tag in tags {
            let mut entry = manifest.clone();
            entry.annotations.insert(TAG.to_owned(), tag.clone());
            let entry = serde_json::to_value(entry)?;
            if !manifests.contains(&entry) {
                manifests.retain(|other| !has_tag(other, tag));
                manifests.push(entry);
            }
        }
        if index == before {
            return Ok(false);
        }
        let text = serde_json::to_vec(&index)?;
        if text.len() as u64 > MAX_DOCUMENT {
            let what = format!(
                "`{}` would have {} bytes, more than the limit of {} MiB",
                path.display(),
                text.len(),
                MAX_DOCUMENT >> 20
            );
            return Err(Failure::new(what).hint("write another layout").into());
        }
        fs::sync_file_system(&self.directory)?;
        fs::replace(&path, &text, MODE)?;
        fs::sync(&self.directory)?;
        Ok(true)
    }
}

/// Refuses a path that has something else than an image layout.
fn refuse_other_content(directory: &Path) -> Result<()> {
    let Some(found) = fs::metadata(directory)? else {
        return Ok(());
    };
    ensure!(found.is_dir(), "it is not a directory");
    let names = fs::list(directory)?.unwrap_or_default();
    // A killed process may have left an unfinished mark.
    let is_empty = names
        .iter()
        .all(|name| name.as_encoded_bytes().starts_with(b"."));
    if is_empty || is_layout(directory) {
        return Ok(());
    }
    let failure = Failure::new(format!("it is not empty, and contains no `{MARK}`"));
    Err(failure
        .hint("name a new directory, or an image layout")
        .into())
}

/// Returns whether an entry of a list of manifests has a tag.
fn has_tag(entry: &Value, tag: &str) -> bool {
    let name = entry["annotations"][TAG].as_str();
    name.is_some_and(|name| is_name_of(name, tag))
}
