//! Specs that are used only where they are named, and stand beside a program that has none: its
//! author may think that they are used.

use std::path::{Path, PathBuf};

use super::{SpecKind, SpecText};
use crate::fs;
use crate::invocation::{Invocation, Target};
use crate::process::Process;
use crate::report::{program, shell_word};

/// What to say of the `requirements.txt` and the `pyproject.toml` beside a program without a spec:
/// which there are, and how one is used, with `tool` as the example. None where there is nothing to
/// say. This looks at the disk, and so is nothing for a warm launch.
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
    let word = process
        .directory
        .as_deref()
        .and_then(|directory| first.strip_prefix(directory).ok())
        .unwrap_or(first);
    let word = shell_word(&word.to_string_lossy());
    let (are, one) = if titles.len() == 1 {
        ("is", "it is")
    } else {
        ("are", "one is")
    };
    Some(format!(
        "there is no spec; {} {are} there, and used only where {one} named: `-vpython-spec {word}`, or `{} -vpython-tool {tool} {word}`",
        titles.join(" and "),
        program()
    ))
}

/// The real script's directory; the current one where there is no script.
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

/// Whether a `pyproject.toml` is a project's: many hold nothing but the settings of tools.
#[must_use]
pub fn has_project(file: &Path) -> bool {
    let bytes = fs::read_text(file, fs::limits::SPEC).unwrap_or_default();
    let table: toml::Table = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    table.contains_key("project")
}
