//! `upgrade --all`: updates the lock files of all native specs, as in LUCI's vpython. A spec
//! without a lock file gets none.

use std::path::Path;

use anyhow::Result;
use memchr::memmem;

use super::files::{self, Candidate};
use crate::fs;
use crate::invocation::{self, Invocation, Target, Upgrade};
use crate::process::Process;
use crate::report;
use crate::spec::{self, SpecKind, SpecText};
use crate::tool::lock;

/// Updates the lock files of native specs, each as `-vpython-tool lock` would. Reports each failure
/// and continues with the others. Returns the exit code.
///
/// # Errors
/// A path does not exist, or a directory cannot be listed.
pub(super) fn run(options: &Upgrade, invocation: &Invocation, process: &Process) -> Result<i32> {
    let (mut has_lock, mut code) = (false, 0);
    for candidate in files::find(&invocation.words, process, may_have_lock)? {
        let result = relock(&candidate, options, invocation, process);
        has_lock |= !matches!(result, Ok(None));
        match result {
            Ok(done) => code = code.max(done.unwrap_or(0)),
            Err(error) => {
                report::error(&error);
                code = code.max(report::exit_code(&error));
            }
        }
    }
    if !has_lock {
        report::notice("no native spec here has a lock file");
    }
    Ok(code)
}

/// Updates the lock file of a spec. Returns `None` if it has no lock file.
fn relock(
    candidate: &Candidate,
    options: &Upgrade,
    invocation: &Invocation,
    process: &Process,
) -> Result<Option<i32>> {
    // Act as if the command line named this spec, so that hints do too.
    let invocation = invocation.for_other(Some(candidate.path.clone()), Target::None);
    // Only native specs with a lock file are updated.
    let text = spec::find(&invocation, process)?;
    let is_native = matches!(text.kind, SpecKind::VpythonToml | SpecKind::Pep723);
    let has_lock = |text: &SpecText| text.lock_path().is_some_and(|path| fs::exists(&path));
    if !is_native || !has_lock(&text) {
        return Ok(None);
    }
    let options = invocation::Lock {
        check: options.check,
        ..invocation::Lock::default()
    };
    lock::run(&options, &invocation, process).map(Some)
}

/// Checks whether a file is named like a native spec, or is a script with a PEP 723 block.
fn may_have_lock(path: &Path) -> Result<bool> {
    if path.file_name().is_some_and(|name| name == "vpython.toml") {
        return Ok(true);
    }
    if path.extension().is_some_and(|extension| extension != "py") {
        return Ok(false);
    }
    let text = fs::read(path)?;
    let is_script = path.extension().is_some() || text.starts_with(b"#!");
    Ok(is_script && memmem::find(&text, b"# /// script").is_some())
}
