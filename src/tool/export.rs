//! `-vpython-tool export DIR`: an environment with a life outside of the store.
//!
//! It is built anew beside its place and put there as a whole. What it was made of stands in it, in
//! the file that an environment of the store has too: by that it is told from anything else at its
//! place, which is left alone, and that there is nothing to do.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::additions::{Standalone, StandaloneRequest};
use super::install;
use crate::build::Sharing;
use crate::fs::{self, Digest, StagedDir};
use crate::invocation::{Export, Invocation};
use crate::plan::Key;
use crate::process::Process;
use crate::report::{self, Failure};
use crate::store::{MANIFEST, Manifest};

/// What an exported environment says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Exported {
    #[serde(flatten)]
    manifest: Manifest,
    export: Extras,
}

/// What was asked for beside the plan.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Extras {
    /// Whether it shares nothing with the store.
    copied: bool,
    /// The states of the directories that were included.
    included: Vec<(String, Digest)>,
    /// Whether the interpreter is in it.
    with_python: bool,
}

/// Makes the environment, unless it is there, and prints where it is. Gives the exit code.
///
/// # Errors
/// Something else is there; it cannot be built; the disk refuses.
pub fn run(options: &Export, invocation: &Invocation, process: &Process) -> Result<i32> {
    let mut environment = Standalone::decide(invocation, process)?;
    if options.with_pip {
        environment.add_pip()?;
    }
    let sharing = if options.copy {
        Sharing::Copied
    } else {
        Sharing::Linked
    };
    let place = &options.directory;
    let request = StandaloneRequest::pack(&options.additions, place, &environment)?;
    let key = Key::of(&environment.plan);
    let extras = Extras {
        copied: options.copy,
        included: request.states(),
        with_python: request.with_python,
    };
    if Standing::look(place, &key, &extras)? == Standing::Wanted && !StagedDir::is_beside(place) {
        return install::print(place);
    }
    let staged = StagedDir::beside(place)?;
    match Standing::look(place, &key, &extras)? {
        // Somebody else has made it meanwhile.
        Standing::Wanted => return install::print(place),
        Standing::Changed => {
            report::warning(&format!(
                "`{}` was changed after it was made; it is made anew",
                place.display()
            ));
        }
        Standing::Absent | Standing::Older => {}
    }
    request.build(&environment, sharing, staged.path())?;
    let manifest = Manifest::of(&environment.plan, &key, staged.path())?;
    let interpreter = request.interpreter(&manifest.interpreter);
    let exported = Exported {
        manifest: Manifest {
            interpreter,
            ..manifest
        },
        export: extras,
    };
    fs::write_new(
        &staged.path().join(MANIFEST),
        &serde_json::to_vec_pretty(&exported)?,
        0o444,
    )?;
    staged.place()?;
    install::print(place)
}

/// What stands where an environment is to be.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing that anybody would miss.
    Absent,
    /// What is wanted.
    Wanted,
    /// Something of ours that is made of something else, or is not whole.
    Older,
    /// Something of ours into which somebody has installed something.
    Changed,
}

impl Standing {
    /// # Errors
    /// It is nothing of ours.
    fn look(place: &Path, key: &Key, extras: &Extras) -> Result<Self> {
        let Some(found) = fs::link_metadata(place)? else {
            return Ok(Self::Absent);
        };
        if !found.is_dir() {
            return Err(refusal(place, "it is not a directory"));
        }
        if fs::list(place)?.is_some_and(|names| names.is_empty()) {
            return Ok(Self::Absent);
        }
        let Some(Exported { manifest, export }) = fs::look_for_json(&place.join(MANIFEST))? else {
            return Err(refusal(place, "vpython has not made what is there"));
        };
        let is_whole =
            fs::is_file(&place.join("pyvenv.cfg")) && fs::exists(&place.join("bin/python"));
        if !is_whole || !fs::exists(&place.join(&manifest.site.directory)) {
            return Ok(Self::Older);
        }
        if !manifest.site.holds(place)? {
            return Ok(Self::Changed);
        }
        Ok(if manifest.key == *key && export == *extras {
            Self::Wanted
        } else {
            Self::Older
        })
    }
}

fn refusal(place: &Path, why: &str) -> anyhow::Error {
    let failure = Failure::new(format!(
        "cannot make an environment at `{}`",
        place.display()
    ))
    .because(why);
    failure
        .hint("name another directory, or remove that one")
        .into()
}
