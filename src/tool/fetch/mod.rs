//! `-vpython-tool fetch`: downloads the wheels that a spec requires and that are missing into the
//! first wheel directory.
//!
//! They come from the package indexes that pip's configuration, the spec or the caller names
//! (`native`). With `--build`, the interpreter's own pip fetches them, and builds wheels from
//! sources; vpython determines which wheels are missing, because pip evaluates markers only for the
//! machine that it runs on.

mod failed;
mod indexes;
mod native;
mod network;
mod pip;
mod pip_process;
mod prune;
mod refused;
mod staging;
mod system;
mod upgrade;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::lock;
use crate::fs;
use crate::interpreter::Facts;
use crate::invocation::{self, Fetch, Invocation, WheelhouseReference};
use crate::launch;
use crate::plan::{self, Lacking};
use crate::process::Process;
use crate::report::{self, Failure};
use crate::spec::{self, Dependencies, Packages, Spec};
use crate::store::Store;
use failed::bare;
use indexes::{refusal_of_elsewhere, with_indexes};
use pip::{Follow, Pip};
use refused::Refused;
use system::Fetching;

/// Fetches the missing wheels of the spec of a command line, and prints the new files. Updates a
/// lock file that no longer matches its spec. Returns the exit code, which is 1 if only some of the
/// missing wheels could be fetched.
///
/// # Errors
/// There is no directory to fetch wheels into; nothing can be fetched; with `--build`, the
/// interpreter has no pip; the fetched wheels do not satisfy the spec.
pub fn run(options: &Fetch, invocation: &Invocation, process: &Process) -> Result<i32> {
    if options.yes && !options.prune {
        return Err(Failure::new("`--yes` of `-vpython-tool fetch` requires `--prune`").into());
    }
    if options.here && options.prune {
        let failure =
            Failure::new("`--prune` and `--here` of `-vpython-tool fetch` cannot be used together");
        return Err(failure
            .because("what other platforms need would be removed")
            .into());
    }
    if options.build && (options.refresh || options.exclude_newer.is_some()) {
        let what =
            "`--refresh` and `--exclude-newer` of `-vpython-tool fetch` do not apply to `--build`";
        let why = "pip has its own cache, and an option of its own: `-- --uploaded-prior-to DATE`";
        return Err(Failure::new(what).because(why).into());
    }
    if options.prune {
        return prune::run(options, invocation, process);
    }
    if let Some(refusal) = invocation.conf.refusal_of_fetch() {
        return Err(refusal.into());
    }
    if invocation.fetching == invocation::Fetching::Offline {
        let failure = Failure::new("`-vpython-tool fetch` uses the network, which is forbidden");
        return Err(failure.because(invocation::WHY_OFFLINE).into());
    }
    let text = spec::find(invocation, process)?;
    // A stale lock file cannot be updated without the wheels, so fetch them first.
    let has_lock = text.lock_path().is_some_and(|path| fs::exists(&path));
    let is_upgrade = !options.upgrade.is_empty();
    let (mut spec, is_stale) = match text.parse(invocation, process) {
        // With the lock file, only the pinned versions would be fetched.
        _ if has_lock && is_upgrade => (text.parse_without_lock(process)?, false),
        Err(_) if has_lock => (text.parse_without_lock(process)?, true),
        parsed => (parsed?, false),
    };
    if options.here {
        spec = Spec {
            platforms: Vec::new(),
            verify_tags: Vec::new(),
            ..spec
        };
    }
    invocation.warn(text.warnings.iter().chain(&spec.warnings));
    invocation.warn(&spec::unnamed(&text, "fetch", invocation, process));
    let store = Store::open(invocation, process)?;
    store.prepare()?;
    let memo = &store.memo_directory();
    let here = launch::with_fetched_interpreter(&spec, &store, invocation, process)?;
    let invocation = &*here;
    let code = if options.build {
        let options = &with_site_options(options, invocation);
        let process = &with_indexes(options, &spec, invocation, process)?;
        i32::from(!fill(options, &spec, invocation, process, memo)?)
    } else {
        native::run(options, &spec, invocation, process, memo)?
    };
    if code != 0 {
        return Ok(code);
    }
    // Everything that was missing is present: upgrade, or update the lock file.
    if is_upgrade {
        let is_complete =
            !options.build || upgrade::run(options, &spec, invocation, process, memo)?;
        if let Some(lock) = text.lock_path().filter(|_| has_lock) {
            report::notice(&format!(
                "`{}` is unchanged; `{} --upgrade` updates it",
                lock.display(),
                invocation.command_of_lock()
            ));
        }
        return Ok(i32::from(!is_complete));
    }
    if is_stale {
        lock::run(&invocation::Lock::default(), invocation, process)
    } else {
        Ok(0)
    }
}

/// Returns the options, with the site's pip options before the caller's. pip uses the last one.
fn with_site_options(options: &Fetch, invocation: &Invocation) -> Fetch {
    let of_site = invocation
        .conf
        .fetch_pip_options
        .iter()
        .flat_map(|words| words.value.iter().map(OsString::from));
    let pip_options = of_site.chain(options.pip_options.iter().cloned()).collect();
    Fetch {
        pip_options,
        ..options.clone()
    }
}

/// Fetches for one system after the other until no wheel is missing or pip cannot fetch the rest.
/// Reports what pip cannot fetch, and does not try it twice. Returns whether all wheels are
/// present.
fn fill(
    options: &Fetch,
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<bool> {
    let destination = destination(spec, invocation);
    if let Some(destination) = &destination {
        fs::create_dir_all(destination, 0o777)?;
        staging::remove_left_behind(destination)?;
    }
    // Each round fetches for the first system that still lacks wheels.
    let mut files: Vec<PathBuf> = Vec::new();
    let mut pip = None;
    let mut last_without_files = None;
    let mut refused = Refused::default();
    loop {
        // A wheel that was fetched for one system may fit another, so determine the missing wheels
        // again each time.
        let shortfall = plan::shortfall(spec, invocation, process, memo)?;
        shortfall
            .broken
            .iter()
            .for_each(|(title, error)| refused.add_system(title, error));
        let Some(system) = shortfall
            .lacking
            .into_iter()
            .find_map(|system| refused.without(system))
        else {
            break;
        };
        if let Some((lines, failure)) = refusal_of_elsewhere(&system.requirements, spec) {
            report::notice(&report::one_line(&failure.clone().into()));
            refused.add(&system, &lines, failure);
            continue;
        }
        let destination = destination.as_ref().ok_or_else(no_destination)?;
        let announcement = announcement(&system, destination);
        // If pip fetched nothing, try once more: another process may have added the wheels.
        if last_without_files.as_ref() == Some(&announcement) {
            refused.add(&system, &system.requirements, nothing_fetched(&system));
            continue;
        }
        report::notice(&announcement);
        let pip = match &mut pip {
            Some(pip) => pip,
            none => none.insert(Pip::of(
                &shortfall.here,
                &options.pip_options,
                invocation,
                process,
            )?),
        };
        let new_files = Fetching {
            system: &system,
            pip,
            spec,
            destination,
            already_fetched: &files,
        }
        .run(&mut refused)?;
        last_without_files = new_files.is_empty().then_some(announcement);
        for file in &new_files {
            report::print(format!("{}\n", file.display()).as_bytes())?;
        }
        files.extend(new_files);
    }
    // Report what pip could not fetch.
    if let Some(failure) = refused.failure(files.is_empty()) {
        if files.is_empty() {
            return Err(failure.into());
        }
        report::error(&failure.into());
        return Ok(false);
    }
    if files.is_empty() && options.upgrade.is_empty() {
        report::notice("nothing to fetch: all wheels that the spec requires are present");
    }
    Ok(true)
}

/// Returns the directory to fetch wheels into: the first one of the caller, else the first one of
/// the spec, else a conventional one next to the spec: `wheels`, unless only `pip_packages` exists.
fn destination(spec: &Spec, invocation: &Invocation) -> Option<PathBuf> {
    let of_caller = invocation.wheels.of_caller.iter();
    let of_spec = spec.wheelhouses.iter().map(|placed| &placed.value);
    let named = of_caller
        .chain(of_spec)
        .find_map(WheelhouseReference::directory)
        .map(Path::to_path_buf);
    let conventional = spec.base.as_ref().and_then(|base| {
        // Skip a directory that another user controls, as a launch does.
        let is_trusted = |path: &PathBuf| spec.trust.stranger_on_way(path, base).is_none();
        let [wheels, pip_packages] =
            ["wheels", "pip_packages"].map(|name| Some(base.join(name)).filter(is_trusted));
        let is_there = |path: &Option<PathBuf>| path.as_deref().is_some_and(fs::exists);
        if !is_there(&wheels) && is_there(&pip_packages) {
            pip_packages
        } else {
            wheels
        }
    });
    named.or(conventional)
}

fn no_destination() -> Failure {
    Failure::new("there is no directory to fetch wheels into")
        .hint("name one with `-vpython-wheels`")
}

fn announcement(system: &Lacking, destination: &Path) -> String {
    let named = system
        .requirements
        .iter()
        .map(|line| bare(line))
        .collect::<Vec<_>>()
        .join(", ");
    format!(
        "fetching into `{}`: {named} ({})",
        destination.display(),
        system.title
    )
}

/// Returns whether pip should also fetch the requirements of the wheels. It does so only on this
/// machine, if the spec allows it and does not pin digests: pip would need a digest for each wheel.
fn follow(system: &Facts, spec: &Spec) -> Follow {
    match &spec.packages {
        Packages::Required(requirements)
            if requirements.dependencies == Dependencies::Followed
                && !requirements.hashes_required
                && !system.is_elsewhere() =>
        {
            Follow::Dependencies
        }
        _ => Follow::Nothing,
    }
}

fn pre_releases(spec: &Spec) -> bool {
    matches!(&spec.packages, Packages::Required(requirements) if requirements.pre_releases)
}

fn nothing_fetched(system: &Lacking) -> Failure {
    Failure::new(format!(
        "pip fetched none of the missing wheels: {}",
        report::one_line(&system.refusal)
    ))
    .because("pip found no wheels, or none that are compatible")
    .hint("`-vpython-tool verify` shows which wheels are missing, and why")
}
