//! `-vpython-tool exec NAME`: a script of the environment is run, as its python would be.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use memchr::memmem;

use crate::exec::Handoff;
use crate::fs;
use crate::invocation::Invocation;
use crate::launch::{self, Ready};
use crate::process::Process;
use crate::report::{Failure, Kind, nearest};

/// As much of a script as is looked at.
const HEAD: u64 = 1024;
/// How each script that vpython makes movable calls the interpreter beside it.
const CALLS_PYTHON: &[u8] = br#"/python" "$0" "$@""#;

/// Becomes a script of the environment of a command line.
///
/// # Errors
/// The environment cannot be made, or has no such script.
pub fn run(invocation: &Invocation, process: &Process) -> Result<Infallible> {
    let spec = launch::find_spec(invocation, process)?;
    let Ready {
        entry, python_path, ..
    } = launch::prepare(&spec, invocation, process)?;
    let handoff = handoff(
        &entry.path,
        entry.python(),
        &invocation.words,
        &python_path,
        process,
    )?;
    launch::hand_off(&entry, handoff)
}

/// What is to be run for these words, the first of which names the script. A script for python is
/// given to the environment's interpreter at once, without the shell that would look for it.
///
/// # Errors
/// The environment has no such script.
fn handoff(
    environment: &Path,
    python: PathBuf,
    words: &[OsString],
    roots: &[PathBuf],
    process: &Process,
) -> Result<Handoff> {
    let bin = environment.join("bin");
    let (name, arguments) = words
        .split_first()
        .ok_or_else(|| without_name().hint(listed(&scripts(&bin).unwrap_or_default())))?;
    let script = find(&bin, name)?;
    let mut head = Vec::new();
    fs::open(&script)?.take(HEAD).read_to_end(&mut head)?;
    let is_for_python = head.starts_with(b"#!") && memmem::find(&head, CALLS_PYTHON).is_some();
    let words: Vec<OsString> = std::iter::once(script.clone().into_os_string())
        .chain(arguments.iter().cloned())
        .collect();
    let handoff = Handoff::into_environment(environment, python, &words, roots, process)?;
    Ok(if is_for_python {
        handoff
    } else {
        Handoff {
            program: script,
            arguments: arguments.to_vec(),
            ..handoff
        }
    })
}

fn find(bin: &Path, name: &OsStr) -> Result<PathBuf> {
    let path = bin.join(name);
    let is_name =
        !name.is_empty() && !name.as_bytes().contains(&b'/') && name != ".." && name != ".";
    if is_name && fs::metadata(&path)?.is_some_and(|metadata| is_executable(&metadata)) {
        return Ok(path);
    }
    let (name, scripts) = (name.to_string_lossy(), scripts(bin)?);
    let hint = match nearest(&name, scripts.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`? {}", listed(&scripts)),
        None => listed(&scripts),
    };
    Err(
        Failure::new(format!("the environment has no script `{name}`"))
            .hint(hint)
            .kind(Kind::NotFound)
            .into(),
    )
}

/// The error where no script is named.
#[must_use]
pub fn without_name() -> Failure {
    Failure::new("`-vpython-tool exec` needs the name of a script")
}

fn is_executable(metadata: &Metadata) -> bool {
    metadata.is_file() && fs::mode(metadata) & 0o111 != 0
}

/// What wheels have brought to `bin`, sorted. The interpreter's own names are links; what is
/// sourced by a shell cannot be executed.
fn scripts(bin: &Path) -> Result<Vec<String>> {
    let names = fs::list(bin)?.unwrap_or_default();
    let is_script = |name: &OsString| {
        fs::link_metadata(&bin.join(name))
            .is_ok_and(|metadata| metadata.as_ref().is_some_and(is_executable))
    };
    Ok(names
        .into_iter()
        .filter(is_script)
        .map(|name| name.to_string_lossy().into_owned())
        .collect())
}

fn listed(scripts: &[String]) -> String {
    if scripts.is_empty() {
        return "no wheel of the environment brings scripts".to_owned();
    }
    format!(
        "the scripts are: {}",
        scripts
            .iter()
            .map(|script| format!("`{script}`"))
            .collect::<Vec<_>>()
            .join(", ")
    )
}
