//! What is at the place of an environment that is to be unpacked.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::fs;
use crate::report::Failure;
use crate::tool::pack_manifest::{LISTING, Member, PackManifest, STATE};

/// What is done with an environment as it is unpacked.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The interpreter that it got in place of the one that it was packed for.
    python: Option<String>,
    /// The place that it names.
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

    /// Whether the member at this path may be another than was packed.
    fn explains(&self, path: &str) -> bool {
        let is_changed = *self != Self::default();
        is_changed
            && (path == "pyvenv.cfg"
                || path.starts_with("bin/python")
                || path.starts_with("lib/")
                || path.starts_with("include"))
    }
}

/// What stands at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing that anybody would miss.
    Absent,
    /// What is wanted.
    Wanted,
    /// Something of ours that is of another archive, or is not whole.
    Older,
}

impl Standing {
    /// # Errors
    /// It is nothing of ours.
    pub fn look(place: &Path, listing: &PackManifest, state: &State) -> Result<Self> {
        let Some(found) = fs::link_metadata(place)? else {
            return Ok(Self::Absent);
        };
        let refuse = |why: &str| {
            let failure =
                Failure::new(format!("cannot unpack to `{}`", place.display())).because(why);
            Err(failure
                .hint("name another directory, or remove that one")
                .into())
        };
        if !found.is_dir() {
            return refuse("it is not a directory");
        }
        if fs::list(place)?.is_some_and(|names| names.is_empty()) {
            return Ok(Self::Absent);
        }
        let Some(there) = fs::look_for_json::<PackManifest>(&place.join(LISTING))? else {
            return refuse("what is there was not unpacked by vpython");
        };
        let is_wanted = there == *listing
            && fs::look_for_json::<State>(&place.join(STATE))?.as_ref() == Some(state)
            && is_whole(place, listing, state)?;
        Ok(if is_wanted { Self::Wanted } else { Self::Older })
    }
}

/// Whether all members are there, by their looks.
fn is_whole(place: &Path, listing: &PackManifest, state: &State) -> Result<bool> {
    for member in &listing.members {
        let path = place.join(member.path());
        let Some(found) = fs::link_metadata(&path)? else {
            return Ok(false);
        };
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
