//! `-vpython-tool fetch`: the first folder of wheels is filled with what a spec asks for and the folders lack.
//!
//! The interpreter's own pip fetches, so that index, proxy, keyring and certificates are the user's own; which wheels are missing is found
//! out here, for other platforms too, where pip would judge markers by the machine that it runs on. No launch and no other tool
//! touches the network.

mod pip;
mod prune;
mod staging;
mod upgrade;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
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
use pip::{Follow, Pip};
use staging::Staging;

/// Pip's variable for the index to ask.
const INDEX_URL: &str = "PIP_INDEX_URL";

/// Fetches what the spec of a command line lacks, and prints the files that came; a lock that no longer fits is made anew. Gives the exit
/// code, which is 1 where something came and pip cannot fetch the rest.
///
/// # Errors
/// There is no place for a folder of wheels; the interpreter has no pip, or pip cannot fetch anything; what it fetches does not fit.
pub fn run(options: &Fetch, invocation: &Invocation, process: &Process) -> Result<i32> {
    if options.yes && !options.prune {
        return Err(Failure::new("`--yes` of `-vpython-tool fetch` goes with `--prune`").into());
    }
    if options.prune {
        return prune::run(options, invocation, process);
    }
    if let Some(refusal) = invocation.conf.refusal_of_fetch() {
        return Err(refusal.into());
    }
    let (options, process) = (&with_site_options(options, invocation), &with_site_index(invocation, process));
    let text = spec::find(invocation, process)?;
    // A lock that no longer fits cannot be made anew without the wheels, so these come first.
    let has_lock = text.lock_path().is_some_and(|path| fs::exists(&path));
    let is_upgrade = !options.upgrade.is_empty();
    let (spec, is_stale) = match text.parse(process) {
        // A lock would keep to what it pins.
        _ if has_lock && is_upgrade => (text.parse_without_lock(process)?, false),
        Err(_) if has_lock => (text.parse_without_lock(process)?, true),
        parsed => (parsed?, false),
    };
    invocation.warn(text.warnings.iter().chain(&spec.warnings));
    invocation.warn(&spec::unnamed(&text, "fetch", invocation, process));
    let store = Store::open(invocation, process)?;
    store.prepare()?;
    if !fill(options, &spec, invocation, process, &store.memo_folder())? {
        return Ok(1);
    }
    if is_upgrade {
        let is_whole = upgrade::run(options, &spec, invocation, process, &store.memo_folder())?;
        if let Some(lock) = text.lock_path().filter(|_| has_lock) {
            report::notice(&format!("`{}` stays as it is; `-vpython-tool lock --upgrade` makes it anew", lock.display()));
        }
        return Ok(i32::from(!is_whole));
    }
    if is_stale { lock::run(&invocation::Lock::default(), invocation, process) } else { Ok(0) }
}

/// The options, with the site's words for pip before the caller's, of which pip takes the last.
fn with_site_options(options: &Fetch, invocation: &Invocation) -> Fetch {
    let of_site = invocation.conf.fetch_pip_options.iter().flat_map(|words| words.value.iter().map(OsString::from));
    let pip_options = of_site.chain(options.pip_options.iter().cloned()).collect();
    Fetch { pip_options, ..options.clone() }
}

/// The process, with the site's index for pip where the caller's environment has none. As a variable it loses to pip's own options.
fn with_site_index(invocation: &Invocation, process: &Process) -> Process {
    let mut process = process.clone();
    if let (Some(index), None) = (&invocation.conf.fetch_index_url, process.setting(INDEX_URL)) {
        process.environment.retain(|(name, _)| name != INDEX_URL);
        process.environment.push((INDEX_URL.into(), OsString::from(&index.value)));
    }
    process
}

/// Fetches until nothing is missing, or pip cannot fetch the rest; that is said, and none of it is asked for twice. Gives whether
/// nothing is missing.
fn fill(options: &Fetch, spec: &Spec, invocation: &Invocation, process: &Process, memo: &Path) -> Result<bool> {
    let destination = destination(spec, invocation);
    if let Some(destination) = &destination {
        fs::create_dir_all(destination, 0o777)?;
        staging::remove_left_behind(destination)?;
    }
    let mut files: Vec<PathBuf> = Vec::new();
    let mut in_vain = None;
    let mut refused = Refused::default();
    loop {
        let shortfall = plan::shortfall(spec, invocation, process, memo)?;
        let lacking: Vec<Lacking> = shortfall.lacking.into_iter().filter_map(|system| refused.without(system)).collect();
        let Some(first) = lacking.first() else { break };
        let destination = destination.as_ref().ok_or_else(no_destination)?;
        let announcement = announcement(&lacking, destination);
        // Where nothing came, somebody else may have brought it meanwhile.
        if in_vain.as_ref() == Some(&announcement) {
            return Err(nothing_came(first).into());
        }
        report::notice(&announcement);
        let pip = Pip::of(&shortfall.here.executable, options, process)?;
        let mut came = Vec::new();
        for system in &lacking {
            let known = [&files[..], &came].concat();
            came.extend(fetch(system, &pip, spec, destination, &known, &mut refused)?);
        }
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

/// What pip cannot fetch.
#[derive(Default)]
struct Refused {
    /// Each with the title of its system.
    requirements: Vec<(String, String)>,
    /// What was said of the first.
    first: Option<Failure>,
}

impl Refused {
    fn add(&mut self, system: &Lacking, requirement: &str, failure: Failure) {
        self.requirements.push((system.title.clone(), requirement.to_owned()));
        self.first.get_or_insert(failure);
    }

    /// What a system lacks besides; none where that is nothing.
    fn without(&self, mut system: Lacking) -> Option<Lacking> {
        let is_refused = |one: &String| self.requirements.iter().any(|(title, known)| *title == system.title && known == one);
        system.requirements.retain(|requirement| !is_refused(requirement));
        (!system.requirements.is_empty()).then_some(system)
    }

    /// The error, which lists them; a single one that was all that is missing is its own.
    fn failure(self, nothing_came: bool) -> Option<Failure> {
        let first = self.first?;
        if nothing_came && self.requirements.len() == 1 {
            return Some(first);
        }
        let rest = self.requirements.iter().map(|(title, requirement)| format!("{} ({title})", bare(requirement)));
        let what = if nothing_came { "pip cannot fetch what is missing" } else { "pip cannot fetch all that is missing" };
        let failure = Failure::new(what).because_of(rest);
        Some(Failure { hint: first.hint, ..failure })
    }
}

/// The folder to fill: the caller's first, else the spec's first, else that of a usual name beside the spec: `wheels`, unless only
/// `pip_packages` is there.
fn destination(spec: &Spec, invocation: &Invocation) -> Option<PathBuf> {
    let of_caller = invocation.wheels.folders.first().cloned();
    let of_spec = spec.wheelhouses.first().map(|folder| folder.value.clone());
    let beside = spec.base.as_ref().map(|base| {
        let [wheels, pip_packages] = ["wheels", "pip_packages"].map(|name| base.join(name));
        if !fs::exists(&wheels) && fs::exists(&pip_packages) { pip_packages } else { wheels }
    });
    of_caller.or(of_spec).or(beside)
}

fn no_destination() -> Failure {
    Failure::new("there is no folder to fetch wheels into").hint("name one with `-vpython-wheels`")
}

fn announcement(lacking: &[Lacking], destination: &Path) -> String {
    let named = |system: &Lacking| system.requirements.iter().map(|line| bare(line)).collect::<Vec<_>>().join(", ");
    let systems = lacking.iter().map(|system| format!("{} ({})", named(system), system.title));
    format!("fetching into `{}`: {}", destination.display(), systems.collect::<Vec<_>>().join("; "))
}

/// A line of a requirements file without its digests.
fn bare(line: &str) -> &str {
    line.split(" --hash").next().unwrap_or_default()
}

/// Fetches what is missing on one system: together, and where pip cannot do that, each by itself, so that one does not keep the others
/// away.
fn fetch(
    system: &Lacking,
    pip: &Pip<'_>,
    spec: &Spec,
    destination: &Path,
    came: &[PathBuf],
    refused: &mut Refused,
) -> Result<Vec<PathBuf>> {
    let together = match fetch_lines(&system.requirements, system, pip, spec, destination, came)? {
        Ok(files) => return Ok(files),
        Err(failure) => failure,
    };
    if let [requirement] = &system.requirements[..] {
        refused.add(system, requirement, together);
        return Ok(Vec::new());
    }
    report::notice("pip cannot fetch these together; fetching each by itself");
    let mut files = Vec::new();
    for requirement in &system.requirements {
        let known = [came, &files[..]].concat();
        match fetch_lines(std::slice::from_ref(requirement), system, pip, spec, destination, &known)? {
            Ok(more) => files.extend(more),
            Err(failure) => refused.add(system, requirement, failure),
        }
    }
    Ok(files)
}

/// Fetches some of what is missing on one system. What is there already is kept to, if that can be. A file with other bytes than are
/// pinned is replaced; pip has held what comes in its place against the digest. None of those that `came` before is.
fn fetch_lines(
    requirements: &[String],
    system: &Lacking,
    pip: &Pip<'_>,
    spec: &Spec,
    destination: &Path,
    came: &[PathBuf],
) -> Result<Result<Vec<PathBuf>, Failure>> {
    let staging = Staging::make(destination)?;
    let names = |paths: &[PathBuf]| paths.iter().filter_map(|path| path.file_name().map(OsStr::to_owned)).collect();
    let (other_bytes, came): (BTreeSet<OsString>, BTreeSet<OsString>) = (names(&system.other_bytes), names(came));
    let lines: Vec<String> = requirements.iter().map(|requirement| with_hashes(requirement, spec)).collect();
    let mut folders = spec.wheelhouses.iter().map(|folder| folder.value.as_path()).chain([destination]).collect::<Vec<_>>();
    // pip would take the file that is there.
    folders.retain(|folder| !system.other_bytes.iter().any(|path| path.parent() == Some(*folder)));
    let request = pip::Request {
        system: &system.facts,
        lines: &lines,
        kept: &system.present,
        folders: &folders,
        pre_releases: pre_releases(spec),
    };
    let follow = follow(&system.facts, spec);
    let mut fetched = pip.fetch(&request, follow, staging.path())?;
    if fetched.is_err() && follow == Follow::Dependencies && !system.present.is_empty() {
        fetched = pip.fetch(&pip::Request { kept: &[], ..request }, follow, staging.path())?;
    }
    if let Err(failure) = fetched {
        return Ok(Err(failure));
    }
    staging.move_in(destination, &other_bytes.difference(&came).map(OsString::as_os_str).collect()).map(Ok)
}

/// Whether pip is to fetch what the wheels require too: on this machine, where the spec wants that and does not pin digests, of which pip
/// would want one for each.
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

/// A line of a requirements file, with the digests that the spec pins for the project.
fn with_hashes(requirement: &str, spec: &Spec) -> String {
    let Packages::Required(requirements) = &spec.packages else { return requirement.to_owned() };
    let Ok(asked) = crate::spec::parse_requirement(requirement) else { return requirement.to_owned() };
    let pinned = requirements.asked.iter().chain(&requirements.constraints).map(|placed| &placed.value);
    let hashes = pinned.filter(|pinned| pinned.requirement.name == asked.name).flat_map(|pinned| &pinned.hashes);
    hashes.fold(requirement.to_owned(), |line, hash| format!("{line} --hash=sha256:{hash}"))
}

fn nothing_came(system: &Lacking) -> Failure {
    Failure::new(format!("nothing came that is missing: {}", report::one_line(&system.refusal)))
        .because("pip found nothing, or what it found does not fit")
        .hint("`-vpython-tool verify` shows what is missing, and why")
}
