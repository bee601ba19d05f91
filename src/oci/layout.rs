//! [`Layout`]: an image layout on disk that is read, as a directory or as a `.tar` of one.
//!
//! A layout comes from elsewhere. Each document is read to a limit and compared with its digest;
//! the bytes of a [`Blob`] are compared by its reader. Source:
//! <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Descriptor, ImageIndex, MAX_DOCUMENT, Manifest, Platform};
use crate::fs::{self, Digest};
use crate::report::Failure;

/// The file that marks a layout.
pub(super) const MARK: &str = "oci-layout";
/// The file that lists the manifests of a layout.
pub const INDEX: &str = "index.json";
/// The directory of the blobs in a layout; each has its digest as its name.
pub const BLOBS: &str = "blobs/sha256";
/// The annotation of a manifest in the list that names its tag.
pub(super) const TAG: &str = "org.opencontainers.image.ref.name";
/// The most members of a `.tar` that are read: an image has at most a few hundred blobs.
const MAX_MEMBERS: usize = 100_000;
/// The most bytes of manifests that are read to find those of one type.
const MAX_MANIFESTS: u64 = 64 << 20;
/// How deep lists of manifests are nested: the layout's own, and one by platform.
const MAX_DEPTH: usize = 4;

/// The bytes of a blob, without any after its size.
pub type Blob = Take<File>;

/// An image layout.
#[derive(Debug)]
pub struct Layout {
    path: PathBuf,
    /// The position and size of each member of a `.tar`; `None` for a directory.
    members: Option<HashMap<String, (u64, u64)>>,
}

/// A manifest of a layout.
#[derive(Debug)]
pub struct Image {
    /// Its digest and size.
    pub descriptor: Descriptor,
    /// The manifest.
    pub manifest: Manifest,
}

impl Layout {
    /// Opens a layout.
    ///
    /// # Errors
    /// It does not exist, is not a layout, or is a compressed `.tar`.
    pub fn open(path: &Path) -> Result<Self> {
        let layout = Self::find(path)
            .with_context(|| format!("cannot read the image layout `{}`", path.display()))?;
        Ok(layout)
    }

    fn find(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path)?;
        let is_directory = metadata.context("it does not exist")?.is_dir();
        let members = if is_directory {
            None
        } else {
            Some(members(path)?)
        };
        let layout = Self {
            path: path.to_path_buf(),
            members,
        };
        // The mark has the version of the layout.
        if layout.member(MARK)?.is_none() {
            let failure = Failure::new(format!("it contains no `{MARK}`"));
            return Err(failure
                .hint("an image layout is what `skopeo copy … oci:DIR` writes")
                .into());
        }
        Ok(layout)
    }

    /// Returns the path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the list of manifests.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn index(&self) -> Result<ImageIndex> {
        self.read_index()
    }

    /// Returns the list of manifests with fields that vpython does not know.
    pub(super) fn index_value(&self) -> Result<Value> {
        self.read_index()
    }

    fn read_index<T: DeserializeOwned>(&self) -> Result<T> {
        let read = || -> Result<T> {
            let file = self.member(INDEX)?.context("it does not exist")?;
            Ok(serde_json::from_slice(&document(file)?)?)
        };
        read().with_context(|| format!("cannot read `{INDEX}` in `{}`", self.path.display()))
    }

    /// Returns the manifest with a tag, for a platform. Without a tag, that is the only manifest, or
    /// the one that is tagged `latest`.
    ///
    /// # Errors
    /// There is no such manifest, or a document is damaged.
    pub fn image(&self, tag: Option<&str>, platform: &Platform) -> Result<Image> {
        let index = self.index()?;
        self.follow(self.tagged(&index, tag)?, platform)
    }

    /// Returns the manifest with a digest, for a platform. Only those in the list of manifests are
    /// found.
    ///
    /// # Errors
    /// There is no such manifest, or a document is damaged.
    pub fn pinned(&self, digest: &Digest, platform: &Platform) -> Result<Image> {
        let index = self.index()?;
        let mut manifests = index.manifests.iter();
        let found = manifests.find(|descriptor| descriptor.digest == *digest);
        let found = found.ok_or_else(|| {
            let path = self.path.display();
            Failure::new(format!(
                "the image layout `{path}` has no manifest `sha256:{digest}`"
            ))
        })?;
        self.follow(found, platform)
    }

    /// Returns the manifest of a descriptor, for a platform if it is a list of manifests.
    fn follow(&self, descriptor: &Descriptor, platform: &Platform) -> Result<Image> {
        let mut descriptor = descriptor.clone();
        for _ in 0..MAX_DEPTH {
            let text = self.document(&descriptor)?;
            if descriptor.is_index() {
                let list: ImageIndex = serde_json::from_slice(&text).with_context(|| {
                    format!("cannot read `{}`", self.blob_path(&descriptor).display())
                })?;
                descriptor = list
                    .of_platform(platform)
                    .with_context(|| format!("cannot use `{}`", self.path.display()))?
                    .clone();
                continue;
            }
            let manifest = Manifest::parse(&text).with_context(|| {
                format!("cannot read `{}`", self.blob_path(&descriptor).display())
            })?;
            return Ok(Image {
                descriptor,
                manifest,
            });
        }
        bail!(
            "`{}` nests more than {MAX_DEPTH} lists of manifests",
            self.path.display()
        )
    }

    /// Returns the manifests of one type, in the order of the list: all of them, or that with a tag.
    /// Lists of manifests are not followed.
    ///
    /// # Errors
    /// There is no such tag or its manifest has another type, or a document is damaged.
    pub fn artifacts(&self, artifact_type: &str, tag: Option<&str>) -> Result<Vec<Image>> {
        let index = self.index()?;
        let candidates = match tag {
            Some(tag) => vec![self.tagged(&index, Some(tag))?],
            None => index.manifests.iter().collect(),
        };
        // Tools drop the type from the list when they copy a manifest, so the manifest decides.
        let may_be = |descriptor: &&&Descriptor| {
            let stated = descriptor.artifact_type.as_deref();
            !descriptor.is_index() && stated.is_none_or(|stated| stated == artifact_type)
        };
        let (mut known, mut size) = (HashSet::new(), 0_u64);
        let mut found = Vec::new();
        for descriptor in candidates.iter().filter(may_be) {
            // A manifest with several tags is listed once for each.
            if !known.insert(descriptor.digest) {
                continue;
            }
            size = size.saturating_add(descriptor.size);
            if size > MAX_MANIFESTS {
                let (path, limit) = (self.path.display(), MAX_MANIFESTS >> 20);
                let what = format!("the manifests of `{path}` have more than {limit} MiB");
                return Err(Failure::new(what).hint("name one by its tag").into());
            }
            let text = self.document(descriptor)?;
            let manifest = Manifest::parse(&text).with_context(|| {
                format!("cannot read `{}`", self.blob_path(descriptor).display())
            })?;
            if manifest.artifact_type() == artifact_type {
                found.push(Image {
                    descriptor: (*descriptor).clone(),
                    manifest,
                });
            }
        }
        match tag {
            Some(tag) if found.is_empty() => Err(Failure::new(format!(
                "the manifest `{tag}` of the image layout `{}` is not of the type `{artifact_type}`",
                self.path.display()
            ))
            .hint("name another tag, or none to use all manifests of this type")
            .into()),
            _ => Ok(found),
        }
    }

    /// Returns the manifest with a tag.
    fn tagged<'a>(&self, index: &'a ImageIndex, tag: Option<&str>) -> Result<&'a Descriptor> {
        let has_tag = |descriptor: &Descriptor, tag: &str| {
            let name = descriptor.annotations.get(TAG);
            name.is_some_and(|name| is_name_of(name, tag))
        };
        let manifests = &index.manifests;
        let found = match (tag, &manifests[..]) {
            (None, [only]) => Some(only),
            (tag, manifests) => {
                let tag = tag.unwrap_or("latest");
                manifests.iter().find(|descriptor| has_tag(descriptor, tag))
            }
        };
        found.ok_or_else(|| {
            let tag = tag.unwrap_or("latest");
            let failure = Failure::new(format!(
                "the image layout `{}` has no tag `{tag}`",
                self.path.display()
            ));
            let mut tags: Vec<String> = manifests
                .iter()
                .filter_map(|descriptor| descriptor.annotations.get(TAG))
                .map(|tag| format!("`{tag}`"))
                .collect();
            tags.sort();
            tags.truncate(10);
            if tags.is_empty() {
                failure.into()
            } else {
                failure.hint(format!("it has {}", tags.join(", "))).into()
            }
        })
    }

    /// Returns the bytes of a document, such as a manifest or a configuration, after comparing them
    /// with its digest.
    ///
    /// # Errors
    /// It does not exist, is damaged, or is larger than [`MAX_DOCUMENT`].
    pub fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let read = || {
            ensure!(
                descriptor.size <= MAX_DOCUMENT,
                "its size is {} bytes, more than the limit of {} MiB",
                descriptor.size,
                MAX_DOCUMENT >> 20
            );
            let text = document(self.find_blob(descriptor)?)?;
            ensure!(
                Digest::of(&text) == descriptor.digest,
                "it differs from its digest"
            );
            Ok(text)
        };
        read().with_context(|| format!("cannot read `{}`", self.blob_path(descriptor).display()))
    }

    /// Opens a blob. Its bytes have the right number, and are not compared with its digest.
    ///
    /// # Errors
    /// It does not exist, or has another size.
    pub fn blob(&self, descriptor: &Descriptor) -> Result<Blob> {
        self.find_blob(descriptor)
            .with_context(|| format!("cannot read `{}`", self.blob_path(descriptor).display()))
    }

    fn find_blob(&self, descriptor: &Descriptor) -> Result<Blob> {
        let blob = self.member(&blob_name(&descriptor.digest))?;
        let blob = blob.context("it does not exist")?;
        ensure!(
            blob.limit() == descriptor.size,
            "its size is {} bytes, but {} are expected",
            blob.limit(),
            descriptor.size
        );
        Ok(blob)
    }

    /// Returns the path of a blob, for messages, or of the file in a directory.
    #[must_use]
    pub fn blob_path(&self, descriptor: &Descriptor) -> PathBuf {
        self.path.join(blob_name(&descriptor.digest))
    }

    /// Opens a member; `None` if it does not exist.
    fn member(&self, name: &str) -> Result<Option<Blob>> {
        let Some(members) = &self.members else {
            let path = self.path.join(name);
            if !fs::exists(&path) {
                return Ok(None);
            }
            let file = fs::open_regular(&path)?;
            let size = file.metadata().context("cannot inspect it")?.len();
            return Ok(Some(file.take(size)));
        };
        let Some((position, size)) = members.get(name) else {
            return Ok(None);
        };
        let mut file = fs::open_regular(&self.path)?;
        file.seek(SeekFrom::Start(*position))
            .context("cannot read it")?;
        Ok(Some(file.take(*size)))
    }
}

/// Returns whether the name of a manifest in the list is a tag. Tools write the bare tag, or the
/// whole name with the tag at its end.
pub(super) fn is_name_of(name: &str, tag: &str) -> bool {
    let before = name.strip_suffix(tag);
    before.is_some_and(|before| before.is_empty() || before.ends_with(':'))
}

/// Returns the name of a blob in a layout.
pub(super) fn blob_name(digest: &Digest) -> String {
    format!("{BLOBS}/{digest}")
}

/// Reads a document as a whole.
fn document(mut file: Blob) -> Result<Vec<u8>> {
    ensure!(
        file.limit() <= MAX_DOCUMENT,
        "its size is {} bytes, more than the limit of {} MiB",
        file.limit(),
        MAX_DOCUMENT >> 20
    );
    let mut text = Vec::new();
    file.read_to_end(&mut text).context("cannot read it")?;
    Ok(text)
}

/// Returns the position and size of each member of a `.tar`.
fn members(path: &Path) -> Result<HashMap<String, (u64, u64)>> {
    let mut archive = tar::Archive::new(fs::open_regular(path)?);
    let entries = archive.entries_with_seek().context("cannot read it")?;
    let mut members = HashMap::new();
    for entry in entries {
        let entry = entry.map_err(|error| {
            Failure::new("it is not a directory, and not a `.tar` without compression")
                .because(error.to_string())
        })?;
        if entry.header().entry_type() != tar::EntryType::Regular {
            continue;
        }
        ensure!(
            members.len() < MAX_MEMBERS,
            "it has more than {MAX_MEMBERS} members"
        );
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
        members.insert(name, (entry.raw_file_position(), entry.size()));
    }
    Ok(members)
}
