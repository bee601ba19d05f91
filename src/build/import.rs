//! Unpacked wheels of shared roots: one that the store lacks is put into it as a copy, or as links
//! where the file system and the owner permit that. Then the store has everything that its
//! environments need, even if the shared root is gone.

use std::path::Path;

use anyhow::{Result, bail};
use tracing::debug;
use walkdir::WalkDir;

use super::link::Linker;
use super::unpacked::{Contents, UnpackedWheel};
use super::venv::DIRECTORY_MODE;
use crate::fs::{self, Digest};
use crate::store::Store;

/// Puts an unpacked wheel of a shared root into the empty directory `to`, byte code included, and
/// returns its contents; none if no shared root has it. A shared root that fails is skipped.
///
/// # Errors
/// `to` cannot be written.
pub(super) fn from_shared_root(
    store: &Store,
    sha256: Digest,
    to: &Path,
) -> Result<Option<Contents>> {
    for directory in store.shared_wheels(sha256) {
        let loaded = UnpackedWheel::load(&directory, sha256);
        let copied = loaded.and_then(|wheel| put_all(&directory, to).map(|()| wheel.contents));
        match copied {
            Ok(contents) => {
                debug!(wheel = %directory.display(), "took the unpacked wheel of a shared root");
                return Ok(Some(contents));
            }
            Err(error) => {
                debug!("no wheel from a shared root: {error:#}");
                clear(to)?;
            }
        }
    }
    Ok(None)
}

/// Puts all files of a directory into the empty directory `to`.
fn put_all(directory: &Path, to: &Path) -> Result<()> {
    // The shared roots may be on different file systems, so each wheel finds its own link mode.
    let linker = Linker::default();
    for entry in WalkDir::new(directory).min_depth(1) {
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(directory)?);
        match entry.file_type() {
            kind if kind.is_dir() => fs::create_dir(&target, DIRECTORY_MODE)?,
            kind if kind.is_file() => linker.put(entry.path(), &target)?,
            _ => bail!("`{}` is not a file", entry.path().display()),
        }
    }
    Ok(())
}

/// Removes everything in a directory.
pub(super) fn clear(directory: &Path) -> Result<()> {
    let names = fs::list(directory)?.unwrap_or_default();
    names
        .iter()
        .try_for_each(|name| fs::remove_any(&directory.join(name)))
}
