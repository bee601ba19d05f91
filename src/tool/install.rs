//! `-vpython-tool install`: builds the environment. Prints only its path to stdout, and a summary
//! to stderr.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use walkdir::WalkDir;

use crate::build;
use crate::fs;
use crate::invocation::Invocation;
use crate::launch::{self, Ready};
use crate::plan::{self, Evidence};
use crate::process::Process;
use crate::report;
use crate::spec::{self, Packages, SpecText};
use crate::store::{MANIFEST, Manifest, Store};

/// Builds the environment of a command line, compiles its byte code, and prints its path and a
/// summary. Returns the exit code.
///
/// # Errors
/// The environment cannot be built or compiled; standard output cannot be written.
pub fn run(invocation: &Invocation, process: &Process) -> Result<i32> {
    let started = Instant::now();
    let spec = launch::find_spec(invocation, process)?;
    invocation.warn(&spec::unnamed(&spec, "install", invocation, process));
    let Ready {
        entry,
        is_built,
        remarks,
        ..
    } = launch::prepare(&spec, invocation, process)?;
    // Print the remarks that launches omit, and the warnings of an earlier build.
    let store = Store::open(invocation, process)?;
    let recompute = || recompute_remarks(&spec, &store, invocation, process);
    invocation.warn(&remarks.map_or_else(recompute, Ok)?);
    if !is_built {
        invocation.warn(&build::warnings(&entry.path, &store));
    }
    let is_compiled = build::add_byte_code(&entry, &store, process)?;
    let took = (is_built || is_compiled).then(|| started.elapsed());
    if invocation.is_throw_away {
        invocation.warn([&format!(
            "the store is a throw-away store: `{}` is removed now",
            entry.path.display()
        )]);
    }
    let code = print(&entry.path)?;
    invocation.notice(|| summary(&entry.path, took));
    Ok(code)
}

/// Computes the remarks about an environment that an earlier launch built, because that launch
/// did not print them.
fn recompute_remarks(
    text: &SpecText,
    store: &Store,
    invocation: &Invocation,
    process: &Process,
) -> Result<Vec<String>> {
    let spec = text.parse(invocation, process)?;
    // The remarks about a list of wheels come from its plan.
    if !matches!(spec.packages, Packages::Listed(_)) {
        return Ok(spec.unchecked_digests());
    }
    let (memo, mut evidence) = (store.memo_directory(), Evidence::default());
    let here = launch::with_interpreter(&spec, store, invocation, process)?;
    plan::make(&spec, &here, process, &memo, &mut evidence)?;
    Ok(launch::remarks(&mut evidence, invocation))
}

/// Prints the path of an environment. Returns the exit code.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(environment: &Path) -> Result<i32> {
    let line = [environment.as_os_str().as_bytes(), b"\n"].concat();
    report::print(&line)?;
    Ok(0)
}

/// Summarizes the environment in one line: the number of its wheels and files, and the build time
/// if this run built it.
fn summary(environment: &Path, took: Option<Duration>) -> String {
    let wheels = fs::read_json::<Manifest>(&environment.join(MANIFEST))
        .map_or(0, |manifest| manifest.wheels.len());
    let files = WalkDir::new(environment)
        .into_iter()
        .flatten()
        .filter(|entry| !entry.file_type().is_dir())
        .count();
    let took = took.map_or_else(
        || "already built".to_owned(),
        |took| format!("{:.1} s", took.as_secs_f64()),
    );
    format!(
        "{}, {}, {took}",
        counted(wheels, "wheel"),
        counted(files, "file")
    )
}

/// Formats a count and its noun, as in `3,456 files`.
fn counted(count: usize, name: &str) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text} {name}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_a_comma_before_every_three_digits() {
        let rows = [
            (0, "0 files"),
            (1, "1 file"),
            (12, "12 files"),
            (345, "345 files"),
            (3456, "3,456 files"),
            (123_456, "123,456 files"),
            (1_000_000, "1,000,000 files"),
        ];
        for (count, text) in rows {
            assert_eq!(counted(count, "file"), text);
        }
    }
}
