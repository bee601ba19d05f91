//! The wheels that are missing on this machine and on the platforms that a spec names, as
//! requirements for an index.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};
use pep440_rs::Version;
use pep508_rs::PackageName;

use super::resolve::locked::Unavailable;
use super::resolve::partial::{Partial, resolve_partly};
use super::resolve::{listed, locked};
use super::verify::systems;
use super::wheelhouse::Wheelhouse;
use super::{Evidence, find_interpreter};
use crate::interpreter::{Facts, Tags};
use crate::invocation::Invocation;
use crate::process::Process;
use crate::report::{Failure, progress};
use crate::spec::{ListedWheel, Located, Packages, Requirements, Spec};

/// The missing wheels of a spec.
#[derive(Debug)]
pub struct Shortfall {
    /// The interpreter of this machine.
    pub here: Facts,
    /// Each system with missing wheels, this machine first.
    pub lacking: Vec<Lacking>,
    /// The titles of other platforms for which the spec cannot be evaluated, with the error.
    pub broken: Vec<(String, Error)>,
}

/// A system with missing wheels.
#[derive(Debug)]
pub struct Lacking {
    /// `here (3.11.7)`, or the platform's name.
    pub title: String,
    /// The system.
    pub facts: Facts,
    /// The requirements to fetch, without markers.
    pub requirements: Vec<String>,
    /// Those for which the spec lists a local version, each with that version: `cffi==1.14.5` with
    /// `cffi==1.14.5+chromium.7`.
    pub builds: Vec<(String, String)>,
    /// Those that are seeds, which no spec lists.
    pub seeds: Vec<String>,
    /// Requirements for the present wheels that would be used, each with the exact version.
    pub present: Vec<String>,
    /// Existing files whose names match missing wheels, but whose digest is not the pinned one, or
    /// which are not wheels.
    pub other_bytes: Vec<PathBuf>,
    /// The error of a launch.
    pub refusal: Error,
}

/// Finds the missing wheels. `memo` is the directory for cached facts.
///
/// # Errors
/// The platforms cannot be determined, no interpreter satisfies the spec, a wheel directory does
/// not exist, or the missing wheels cannot be fetched.
pub fn shortfall(
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<Shortfall> {
    let targets = spec.targets()?;
    let mut evidence = Evidence::default();
    let here = find_interpreter(invocation, spec, process, Some(memo), &mut evidence)?;
    let (mut lacking, mut broken) = (Vec::new(), Vec::new());
    if !spec.wants_no_wheels() {
        progress::phase("choosing the wheels");
        let mut wheelhouse = Wheelhouse::open(spec, invocation, memo, &mut evidence)?;
        // This machine first, then each platform that the spec names.
        for (title, facts) in systems(here.clone(), &targets) {
            let missing = match missing(&spec.packages, &facts, &mut wheelhouse) {
                // An error for one platform does not affect the others.
                Err(error) if facts.is_elsewhere() => {
                    broken.push((title, error));
                    continue;
                }
                missing => missing?,
            };
            let Missing {
                requirements,
                builds,
                seeds,
                present,
                other_bytes,
                refusal,
            } = missing;
            lacking.extend(refusal.map(|refusal| Lacking {
                title,
                facts,
                requirements,
                builds,
                seeds,
                present,
                other_bytes,
                refusal,
            }));
        }
        wheelhouse.remember();
    }
    Ok(Shortfall {
        here,
        lacking,
        broken,
    })
}

/// The present wheels that a system uses.
#[derive(Debug)]
pub struct Present {
    /// The system.
    pub facts: Facts,
    /// Each project with the version that is used.
    pub versions: Vec<(PackageName, Version)>,
}

/// Finds the present wheels that satisfy requirements on each system, this machine first. `memo` is
/// the directory for cached facts.
///
/// # Errors
/// The platforms cannot be determined, no interpreter satisfies the spec, or a wheel or wheel
/// directory cannot be read.
pub fn present(
    spec: &Spec,
    requirements: &Requirements,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<Vec<Present>> {
    let targets = spec.targets()?;
    let mut evidence = Evidence::default();
    let here = find_interpreter(invocation, spec, process, Some(memo), &mut evidence)?;
    let mut wheelhouse = Wheelhouse::open(spec, invocation, memo, &mut evidence)?;
    let mut present = Vec::new();
    // Unsatisfied requirements are set aside; only the present wheels are reported.
    for (_, facts) in systems(here, &targets) {
        let partial = resolve_partly(
            requirements,
            &facts,
            &mut wheelhouse,
            &mut Evidence::default(),
        )?;
        let versions = partial
            .wheels
            .into_iter()
            .map(|wheel| (wheel.name, wheel.version))
            .collect();
        present.push(Present { facts, versions });
    }
    wheelhouse.remember();
    Ok(present)
}

/// Returns the wheel files that a spec uses, here and on each of its platforms; for a lock all
/// files that it lists, for any platform.
///
/// # Errors
/// Those of [`super::make`], for any of the platforms.
pub fn taken(
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<BTreeSet<OsString>> {
    // A lock lists the files of all its platforms itself.
    if let Packages::Locked(lock) = &spec.packages {
        let wheels = lock
            .packages
            .iter()
            .flat_map(|package| &package.value.wheels);
        return Ok(wheels
            .map(|wheel| wheel.value.file_name.clone().into())
            .collect());
    }
    let targets = spec.targets()?;
    let mut evidence = Evidence::default();
    let here = find_interpreter(invocation, spec, process, Some(memo), &mut evidence)?;
    let mut taken = BTreeSet::new();
    for (title, facts) in systems(here, &targets) {
        let (wheels, _) =
            super::choose_wheels(spec, &facts, invocation, memo, &mut evidence).context(title)?;
        taken.extend(
            wheels
                .into_iter()
                .map(|wheel| OsString::from(wheel.file_name())),
        );
    }
    Ok(taken)
}

/// The missing wheels of one system.
#[derive(Default)]
struct Missing {
    requirements: Vec<String>,
    builds: Vec<(String, String)>,
    seeds: Vec<String>,
    present: Vec<String>,
    other_bytes: Vec<PathBuf>,
    refusal: Option<Error>,
}

fn missing(packages: &Packages, facts: &Facts, wheelhouse: &mut Wheelhouse) -> Result<Missing> {
    match packages {
        Packages::Required(requirements) => {
            let partial =
                resolve_partly(requirements, facts, wheelhouse, &mut Evidence::default())?;
            let present = partial
                .wheels
                .iter()
                .map(|wheel| format!("{}=={}", wheel.name, wheel.version))
                .collect();
            let Partial {
                to_fetch: requirements,
                other_bytes,
                refusal,
                ..
            } = partial;
            Ok(Missing {
                requirements,
                present,
                other_bytes,
                refusal: refusal.map(Into::into),
                ..Missing::default()
            })
        }
        Packages::Locked(lock) => {
            let Unavailable {
                requirements,
                other_bytes,
                refusal,
            } = locked::to_fetch(lock, facts, wheelhouse)?;
            Ok(Missing {
                requirements,
                other_bytes,
                refusal,
                ..Missing::default()
            })
        }
        Packages::Listed(wheels) => {
            let (listed, seeds) = listed::to_fetch(wheels, facts, wheelhouse)?;
            let seeds: Vec<String> = seeds.iter().map(ToString::to_string).collect();
            let requirements = [listed, seeds.clone()].concat();
            if requirements.is_empty() {
                return Ok(Missing::default());
            }
            // A launch does not fail for a missing seed.
            let unseeded =
                || Failure::new(format!("no wheel for the seeds {}", seeds.join(", "))).into();
            let refusal = listed::resolve(wheels, facts, wheelhouse, &mut Evidence::default());
            let refusal = Some(refusal.err().unwrap_or_else(unseeded));
            let other_bytes = wheels
                .iter()
                .flat_map(|wheel| wheelhouse.impostors(&wheel.value.project))
                .collect();
            let builds = builds(&requirements, wheels, facts);
            Ok(Missing {
                requirements,
                builds,
                seeds,
                other_bytes,
                refusal,
                ..Missing::default()
            })
        }
    }
}

/// Returns the local versions among listed wheels, each after the requirement of its public
/// version.
fn builds(
    requirements: &[String],
    wheels: &[Located<ListedWheel>],
    facts: &Facts,
) -> Vec<(String, String)> {
    let tags = Tags::of(facts);
    let listed = wheels
        .iter()
        .map(|wheel| &wheel.value)
        .filter(|wheel| wheel.wanted.is_local());
    let here = listed.filter(|wheel| listed::is_wanted(wheel, &tags));
    let pairs = here.map(
        |ListedWheel {
             project, wanted, ..
         }| {
            (
                format!("{project}=={}", wanted.clone().without_local()),
                format!("{project}=={wanted}"),
            )
        },
    );
    // Only what is missing has to be built.
    let requirements: HashSet<&String> = requirements.iter().collect();
    pairs
        .filter(|(public, _)| requirements.contains(public))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}
