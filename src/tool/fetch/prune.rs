//! `fetch --prune`: removes the wheels that no spec or lock file in the spec's own directory needs.
//!
//! vpython cannot know all specs that use a wheel directory, so it considers those next to the
//! spec, which share `wheels` and `pip_packages`. If one of them cannot be read, or one of its
//! wheels is missing, it may need any wheel, so nothing is removed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use memchr::memmem;

use super::{destination, no_destination};
use crate::fs;
use crate::invocation::{Fetch, Invocation, Target, WheelhouseReference};
use crate::launch;
use crate::plan;
use crate::process::Process;
use crate::report::{self, Failure};
use crate::spec::{self, Spec, SpecKind};
use crate::store::Store;

/// Removes the unneeded wheels, and prints them. Returns the exit code, which is 1 if the wheels
/// are only listed because the user did not or cannot confirm.
///
/// # Errors
/// There is no spec; one of the specs cannot be resolved; a wheel cannot be removed.
pub(super) fn run(options: &Fetch, invocation: &Invocation, process: &Process) -> Result<i32> {
    if !options.upgrade.is_empty() {
        return Err(Failure::new(
            "`--prune` and `--upgrade` of `-vpython-tool fetch` cannot be used together",
        )
        .into());
    }
    let text = spec::find(invocation, process)?;
    if text.kind == SpecKind::None {
        let failure = Failure::new(
            "`-vpython-tool fetch --prune` needs a spec; without one, every wheel would count as unused",
        );
        return Err(failure
            .hint(format!(
                "name it, as in `{} -vpython-tool fetch requirements.txt --prune`",
                report::program()
            ))
            .into());
    }
    // Collect the wheels that this spec needs, and then those of the specs next to it.
    let spec = text.parse(invocation, process)?;
    let store = Store::open(invocation, process)?;
    store.prepare()?;
    let directory = destination(&spec, invocation).ok_or_else(no_destination)?;
    let mut needed = taken_by(&text.title(), &spec, invocation, process, &store)?;
    for other in text
        .base
        .as_deref()
        .map(specs_in)
        .transpose()?
        .unwrap_or_default()
    {
        let title = format!("`{}`", other.path().display());
        let (spec, target) = match other {
            Other::Spec(path) => (Some(path), Target::None),
            Other::Script(path) => (None, Target::Script(path)),
        };
        let invocation = invocation.for_other(spec, target);
        let spec = spec::find(&invocation, process)
            .and_then(|text| text.parse(&invocation, process))
            .with_context(|| cannot_determine(&title))?;
        if uses(&spec, &invocation, &directory) {
            needed.extend(taken_by(&title, &spec, &invocation, process, &store)?);
        }
    }
    // Everything else in the directory that is named like a wheel is unneeded.
    let names = fs::list(&directory)?.unwrap_or_default().into_iter();
    let is_wheel = |name: &OsString| {
        Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "whl")
    };
    let unneeded = names.filter(|name| is_wheel(name) && !needed.contains(name));
    let unneeded: Vec<PathBuf> = unneeded
        .map(|name| directory.join(name))
        .filter(|path| fs::is_file(path))
        .collect();
    remove(&unneeded, &directory, options.yes)
}

/// Removes the wheels if the user agrees, and only lists them otherwise.
fn remove(wheels: &[PathBuf], directory: &Path, is_agreed: bool) -> Result<i32> {
    let directory = directory.display();
    if wheels.is_empty() {
        report::notice(&format!(
            "nothing to remove: each wheel in `{directory}` is needed"
        ));
        return Ok(0);
    }
    let count = if wheels.len() == 1 {
        "1 wheel is".to_owned()
    } else {
        format!("{} wheels are", wheels.len())
    };
    // Without `--yes`, list the wheels and ask on a terminal.
    if !is_agreed {
        report::notice(&format!("{count} not needed in `{directory}`:"));
        for wheel in wheels {
            report::notice(&format!(
                "  {}",
                wheel.file_name().unwrap_or_default().display()
            ));
        }
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            report::notice("nothing was removed; `--yes` removes them");
            return Ok(1);
        }
        report::notice("remove them? [y/N]");
        let mut answer = String::new();
        std::io::stdin()
            .read_line(&mut answer)
            .context("cannot read the answer")?;
        if !matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
            report::notice("nothing was removed");
            return Ok(1);
        }
    }
    // Print each wheel once it is removed.
    for wheel in wheels {
        fs::remove_file(wheel)?;
        report::print(format!("{}\n", wheel.display()).as_bytes())?;
    }
    Ok(0)
}

fn taken_by(
    title: &str,
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    store: &Store,
) -> Result<BTreeSet<OsString>> {
    let needed = launch::with_interpreter(spec, store, invocation, process)
        .and_then(|here| plan::taken(spec, &here, process, &store.memo_directory()));
    needed.with_context(|| cannot_determine(title))
}

fn cannot_determine(title: &str) -> String {
    format!("cannot determine which wheels {title} needs; nothing was removed")
}

/// Checks whether a spec uses wheels from a directory.
fn uses(spec: &Spec, invocation: &Invocation, directory: &Path) -> bool {
    let of_spec = spec.wheelhouses.iter().map(|placed| &placed.value);
    let of_caller = invocation.wheels.of_caller.iter();
    let named = of_caller
        .chain(of_spec)
        .filter_map(WheelhouseReference::directory)
        .map(Path::to_path_buf);
    let conventional = spec
        .base
        .iter()
        .flat_map(|base| ["wheels", "pip_packages"].map(|name| base.join(name)));
    let mut directories = named.chain(conventional);
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let directory = real(directory);
    directories.any(|other| real(&other) == directory)
}

/// A file that may need wheels.
enum Other {
    /// A spec or a lock file, by its name.
    Spec(PathBuf),
    /// A script that may have a block.
    Script(PathBuf),
}

impl Other {
    fn path(&self) -> &Path {
        match self {
            Self::Spec(path) | Self::Script(path) => path,
        }
    }

    /// Classifies a file. Returns `None` if it needs no wheels.
    fn of(path: PathBuf) -> Result<Option<Self>> {
        if is_spec(&path) {
            return Ok(Some(Self::Spec(path)));
        }
        let extension = path.extension().unwrap_or_default();
        if extension != "py" && !extension.is_empty() {
            return Ok(None);
        }
        let content = fs::read(&path)?;
        let is_script = extension == "py" || content.starts_with(b"#!");
        let has_guard = |guard: &str| memmem::find(&content, guard.as_bytes()).is_some();
        let has_block = is_script && (has_guard("# /// script") || has_guard("[VPYTHON:BEGIN]"));
        Ok(has_block.then_some(Self::Script(path)))
    }
}

/// Returns the specs, the lock files and the scripts with a block in a directory.
fn specs_in(base: &Path) -> Result<Vec<Other>> {
    let names = fs::list(base)?.unwrap_or_default();
    let paths = names
        .into_iter()
        .map(|name| base.join(name))
        .filter(|path| fs::is_file(path));
    paths
        .filter_map(|path| Other::of(path).transpose())
        .collect()
}

/// Checks whether a file is named like a spec or a lock file.
fn is_spec(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_of = |extension: &str| path.extension().is_some_and(|found| found == extension);
    name == "vpython.toml"
        || is_of("vpython3")
        || is_of("vpython")
        || matches!(&*name, ".vpython3" | ".vpython")
        || name.starts_with("requirements") && is_of("txt")
        || name == "pylock.toml"
        || name.starts_with("pylock.") && is_of("toml")
        || name == "pyproject.toml" && spec::has_project(path)
}
