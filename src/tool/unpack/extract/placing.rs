//! Putting what an archive brings into its place, if it is what the listing says.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use sha2::Digest as _;

use crate::fs;
use crate::report::Progress;
use crate::tool::pack_manifest::{LISTING, Member, PackManifest};

/// Permission bits of directories.
const DIRECTORY_MODE: u32 = 0o755;
/// How much of a file is copied at a time.
const CHUNK: u64 = 1 << 18;
/// The largest listing that is read: that of a million files is half of it.
const LARGEST: u64 = 256 << 20;

/// Something that an archive brings.
pub(super) enum Found<'a> {
    Directory,
    Link(String),
    /// Its permission bits, its size and its content.
    File(u32, u64, &'a mut dyn Read),
}

/// An environment that is being extracted.
pub(super) struct Placing<'a> {
    into: &'a Path,
    /// The names of members have this in front.
    top: String,
    /// What has not come yet.
    missing: HashMap<String, Member>,
    progress: Progress,
}

/// Reads the listing, which is the first member of an archive.
pub(super) fn read_listing(name: &str, found: Found<'_>) -> Result<PackManifest> {
    let is_listing = name
        .strip_suffix(LISTING)
        .is_some_and(|before| before.is_empty() || before.ends_with('/'));
    let Found::File(_, size, content) = found else {
        bail!("its first member `{name}` is no listing")
    };
    ensure!(
        is_listing,
        "its first member is `{name}`, and not the listing `{LISTING}`"
    );
    ensure!(size <= LARGEST, "its listing is {size} bytes long");
    let mut text = Vec::new();
    content
        .take(size)
        .read_to_end(&mut text)
        .context("cannot read the listing")?;
    let listing = PackManifest::parse(&text).context("cannot read the listing")?;
    ensure!(
        name == format!("{}{LISTING}", top(&listing)),
        "its first member is `{name}`, which is not where its prefix is"
    );
    Ok(listing)
}

/// What the names of members have in front.
fn top(listing: &PackManifest) -> String {
    listing
        .prefix
        .as_ref()
        .map(|prefix| format!("{}/", prefix.trim_start_matches('/')))
        .unwrap_or_default()
}

impl<'a> Placing<'a> {
    /// Makes all directories in the empty directory `into`.
    pub fn begin(listing: &PackManifest, into: &'a Path) -> Result<Self> {
        for member in &listing.members {
            if let Member::Directory { path } = member {
                fs::create_dir(&into.join(path), DIRECTORY_MODE)?;
            }
        }
        let missing = listing
            .members
            .iter()
            .map(|member| (member.path().to_owned(), member.clone()))
            .collect();
        let total = listing.members.iter().map(Member::size).sum();
        Ok(Self {
            into,
            top: top(listing),
            missing,
            progress: Progress::start("unpacking", total),
        })
    }

    /// Puts what comes under this name into its place.
    pub fn put(&mut self, name: &str, found: Found<'_>) -> Result<()> {
        let name = name.strip_suffix('/').unwrap_or(name);
        if matches!(found, Found::Directory) && self.top.strip_suffix('/') == Some(name) {
            return Ok(());
        }
        let listed = name
            .strip_prefix(&self.top)
            .and_then(|path| self.missing.remove(path));
        match (listed, found) {
            (None, _) => bail!("`{name}` is not listed, or comes twice"),
            (Some(Member::Directory { .. }), Found::Directory) => Ok(()),
            (Some(Member::Link { path, target }), Found::Link(said)) => {
                ensure!(
                    said == target,
                    "`{name}` is a link to `{said}`, and listed as one to `{target}`"
                );
                fs::symlink(Path::new(&target), &self.into.join(path))
            }
            (
                Some(Member::File {
                    path,
                    mode,
                    size,
                    sha256,
                }),
                Found::File(bits, length, content),
            ) => {
                ensure!(
                    bits == mode.bits(),
                    "`{name}` has the mode {bits:04o}, and is listed with {:04o}",
                    mode.bits()
                );
                ensure!(
                    length == size,
                    "`{name}` is {length} bytes long, and listed with {size}"
                );
                let found = self
                    .write(&path, (mode.bits(), size), content)
                    .with_context(|| format!("cannot extract `{name}`"))?;
                ensure!(
                    found == *sha256.as_bytes(),
                    "`{name}` is not what was packed: its digest is `{}`",
                    hex::encode(found)
                );
                Ok(())
            }
            (Some(_), _) => bail!("`{name}` is not of the kind that is listed"),
        }
    }

    /// Writes a file of this mode and size, and tells its digest.
    fn write(
        &self,
        path: &str,
        (mode, size): (u32, u64),
        content: &mut dyn Read,
    ) -> Result<[u8; 32]> {
        let mut file = fs::create_new(&self.into.join(path), mode)?;
        let mut hasher = sha2::Sha256::new();
        let mut chunk = vec![0; usize::try_from(size.min(CHUNK))?];
        let mut left = size;
        while left > 0 {
            let wanted = usize::try_from(left.min(CHUNK))?;
            let length = match content.read(&mut chunk[..wanted]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                length => length?,
            };
            ensure!(length > 0, "the archive ends in it");
            hasher.update(&chunk[..length]);
            file.write_all(&chunk[..length])?;
            left -= length as u64;
            self.progress.advance(length as u64);
        }
        Ok(hasher.finalize().into())
    }

    /// Nothing more comes.
    pub fn finish(self) -> Result<()> {
        match self.missing.keys().min() {
            Some(path) => bail!("`{}{path}` is listed, and missing", self.top),
            None => Ok(()),
        }
    }
}
