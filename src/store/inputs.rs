//! What a launch is asked, beside the files that it looks at: the spec's text, flags, variables. The name of its memo is a digest of
//! these; so that a launch whose memo is missing can say what it is asked otherwise, each is kept by itself too.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::Result;

use super::Store;
use crate::fs::{self, Digest};
use crate::invocation::{Invocation, WheelsSource};
use crate::plan::interpreter;
use crate::process::Process;
use crate::spec::SpecText;

/// Counted up when a memo says more, so that what an older vpython wrote is decided anew.
const FORMAT: u32 = 6;

const VERSION: &str = "the version of vpython";
const PLACE: &str = "the place of the spec";
const TEXT: &str = "the text of the spec";

/// Calls `see` with each input of a launch, by the name that a person knows it by. An input of several parts comes in as many calls.
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
        see(PLACE, path.as_ref().map_or(b"", |path| path.as_os_str().as_bytes()));
    }
    see(TEXT, spec.content.as_bytes());
    let wheels = match invocation.wheels.source {
        WheelsSource::Flag => "`-vpython-wheels`",
        WheelsSource::Variable => "`VPYTHON_WHEELS`",
    };
    for folder in &invocation.wheels.folders {
        see(wheels, folder.as_os_str().as_bytes());
    }
    for (setting, value) in interpreter::search_settings(invocation.interpreter.as_deref(), process) {
        see(setting, value.as_bytes());
    }
}

/// The inputs of a launch, each as a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    digests: BTreeMap<String, Digest>,
    /// The name of the file in which those of the last cold launch of the same spec are kept.
    kept_as: String,
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
        let digests = values.into_iter().map(|(input, value)| (input.to_owned(), Digest::of(&value))).collect();
        Self { digests, kept_as: format!("inputs-{}.json", &place[..32]) }
    }

    /// The inputs that differ from `before`, by their names, sorted.
    fn differing_from(&self, before: &BTreeMap<String, Digest>) -> Vec<String> {
        let names: BTreeSet<&String> = self.digests.keys().chain(before.keys()).collect();
        names.into_iter().filter(|name| self.digests.get(*name) != before.get(*name)).cloned().collect()
    }
}

impl Store {
    /// Keeps the inputs of a cold launch, in place of those of an earlier one of the same spec.
    pub fn keep_inputs(&self, inputs: &Inputs) -> Result<()> {
        fs::write_json(&self.inputs_file(inputs), &inputs.digests)
    }

    /// Which inputs are not those of the last cold launch of the same spec, by their names, sorted; none where there was no such launch.
    #[must_use]
    pub fn changed_inputs(&self, inputs: &Inputs) -> Option<Vec<String>> {
        let before = fs::read_json(&self.inputs_file(inputs))?;
        Some(inputs.differing_from(&before))
    }

    fn inputs_file(&self, inputs: &Inputs) -> PathBuf {
        self.memo_folder().join(&inputs.kept_as)
    }
}
