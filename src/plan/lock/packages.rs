//! The packages of a lock: each version in the plan of a platform, with all of its files that are
//! compatible with a platform of that version.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use pep440_rs::{Version, VersionSpecifiers};
use pep508_rs::PackageName;

use super::identity::{self, Identity};
use super::{PlannedWheel, PlatformPlan, Request, Wheelhouse};
use crate::fs::{self, Digest};
use crate::interpreter::Tags;
use crate::plan::wheelhouse::WheelFile;
use crate::spec::{IndexUrl, Located, Location, Lock, LockedPackage, LockedWheel, Spec};
use crate::wheel::read_specifiers;

/// A version of a project to lock.
#[derive(Default)]
struct Release {
    platforms: BTreeSet<Identity>,
    /// The files by their names.
    files: BTreeMap<String, WheelFile>,
}

/// Returns the packages, sorted by name and version, all located at `place`.
pub(super) fn of(
    plans: &[PlatformPlan],
    request: &Request<'_>,
    wheelhouse: &mut Wheelhouse,
    place: &Location,
) -> Result<Vec<Located<LockedPackage>>> {
    let all: BTreeSet<Identity> = plans
        .iter()
        .map(|plan| Identity::of(&plan.target))
        .collect();
    // Collect the versions with their platforms and files.
    let mut packages: BTreeMap<(&PackageName, &Version), Release> = BTreeMap::new();
    for PlatformPlan { target, wheels } in plans {
        let tags = Tags::of(target);
        for wheel in wheels {
            let release = packages.entry((&wheel.name, &wheel.version)).or_default();
            release.platforms.insert(Identity::of(target));
            release.files.extend(
                fitting(wheel, &tags, &target.bundled, wheelhouse)
                    .map(|file| (file.file_name.to_string(), file)),
            );
        }
    }
    let files: Vec<WheelFile> = packages
        .values()
        .flat_map(|release| release.files.values().cloned())
        .collect();
    // Compute all digests now, on all processors; later lookups are cached.
    wheelhouse.digests(&files)?;
    let known = known_wheels(request.before);
    let at_place = |value| Located {
        value,
        place: place.clone(),
    };
    let packages = packages
        .into_iter()
        .map(|((name, version), Release { platforms, files })| {
            let requires_python = files
                .values()
                .next()
                .and_then(|file| requires_python(file, wheelhouse));
            let wheels = files.values().map(|file| {
                let wheel = locked(file, request.spec, wheelhouse)?;
                Ok(Located {
                    value: with_known_source(wheel, &known),
                    place: place.clone(),
                })
            });
            Ok(at_place(LockedPackage {
                name: name.clone(),
                version: Some(version.clone()),
                marker: identity::distinguishing_marker(&platforms, &all),
                requires_python,
                wheels: wheels.collect::<Result<_>>()?,
                other_source: None,
            }))
        });
    packages.collect()
}

/// Returns the files of a wheel's version that the tags accept. Unreadable files are skipped.
fn fitting(
    wheel: &PlannedWheel,
    tags: &Tags,
    bundled: &[PathBuf],
    wheelhouse: &mut Wheelhouse,
) -> impl Iterator<Item = WheelFile> + use<> {
    let mut fitting = wheelhouse.wheels(&wheel.name).to_vec();
    fitting.extend(wheelhouse.bundled(&wheel.name, bundled));
    fitting.retain(|file| file.name.version == wheel.version && file.name.rank(tags).is_some());
    fitting.retain(|file| wheelhouse.metadata(file).is_ok());
    fitting.into_iter()
}

fn requires_python(file: &WheelFile, wheelhouse: &mut Wheelhouse) -> Option<VersionSpecifiers> {
    read_specifiers(&wheelhouse.metadata(file).ok()?.requires_python?)
}

fn locked(file: &WheelFile, spec: &Spec, wheelhouse: &mut Wheelhouse) -> Result<LockedWheel> {
    let sha256: Digest = wheelhouse.digests(std::slice::from_ref(file))?[0];
    let remote = wheelhouse.to_fetch(file);
    let size = match &remote {
        Some(remote) => remote.size,
        None => fs::metadata(&wheelhouse.path(file))?.map(|metadata| metadata.len()),
    };
    let base = spec.base.as_deref().unwrap_or(Path::new("/"));
    // Only paths below the spec's directory are the same on another machine.
    let path = Wheelhouse::path_in_own_directories(&file.file_name, spec)
        .filter(|path| path.starts_with(base));
    // The login of an index is not written. The blob of a registry is found by its digest, with the
    // login for that registry, in whichever wheelhouse has it.
    let remote = remote.filter(|_| !wheelhouse.is_of_registry(file));
    let url = remote.and_then(|remote| IndexUrl::parse(remote.url.as_url().as_str()).ok());
    Ok(LockedWheel {
        file_name: file.file_name.to_string(),
        path: path.filter(|_| url.is_none()),
        url,
        size,
        sha256,
        long_digests: Vec::new(),
    })
}

/// Returns the wheels of the existing lock by their digests.
fn known_wheels(before: Option<&Lock>) -> BTreeMap<Digest, &LockedWheel> {
    let packages = before.iter().flat_map(|lock| &lock.packages);
    let wheels = packages.flat_map(|package| &package.value.wheels);
    wheels
        .map(|wheel| (wheel.value.sha256, &wheel.value))
        .collect()
}

/// Returns a wheel with the URL and the size that the existing lock has for the same bytes, where
/// this run knows none: it may not ask the index that the URL came from. As in a run that asks, a
/// URL takes the place of a path.
fn with_known_source(wheel: LockedWheel, known: &BTreeMap<Digest, &LockedWheel>) -> LockedWheel {
    let Some(known) = known.get(&wheel.sha256) else {
        return wheel;
    };
    let url = wheel.url.or_else(|| known.url.clone());
    LockedWheel {
        path: wheel.path.filter(|_| url.is_none()),
        url,
        size: wheel.size.or(known.size),
        ..wheel
    }
}
