//! `-vpython-tool fetch`: the first directory of wheels is filled with what a spec asks for and the
//! directories lack.
//!
//! The interpreter's own pip fetches, so that index, proxy, keyring and certificates are the user's
//! own; which wheels are missing is found out here, for other platforms too, where pip would judge
//! markers by the machine that it runs on. No launch and no other tool touches the network.

mod failed;
mod network;
mod pip;
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
use crate::invocation::{self, Fetch, Invocation};
use crate::plan::{self, Facts, Lacking};
use crate::process::Process;
use crate::report::{self, Failure};
use crate::spec::{self, Dependencies, Packages, Spec};
use crate::store::Store;
use failed::bare;
use pip::{Follow, Pip};
use refused::Refused;
use system::Fetching;

/// Pip's variable for the index to ask.
const INDEX_URL: &str = "PIP_INDEX_URL";

/// Fetches what the spec of a command line lacks, and prints the files that came; a lock that no
/// longer fits is made anew. Gives the exit code, which is 1 where something came and pip cannot
/// fetch the rest.
///
/// # Errors
/// There is no place for a directory of wheels; the interpreter has no pip, or pip cannot fetch
/// anything; what it fetches does not fit.
pub fn run(options: &Fetch, invocation: &Invocation, process: &Process) -> Result<i32> {
    if options.yes && !options.prune {
        return Err(Failure::new("`--yes` of `-vpython-tool fetch` goes with `--prune`").into());
    }
    if options.here && options.prune {
        let failure =
            Failure::new("`--prune` and `--here` of `-vpython-tool fetch` do not go together");
        return Err(failure
            .because("what other platforms need would be removed")
            .into());
    }
    if options.prune {
        return prune::run(options, invocation, process);
    }
    if let Some(refusal) = invocation.conf.refusal_of_fetch() {
        return Err(refusal.into());
    }
    let (options, process) = (
        &with_site_options(options, invocation),
        &with_site_index(invocation, process),
    );
    let text = spec::find(invocation, process)?;
    // A lock that no longer fits cannot be made anew without the wheels, so these come first.
    let has_lock = text.lock_path().is_some_and(|path| fs::exists(&path));
    let is_upgrade = !options.upgrade.is_empty();
    let (mut spec, is_stale) = match text.parse(process) {
        // A lock would keep to what it pins.
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
    if !fill(options, &spec, invocation, process, &store.memo_directory())? {
        return Ok(1);
    }
    if is_upgrade {
        let is_whole = upgrade::run(options, &spec, invocation, process, &store.memo_directory())?;
        if let Some(lock) = text.lock_path().filter(|_| has_lock) {
            report::notice(&format!(
                "`{}` stays as it is; `-vpython-tool lock --upgrade` makes it anew",
                lock.display()
            ));
        }
        return Ok(i32::from(!is_whole));
    }
    if is_stale {
        lock::run(&invocation::Lock::default(), invocation, process)
    } else {
        Ok(0)
    }
}

/// The options, with the site's words for pip before the caller's, of which pip takes the last.
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

/// The process, with the site's index for pip where the caller's environment has none. As a
/// variable it loses to pip's own options.
fn with_site_index(invocation: &Invocation, process: &Process) -> Process {
    let mut process = process.clone();
    if let (Some(index), None) = (&invocation.conf.fetch_index_url, process.setting(INDEX_URL)) {
        process.environment.retain(|(name, _)| name != INDEX_URL);
        process
            .environment
            .push((INDEX_URL.into(), OsString::from(&index.value)));
    }
    process
}

/// Fetches for one system after the other until nothing is missing, or pip cannot fetch the rest;
/// that is said, and none of it is asked for twice. Gives whether nothing is missing.
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
    let mut files: Vec<PathBuf> = Vec::new();
    let mut pip = None;
    let mut in_vain = None;
    let mut refused = Refused::default();
    loop {
        // What came for one system may serve another, so what is missing is found out each time.
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
        let destination = destination.as_ref().ok_or_else(no_destination)?;
        let announcement = announcement(&system, destination);
        // Where nothing came, another process may have brought it meanwhile.
        if in_vain.as_ref() == Some(&announcement) {
            refused.add(&system, &system.requirements, nothing_came(&system));
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
        let came = Fetching {
            system: &system,
            pip,
            spec,
            destination,
            came: &files,
        }
        .run(&mut refused)?;
        in_vain = came.is_empty().then_some(announcement);
        for file in &came {
            report::print(format!("{}\n", file.display()).as_bytes())?;
        }
        files.extend(came);
    }
    if let Some(failure) = refused.failure(files.is_empty()) {
        if files.is_empty() {
            return Err(failure.into());
        }
        report::error(&failure.into());
        return Ok(false);
    }
    if files.is_empty() && options.upgrade.is_empty() {
        report::notice("nothing to fetch: all that the spec asks for is there");
    }
    Ok(true)
}

/// The directory to fill: the caller's first, else the spec's first, else that of a usual name
/// beside the spec: `wheels`, unless only `pip_packages` is there.
fn destination(spec: &Spec, invocation: &Invocation) -> Option<PathBuf> {
    let of_caller = invocation.wheels.directories.first().cloned();
    let of_spec = spec
        .wheelhouses
        .first()
        .map(|directory| directory.value.clone());
    let beside = spec.base.as_ref().and_then(|base| {
        // What another user may have put there is not filled: a launch skips it.
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
    of_caller.or(of_spec).or(beside)
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

/// Whether pip is to fetch what the wheels require too: on this machine, where the spec wants that
/// and does not pin digests, of which pip would want one for each.
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

fn nothing_came(system: &Lacking) -> Failure {
    Failure::new(format!(
        "nothing came that is missing: {}",
        report::one_line(&system.refusal)
    ))
    .because("pip found nothing, or what it found does not fit")
    .hint("`-vpython-tool verify` shows what is missing, and why")
}
