//! Making a lock: what a spec comes to on each of its platforms, as one lock for all of them.
//!
//! Each platform is resolved by itself, with the python of this machine. Platforms that no marker
//! tells apart, as two versions of a C library are, must come to the same versions. Where the
//! directories of wheels lie and in which order makes no difference.

mod identity;
mod packages;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use pep440_rs::Version;
use pep508_rs::PackageName;

use super::resolve;
use super::wheelhouse::Wheelhouse;
use super::{Evidence, Facts, PlannedWheel, interpreter};
use crate::invocation::Invocation;
use crate::process::Process;
use crate::report::{Failure, progress};
use crate::spec::{
    Basis, Located, Location, Lock, LockForm, Packages, PythonRange, Requirements, Spec, SpecText,
};
use identity::Identity;

/// What is to be locked.
pub struct Request<'a> {
    /// The text of the spec.
    pub text: &'a SpecText,
    /// The spec, without the lock that it has.
    pub spec: &'a Spec,
    /// The lock that is made anew. Its versions stay where they will do, and so does its python.
    pub before: Option<&'a Lock>,
    /// What need not stay.
    pub upgraded: Upgraded<'a>,
}

/// What of a lock need not stay as it is when it is made anew.
#[derive(Debug, Clone, Copy)]
pub enum Upgraded<'a> {
    /// The versions of these projects.
    Named(&'a [PackageName]),
    /// All versions, and the python.
    All,
}

/// What a spec comes to on one of its platforms.
struct Answer {
    target: Facts,
    wheels: Vec<PlannedWheel>,
}

/// Makes the lock that a spec has at `path`, and gives it with what its maker should know, a
/// sentence each. `memo` is the store's directory for facts that can be found again.
///
/// # Errors
/// The spec leaves no choice; no interpreter satisfies it; on one of its platforms no set of wheels
/// does.
pub fn make(
    request: &Request<'_>,
    path: &Path,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<(Lock, Vec<String>)> {
    let Packages::Required(requirements) = &request.spec.packages else {
        return Err(
            Failure::new(format!("{} lists its wheels already", request.text.title())).into(),
        );
    };
    let mut evidence = Evidence::default();
    let interpreter = find_interpreter(request, invocation, process, memo, &mut evidence)?;
    progress::phase("choosing the wheels");
    let mut wheelhouse = Wheelhouse::open(request.spec, invocation, memo, &mut evidence)?;
    let mut answers = Vec::new();
    for target in targets(request.spec, &interpreter)? {
        let preferred = preferred(request, &target, &answers);
        let requirements = Requirements {
            preferred,
            ..requirements.clone()
        };
        let wheels = resolve::resolve(&requirements, &target, &mut wheelhouse, &mut evidence);
        let wheels = wheels.with_context(|| {
            format!(
                "cannot lock {} for {}",
                request.text.title(),
                target.title()
            )
        })?;
        let answer = Answer { target, wheels };
        refuse_indistinguishable(&answer, &answers)?;
        answers.push(answer);
    }
    let place = Location {
        file: Some(path.to_path_buf()),
        line: 1,
        column: 1,
    };
    let lock = Lock {
        form: LockForm::Pylock,
        path: path.to_path_buf(),
        requires_python: Some(Located {
            value: python_range(&interpreter),
            place: place.clone(),
        }),
        environments: identity::environments(&answers, &place),
        packages: packages::of(&answers, request.spec, &mut wheelhouse, &place)?,
        basis: Some(Basis::of(request.text, request.spec, requirements)),
        bound: None,
        warnings: Vec::new(),
    };
    wheelhouse.remember();
    Ok((lock, evidence.warnings))
}

/// The interpreter of the lock as it is, where there still is one for the spec, else the spec's.
fn find_interpreter(
    request: &Request<'_>,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
    evidence: &mut Evidence,
) -> Result<Facts> {
    let of_spec = request.spec;
    if let (Some(lock), Upgraded::Named(_)) = (request.before, request.upgraded) {
        let kept = lock.python_range(of_spec.requires_python.as_ref());
        let kept = Spec {
            requires_python: kept,
            ..Spec::default()
        };
        if let Ok(found) = interpreter::find(invocation, &kept, process, Some(memo), evidence) {
            return Ok(found);
        }
    }
    interpreter::find(invocation, of_spec, process, Some(memo), evidence)
}

/// The minor version that the wheels and their requirements were looked at for.
fn python_range(interpreter: &Facts) -> PythonRange {
    let [major, minor, _] = interpreter.release;
    let version = Version::new([u64::from(major), u64::from(minor)]);
    let specifiers = pep440_rs::VersionSpecifier::equals_star_version(version).into();
    PythonRange {
        specifiers,
        key: "requires-python",
        written: format!("=={major}.{minor}.*"),
    }
}

/// The platforms of the spec, and this one unless one of them stands for it.
fn targets(spec: &Spec, here: &Facts) -> Result<Vec<Facts>> {
    let mut targets: Vec<Facts> = spec
        .targets()?
        .iter()
        .map(|target| here.for_target(&target.value))
        .collect();
    if !targets
        .iter()
        .any(|target| Identity::of(target) == Identity::of(here))
    {
        targets.push(here.clone());
    }
    Ok(targets)
}

/// The versions to take where they will do: of the lock that is made anew, and of platforms that
/// must come to the same.
fn preferred(
    request: &Request<'_>,
    target: &Facts,
    answers: &[Answer],
) -> BTreeMap<PackageName, Version> {
    let mut preferred = BTreeMap::new();
    if let (Some(lock), Upgraded::Named(upgraded)) = (request.before, request.upgraded) {
        let packages = lock.packages.iter().map(|package| &package.value);
        let kept = packages.filter(|package| {
            package.is_wanted(&target.markers) && !upgraded.contains(&package.name)
        });
        preferred.extend(
            kept.filter_map(|package| Some((package.name.clone(), package.version.clone()?))),
        );
    }
    for answer in answers
        .iter()
        .filter(|answer| Identity::of(&answer.target) == Identity::of(target))
    {
        preferred.extend(
            answer
                .wheels
                .iter()
                .map(|wheel| (wheel.name.clone(), wheel.version.clone())),
        );
    }
    preferred
}

/// Two platforms that no marker tells apart cannot have different versions.
fn refuse_indistinguishable(answer: &Answer, answers: &[Answer]) -> Result<()> {
    let mut others = answers
        .iter()
        .filter(|other| Identity::of(&other.target) == Identity::of(&answer.target));
    let Some((other, differences)) = others.find_map(|other| {
        let differences = differences(&other.wheels, &answer.wheels);
        (!differences.is_empty()).then_some((other, differences))
    }) else {
        return Ok(());
    };
    let (one, other) = (other.target.title(), answer.target.title());
    let causes = differences.into_iter().map(|(name, versions)| {
        let [one_version, other_version] =
            versions.map(|version| version.map_or("missing".to_owned(), Version::to_string));
        format!("`{name}` would be {one_version} for {one}, and {other_version} for {other}")
    });
    Err(
        Failure::new("two platforms would have different wheels, and no marker tells them apart")
            .because_of(causes)
            .hint("ask for a version that has wheels for both")
            .into(),
    )
}

/// The projects of which two plans have not the same version.
fn differences<'a>(
    one: &'a [PlannedWheel],
    other: &'a [PlannedWheel],
) -> BTreeMap<&'a PackageName, [Option<&'a Version>; 2]> {
    let mut versions: BTreeMap<&PackageName, [Option<&Version>; 2]> = BTreeMap::new();
    for (side, wheels) in [one, other].into_iter().enumerate() {
        for wheel in wheels {
            versions.entry(&wheel.name).or_default()[side] = Some(&wheel.version);
        }
    }
    versions.retain(|_, [one, other]| one != other);
    versions
}
