//! `-vpython-tool install`: the environment is built; its path goes to stdout, alone, and what it
//! came to to stderr.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use walkdir::WalkDir;

use crate::fs;
use crate::invocation::Invocation;
use crate::plan::Evidence;
use crate::report;
use crate::store::{MANIFEST, Manifest};

/// Prints where an environment is, and gives the exit code.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(environment: &Path) -> Result<i32> {
    let line = [environment.as_os_str().as_bytes(), b"\n"].concat();
    report::print(&line)?;
    Ok(0)
}

/// What a launch does not say of what listed wheels require and of the seeds, a sentence each; it
/// is taken out of the evidence.
#[must_use]
pub fn remarks(evidence: &mut Evidence, invocation: &Invocation) -> Vec<String> {
    let mut remarks = std::mem::take(&mut evidence.remarks);
    let unseeded = std::mem::take(&mut evidence.unseeded);
    // Many programs import `pkg_resources`, and hardly one the other two.
    if unseeded
        .iter()
        .any(|seed| seed.project.as_ref() == "setuptools")
    {
        let unseeded: Vec<String> = unseeded.iter().map(|seed| format!("`{seed}`")).collect();
        let command = invocation.command_of_tool("fetch");
        remarks.push(format!(
            "there is no wheel to seed {} from; `{command}` brings what is missing",
            unseeded.join(", ")
        ));
    }
    remarks
}

/// What the environment came to, in one line: how many wheels and files are in it, and how long it
/// took where it was built now.
#[must_use]
pub fn summary(environment: &Path, took: Option<Duration>) -> String {
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

/// A count with what is counted, as in `3,456 files`.
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
