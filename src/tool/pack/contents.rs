//! What goes into an archive: the staged environment's directories, files and links, and the
//! listing of them.
//!
//! Whatever the disk says of owners, times and permission bits stays behind. A file is read piece
//! by piece, when it is its turn.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::fs::{self, Digest};
use crate::report::Progress;
use crate::tool::pack_manifest::{LISTING, Member, Mode, PackManifest};

/// How much of a file is copied at a time.
const CHUNK: usize = 1 << 18;

/// An environment that is ready to be written.
pub(super) struct Contents {
    /// Where it is staged.
    directory: PathBuf,
    pub listing: PackManifest,
    /// The text of the listing.
    text: Vec<u8>,
    /// When all of it was last changed, in seconds since 1970.
    pub time: u32,
    progress: Progress,
}

/// Something in an archive.
pub(super) struct Item<'a> {
    /// Where it is from the root of the archive on, without `/` in front and behind.
    pub path: String,
    pub what: What<'a>,
}

/// What something in an archive is.
#[derive(Clone, Copy)]
pub(super) enum What<'a> {
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

/// Where the content of a file comes from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// The staged file of this path.
    Staged(&'a str),
    Text(&'a [u8]),
}

impl Contents {
    pub fn new(directory: PathBuf, listing: PackManifest, time: u32) -> Result<Self> {
        let total = listing.members.iter().map(Member::size).sum();
        Ok(Self {
            directory,
            text: listing.text()?,
            listing,
            time,
            progress: Progress::start("packing", total),
        })
    }

    /// In the order of an archive that is read from its beginning: the listing, then what is
    /// listed.
    pub fn as_listed(&self) -> Vec<Item<'_>> {
        let prefix = self.prefix();
        let mut items = vec![self.own(LISTING)];
        if !prefix.is_empty() {
            items.push(Item {
                path: prefix.to_owned(),
                what: What::Directory,
            });
        }
        items.extend(self.listing.members.iter().map(|member| self.item(member)));
        items
    }

    /// In the order of the paths, with the directories on the way there: what a package manager
    /// installs.
    pub fn as_installed(&self) -> Vec<Item<'_>> {
        let mut directories = BTreeSet::new();
        let prefix = self.prefix();
        directories.extend(prefix.match_indices('/').map(|(end, _)| &prefix[..end]));
        let mut items: Vec<Item<'_>> = directories
            .into_iter()
            .map(|path| Item {
                path: path.to_owned(),
                what: What::Directory,
            })
            .collect();
        items.extend(self.as_listed());
        items.sort_by(|one, other| one.path.cmp(&other.path));
        items
    }

    fn prefix(&self) -> &str {
        self.listing
            .prefix
            .as_deref()
            .unwrap_or_default()
            .trim_start_matches('/')
    }

    fn item<'a>(&'a self, member: &'a Member) -> Item<'a> {
        let what = match member {
            Member::Directory { .. } => What::Directory,
            Member::Link { target, .. } => What::Link { target },
            Member::File {
                path,
                mode,
                size,
                sha256,
            } => What::File {
                source: Source::Staged(path),
                mode: *mode,
                size: *size,
                sha256: *sha256,
            },
        };
        Item {
            path: self.placed(member.path()),
            what,
        }
    }

    /// The listing itself.
    fn own(&self, path: &str) -> Item<'_> {
        let (size, sha256) = (self.text.len() as u64, Digest::of(&self.text));
        let what = What::File {
            source: Source::Text(&self.text),
            mode: Mode::Plain,
            size,
            sha256,
        };
        Item {
            path: self.placed(path),
            what,
        }
    }

    fn placed(&self, path: &str) -> String {
        let prefix = self.prefix();
        if prefix.is_empty() {
            path.to_owned()
        } else {
            format!("{prefix}/{path}")
        }
    }

    /// Copies all of a file, which has to be as long as it was when it was listed.
    pub fn copy(&self, source: Source<'_>, size: u64, to: &mut impl Write) -> Result<()> {
        self.read(source, size, |piece| {
            self.progress.advance(piece.len() as u64);
            to.write_all(piece).context("cannot write to the archive")
        })
    }

    /// Hands over all of a file, piece by piece.
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
        let mut chunk = vec![0; CHUNK.min(usize::try_from(size).unwrap_or(CHUNK) + 1)];
        let mut left = size;
        loop {
            let length = file
                .read(&mut chunk)
                .with_context(|| format!("cannot read `{}`", path.display()))?;
            let is_right = if length == 0 {
                left == 0
            } else {
                length as u64 <= left
            };
            ensure!(
                is_right,
                "`{}` was changed while it was packed",
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
