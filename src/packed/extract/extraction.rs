//! Writes the members of an archive to the destination if they match the manifest.

use std::collections::{HashMap, HashSet};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use sha2::Digest as _;

use crate::fs;
use crate::packed::manifest::{PACK_MANIFEST, PackManifest};
use crate::packed::member::Member;
use crate::report::Progress;

/// Permission bits of directories.
const DIRECTORY_MODE: u32 = 0o755;
/// The size of the chunks in which files are copied, in bytes.
const CHUNK: u64 = 1 << 18;
/// The largest manifest that is read, in bytes: that of a million files is half as large.
const MAX_MANIFEST: u64 = 256 << 20;

/// A member found in an archive.
pub(super) enum Found<'a> {
    Directory,
    Link(String),
    /// Permission bits, size and content.
    File(u32, u64, &'a mut dyn Read),
}

/// An environment under extraction.
pub(super) struct Extraction<'a> {
    into: &'a Path,
    /// The prefix of all member names.
    top: String,
    /// The listed members that have not been found yet.
    missing: HashMap<String, Member>,
    /// The members that the layers above had, which hide those of the layer being extracted.
    hidden: HashSet<String>,
    /// The members of the layer being extracted.
    found: Vec<String>,
    /// The permission bits that files may have.
    mask: u32,
    progress: Progress,
}

/// Reads the manifest, which is the first member of an archive.
pub(super) fn read_manifest(name: &str, found: Found<'_>) -> Result<PackManifest> {
    let is_manifest = name
        .strip_suffix(PACK_MANIFEST)
        .is_some_and(|before| before.is_empty() || before.ends_with('/'));
    let Found::File(_, size, content) = found else {
        bail!("its first member `{name}` is not a file")
    };
    ensure!(
        is_manifest,
        "its first member is `{name}`, not the pack manifest `{PACK_MANIFEST}`"
    );
    // The manifest is read into memory before anything is verified.
    ensure!(
        size <= MAX_MANIFEST,
        "its pack manifest is {size} bytes long"
    );
    let mut text = Vec::new();
    content
        .take(size)
        .read_to_end(&mut text)
        .context("cannot read the pack manifest")?;
    let manifest = PackManifest::parse(&text).context("cannot read the pack manifest")?;
    // The manifest names the prefix, which all members share.
    ensure!(
        name == format!("{}{PACK_MANIFEST}", top(&manifest)),
        "its first member is `{name}`, which does not match its prefix"
    );
    Ok(manifest)
}

/// The prefix of all member names.
fn top(manifest: &PackManifest) -> String {
    manifest
        .prefix
        .as_ref()
        .map(|prefix| format!("{}/", prefix.trim_start_matches('/')))
        .unwrap_or_default()
}

impl<'a> Extraction<'a> {
    /// Creates all directories in the empty directory `into`.
    pub fn begin(manifest: &PackManifest, into: &'a Path) -> Result<Self> {
        for member in &manifest.members {
            if let Member::Directory { path } = member {
                fs::create_dir(&into.join(path), DIRECTORY_MODE)?;
            }
        }
        let missing = manifest
            .members
            .iter()
            .map(|member| (member.path().to_owned(), member.clone()))
            .collect();
        let total = manifest.members.iter().map(Member::size).sum();
        Ok(Self {
            into,
            top: top(manifest),
            missing,
            hidden: HashSet::new(),
            found: Vec::new(),
            mask: 0o777,
            progress: Progress::start("unpacking", total),
        })
    }

    /// Gives files only the permission bits in `mask`.
    pub fn masked(self, mask: u32) -> Self {
        Self { mask, ..self }
    }

    /// Passes over a member that the manifest does not list.
    pub fn pass_over(&mut self, path: &str) {
        self.hidden.insert(path.to_owned());
    }

    /// Ends a layer: its members hide those of the layers below.
    pub fn end_layer(&mut self) {
        self.hidden.extend(self.found.drain(..));
    }

    /// Writes the member with this name, after checking it against the manifest.
    pub fn put(&mut self, name: &str, found: Found<'_>) -> Result<()> {
        // The directory of the prefix itself is not listed, nor are those above it.
        let name = name.strip_suffix('/').unwrap_or(name);
        let is_above = |rest: &str| rest.starts_with('/');
        if matches!(found, Found::Directory) && self.top.strip_prefix(name).is_some_and(is_above) {
            return Ok(());
        }
        let path = name.strip_prefix(&self.top);
        if path.is_some_and(|path| self.hidden.contains(path)) {
            return Ok(());
        }
        self.found.extend(path.map(str::to_owned));
        let listed = path.and_then(|path| self.missing.remove(path));
        match (listed, found) {
            (None, _) => bail!("`{name}` is not in the pack manifest or occurs twice"),
            (Some(Member::Directory { .. }), Found::Directory) => Ok(()),
            (Some(Member::Link { path, target }), Found::Link(found_target)) => {
                ensure!(
                    found_target == target,
                    "`{name}` is a link to `{found_target}`, but the pack manifest lists `{target}`"
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
                // Compare mode and size before writing, so that a wrong size cannot fill the disk.
                ensure!(
                    bits == mode.bits(),
                    "`{name}` has the mode {bits:04o}, but the pack manifest lists {:04o}",
                    mode.bits()
                );
                ensure!(
                    length == size,
                    "`{name}` is {length} bytes long, but the pack manifest lists {size}"
                );
                let found = self
                    .write(&path, mode.bits() & self.mask, size, content)
                    .with_context(|| format!("cannot extract `{name}`"))?;
                ensure!(
                    found == *sha256.as_bytes(),
                    "`{name}` differs from what was packed: its digest is `{}`",
                    hex::encode(found)
                );
                Ok(())
            }
            (Some(_), _) => bail!("`{name}` is not of the kind that the pack manifest lists"),
        }
    }

    /// Writes a file with this mode and size, and returns its digest.
    fn write(&self, path: &str, mode: u32, size: u64, content: &mut dyn Read) -> Result<[u8; 32]> {
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
            ensure!(length > 0, "the archive is truncated");
            hasher.update(&chunk[..length]);
            file.write_all(&chunk[..length])?;
            left -= length as u64;
            self.progress.advance(length as u64);
        }
        Ok(hasher.finalize().into())
    }

    /// Checks that no listed member is missing.
    pub fn finish(self) -> Result<()> {
        match self.missing.keys().min() {
            Some(path) => bail!("`{}{path}` is in the pack manifest but missing", self.top),
            None => Ok(()),
        }
    }
}
