//! The indexes that vpython names for pip, and the projects that pip must not take from them.
//!
//! pip searches all of its indexes for every project, and takes the highest version. So it cannot
//! follow a spec that takes a project from one index (`[tool.uv.sources]`): anybody may have put
//! another project of that name on another index.

use std::ffi::OsString;

use anyhow::Result;
use pep508_rs::VersionOrUrl;

use crate::invocation::{Fetch, Invocation};
use crate::process::Process;
use crate::remote::index::IndexSettings;
use crate::report::Failure;
use crate::spec::{Indexes, Spec, parse_requirement};

/// pip's variables for indexes.
const INDEX_URL: &str = "PIP_INDEX_URL";
const EXTRA_INDEX_URL: &str = "PIP_EXTRA_INDEX_URL";
const NO_INDEX: &str = "PIP_NO_INDEX";
/// The beginnings of pip's options that name the index of all projects, or forbid indexes.
const NAMES_THE_INDEX: [&str; 4] = ["--index", "--pypi", "-i", "--no-index"];

/// Returns the process with variables for pip that name the indexes of the site and of the spec, so
/// that no project comes from another index. pip's options override them.
///
/// # Errors
/// pip cannot follow the spec's sources of projects.
pub(super) fn with_indexes(
    options: &Fetch,
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
) -> Result<Process> {
    let mut process = process.clone();
    if spec.indexes.no_index.is_some() {
        set(&mut process, NO_INDEX, "1");
    }
    if spec.indexes.named.is_empty() && spec.indexes.pins.is_empty() {
        // The caller's variable precedes the site's setting, which may be anything that pip takes.
        let site = invocation.conf.fetch_index_url.as_ref();
        if let (Some(index), None) = (site, process.setting(INDEX_URL)) {
            set(&mut process, INDEX_URL, &index.value);
        }
        return Ok(process);
    }
    // Those that vpython cannot read are named for pip on the command line.
    let readable = Indexes {
        unusable: Vec::new(),
        ..spec.indexes.clone()
    };
    let settings = IndexSettings::read(&[], &readable, &invocation.conf, &process)?;
    let names_the_index = |word: &OsString| {
        let word = word.as_encoded_bytes();
        NAMES_THE_INDEX
            .iter()
            .any(|option| word.starts_with(option.as_bytes()))
    };
    if !options.pip_options.iter().any(names_the_index) {
        refuse_pins(spec, &settings, invocation)?;
    }
    let mut urls: Vec<&str> = settings
        .indexes
        .iter()
        .map(|index| index.url.reveal())
        .collect();
    // The default index is the last one.
    let default = urls.pop().unwrap_or_default().to_owned();
    let others = urls.join(" ");
    set(&mut process, INDEX_URL, &default);
    set(&mut process, EXTRA_INDEX_URL, &others);
    Ok(process)
}

/// Refuses projects that the spec takes from one index, unless pip searches only that one.
fn refuse_pins(spec: &Spec, settings: &IndexSettings, invocation: &Invocation) -> Result<()> {
    let searched = match &settings.indexes[..] {
        // No index is searched at all.
        [] => return Ok(()),
        [only] => only.name.as_deref(),
        _ => None,
    };
    let pins = spec.indexes.pins.iter();
    let refused = pins.filter(|(_, index)| searched != Some(&index.value));
    let causes: Vec<String> = refused
        .map(|(project, index)| {
            format!(
                "the spec takes `{project}` from the index `{}` ({})",
                index.value, index.place
            )
        })
        .collect();
    if causes.is_empty() {
        return Ok(());
    }
    let command = invocation.command_of_tool("fetch");
    Err(
        Failure::new("`fetch --build` cannot take a project from one index: pip searches all of them")
            .because_of(causes)
            .hint(format!(
                "fetch without `--build`: `{command}`, or name one index for all projects after `--`: `--index-url URL`"
            ))
            .into(),
    )
}

/// Returns the requirements on projects that the spec takes from a source that is not an index, and
/// why pip is not asked for them; `None` if there are none.
pub(super) fn refusal_of_elsewhere(
    requirements: &[String],
    spec: &Spec,
) -> Option<(Vec<String>, Failure)> {
    let why = |line: &String| {
        let requirement = parse_requirement(line).ok()?;
        let is_by_url = matches!(requirement.version_or_url, Some(VersionOrUrl::Url(_)));
        let why = spec.indexes.elsewhere.get(&requirement.name);
        why.filter(|_| !is_by_url).cloned()
    };
    let refused = requirements
        .iter()
        .filter_map(|line| Some((line, why(line)?)));
    let (lines, causes): (Vec<String>, Vec<String>) =
        refused.map(|(line, why)| (line.clone(), why)).unzip();
    let titles: Vec<String> = lines.iter().map(|line| format!("`{line}`")).collect();
    (!lines.is_empty()).then(|| {
        let what = format!("cannot take {} from a package index", titles.join(", "));
        let failure = Failure::new(what).because_of(causes);
        (lines, failure.hint("put its wheel into a wheel directory"))
    })
}

/// Sets a variable, or removes it if the value is empty.
fn set(process: &mut Process, name: &str, value: &str) {
    process.environment.retain(|(known, _)| known != name);
    if !value.is_empty() {
        process
            .environment
            .push((name.into(), OsString::from(value)));
    }
}
