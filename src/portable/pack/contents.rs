//! The contents of an archive: the directories, files and links of the staged environment, and the
//! manifest that lists them.
//!
//! Owners, times and permission bits on disk are ignored. Each file is read in chunks when its turn
//! comes, never as a whole.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::fs::{self, Digest};
use crate::packed::manifest::{PACK_MANIFEST, PackManifest};
use crate::packed::member::{Member, Mode};
use crate::report::Progress;

/// The size of the chunks in which files are copied, in bytes.
const CHUNK: usize = 1 << 18;

/// An environment that is ready to be written to an archive.
pub(super) struct Contents {
    /// The staged environment.
    pub directory: PathBuf,
    pub manifest: PackManifest,
    /// The serialized manifest.
    text: Vec<u8>,
    /// The modification time of all members, in seconds since 1970.
    pub time: u32,
    progress: Progress,
}

/// A member of an archive.
pub(super) struct Item<'a> {
    /// The path relative to the root of the archive, without a leading or trailing `/`.
    pub path: String,
    pub kind: ItemKind<'a>,
}

/// The kind of an archive member, with its metadata.
#[derive(Clone, Copy)]
pub(super) enum ItemKind<'a> {
    Directory,
    Link {
        target: &'a str,
    },
    File {
        source: Source<'a>,
        mode: Mode,
        size: u64,
        sha256: Digest,
    },
}

/// The source of a file's content.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// The staged file at this path, relative to the environment.
    Staged(&'a str),
    Text(&'a [u8]),
}

impl Contents {
    pub fn new(directory: PathBuf, manifest: PackManifest, time: u32) -> Result<Self> {
        let total = manifest.members.iter().map(Member::size).sum();
        Ok(Self {
            directory,
            text: manifest.text()?,
            manifest,
            time,
            progress: Progress::start("packing", total),
        })
    }

    /// Returns the items in the order of a stream archive: the manifest first, then the members
    /// that it lists.
    pub fn as_listed(&self) -> Vec<Item<'_>> {
        let prefix = self.prefix();
        let mut items = vec![self.manifest_item()];
        items.extend((!prefix.is_empty()).then(|| directory(prefix)));
        items.extend(self.manifest.members.iter().map(|member| self.item(member)));
        items
    }

    /// Returns the items sorted by path, including the parent directories of the prefix, as a
    /// package manager installs them.
    pub fn as_installed(&self) -> Vec<Item<'_>> {
        let mut items = self.above_prefix();
        items.extend(self.as_listed());
        items.sort_by(|one, other| one.path.cmp(&other.path));
        items
    }

    /// Returns the parent directories of the prefix, from the top.
    fn above_prefix(&self) -> Vec<Item<'_>> {
        let prefix = self.prefix();
        let ends = prefix.match_indices('/').map(|(end, _)| end);
        ends.map(|end| directory(&prefix[..end])).collect()
    }

    /// Returns the directories that contain the environment, from the top, down to that of the
    /// prefix.
    pub fn down_to_prefix(&self) -> Vec<Item<'_>> {
        let mut items = self.above_prefix();
        let prefix = self.prefix();
        items.extend((!prefix.is_empty()).then(|| directory(prefix)));
        items
    }

    /// Returns the staged environment.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn prefix(&self) -> &str {
        self.manifest
            .prefix
            .as_deref()
            .unwrap_or_default()
            .trim_start_matches('/')
    }

    /// Returns the item of a member.
    pub fn item<'a>(&'a self, member: &'a Member) -> Item<'a> {
        let kind = match member {
            Member::Directory { .. } => ItemKind::Directory,
            Member::Link { target, .. } => ItemKind::Link { target },
            Member::File {
                path,
                mode,
                size,
                sha256,
            } => ItemKind::File {
                source: Source::Staged(path),
                mode: *mode,
                size: *size,
                sha256: *sha256,
            },
        };
        Item {
            path: self.archive_path(member.path()),
            kind,
        }
    }

    /// Returns the item of the manifest itself.
    pub fn manifest_item(&self) -> Item<'_> {
        self.text_item(PACK_MANIFEST, &self.text)
    }

    /// Returns the item of a plain file with this text.
    pub fn text_item<'a>(&'a self, path: &str, text: &'a [u8]) -> Item<'a> {
        let kind = ItemKind::File {
            source: Source::Text(text),
            mode: Mode::Plain,
            size: text.len() as u64,
            sha256: Digest::of(text),
        };
        Item {
            path: self.archive_path(path),
            kind,
        }
    }

    fn archive_path(&self, path: &str) -> String {
        let prefix = self.prefix();
        if prefix.is_empty() {
            path.to_owned()
        } else {
            format!("{prefix}/{path}")
        }
    }

    /// Copies a whole file, which must still have the size that the manifest lists.
    pub fn copy(&self, source: Source<'_>, size: u64, to: &mut impl Write) -> Result<()> {
        self.read(source, size, |piece| {
            self.progress.advance(piece.len() as u64);
            to.write_all(piece).context("cannot write to the archive")
        })
    }

    /// Passes a whole file to `take`, chunk by chunk.
    pub fn read(
        &self,
        source: Source<'_>,
        size: u64,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let path = match source {
            Source::Text(text) => return take(text),
            Source::Staged(path) => self.directory.join(path),
        };
        let mut file = fs::open(&path)?;
        // The buffer of a small file has room for one byte more, so that growth is noticed.
        let mut chunk = vec![0; CHUNK.min(usize::try_from(size).unwrap_or(CHUNK) + 1)];
        let mut left = size;
        loop {
            let length = file
                .read(&mut chunk)
                .with_context(|| format!("cannot read `{}`", path.display()))?;
            let has_expected_size = if length == 0 {
                left == 0
            } else {
                length as u64 <= left
            };
            ensure!(
                has_expected_size,
                "`{}` changed while it was being packed",
                path.display()
            );
            if length == 0 {
                return Ok(());
            }
            take(&chunk[..length])?;
            left -= length as u64;
        }
    }
}

fn directory(path: &str) -> Item<'_> {
    Item {
        path: path.to_owned(),
        kind: ItemKind::Directory,
    }
}
