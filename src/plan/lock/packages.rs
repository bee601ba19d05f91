//! The packages of a lock: each version that a platform came to, with all of its files that fit a
//! platform of that version.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use pep440_rs::{Version, VersionSpecifiers};
use pep508_rs::PackageName;

use super::identity::{self, Identity};
use super::{Answer, PlannedWheel, Wheelhouse};
use crate::fs::{self, Digest};
use crate::plan::Tags;
use crate::plan::wheelhouse::{WheelFile, read_specifiers};
use crate::spec::{Located, Location, LockedPackage, LockedWheel, Spec};

/// A version of a project that is to be locked.
#[derive(Default)]
struct Wanted {
    on: BTreeSet<Identity>,
    /// By their names.
    files: BTreeMap<String, WheelFile>,
}

/// The packages, sorted by name and version, all of them at `place`.
pub(super) fn of(
    answers: &[Answer],
    spec: &Spec,
    wheelhouse: &mut Wheelhouse,
    place: &Location,
) -> Result<Vec<Located<LockedPackage>>> {
    let all: BTreeSet<Identity> = answers
        .iter()
        .map(|answer| Identity::of(&answer.target))
        .collect();
    let mut packages: BTreeMap<(&PackageName, &Version), Wanted> = BTreeMap::new();
    for Answer { target, wheels } in answers {
        let tags = Tags::of(target);
        for wheel in wheels {
            let wanted = packages.entry((&wheel.name, &wheel.version)).or_default();
            wanted.on.insert(Identity::of(target));
            wanted.files.extend(
                fitting(wheel, &tags, &target.bundled, wheelhouse)
                    .map(|file| (file.file_name.clone(), file)),
            );
        }
    }
    let files: Vec<WheelFile> = packages
        .values()
        .flat_map(|wanted| wanted.files.values().cloned())
        .collect();
    // All at once, on all processors; after that they are known.
    wheelhouse.digests(&files)?;
    let at_place = |value| Located {
        value,
        place: place.clone(),
    };
    let packages = packages
        .into_iter()
        .map(|((name, version), Wanted { on, files })| {
            let requires_python = files
                .values()
                .next()
                .and_then(|file| requires_python(file, wheelhouse));
            let wheels = files.values().map(|file| {
                locked(file, spec, wheelhouse).map(|value| Located {
                    value,
                    place: place.clone(),
                })
            });
            Ok(at_place(LockedPackage {
                name: name.clone(),
                version: Some(version.clone()),
                marker: identity::tell_apart(&on, &all),
                requires_python,
                wheels: wheels.collect::<Result<_>>()?,
                other_source: None,
            }))
        });
    packages.collect()
}

/// The files of a wheel's version that the tags accept. Those that cannot be read are none.
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
    let size = fs::metadata(&wheelhouse.path(file))?.map(|metadata| metadata.len());
    let base = spec.base.as_deref().unwrap_or(Path::new("/"));
    // Only what the spec itself names lies in the same place on another machine.
    let path = Wheelhouse::path_in_own_directories(&file.file_name, spec)
        .filter(|path| path.starts_with(base));
    Ok(LockedWheel {
        file_name: file.file_name.clone(),
        path,
        size,
        sha256,
        long_digests: Vec::new(),
    })
}
