//! The inputs of a launch other than the files that it reads: the spec's text, flags, variables.
//! The name of the launch's memo is a digest of these. Each input is also kept by itself, with the
//! spec and the resulting environment, so that a launch whose memo is missing can report which
//! inputs have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::fs::{self, Digest, TextPath};
use crate::interpreter;
use crate::invocation::{Invocation, WheelsSource};
use crate::plan::Key;
use crate::process::{CalledAs, Process, variable};
use crate::spec::{SpecKind, SpecText};
use crate::store::Store;

/// Incremented when the content of a memo changes, so that memos of an older vpython are ignored.
const FORMAT: u32 = 9;

/// The prefix of the names of files with inputs.
const PREFIX: &str = "inputs-";

const VERSION: &str = "the version of vpython";
const PLACE: &str = "the place of the spec";
const TEXT: &str = "the text of the spec";
const NAME: &str = "the name of the program";

/// Calls `see` with each input of a launch, by its name in messages. An input with several parts
/// takes several calls.
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
    // The program's name also decides which file is the spec; it changes the choice of Python only
    // for a spec in LUCI's format that names none.
    if spec.kind == SpecKind::Luci && process.called_as() == CalledAs::Vpython3 {
        see(NAME, b"vpython3");
    }
    let wheels = match invocation.wheels.source {
        WheelsSource::Flag => "`-vpython-wheels`",
        WheelsSource::Variable => "`VPYTHON_WHEELS`",
    };
    for wheelhouse in &invocation.wheels.of_caller {
        see(wheels, &wheelhouse.as_bytes());
    }
    for wheelhouse in &invocation.wheels.of_site {
        see("`wheels` of `vpython.conf`", &wheelhouse.as_bytes());
    }
    if let Some(versions) = &invocation.conf.python
        && invocation.interpreter.is_none()
        && invocation.interpreter_image.is_none()
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
    if !invocation.shared_roots.is_empty() {
        let by = match process.setting(variable::SHARED_ROOTS) {
            Some(_) => "`VPYTHON_SHARED_ROOTS`",
            None => "`shared-roots` of `vpython.conf`",
        };
        for root in &invocation.shared_roots {
            see(by, root.as_os_str().as_bytes());
        }
    }
    if invocation.strict {
        see("`-vpython-strict`", b"");
    }
    if spec.chosen.unlocked {
        see("`-vpython-unlocked`", b"");
    }
    if let Some(image) = &invocation.interpreter_image {
        see("the requested interpreter", image.to_string().as_bytes());
        return;
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
    /// The name of the file with the inputs of the last cold launch of the same spec.
    kept_as: String,
}

/// The inputs of the last cold launch of a spec, as they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptInputs {
    /// The resulting environment. As for a launch memo, the file is removed with it.
    key: Key,
    kind: String,
    file: Option<TextPath>,
    digests: BTreeMap<String, Digest>,
}

/// A spec whose last cold launch resulted in an environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnownSpec {
    /// The file that contains it; none for the text of `-c`, and without a spec.
    pub file: Option<PathBuf>,
    /// The name of its kind, as [`crate::spec::SpecKind::name`] returns it.
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

    /// Returns the names of the inputs that differ from `before`, sorted.
    fn differing_from(&self, before: &BTreeMap<String, Digest>) -> Vec<String> {
        let names: BTreeSet<&String> = self.digests.keys().chain(before.keys()).collect();
        names
            .into_iter()
            .filter(|name| self.digests.get(*name) != before.get(*name))
            .cloned()
            .collect()
    }
}

impl Inputs {
    /// Stores the inputs of the cold launch that resulted in the environment `key`. Overwrites those
    /// of earlier launches of the same spec.
    pub fn keep(&self, store: &Store, key: &Key) -> Result<()> {
        let Self {
            digests,
            kind,
            file,
            kept_as,
        } = self.clone();
        let kept = KeptInputs {
            key: key.clone(),
            kind: kind.to_owned(),
            file: file.map(TextPath),
            digests,
        };
        fs::write_memo(&store.memo_directory().join(kept_as), &kept)
    }

    /// Returns the names of the inputs that differ from those of the last cold launch of the same
    /// spec, sorted; none if there was no such launch.
    #[must_use]
    pub fn changed_since(&self, store: &Store) -> Option<Vec<String>> {
        let before: KeptInputs = fs::read_memo(&store.memo_directory().join(&self.kept_as))?;
        Some(self.differing_from(&before.digests))
    }
}

impl KnownSpec {
    /// Returns, for each environment, the specs whose last cold launch resulted in it, sorted.
    pub fn of_environments(store: &Store) -> Result<BTreeMap<Key, BTreeSet<Self>>> {
        let directory = store.memo_directory();
        let mut specs: BTreeMap<Key, BTreeSet<Self>> = BTreeMap::new();
        for name in fs::list(&directory)?.unwrap_or_default() {
            // The directory contains other memos too.
            let kept = if name.as_bytes().starts_with(PREFIX.as_bytes()) {
                fs::read_memo(&directory.join(name))
            } else {
                None
            };
            // Memos are disposable, so one that cannot be read is skipped.
            let Some(KeptInputs {
                key,
                kind,
                file,
                digests: _,
            }) = kept
            else {
                continue;
            };
            specs.entry(key).or_default().insert(Self {
                file: file.map(|file| file.0),
                kind,
            });
        }
        Ok(specs)
    }
}
