//! Specs that vpython uses only if they are named, next to a program without a spec: their author
//! may expect that they are used.

use std::path::{Path, PathBuf};

use super::{SpecKind, SpecText};
use crate::fs;
use crate::invocation::{Invocation, Target};
use crate::process::Process;
use crate::report::{program, shell_word};

/// Returns a note about the `requirements.txt` and the `pyproject.toml` next to a program without a
/// spec: which files exist, and how to use one, with `tool` as the example; `None` if there is
/// nothing to say. It accesses the disk, so a warm launch does not call it.
#[must_use]
pub fn unnamed(
    text: &SpecText,
    tool: &str,
    invocation: &Invocation,
    process: &Process,
) -> Option<String> {
    if text.kind != SpecKind::None || invocation.target == Target::Information {
        return None;
    }
    let directory = directory(&invocation.target, process)?;
    // Only a `pyproject.toml` with a project is a candidate.
    let mut files = [
        directory.join("requirements.txt"),
        directory.join("pyproject.toml"),
    ]
    .to_vec();
    files.retain(|file| {
        fs::is_file(file) && (!file.ends_with("pyproject.toml") || has_project(file))
    });
    let titles: Vec<String> = files
        .iter()
        .map(|file| format!("`{}`", file.display()))
        .collect();
    let first = files.first()?;
    // Show the first file relative to the current directory, ready to paste.
    let word = process
        .directory
        .as_deref()
        .and_then(|directory| first.strip_prefix(directory).ok())
        .unwrap_or(first);
    let word = shell_word(&word.to_string_lossy());
    Some(format!(
        "there is no spec; vpython uses {} only if named: `-vpython-spec {word}`, or `{} -vpython-tool {tool} {word}`",
        titles.join(" and "),
        program()
    ))
}

/// Returns the real script's directory, or the current one if there is no script.
fn directory(target: &Target, process: &Process) -> Option<PathBuf> {
    let Target::Script(path) = target else {
        return process.directory.clone();
    };
    let real = fs::canonicalize(&process.absolute(path)).ok()?;
    match fs::metadata(&real).ok()?? {
        metadata if metadata.is_dir() => Some(real),
        metadata if metadata.is_file() => real.parent().map(Path::to_path_buf),
        _ => process.directory.clone(),
    }
}

/// Checks whether a `pyproject.toml` describes a project: many contain only tool settings.
#[must_use]
pub fn has_project(file: &Path) -> bool {
    let bytes = fs::read_text(file, fs::limits::SPEC).unwrap_or_default();
    let table: toml::Table = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    table.contains_key("project")
}
