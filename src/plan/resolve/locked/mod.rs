//! Resolves a lock file to wheels: for each package that applies on the interpreter, the file that
//! matches it best, identified by its digest. The steps are those of
//! <https://packaging.python.org/en/latest/specifications/pylock-toml/#installation>.
//!
//! The choice depends only on the lock file and the interpreter, and not on the wheel directories:
//! a missing file is an error even if another file of the same version is present.

mod choice;
mod lock_error;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use anyhow::{Error, Result};
use pep440_rs::Version;
use pep508_rs::{PackageName, VersionOrUrl};

use super::wheel_filter::WheelFilter;
use crate::interpreter::{Facts, Tags};
use crate::plan;
use crate::plan::wheelhouse::{WheelFile, Wheelhouse};
use crate::plan::{Evidence, PlannedWheel, RequiredBy};
use crate::report::Failure;
use crate::spec::{Located, Lock, LockedPackage, Requirement};
use choice::Choice;
use lock_error::LockProblem;

/// Returns the wheels of a lock file, sorted by project, and those whose files are missing or have
/// another digest, if any. An environment that was built from them before is still valid then.
///
/// # Errors
/// The lock file is not for this interpreter, or a package has no file for it. The error lists all
/// problems, including missing files and files with another digest.
pub(in crate::plan) fn resolve(
    lock: &Lock,
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
    evidence: &mut Evidence,
) -> Result<(Vec<PlannedWheel>, Option<plan::Unavailable>)> {
    let Selection { choices, problems } = select(lock, interpreter, wheelhouse)?;
    let is_all_of_files = problems.iter().all(LockProblem::is_of_file);
    let unavailable = (!problems.is_empty())
        .then(|| lock_error::explain(problems, lock, interpreter, wheelhouse));
    // Wheels without a file are planned from the lock file alone.
    let (found, absent): (Vec<Choice<'_>>, Vec<Choice<'_>>) = choices
        .into_iter()
        .partition(|choice| choice.file.is_some());
    let without_file = absent.iter().map(|choice| *choice.sha256()).collect();
    let required_by = Origins::of(lock, interpreter);
    let absent = absent
        .into_iter()
        .map(|choice| choice.without_file(lock, &required_by))
        .collect();
    let found = found
        .into_iter()
        .filter_map(|choice| Some((choice.file?, required_by.of_package(choice.package))));
    match unavailable {
        Some(failure) if !is_all_of_files => Err(failure.into()),
        unavailable => {
            let found = super::plan(
                found.collect(),
                WheelFilter::new(interpreter, wheelhouse),
                evidence,
            )?;
            let mut wheels: Vec<PlannedWheel> = [found, absent].concat();
            wheels.sort_by(|one, other| one.name.cmp(&other.name));
            let unavailable = unavailable.map(|failure| plan::Unavailable {
                failure,
                wheels: without_file,
            });
            Ok((wheels, unavailable))
        }
    }
}

/// The result of the check of one package of a lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) enum Verdict {
    /// The package does not apply on the interpreter.
    Unwanted,
    /// The wheel of this version is used.
    Fits(Version),
    /// The package has no compatible wheel, or the wheel is not in any wheel directory.
    Missing,
    /// The wheel has another digest.
    WrongHash,
    /// The lock file as a whole cannot be used.
    Unknown,
}

/// Checks each package of a lock file, in its order. Also returns the error of a launch, if there
/// is one.
pub(in crate::plan) fn verify(
    lock: &Lock,
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
) -> (Vec<Verdict>, Option<Error>) {
    let Selection { choices, problems } = match select(lock, interpreter, wheelhouse) {
        Ok(selection) => selection,
        Err(error) => return (vec![Verdict::Unknown; lock.packages.len()], Some(error)),
    };
    // A name may occur several times in a lock file, so packages are identified by their addresses.
    let problem_of: HashMap<*const Located<LockedPackage>, &LockProblem<'_>> = problems
        .iter()
        .map(|problem| (std::ptr::from_ref(problem.package()), problem))
        .collect();
    let choice_of: HashMap<*const Located<LockedPackage>, &Choice<'_>> = choices
        .iter()
        .map(|choice| (std::ptr::from_ref(choice.package), choice))
        .collect();
    let verdict = |package: &Located<LockedPackage>| {
        let package = std::ptr::from_ref(package);
        match (problem_of.get(&package), choice_of.get(&package)) {
            (Some(LockProblem::OtherBytes { .. }), _) => Verdict::WrongHash,
            (Some(_), _) => Verdict::Missing,
            (None, Some(choice)) => Verdict::Fits(choice.name.version.clone()),
            (None, None) => Verdict::Unwanted,
        }
    };
    let verdicts = lock.packages.iter().map(verdict).collect();
    let is_fine = problems.is_empty();
    let refusal =
        (!is_fine).then(|| lock_error::explain(problems, lock, interpreter, wheelhouse).into());
    (verdicts, refusal)
}

/// The files of a lock file that are not in any wheel directory.
pub(in crate::plan) struct Unavailable {
    /// The requirements to fetch from an index, each with the digest of the locked file.
    pub requirements: Vec<String>,
    /// Files with these names that have another digest.
    pub other_bytes: Vec<PathBuf>,
    /// The error of a launch.
    pub refusal: Option<Error>,
}

/// Finds the files of a lock file that are not in any wheel directory.
///
/// # Errors
/// The lock file is not for this interpreter.
pub(in crate::plan) fn to_fetch(
    lock: &Lock,
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
) -> Result<Unavailable> {
    let Selection { problems, .. } = select(lock, interpreter, wheelhouse)?;
    let mut requirements = Vec::new();
    let mut other_bytes = Vec::new();
    // A file with another digest is fetched again, too.
    for problem in &problems {
        if let LockProblem::Missing { package, wheel }
        | LockProblem::OtherBytes { package, wheel, .. } = problem
        {
            requirements.push(format!(
                "{} --hash=sha256:{}",
                package.value.title(),
                wheel.value.sha256
            ));
        }
        if let LockProblem::OtherBytes { path, .. } = problem {
            other_bytes.push(path.clone());
        }
    }
    let is_fine = problems.is_empty();
    let refusal =
        (!is_fine).then(|| lock_error::explain(problems, lock, interpreter, wheelhouse).into());
    Ok(Unavailable {
        requirements,
        other_bytes,
        refusal,
    })
}

/// The files that a lock file selects for an interpreter.
struct Selection<'a> {
    /// The choice for each package that has a compatible file.
    choices: Vec<Choice<'a>>,
    problems: Vec<LockProblem<'a>>,
}

/// Selects the files for an interpreter, and finds them in the wheel directories.
fn select<'a>(
    lock: &'a Lock,
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
) -> Result<Selection<'a>> {
    refuse_other_environment(lock, interpreter)?;
    let wanted = wanted(lock, interpreter)?;
    refuse_unsatisfied(lock, &wanted, interpreter)?;
    let tags = Tags::of(interpreter);
    // Choose one file for each package.
    let mut selection = Selection {
        choices: Vec::new(),
        problems: Vec::new(),
    };
    for package in wanted.into_values() {
        match Choice::of(package, interpreter, &tags) {
            Ok(choice) => selection.choices.push(choice),
            Err(problem) => selection.problems.push(problem),
        }
    }
    for choice in &selection.choices {
        // This makes the bundled wheels available to `Wheelhouse::named`.
        wheelhouse.bundled(&choice.package.value.name, &interpreter.bundled);
    }
    offer_by_url(&selection.choices, wheelhouse)?;
    // Compute all digests at once, on all processors; they are cached afterwards.
    let files: Vec<WheelFile> = selection
        .choices
        .iter()
        .flat_map(|choice| wheelhouse.named(&choice.name))
        .collect();
    wheelhouse.digests(&files)?;
    for choice in &mut selection.choices {
        match choice.find(wheelhouse)? {
            Ok(file) => choice.file = Some(file),
            Err(problem) => selection.problems.push(problem),
        }
    }
    Ok(selection)
}

/// Offers the files that no directory has with the locked digest, by the URLs in the lock file, by
/// those of servers that have wheels by digest, or by those of the indexes, if these are used.
///
/// # Errors
/// A file or an index cannot be read.
fn offer_by_url(choices: &[Choice<'_>], wheelhouse: &mut Wheelhouse) -> Result<()> {
    if wheelhouse.of_indexes().is_none() {
        return Ok(());
    }
    for choice in choices {
        let present = wheelhouse.named(&choice.name);
        if wheelhouse.digests(&present)?.contains(choice.sha256()) {
            continue;
        }
        let by_digest = wheelhouse.url_by_digest(choice.sha256());
        match choice.file_to_fetch(by_digest) {
            Some(file) => wheelhouse.offer(&choice.name, file),
            None => wheelhouse.list_on_index(&choice.name.project),
        }
    }
    wheelhouse.take_index_failure().map_or(Ok(()), Err)
}

/// Refuses an interpreter that matches none of the environments that a lock file names.
fn refuse_other_environment(lock: &Lock, interpreter: &Facts) -> Result<()> {
    let mut environments = lock.environments.iter();
    if lock.environments.is_empty()
        || environments.any(|environment| environment.value.holds(&interpreter.markers))
    {
        return Ok(());
    }
    let environments = lock.environments.iter();
    let environments =
        environments.map(|known| format!("it is for `{}` ({})", known.value.written, known.place));
    Err(Failure::new(format!(
        "the lock file `{}` is not for {}",
        lock.path.display(),
        interpreter.title()
    ))
    .because_of(environments)
    .hint(lock_error::how_to_lock_for_another(lock))
    .into())
}

/// The packages that apply on an interpreter, by project.
type Wanted<'a> = BTreeMap<&'a PackageName, &'a Located<LockedPackage>>;

/// Returns the packages that apply on an interpreter, one for each project.
fn wanted<'a>(lock: &'a Lock, interpreter: &Facts) -> Result<Wanted<'a>> {
    let mut wanted: Wanted<'a> = BTreeMap::new();
    let mut twice = Vec::new();
    for package in lock
        .packages
        .iter()
        .filter(|package| package.value.is_wanted(&interpreter.markers))
    {
        // A project may be locked several times, but for different environments.
        if let Some(first) = wanted.insert(&package.value.name, package) {
            twice.push(format!(
                "`{}` is locked in {} and in {}",
                package.value.name, first.place, package.place
            ));
        }
    }
    if twice.is_empty() {
        return Ok(wanted);
    }
    let what = format!(
        "the lock file `{}` lists a project twice for {}",
        lock.path.display(),
        interpreter.title()
    );
    Err(Failure::new(what).because_of(twice).into())
}

/// Checks that a lock file covers the requirements of its spec. For a lock file that vpython
/// created, the recorded inputs show this; for one of another tool, only this check does.
fn refuse_unsatisfied(lock: &Lock, wanted: &Wanted<'_>, interpreter: &Facts) -> Result<()> {
    let asked = lock.bound.iter().flat_map(|bound| &bound.asked);
    let asked = asked.filter(|asked| {
        crate::spec::holds(&asked.value.requirement.marker, &interpreter.markers, &[])
    });
    let unsatisfied = asked.filter_map(|asked| {
        let requirement = &asked.value.requirement;
        let found = wanted
            .get(&requirement.name)
            .map(|package| package.value.version.as_ref());
        // A package without a version satisfies every requirement.
        let place = &asked.place;
        match (found, &requirement.version_or_url) {
            (None, _) => Some(format!(
                "it has no `{}` (required in {place})",
                requirement.name
            )),
            (Some(Some(version)), Some(VersionOrUrl::VersionSpecifier(range)))
                if !range.contains(version) =>
            {
                Some(format!(
                    "it has version {version}, which does not satisfy `{requirement}` (required in {place})"
                ))
            }
            (Some(_), _) => None,
        }
    });
    let unsatisfied: Vec<String> = unsatisfied.collect();
    if unsatisfied.is_empty() {
        Ok(())
    } else {
        Err(lock.stale(unsatisfied).into())
    }
}

/// The origins of the packages of a lock file: the requirements of its spec on the project, or else
/// the lock file.
struct Origins {
    is_bound: bool,
    of_spec: HashMap<PackageName, Vec<RequiredBy>>,
}

impl Origins {
    fn of(lock: &Lock, interpreter: &Facts) -> Self {
        let mut of_spec: HashMap<PackageName, Vec<RequiredBy>> = HashMap::new();
        for asked in lock.bound.iter().flat_map(|bound| &bound.asked) {
            let Requirement { name, marker, .. } = &asked.value.requirement;
            if crate::spec::holds(marker, &interpreter.markers, &[]) {
                of_spec
                    .entry(name.clone())
                    .or_default()
                    .push(RequiredBy::Spec(asked.place.clone()));
            }
        }
        Self {
            is_bound: lock.bound.is_some(),
            of_spec,
        }
    }

    fn of_package(&self, package: &Located<LockedPackage>) -> Vec<RequiredBy> {
        let of_spec = self.of_spec.get(&package.value.name).cloned();
        let by_itself = || {
            if self.is_bound {
                RequiredBy::Lock(package.place.clone())
            } else {
                RequiredBy::Spec(package.place.clone())
            }
        };
        of_spec.unwrap_or_else(|| vec![by_itself()])
    }
}
