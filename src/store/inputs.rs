//! What a launch is asked, beside the files that it looks at: the spec's text, flags, variables.
//! The name of its memo is a digest of these; so that a launch whose memo is missing can say what
//! it is asked otherwise, each is kept by itself too, with the spec and the environment that it
//! came to.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Store;
use super::memo::TextPath;
use crate::fs::{self, Digest};
use crate::invocation::{Invocation, WheelsSource};
use crate::plan::{Key, interpreter};
use crate::process::{CalledAs, Process};
use crate::spec::{SpecKind, SpecText};

/// Counted up when a memo says more, so that what an older vpython wrote is decided anew.
const FORMAT: u32 = 9;

/// How the names of the files begin in which inputs are kept.
const PREFIX: &str = "inputs-";

const VERSION: &str = "the version of vpython";
const PLACE: &str = "the place of the spec";
const TEXT: &str = "the text of the spec";
const NAME: &str = "the name of the program";

/// Calls `see` with each input of a launch, by the name that a person knows it by. An input of
/// several parts comes in as many calls.
pub(super) fn for_each_input(
    spec: &SpecText,
    invocation: &Invocation,
    process: &Process,
    mut see: impl FnMut(&'static str, &[u8]),
) {
    see(VERSION, &FORMAT.to_le_bytes());
    see(VERSION, env!("CARGO_PKG_VERSION").as_bytes());
    see(PLACE, spec.kind.name().as_bytes());
    for path in [&spec.origin.file, &spec.base] {
        see(
            PLACE,
            path.as_ref()
                .map_or(b"", |path| path.as_os_str().as_bytes()),
        );
    }
    see(TEXT, spec.content.as_bytes());
    // It also decides which file is the spec, and takes another Python only where that is of LUCI's
    // form and names none.
    if spec.kind == SpecKind::Luci && process.called_as() == CalledAs::Vpython3 {
        see(NAME, b"vpython3");
    }
    let wheels = match invocation.wheels.source {
        WheelsSource::Flag => "`-vpython-wheels`",
        WheelsSource::Variable => "`VPYTHON_WHEELS`",
    };
    for directory in &invocation.wheels.directories {
        see(wheels, directory.as_os_str().as_bytes());
    }
    for directory in &invocation.wheels.of_site {
        see(
            "`wheels` of `vpython.conf`",
            directory.as_os_str().as_bytes(),
        );
    }
    if let Some(versions) = &invocation.conf.python
        && invocation.interpreter.is_none()
    {
        for version in &versions.value {
            see("`python` of `vpython.conf`", version.as_bytes());
        }
    }
    for (flag, names) in [
        ("`-vpython-extra`", &spec.chosen.extras),
        ("`-vpython-group`", &spec.chosen.groups),
    ] {
        for name in names {
            see(flag, name.as_bytes());
        }
    }
    if invocation.strict {
        see("`-vpython-strict`", b"");
    }
    if spec.chosen.unlocked {
        see("`-vpython-unlocked`", b"");
    }
    for (setting, value) in interpreter::search_settings(invocation.interpreter.as_deref(), process)
    {
        see(setting, value.as_bytes());
    }
}

/// The inputs of a launch, each as a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    digests: BTreeMap<String, Digest>,
    kind: &'static str,
    file: Option<PathBuf>,
    /// The name of the file in which those of the last cold launch of the same spec are kept.
    kept_as: String,
}

/// What is kept of the last cold launch of a spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptInputs {
    /// The environment that it came to. As in a launch memo: what is kept goes with it.
    key: Key,
    kind: String,
    file: Option<TextPath>,
    digests: BTreeMap<String, Digest>,
}

/// A spec that came to an environment when it was last launched cold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnownSpec {
    /// The file that it stands in; none for the text of `-c`, and where there is no spec.
    pub file: Option<PathBuf>,
    /// The name of its kind, as [`crate::spec::SpecKind::name`] gives it.
    pub kind: String,
}

impl Inputs {
    /// The inputs of a launch.
    #[must_use]
    pub fn of_launch(spec: &SpecText, invocation: &Invocation, process: &Process) -> Self {
        let mut values: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for_each_input(spec, invocation, process, |input, bytes| {
            let value = values.entry(input).or_default();
            value.extend((bytes.len() as u64).to_le_bytes());
            value.extend(bytes);
        });
        let place = Digest::of(values.get(PLACE).map_or(b"", Vec::as_slice)).to_string();
        let digests = values
            .into_iter()
            .map(|(input, value)| (input.to_owned(), Digest::of(&value)))
            .collect();
        let kept_as = format!("{PREFIX}{}.json", &place[..32]);
        Self {
            digests,
            kind: spec.kind.name(),
            file: spec.origin.file.clone(),
            kept_as,
        }
    }

    /// The inputs that differ from `before`, by their names, sorted.
    fn differing_from(&self, before: &BTreeMap<String, Digest>) -> Vec<String> {
        let names: BTreeSet<&String> = self.digests.keys().chain(before.keys()).collect();
        names
            .into_iter()
            .filter(|name| self.digests.get(*name) != before.get(*name))
            .cloned()
            .collect()
    }
}

impl Store {
    /// Keeps the inputs of a cold launch that came to the environment `key`, in place of those of
    /// an earlier one of the same spec.
    pub fn keep_inputs(&self, inputs: &Inputs, key: &Key) -> Result<()> {
        let Inputs {
            digests,
            kind,
            file,
            kept_as,
        } = inputs.clone();
        let kept = KeptInputs {
            key: key.clone(),
            kind: kind.to_owned(),
            file: file.map(TextPath),
            digests,
        };
        fs::write_memo(&self.memo_directory().join(kept_as), &kept)
    }

    /// Which inputs are not those of the last cold launch of the same spec, by their names, sorted;
    /// none where there was no such launch.
    #[must_use]
    pub fn changed_inputs(&self, inputs: &Inputs) -> Option<Vec<String>> {
        let before: KeptInputs = fs::read_memo(&self.memo_directory().join(&inputs.kept_as))?;
        Some(inputs.differing_from(&before.digests))
    }

    /// The specs that came to each environment when they were last launched cold, sorted.
    pub fn known_specs(&self) -> Result<BTreeMap<Key, BTreeSet<KnownSpec>>> {
        let directory = self.memo_directory();
        let mut specs: BTreeMap<Key, BTreeSet<KnownSpec>> = BTreeMap::new();
        for name in fs::list(&directory)?.unwrap_or_default() {
            let kept = if name.as_bytes().starts_with(PREFIX.as_bytes()) {
                fs::read_memo(&directory.join(name))
            } else {
                None
            };
            let Some(KeptInputs {
                key,
                kind,
                file,
                digests: _,
            }) = kept
            else {
                continue;
            };
            specs.entry(key).or_default().insert(KnownSpec {
                file: file.map(|file| file.0),
                kind,
            });
        }
        Ok(specs)
    }
}
