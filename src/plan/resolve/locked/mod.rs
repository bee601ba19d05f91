//! The wheels of a lock: for each package that is wanted on the interpreter the one file that fits
//! it best, by its digest, and nothing else. The steps are those of
//! <https://packaging.python.org/en/latest/specifications/pylock-toml/#installation>.
//!
//! Which file that is depends on the lock and the interpreter alone, and not on what lies in the
//! directories: a file that is missing is missing, also where another of the same version is at
//! hand.

mod lock_error;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use anyhow::{Error, Result};
use pep440_rs::Version;
use pep508_rs::{PackageName, VersionOrUrl};

use super::compatibility::WheelFilter;
use crate::plan::wheelhouse::{WheelFile, WheelName, Wheelhouse};
use crate::plan::{Evidence, Facts, PlannedWheel, RequiredBy, Tags};
use crate::report::Failure;
use crate::spec::{Located, Lock, LockedPackage, LockedWheel, Requirement};
use lock_error::{Digests, Trouble};

/// The wheels of a lock, sorted by project, and why they cannot be installed, where the file of one
/// is missing or another. An environment that was made of them before is none the worse for that.
///
/// # Errors
/// The lock is not for this interpreter; a package has no file for it: all that is wrong, and each
/// file that is missing or another too.
pub(in crate::plan) fn resolve(
    lock: &Lock,
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
    evidence: &mut Evidence,
) -> Result<(Vec<PlannedWheel>, Option<Failure>)> {
    let Following { choices, troubles } = follow(lock, interpreter, wheelhouse)?;
    let is_all_of_files = troubles.iter().all(Trouble::is_of_file);
    let unavailable = (!troubles.is_empty())
        .then(|| lock_error::explain(troubles, lock, interpreter, wheelhouse));
    let (found, absent): (Vec<Choice<'_>>, Vec<Choice<'_>>) = choices
        .into_iter()
        .partition(|choice| choice.file.is_some());
    let required_by = Askers::of(lock, interpreter);
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
            Ok((wheels, unavailable))
        }
    }
}

/// What comes of a package of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) enum Verdict {
    /// It is not wanted here.
    Unwanted,
    /// Its wheel of this version is taken.
    Fits(Version),
    /// It has no wheel for the interpreter, or that is in no directory.
    Missing,
    /// Its wheel has other bytes.
    WrongHash,
    /// The lock cannot be followed at all.
    Unknown,
}

/// What comes of each package of a lock, in its order, and why the lock cannot be followed, if so.
pub(in crate::plan) fn verify(
    lock: &Lock,
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
) -> (Vec<Verdict>, Option<Error>) {
    let Following { choices, troubles } = match follow(lock, interpreter, wheelhouse) {
        Ok(following) => following,
        Err(error) => return (vec![Verdict::Unknown; lock.packages.len()], Some(error)),
    };
    let trouble_of: HashMap<*const Located<LockedPackage>, &Trouble<'_>> = troubles
        .iter()
        .map(|trouble| (std::ptr::from_ref(trouble.package()), trouble))
        .collect();
    let choice_of: HashMap<*const Located<LockedPackage>, &Choice<'_>> = choices
        .iter()
        .map(|choice| (std::ptr::from_ref(choice.package), choice))
        .collect();
    let verdict = |package: &Located<LockedPackage>| {
        let package = std::ptr::from_ref(package);
        match (trouble_of.get(&package), choice_of.get(&package)) {
            (Some(Trouble::OtherBytes { .. }), _) => Verdict::WrongHash,
            (Some(_), _) => Verdict::Missing,
            (None, Some(choice)) => Verdict::Fits(choice.name.version.clone()),
            (None, None) => Verdict::Unwanted,
        }
    };
    let verdicts = lock.packages.iter().map(verdict).collect();
    let is_fine = troubles.is_empty();
    let refusal =
        (!is_fine).then(|| lock_error::explain(troubles, lock, interpreter, wheelhouse).into());
    (verdicts, refusal)
}

/// What of a lock is in no directory.
pub(in crate::plan) struct Unavailable {
    /// What to ask an index for: lines of a requirements file, with the digest of the very file.
    pub requirements: Vec<String>,
    /// Files of these names that have other bytes.
    pub other_bytes: Vec<PathBuf>,
    /// Why the lock cannot be followed, if so.
    pub refusal: Option<Error>,
}

/// Finds the files of a lock that are in no directory.
///
/// # Errors
/// The lock is not for this interpreter.
pub(in crate::plan) fn to_fetch(
    lock: &Lock,
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
) -> Result<Unavailable> {
    let Following { troubles, .. } = follow(lock, interpreter, wheelhouse)?;
    let mut requirements = Vec::new();
    let mut other_bytes = Vec::new();
    for trouble in &troubles {
        if let Trouble::Missing { package, wheel } | Trouble::OtherBytes { package, wheel, .. } =
            trouble
        {
            requirements.push(format!(
                "{} --hash=sha256:{}",
                package.value.title(),
                wheel.value.sha256
            ));
        }
        if let Trouble::OtherBytes { path, .. } = trouble {
            other_bytes.push(path.clone());
        }
    }
    let is_fine = troubles.is_empty();
    let refusal =
        (!is_fine).then(|| lock_error::explain(troubles, lock, interpreter, wheelhouse).into());
    Ok(Unavailable {
        requirements,
        other_bytes,
        refusal,
    })
}

/// How far a lock can be followed.
struct Following<'a> {
    /// The file of each package that has one for the interpreter.
    choices: Vec<Choice<'a>>,
    troubles: Vec<Trouble<'a>>,
}

fn follow<'a>(
    lock: &'a Lock,
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
) -> Result<Following<'a>> {
    refuse_other_environment(lock, interpreter)?;
    let wanted = wanted(lock, interpreter)?;
    refuse_unsatisfied(lock, &wanted, interpreter)?;
    let tags = Tags::of(interpreter);
    let mut following = Following {
        choices: Vec::new(),
        troubles: Vec::new(),
    };
    for package in wanted.into_values() {
        match Choice::of(package, interpreter, &tags) {
            Ok(choice) => following.choices.push(choice),
            Err(trouble) => following.troubles.push(trouble),
        }
    }
    for choice in &following.choices {
        // So that they are found by their names.
        wheelhouse.bundled(&choice.package.value.name, &interpreter.bundled);
    }
    // All at once, on all processors; after that they are known.
    let files: Vec<WheelFile> = following
        .choices
        .iter()
        .flat_map(|choice| wheelhouse.named(&choice.name))
        .collect();
    wheelhouse.digests(&files)?;
    for choice in &mut following.choices {
        match choice.find(wheelhouse)? {
            Ok(file) => choice.file = Some(file),
            Err(trouble) => following.troubles.push(trouble),
        }
    }
    Ok(following)
}

/// A lock that names environments is for these alone.
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
        "the lock `{}` is not for {}",
        lock.path.display(),
        interpreter.title()
    ))
    .because_of(environments)
    .hint(lock_error::how_to_lock_for_another(lock))
    .into())
}

/// The packages that are wanted, by their projects.
type Wanted<'a> = BTreeMap<&'a PackageName, &'a Located<LockedPackage>>;

/// The packages that are wanted on an interpreter, one of each project.
fn wanted<'a>(lock: &'a Lock, interpreter: &Facts) -> Result<Wanted<'a>> {
    let mut wanted: Wanted<'a> = BTreeMap::new();
    let mut twice = Vec::new();
    for package in lock
        .packages
        .iter()
        .filter(|package| package.value.is_wanted(&interpreter.markers))
    {
        if let Some(first) = wanted.insert(&package.value.name, package) {
            twice.push(format!(
                "`{}` is wanted in {} and in {}",
                package.value.name, first.place, package.place
            ));
        }
    }
    if twice.is_empty() {
        return Ok(wanted);
    }
    let what = format!(
        "the lock `{}` has a project twice for {}",
        lock.path.display(),
        interpreter.title()
    );
    Err(Failure::new(what).because_of(twice).into())
}

/// A lock must have what the spec asks for that it binds. One that vpython made says that of
/// itself; one of another tool does not.
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
        let has = match (found, &requirement.version_or_url) {
            (None, _) => format!("nothing of `{}`", requirement.name),
            (Some(Some(version)), Some(VersionOrUrl::VersionSpecifier(range)))
                if !range.contains(version) =>
            {
                version.to_string()
            }
            (Some(_), _) => return None,
        };
        Some(format!(
            "`{requirement}` is required ({}), and it has {has}",
            asked.place
        ))
    });
    let unsatisfied: Vec<String> = unsatisfied.collect();
    if unsatisfied.is_empty() {
        Ok(())
    } else {
        Err(lock.stale(unsatisfied).into())
    }
}

/// The file that a package has for the interpreter.
struct Choice<'a> {
    package: &'a Located<LockedPackage>,
    wheel: &'a Located<LockedWheel>,
    name: WheelName,
    /// Where it is, once it was found.
    file: Option<WheelFile>,
}

impl<'a> Choice<'a> {
    /// The wheel of the best tag; of several the one with the highest build tag.
    fn of(
        package: &'a Located<LockedPackage>,
        interpreter: &Facts,
        tags: &Tags,
    ) -> Result<Self, Trouble<'a>> {
        let value = &package.value;
        if let Some(range) = value
            .requires_python
            .as_ref()
            .filter(|range| !range.contains(interpreter.version()))
        {
            return Err(Trouble::OtherPython { package, range });
        }
        let mut ranked = Vec::new();
        let mut misfits = Vec::new();
        for wheel in &value.wheels {
            let name = parse_name(value, &wheel.value).map_err(|why| Trouble::BadName {
                package,
                wheel,
                why,
            })?;
            match name.rank(tags) {
                Some(rank) => ranked.push((
                    rank,
                    Self {
                        package,
                        wheel,
                        name,
                        file: None,
                    },
                )),
                None => misfits.push(name.misfit(tags)),
            }
        }
        ranked.sort_by_cached_key(|(rank, choice)| {
            (
                *rank,
                Reverse(choice.name.build.clone()),
                choice.wheel.value.file_name.clone(),
            )
        });
        ranked
            .into_iter()
            .next()
            .map(|(_, choice)| choice)
            .ok_or(Trouble::NoWheel { package, misfits })
    }

    /// The file of that name and of those digests, from the first directory that has it; or what is
    /// wrong with the first file of that name.
    fn find(&self, wheelhouse: &mut Wheelhouse) -> Result<Result<WheelFile, Trouble<'a>>> {
        let mut other = None;
        for file in wheelhouse.named(&self.name) {
            let Some(digests) = self.difference(&file, wheelhouse)? else {
                return Ok(Ok(file));
            };
            let path = wheelhouse.path(&file);
            other.get_or_insert(Trouble::OtherBytes {
                package: self.package,
                wheel: self.wheel,
                path,
                digests,
            });
        }
        Ok(Err(other.unwrap_or(Trouble::Missing {
            package: self.package,
            wheel: self.wheel,
        })))
    }

    /// The first digest that a file has otherwise than the lock; none where all that the lock has
    /// are right.
    fn difference(&self, file: &WheelFile, wheelhouse: &mut Wheelhouse) -> Result<Option<Digests>> {
        let LockedWheel {
            sha256,
            long_digests,
            ..
        } = &self.wheel.value;
        let digest = wheelhouse.digests(std::slice::from_ref(file))?[0];
        if digest != *sha256 {
            return Ok(Some(Digests {
                name: "sha256",
                found: digest.to_string(),
                locked: sha256.to_string(),
            }));
        }
        for (kind, locked) in long_digests {
            let found = kind.of_file(&wheelhouse.path(file))?;
            if found != *locked {
                return Ok(Some(Digests {
                    name: kind.name(),
                    found,
                    locked: locked.clone(),
                }));
            }
        }
        Ok(None)
    }

    /// The wheel as the lock alone tells of it.
    fn without_file(self, lock: &Lock, required_by: &Askers) -> PlannedWheel {
        let LockedWheel {
            file_name,
            path,
            size,
            sha256,
            long_digests: _,
        } = &self.wheel.value;
        PlannedWheel {
            name: self.name.project,
            version: self.name.version,
            path: path
                .clone()
                .unwrap_or_else(|| lock.path.with_file_name(file_name)),
            size: size.unwrap_or_default(),
            sha256: *sha256,
            required_by: required_by.of_package(self.package),
        }
    }
}

/// Who asks for the packages of a lock: of each the requirements of the spec that the lock binds,
/// where there are any of its project, else the lock.
struct Askers {
    is_bound: bool,
    of_spec: HashMap<PackageName, Vec<RequiredBy>>,
}

impl Askers {
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

/// What the name of a locked file says; it must be that of its package.
fn parse_name(package: &LockedPackage, wheel: &LockedWheel) -> Result<WheelName, String> {
    let name = WheelName::parse(&wheel.file_name)?;
    let is_ours = name.project == package.name
        && package
            .version
            .as_ref()
            .is_none_or(|version| *version == name.version);
    is_ours
        .then_some(name)
        .ok_or_else(|| match &package.version {
            Some(version) => format!("it is locked as `{}` {version}", package.name),
            None => format!("it is locked as `{}`", package.name),
        })
}
