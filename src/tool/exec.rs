//! `-vpython-tool exec NAME`: runs a script of the environment, in the same way as its python.

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

/// The number of bytes to read from the beginning of a script.
const HEAD: u64 = 1024;
/// The text by which each script that vpython made relocatable calls the interpreter next to it.
const CALLS_PYTHON: &[u8] = br#"/python" "$0" "$@""#;

/// Replaces this process with a script of the environment of a command line.
///
/// # Errors
/// The environment cannot be built, or has no such script.
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

/// Returns the handoff for these words, the first of which names the script. For a Python script
/// it names the environment's interpreter directly, without the shell that would find it.
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
        .ok_or_else(|| missing_script_name().hint(listed(&scripts(&bin).unwrap_or_default())))?;
    let script = find(&bin, name)?;
    let mut head = Vec::new();
    fs::open(&script)?.take(HEAD).read_to_end(&mut head)?;
    // vpython's own scripts start with a shell stub that looks for the interpreter.
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

/// Finds a script by name. The error lists the available scripts.
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

/// Returns the error for a command line that names no script.
#[must_use]
pub fn missing_script_name() -> Failure {
    Failure::new("`-vpython-tool exec` needs the name of a script")
}

fn is_executable(metadata: &Metadata) -> bool {
    metadata.is_file() && fs::mode(metadata) & 0o111 != 0
}

/// Returns the scripts that wheels installed into `bin`, sorted. The interpreter's own names are
/// links, and the activation scripts are not executable, so neither are included.
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
        return "no wheel in the environment installs scripts".to_owned();
    }
    format!(
        "the available scripts are {}",
        scripts
            .iter()
            .map(|script| format!("`{script}`"))
            .collect::<Vec<_>>()
            .join(", ")
    )
}
