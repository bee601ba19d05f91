//! Creates a lock: the plans of a spec for each of its platforms, merged into one lock.
//!
//! Each platform is resolved separately, with the python of this machine. Platforms that no marker
//! distinguishes, such as two versions of a C library, must resolve to the same versions. The
//! location and order of the wheel directories make no difference.

mod identity;
mod packages;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use pep440_rs::Version;
use pep508_rs::PackageName;

use super::built::in_wheelhouses;
use super::resolve;
use super::wheelhouse::Wheelhouse;
use super::{Evidence, PlannedWheel, connect};
use crate::interpreter::Facts;
use crate::invocation::Invocation;
use crate::process::Process;
use crate::report::{Failure, progress};
use crate::spec::{
    Basis, BuiltPins, Located, Location, Lock, LockForm, LockedPackage, LockedWheel, Packages,
    PythonRange, Requirements, Spec, SpecText,
};
use identity::Identity;

/// The input of a lock.
pub struct Request<'a> {
    /// The text of the spec.
    pub text: &'a SpecText,
    /// The spec, without the lock that it has.
    pub spec: &'a Spec,
    /// The existing lock. Its versions are kept where the spec still allows them, and so are its
    /// python and the URLs of its wheels.
    pub before: Option<&'a Lock>,
    /// The parts of it to upgrade.
    pub upgraded: Upgraded<'a>,
    /// The built wheels to pin, as far as the lock has their wheels.
    pub built: BuiltToPin,
}

/// The built wheels to pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuiltToPin {
    /// Those of the existing lock.
    Kept(BuiltPins),
    /// Those of image layouts and, where the caller permits the network, of registries.
    Read,
}

/// The parts of an existing lock that are upgraded.
#[derive(Debug, Clone, Copy)]
pub enum Upgraded<'a> {
    /// The versions of these projects.
    Named(&'a [PackageName]),
    /// All versions and the python.
    All,
}

/// The plan of a spec for one of its platforms.
struct PlatformPlan {
    target: Facts,
    wheels: Vec<PlannedWheel>,
}

/// Creates the lock of a spec for `path`, and returns it with warnings, one sentence each. `memo`
/// is the store's directory for cached facts.
///
/// # Errors
/// The spec already lists its wheels, no interpreter satisfies it, or for one of its platforms no
/// set of wheels does.
pub fn make(
    request: &Request<'_>,
    path: &Path,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<(Lock, Vec<String>)> {
    let Packages::Required(requirements) = &request.spec.packages else {
        return Err(
            Failure::new(format!("{} already lists its wheels", request.text.title())).into(),
        );
    };
    let mut evidence = Evidence::default();
    let interpreter = find_interpreter(request, invocation, process, memo, &mut evidence)?;
    progress::phase("choosing the wheels");
    let mut wheelhouse = Wheelhouse::open(request.spec, invocation, memo, &mut evidence)?;
    let mut connection = None;
    if request.spec.may_fetch(invocation) {
        let opened = connect(request.spec, invocation, process, memo)?;
        evidence.passing.extend(opened.warnings.iter().cloned());
        opened.attach_to(&mut wheelhouse, memo, &mut evidence)?;
        opened.attach_registries(&mut wheelhouse)?;
        connection = Some(opened);
    }
    let mut plans = Vec::new();
    // Resolve each platform in turn; earlier results are preferred for later platforms.
    for target in targets(request.spec, &interpreter)? {
        let preferred = preferred(request, &target, &plans);
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
        let plan = PlatformPlan { target, wheels };
        refuse_indistinguishable(&plan, &plans)?;
        plans.push(plan);
    }
    // Merge the plans. All entries share the location of the lock file.
    let place = Location {
        file: Some(path.to_path_buf()),
        line: 1,
        column: 1,
    };
    let packages = packages::of(&plans, request, &mut wheelhouse, &place)?;
    let built = match &request.built {
        BuiltToPin::Kept(pins) => pins.clone(),
        BuiltToPin::Read => {
            let pins = in_wheelhouses(request.spec, invocation, connection.as_ref())?;
            evidence.warnings.extend(pins.is_empty().then(|| {
                let has_registry = wheelhouse.has_servers() && connection.is_none();
                warning_of_none(has_registry)
            }));
            pins
        }
    };
    let lock = Lock {
        form: LockForm::Pylock,
        path: path.to_path_buf(),
        requires_python: Some(Located {
            value: python_range(&interpreter),
            place: place.clone(),
        }),
        environments: identity::environments(&plans, &place),
        built: built_of(&packages, &built),
        packages,
        basis: Some(Basis::of(request.text, request.spec, requirements)),
        bound: None,
        warnings: Vec::new(),
    };
    evidence.warnings.extend(wheelhouse.remarks_on_indexes());
    wheelhouse.remember();
    Ok((lock, [evidence.passing, evidence.warnings].concat()))
}

/// Returns the warning for wheelhouses without built wheels.
fn warning_of_none(has_unread_registry: bool) -> String {
    let why = if has_unread_registry {
        "; a registry is only read with `-vpython-fetch`"
    } else {
        ""
    };
    format!(
        "no image layout or registry among the wheelhouses has built wheels; `push --built` puts them into one{why}"
    )
}

/// Returns the pins of the wheels in these packages.
fn built_of(packages: &[Located<LockedPackage>], pins: &BuiltPins) -> BuiltPins {
    let wheels = packages.iter().flat_map(|package| &package.value.wheels);
    let pin = |wheel: &Located<LockedWheel>| {
        let sha256 = wheel.value.sha256;
        Some((sha256, pins.get(&sha256)?.clone()))
    };
    wheels.filter_map(pin).collect()
}

/// Returns the interpreter of the existing lock if it still satisfies the spec, or else the spec's.
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
        if let Ok(found) = super::find_interpreter(invocation, &kept, process, Some(memo), evidence)
        {
            return Ok(found);
        }
    }
    super::find_interpreter(invocation, of_spec, process, Some(memo), evidence)
}

/// Returns the minor version for which the wheels and their requirements were resolved.
fn python_range(interpreter: &Facts) -> PythonRange {
    let [major, minor, _] = interpreter.release;
    let version = Version::new([u64::from(major), u64::from(minor)]);
    let specifiers = pep440_rs::VersionSpecifier::equals_star_version(version).into();
    PythonRange {
        specifiers,
        free_threaded: false,
        key: "requires-python",
        written: format!("=={major}.{minor}.*"),
    }
}

/// Returns the platforms of the spec, and this one unless one of them has the same identity.
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

/// Returns the versions to prefer: those of the existing lock, and those of platforms that must
/// resolve to the same versions.
fn preferred(
    request: &Request<'_>,
    target: &Facts,
    plans: &[PlatformPlan],
) -> BTreeMap<PackageName, Version> {
    let mut preferred = BTreeMap::new();
    // Keep the locked versions, except of upgraded projects.
    if let (Some(lock), Upgraded::Named(upgraded)) = (request.before, request.upgraded) {
        let packages = lock.packages.iter().map(|package| &package.value);
        let kept = packages.filter(|package| {
            package.is_wanted(&target.markers) && !upgraded.contains(&package.name)
        });
        preferred.extend(
            kept.filter_map(|package| Some((package.name.clone(), package.version.clone()?))),
        );
    }
    // Platforms with the same identity need the same versions.
    for plan in plans
        .iter()
        .filter(|plan| Identity::of(&plan.target) == Identity::of(target))
    {
        preferred.extend(
            plan.wheels
                .iter()
                .map(|wheel| (wheel.name.clone(), wheel.version.clone())),
        );
    }
    preferred
}

/// Rejects different versions for two platforms that no marker distinguishes.
fn refuse_indistinguishable(plan: &PlatformPlan, plans: &[PlatformPlan]) -> Result<()> {
    let mut others = plans
        .iter()
        .filter(|other| Identity::of(&other.target) == Identity::of(&plan.target));
    let Some((other, differences)) = others.find_map(|other| {
        let differences = differences(&other.wheels, &plan.wheels);
        (!differences.is_empty()).then_some((other, differences))
    }) else {
        return Ok(());
    };
    let (one, other) = (other.target.title(), plan.target.title());
    let causes = differences.into_iter().map(|(name, versions)| {
        let [one_version, other_version] =
            versions.map(|version| version.map_or("missing".to_owned(), Version::to_string));
        format!("`{name}` is {one_version} for {one}, and {other_version} for {other}")
    });
    Err(
        Failure::new("two platforms resolve to different wheels, and no marker distinguishes them")
            .because_of(causes)
            .hint("require a version that has wheels for both")
            .into(),
    )
}

/// Returns the projects whose versions differ between two plans.
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
