//! The state of the destination of `unpack`.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::fs::{self, Trust};
use crate::packed::manifest::{PACK_MANIFEST, PackManifest, UNPACK_STATE};
use crate::packed::member::Member;
use crate::report::Failure;

/// The changes that `unpack` made to an environment.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The interpreter that replaces the one it was packed for.
    python: Option<String>,
    /// The absolute install path that it records.
    settled: Option<String>,
}

impl State {
    pub fn of(python: Option<&Path>, settled: Option<&Path>) -> Self {
        let text = |path: Option<&Path>| path.map(|path| path.to_string_lossy().into_owned());
        Self {
            python: text(python),
            settled: text(settled),
        }
    }

    /// Returns whether the member at this path may differ from the packed one.
    fn explains(&self, path: &str) -> bool {
        let is_changed = *self != Self::default();
        is_changed
            && (path == "pyvenv.cfg"
                || path.starts_with("bin/python")
                || path.starts_with("lib/")
                || path.starts_with("include"))
    }
}

/// The state of a destination.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// Missing or empty.
    Absent,
    /// The requested environment.
    UpToDate,
    /// An environment unpacked from another archive, or an incomplete one.
    Outdated,
}

impl Existing {
    /// Inspects the destination.
    ///
    /// # Errors
    /// Returns an error if it holds anything that vpython did not unpack.
    pub fn inspect(
        destination: &Path,
        manifest: &PackManifest,
        state: &State,
        user: u32,
    ) -> Result<Self> {
        let Some(found) = fs::link_metadata(destination)? else {
            return Ok(Self::Absent);
        };
        let refuse = |why: &str| {
            let failure =
                Failure::new(format!("cannot unpack to `{}`", destination.display())).because(why);
            Err(failure
                .hint("choose another directory, or remove this one")
                .into())
        };
        if !found.is_dir() {
            return refuse("it is not a directory");
        }
        let names = fs::list(destination)?.unwrap_or_default();
        if names.is_empty() {
            return Ok(Self::Absent);
        }
        // Where no directory can be renamed, an environment is removed in place, with this file and
        // the manifest last, in any order.
        if names == [UNPACK_STATE] {
            return Ok(Self::Outdated);
        }
        // The manifest in the directory shows that vpython unpacked it.
        let Some(there) = fs::look_for_json::<PackManifest>(&destination.join(PACK_MANIFEST))?
        else {
            return refuse("vpython did not unpack it");
        };
        // A directory of another user may contain anything.
        let is_requested = Trust::of_user(user).includes(found.uid())
            && there == *manifest
            && fs::look_for_json::<State>(&destination.join(UNPACK_STATE))?.as_ref() == Some(state)
            && is_whole(destination, manifest, state)?;
        Ok(if is_requested {
            Self::UpToDate
        } else {
            Self::Outdated
        })
    }
}

/// Returns whether all members exist with the listed kind, size and mode; their contents are not
/// read.
fn is_whole(destination: &Path, manifest: &PackManifest, state: &State) -> Result<bool> {
    for member in &manifest.members {
        let path = destination.join(member.path());
        let Some(found) = fs::link_metadata(&path)? else {
            return Ok(false);
        };
        // `unpack` itself changes some files when it records an interpreter or an install path.
        let is_right = match member {
            Member::Directory { .. } => found.is_dir(),
            Member::File { size, mode, .. } => {
                found.is_file()
                    && (found.len() == *size && fs::mode(&found) == mode.bits()
                        || state.explains(member.path()))
            }
            Member::Link { target, .. } => {
                found.is_symlink()
                    && (fs::read_link(&path)? == Path::new(target) || state.explains(member.path()))
            }
        };
        if !is_right {
            return Ok(false);
        }
    }
    Ok(true)
}
