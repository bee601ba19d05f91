//! Fetching from the package indexes, without pip: all systems are resolved first, then the wheels
//! that no directory has are downloaded, several at a time.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use pep508_rs::PackageName;

use super::staging::{self, Staging};
use super::{destination, no_destination, upgrade};
use crate::fs;
use crate::invocation::{Fetch, Invocation, WheelhouseReference};
use crate::plan::{self, Caller, Connection, SystemWheels, Use};
use crate::process::Process;
use crate::remote::index::Timestamp;
use crate::remote::{CONNECTIONS, FileToFetch, in_parallel};
use crate::report::progress::Part;
use crate::report::{self, Failure, Progress};
use crate::spec::Spec;
use crate::tool::lock;
use crate::wheel::Metadata;

/// Fetches the wheels that a spec requires and that no directory has, and prints the new files.
/// Returns the exit code: 0 if all wheels are present, and 1 if only some could be fetched.
///
/// # Errors
/// A setting or an option is invalid, an index cannot be read, or no wheel can be fetched.
pub(super) fn run(
    options: &Fetch,
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<i32> {
    let connection = connect(options, spec, invocation, process, memo)?;
    invocation.warn(&connection.warnings);
    let names = lock::names(&options.upgrade, "fetch")?;
    if !options.upgrade.is_empty()
        && !upgrade::is_possible(&names, spec, invocation, process, memo)?
    {
        return Ok(0);
    }
    let is_upgraded =
        |name: &PackageName| options.upgrade.iter().any(String::is_empty) || names.contains(name);
    let destination = destination(spec, invocation);
    // Also if every wheel has arrived by now.
    if let Some(destination) = destination.as_deref().filter(|path| fs::exists(path)) {
        staging::remove_left_behind(destination)?;
    }
    // A directory that does not exist yet has no wheels. It is created for the first one, since an
    // empty directory `wheels` would change what launches choose.
    let invocation = &with_existing_directories(invocation);
    let spec = &with_existing_wheelhouses(spec);
    let caller = Caller {
        invocation,
        process,
        memo,
    };
    let (systems, warnings) = plan::choose_from_index(spec, &is_upgraded, &connection, caller)?;
    invocation.warn(&warnings);
    // A wheel that several systems use is fetched once.
    let mut files: BTreeMap<String, Wanted<'_>> = BTreeMap::new();
    for system in &systems {
        let remote = system.to_fetch.iter().map(Wanted::Remote);
        let local = system.to_copy.iter().map(|path| Wanted::Local(path));
        files.extend(remote.chain(local).map(|file| (file.name(), file)));
    }
    let files: Vec<Wanted<'_>> = files.into_values().collect();
    let failures = match (&files[..], destination) {
        ([], _) => Vec::new(),
        (_, None) => return Err(no_destination().into()),
        (files, Some(destination)) => fetch(files, &destination, &connection, invocation)?,
    };
    if files.is_empty() && systems.iter().all(|system| system.refusal.is_none()) {
        report::notice(if options.upgrade.is_empty() {
            "nothing to fetch: all wheels that the spec requires are present"
        } else {
            upgrade::NOTHING
        });
    }
    finish(&systems, files.len(), failures)
}

/// A wheel to fetch.
#[derive(Debug, Clone, Copy)]
enum Wanted<'a> {
    /// From a server.
    Remote(&'a FileToFetch),
    /// From a directory of pip's `find-links`.
    Local(&'a Path),
}

impl Wanted<'_> {
    fn name(&self) -> String {
        match self {
            Self::Remote(file) => file.file_name.clone(),
            Self::Local(path) => path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        }
    }

    /// Returns the size in bytes, as far as it is known, of what is to be downloaded.
    fn size(&self) -> Option<u64> {
        match self {
            Self::Remote(file) => file.size,
            Self::Local(_) => Some(0),
        }
    }

    /// Writes the file to a new path. Returns a warning if its metadata is not what its index states.
    fn write(
        &self,
        path: &Path,
        connection: &Connection,
        part: &Part<'_>,
    ) -> Result<Option<String>> {
        match self {
            Self::Remote(file) => {
                let mut sink = fs::create_new(path, 0o644)?;
                connection.download(file, &mut sink, Some(part))?;
                Ok(file.difference(|name| Metadata::of_wheel(path, name)))
            }
            Self::Local(from) => fs::copy_new(from, path).map(|()| None),
        }
    }
}

/// Returns whether a wheelhouse is on a server, or exists on disk.
fn is_there(wheelhouse: &WheelhouseReference) -> bool {
    wheelhouse.path().is_none_or(fs::exists)
}

/// Returns the command line without the wheel directories that do not exist.
fn with_existing_directories(invocation: &Invocation) -> Invocation {
    let mut invocation = invocation.clone();
    invocation.wheels.of_caller.retain(is_there);
    invocation
}

/// Returns the spec without the wheel directories that do not exist.
fn with_existing_wheelhouses(spec: &Spec) -> Spec {
    let mut spec = spec.clone();
    spec.wheelhouses.retain(|placed| is_there(&placed.value));
    spec
}

/// Connects to the indexes, with the options after `--`.
fn connect(
    options: &Fetch,
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<Connection> {
    let words = options.pip_options.iter();
    let words: Vec<String> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let limit = options.exclude_newer.as_deref().map(Timestamp::parse_limit);
    let exclude_newer = limit.transpose().map_err(|why| {
        let what = "invalid value for `--exclude-newer` of `-vpython-tool fetch`";
        Failure::new(what).because(why)
    })?;
    let has_words = !words.is_empty();
    let options = Use {
        options: words,
        is_refreshed: options.refresh,
        exclude_newer,
    };
    Connection::open(&options, spec, invocation, process, memo).map_err(|error| {
        let failure = Failure::of(&error);
        let is_unknown = failure
            .causes
            .iter()
            .any(|cause| cause.contains("unexpected argument"));
        if has_words && is_unknown {
            let hint = "with `--build`, pip fetches the wheels, and takes all of its options";
            return failure.hint(hint).into();
        }
        failure.into()
    })
}

/// Fetches files into a directory, and prints the path of each. Each file has its name as soon as it
/// is complete, whatever happens to the others. Returns the errors.
fn fetch(
    files: &[Wanted<'_>],
    destination: &Path,
    connection: &Connection,
    invocation: &Invocation,
) -> Result<Vec<anyhow::Error>> {
    let s = if files.len() == 1 { "" } else { "s" };
    report::notice(&format!(
        "fetching {} wheel{s} into `{}`",
        files.len(),
        destination.display()
    ));
    fs::create_dir_all(destination, 0o777)?;
    let staging = Staging::make(destination)?;
    let size = files.iter().filter_map(Wanted::size).sum();
    let progress = Progress::download(files.len() as u64, size);
    // The largest first, so that the last one to finish is small.
    let mut largest_first = files.to_vec();
    largest_first.sort_by(|one, other| {
        let by_size = other.size().cmp(&one.size());
        by_size.then_with(|| one.name().cmp(&other.name()))
    });
    let results = in_parallel(CONNECTIONS, &largest_first, |file| -> Result<_> {
        let (part, name) = (progress.part(file.size().unwrap_or(0)), file.name());
        let written = file.write(&staging.path().join(&name), connection, &part);
        progress.finish_file();
        let warning = written.with_context(|| format!("cannot fetch `{name}`"))?;
        Ok((staging.publish(&name, destination)?, warning))
    });
    drop(progress);
    let (mut new_files, mut failures) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok((path, warning)) => {
                invocation.warn(&warning);
                new_files.push(path);
            }
            Err(error) => failures.push(error),
        }
    }
    new_files.sort();
    for file in new_files {
        report::print(format!("{}\n", file.display()).as_bytes())?;
    }
    Ok(failures)
}

/// Reports what is still missing of `count` wheels to fetch. Returns the exit code.
fn finish(systems: &[SystemWheels], count: usize, failures: Vec<anyhow::Error>) -> Result<i32> {
    let fetched = count - failures.len();
    let refusals = systems.iter().filter_map(|system| {
        let failure = Failure::of(system.refusal.as_ref()?);
        let is_only_one = systems.len() == 1;
        let platform = (!is_only_one).then(|| format!("the platform is {}", system.title));
        Some(failure.because_of(platform).into())
    });
    let mut errors: Vec<anyhow::Error> = failures.into_iter().chain(refusals).collect();
    let last = if fetched == 0 { errors.pop() } else { None };
    errors.iter().for_each(report::error);
    match last {
        // Nothing was fetched: the errors are those of the run, whose last one sets the exit code.
        Some(error) => Err(error),
        None => Ok(i32::from(!errors.is_empty())),
    }
}
