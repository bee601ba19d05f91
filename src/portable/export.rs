//! Writes an environment outside the store.
//!
//! vpython builds the environment next to its destination and renames it into place as a whole. The
//! environment contains the same manifest file as an entry of the store. By this file a later run
//! recognizes an environment that is up to date; vpython never replaces a directory without it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::build::Sharing;
use crate::fs::{self, Digest, StagedDir, Trust};
use crate::invocation::Additions;
use crate::plan::Key;
use crate::portable::standalone::{Standalone, StandaloneRequest};
use crate::report::{self, Failure};
use crate::store::{MANIFEST, Manifest};

/// The manifest of an exported environment.
#[derive(Debug, Serialize, Deserialize)]
struct Exported<E> {
    #[serde(flatten)]
    manifest: Manifest,
    export: E,
}

/// The options of the export, besides the plan.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Extras {
    /// True if its files are copies instead of links to the store.
    copied: bool,
    /// The included directories, each with a digest of its state.
    included: Vec<(String, Digest)>,
    /// True if the environment contains the interpreter.
    with_python: bool,
}

/// Builds the environment in the directory `destination`, unless it is there and up to date.
///
/// # Errors
/// Returns an error if the destination holds anything that vpython did not create, if the
/// environment cannot be built, or if a file cannot be written.
pub fn export(
    environment: &Standalone,
    additions: &Additions,
    sharing: Sharing,
    destination: &Path,
    user: u32,
) -> Result<()> {
    let request = StandaloneRequest::pack(additions, destination, environment)?;
    let key = Key::of(&environment.plan);
    let extras = Extras {
        copied: sharing == Sharing::Copied,
        included: request.states(),
        with_python: request.with_python,
    };
    let inspect = |path: &Path| Existing::inspect(path, &key, &extras, user);
    if inspect(destination)? == Existing::UpToDate && !StagedDir::is_beside(destination) {
        return Ok(());
    }
    let staged = StagedDir::beside(destination)?;
    match inspect(destination)? {
        // Another process has exported it in the meantime.
        Existing::UpToDate => return Ok(()),
        Existing::Modified => {
            report::warning(&format!(
                "`{}` was modified after it was exported; vpython rebuilds it",
                destination.display()
            ));
        }
        Existing::Absent | Existing::Outdated => {}
    }
    // Build the environment, add its manifest, and rename it into place.
    request.build(environment, sharing, staged.path())?;
    let manifest = Manifest::of(&environment.plan, &key, staged.path())?;
    let interpreter = request.interpreter(&manifest.interpreter);
    let exported = Exported {
        manifest: Manifest {
            interpreter,
            ..manifest
        },
        export: &extras,
    };
    fs::write_new(
        &staged.path().join(MANIFEST),
        &serde_json::to_vec_pretty(&exported)?,
        0o444,
    )?;
    let meanwhile = |_| refusal(destination, "another process has created it meanwhile");
    staged.place(|old| inspect(old).map(drop).map_err(meanwhile))
}

/// The state of the destination.
#[derive(Debug, PartialEq, Eq)]
enum Existing {
    /// Missing or empty.
    Absent,
    /// The requested environment.
    UpToDate,
    /// An environment exported from other inputs, or an incomplete one.
    Outdated,
    /// An exported environment into which something was installed later.
    Modified,
}

impl Existing {
    /// Inspects the destination.
    ///
    /// # Errors
    /// Returns an error if it holds anything that vpython did not create.
    fn inspect(destination: &Path, key: &Key, extras: &Extras, user: u32) -> Result<Self> {
        let Some(found) = fs::link_metadata(destination)? else {
            return Ok(Self::Absent);
        };
        if !found.is_dir() {
            return Err(refusal(destination, "it is not a directory"));
        }
        if fs::list(destination)?.is_some_and(|names| names.is_empty()) {
            return Ok(Self::Absent);
        }
        let exported = fs::look_for_json::<Exported<Extras>>(&destination.join(MANIFEST))?;
        let Some(Exported { manifest, export }) = exported else {
            return Err(refusal(destination, "vpython did not create it"));
        };
        // An environment without its essential files is replaced, whatever its manifest says.
        let is_whole = fs::is_file(&destination.join("pyvenv.cfg"))
            && fs::exists(&destination.join("bin/python"));
        if !is_whole || !fs::exists(&destination.join(&manifest.site.directory)) {
            return Ok(Self::Outdated);
        }
        if !manifest.site.holds(destination)? {
            return Ok(Self::Modified);
        }
        // An environment of another user may contain anything.
        let is_ours = Trust::of_user(user).includes(found.uid());
        Ok(if is_ours && manifest.key == *key && export == *extras {
            Self::UpToDate
        } else {
            Self::Outdated
        })
    }
}

fn refusal(destination: &Path, why: &str) -> anyhow::Error {
    let failure =
        Failure::new(format!("cannot export to `{}`", destination.display())).because(why);
    failure
        .hint("choose another directory, or remove this one")
        .into()
}
