//! What the wheels that there are lack, on this machine and on the platforms that a spec names, as
//! an index would be asked for it.

use std::collections::BTreeSet;
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
use super::{Evidence, Facts, Tags, interpreter};
use crate::invocation::Invocation;
use crate::process::Process;
use crate::report::{Failure, progress};
use crate::spec::{ListedWheel, Located, Packages, Requirements, Spec};

/// What is missing.
#[derive(Debug)]
pub struct Shortfall {
    /// The interpreter of this machine.
    pub here: Facts,
    /// Each system on which something is missing, this machine first.
    pub lacking: Vec<Lacking>,
    /// The titles of other platforms for which the spec cannot be followed at all, and why.
    pub broken: Vec<(String, Error)>,
}

/// A system on which something is missing.
#[derive(Debug)]
pub struct Lacking {
    /// `here (3.11.7)`, or the platform's name.
    pub title: String,
    /// The system.
    pub facts: Facts,
    /// What to ask for: a requirement each, without markers.
    pub requirements: Vec<String>,
    /// Of these the ones for which a build of a site's own is listed, each with that:
    /// `cffi==1.14.5` with `cffi==1.14.5+chromium.7`.
    pub builds: Vec<(String, String)>,
    /// Of these the seeds, which no spec asks for.
    pub seeds: Vec<String>,
    /// What is there and would be taken: a requirement each, with the very version.
    pub present: Vec<String>,
    /// Files that are there under the name of what is missing, perhaps, and do not have the digest
    /// that is pinned, or are no wheels.
    pub other_bytes: Vec<PathBuf>,
    /// What a launch would say of it.
    pub refusal: Error,
}

/// Finds what is missing. `memo` is the directory for what can be found again.
///
/// # Errors
/// The platforms cannot be told; no interpreter satisfies the spec; a directory of wheels is not
/// there; what is missing cannot be fetched.
pub fn shortfall(
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<Shortfall> {
    let targets = spec.targets()?;
    let mut evidence = Evidence::default();
    let here = interpreter::find(invocation, spec, process, Some(memo), &mut evidence)?;
    let (mut lacking, mut broken) = (Vec::new(), Vec::new());
    if !spec.wants_no_wheels() {
        progress::phase("choosing the wheels");
        let mut wheelhouse = Wheelhouse::open(spec, invocation, memo, &mut evidence)?;
        for (title, facts) in systems(here.clone(), &targets) {
            let missing = match missing(&spec.packages, &facts, &mut wheelhouse) {
                // What is wrong with one platform keeps nothing from the others.
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

/// What a system gets of the wheels that there are.
#[derive(Debug)]
pub struct Present {
    /// `here (3.11.7)`, or the platform's name.
    pub title: String,
    /// The system.
    pub facts: Facts,
    /// Each project, with the version that is taken.
    pub versions: Vec<(PackageName, Version)>,
}

/// Finds what each system gets by requirements, this machine first. `memo` is the directory for
/// what can be found again.
///
/// # Errors
/// The platforms cannot be told; no interpreter satisfies the spec; a wheel or a directory of
/// wheels cannot be read.
pub fn present(
    spec: &Spec,
    requirements: &Requirements,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<Vec<Present>> {
    let targets = spec.targets()?;
    let mut evidence = Evidence::default();
    let here = interpreter::find(invocation, spec, process, Some(memo), &mut evidence)?;
    let mut wheelhouse = Wheelhouse::open(spec, invocation, memo, &mut evidence)?;
    let mut present = Vec::new();
    for (title, facts) in systems(here, &targets) {
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
        present.push(Present {
            title,
            facts,
            versions,
        });
    }
    wheelhouse.remember();
    Ok(present)
}

/// The wheel files that a spec takes, here and on each of its platforms; of a lock all that it
/// lists, wherever they are for.
///
/// # Errors
/// Those of [`super::make`], for any of the platforms.
pub fn taken(
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<BTreeSet<OsString>> {
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
    let here = interpreter::find(invocation, spec, process, Some(memo), &mut evidence)?;
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

/// What is missing on one system.
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
            // No launch fails for want of a seed.
            let unseeded = || {
                Failure::new(format!(
                    "there is no wheel to seed {} from",
                    seeds.join(", ")
                ))
                .into()
            };
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

/// The builds of a site's own among listed wheels, each behind the requirement of its public
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
    pairs
        .filter(|(public, _)| requirements.contains(public))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}
