//! `-vpython-tool lock`: writes the spec's lock file atomically, and only if it differs from the
//! existing one.

mod changes;
mod sources;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pep508_rs::PackageName;

use crate::fs;
use crate::invocation::{self, Invocation, Target};
use crate::launch;
use crate::plan::lock::{BuiltToPin, Request, Upgraded, make};
use crate::process::Process;
use crate::report::{self, Failure, nearest};
use crate::spec::{self, Lock, SpecKind, SpecText};
use crate::store::Store;

/// The exit code if `--check` finds that something would change.
const WOULD_CHANGE: i32 = 1;

/// Updates the lock file of the command line's spec, prints the changes, and returns the exit code.
///
/// # Errors
/// There is no spec that can have a lock file; the spec cannot be resolved; the lock file or
/// standard output cannot be written.
pub fn run(options: &invocation::Lock, invocation: &Invocation, process: &Process) -> Result<i32> {
    let text = find_spec(invocation, process)?;
    let path = text.lock_path().ok_or_else(|| nothing_to_lock(&text))?;
    let spec = text.parse_without_lock(process)?;
    invocation.warn(text.warnings.iter().chain(&spec.warnings));
    // Read the existing lock file, whose versions are kept unless `--upgrade` names them.
    let mut skipped = Vec::new();
    let before = read_before(&path, &text, process, &mut skipped)?;
    invocation.warn(&skipped);
    let names = names(&options.upgrade, "lock")?;
    let upgraded = if options.upgrade.iter().any(String::is_empty) {
        Upgraded::All
    } else {
        Upgraded::Named(&names)
    };
    refuse_unknown(&names, before.as_ref().map(|(lock, _)| lock), &path)?;
    let store = Store::open(invocation, process)?;
    store.prepare()?;
    // The first lock file keeps the versions of a `uv.lock`, unless that no longer matches the
    // spec.
    let of_uv = if before.is_none() {
        text.uv_lock(&spec).unwrap_or_default()
    } else {
        None
    };
    let kept = before.as_ref().map(|(lock, _)| lock).or(of_uv.as_ref());
    let invocation = &*launch::with_interpreter(&spec, &store, invocation, process)?;
    // Resolve the spec, and print how the lock file changes.
    // The pins of an existing lock stay for the wheels that it still has.
    let built = if options.built {
        BuiltToPin::Read
    } else {
        BuiltToPin::Kept(kept.map(|lock| lock.built.clone()).unwrap_or_default())
    };
    let request = Request {
        text: &text,
        spec: &spec,
        before: kept,
        upgraded,
        built,
    };
    let made = make(
        &request,
        &path,
        invocation,
        process,
        &store.memo_directory(),
    );
    let of_spec = before
        .as_ref()
        .map(|(before, _)| changes::of_spec(before, &text, &spec))
        .unwrap_or_default();
    let (lock, warnings) = match made {
        // The spec has changed, so the lock file would change too, even if its new contents are
        // unknown.
        Err(error) if options.check && !of_spec.is_empty() => {
            invocation.warn(&[report::one_line(&error)]);
            return would_change(&path, &of_spec, process);
        }
        made => made?,
    };
    invocation.warn(&warnings);
    let changes = changes::between(before.as_ref(), &lock, &text, &spec);
    finish(
        &lock,
        before.as_ref().map(|(_, text)| text.as_str()),
        &changes,
        options.check,
        process,
    )
}

/// Writes the new lock file if it differs, or with `check` only prints that it would.
fn finish(
    lock: &Lock,
    before: Option<&str>,
    changes: &[String],
    check: bool,
    process: &Process,
) -> Result<i32> {
    let title = title(&lock.path, process);
    let content = lock.to_text();
    if before == Some(content.as_str()) {
        report::print(format!("{title} is up to date\n").as_bytes())?;
        return Ok(0);
    }
    if !check {
        // One that has no say has none in who may write to it either.
        let there = if before.is_some() {
            fs::metadata(&lock.path)?
        } else {
            None
        };
        let mode = there.map_or(0o644, |metadata| fs::mode(&metadata));
        fs::replace(&lock.path, content.as_bytes(), mode)?;
    }
    let (what, code) = match (check, before) {
        (false, _) => ("written", 0),
        (true, Some(_)) => return would_change(&lock.path, changes, process),
        (true, None) => ("would be written", WOULD_CHANGE),
    };
    print(&format!("{title}: {what}"), changes)?;
    Ok(code)
}

/// Prints how an existing lock file would change.
fn would_change(path: &Path, changes: &[String], process: &Process) -> Result<i32> {
    print(&format!("{}: would change", title(path, process)), changes)?;
    Ok(WOULD_CHANGE)
}

fn print(headline: &str, changes: &[String]) -> Result<()> {
    let lines = changes.iter().map(|change| format!("  {change}\n"));
    report::print(format!("{headline}\n{}", lines.collect::<String>()).as_bytes())
}

/// Finds the spec of the command line.
fn find_spec(invocation: &Invocation, process: &Process) -> Result<SpecText> {
    if let Target::Script(path) = &invocation.target {
        let path = process.absolute(path);
        if !fs::look_for(&path)? {
            return Err(
                Failure::new(format!("there is no script or spec `{}`", path.display())).into(),
            );
        }
    }
    spec::find(invocation, process)
}

/// Returns the error for a spec that cannot have a lock file.
fn nothing_to_lock(text: &SpecText) -> Failure {
    let cannot = Failure::new(match text.kind {
        SpecKind::None => "cannot lock: there is no spec".to_owned(),
        _ => format!("cannot lock {}", text.title()),
    });
    match text.kind {
        SpecKind::None => cannot.hint(
            "name a script with a `# /// script` block, a `vpython.toml` or a `requirements.txt`",
        ),
        SpecKind::Luci => cannot
            .because("it already lists its wheels with exact versions")
            .hint(format!(
                "`{} -vpython-tool upgrade` converts it to a form that can have a lock file",
                report::program()
            )),
        SpecKind::Pylock => cannot
            .because("it is itself a lock file")
            .hint("rebuild it with the tool that created it"),
        SpecKind::VpythonToml | SpecKind::Pyproject | SpecKind::Pep723 | SpecKind::Requirements => {
            cannot
                .because(
                    "a lock file is written next to the spec's file, and this spec has no file",
                )
                .hint("put the spec into a script")
        }
    }
}

/// Returns the existing lock file and its text. A lock file that another user may have put there is
/// `skipped` with a warning.
fn read_before(
    path: &Path,
    text: &SpecText,
    process: &Process,
    skipped: &mut Vec<String>,
) -> Result<Option<(Lock, String)>> {
    if fs::link_metadata(path)?.is_none() || !text.trusts_neighbour(path, process, skipped) {
        return Ok(None);
    }
    let content = String::from_utf8_lossy(&fs::read_text(path, fs::limits::LOCK)?).into_owned();
    let lock = Lock::read(path)
        .with_context(|| format!("cannot update the lock file of {}", text.title()))?;
    // Fail if the lock file belongs to another spec that exists: two specs would share one lock
    // file.
    let other = lock
        .basis
        .as_ref()
        .and_then(|basis| basis.spec.as_ref())
        .map(|name| path.with_file_name(name));
    match other.filter(|other| Some(other) != text.origin.file.as_ref() && fs::exists(other)) {
        Some(other) => Err(Failure::new(format!("cannot lock {}", text.title()))
            .because(format!(
                "`{}` is the lock file of `{}`",
                path.display(),
                other.display()
            ))
            .hint("rename one of the two specs")
            .into()),
        None => Ok(Some((lock, content))),
    }
}

/// Parses the project names after `--upgrade` of a tool.
pub(super) fn names(written: &[String], tool: &str) -> Result<Vec<PackageName>> {
    let written = written
        .iter()
        .map(|name| name.trim())
        .filter(|name| !name.is_empty());
    let name = |name: &str| {
        let what = || {
            Failure::new(format!(
                "invalid value `{name}` for `--upgrade` of `-vpython-tool {tool}`"
            ))
        };
        name.parse()
            .map_err(|_| what().because("it is not a project name").into())
    };
    written.map(name).collect()
}

/// Fails if the lock file does not contain one of the names: it is a mistake, or was not meant as a
/// project name.
fn refuse_unknown(names: &[PackageName], before: Option<&Lock>, path: &Path) -> Result<()> {
    let known: Vec<&str> = before
        .iter()
        .flat_map(|lock| &lock.packages)
        .map(|package| package.value.name.as_ref())
        .collect();
    let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_ref())) else {
        return Ok(());
    };
    let hint = match nearest(unknown.as_ref(), known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "words after `--upgrade` are project names; a script goes after `--`".to_owned(),
    };
    let what = format!(
        "cannot upgrade `{unknown}`: `{}` does not have it",
        path.display()
    );
    Err(Failure::new(what).hint(hint).into())
}

/// Returns the path as the caller would name it.
fn title(path: &Path, process: &Process) -> String {
    let directory = process
        .directory
        .clone()
        .unwrap_or_else(|| PathBuf::from("/"));
    path.strip_prefix(&directory)
        .unwrap_or(path)
        .display()
        .to_string()
}
