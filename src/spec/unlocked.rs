//! Versions without digests: with `-vpython-unlocked`, or `unlocked = true`, pins apply to versions
//! only, as in LUCI's vpython. LUCI's lock files contain digests of wheels that were rebuilt for
//! LUCI's own index, and its vpython ignores them at installation.

use std::path::PathBuf;

use anyhow::Result;
use pep440_rs::VersionSpecifier;
use pep508_rs::{MarkerTree, VersionOrUrl};

use super::{
    Dependencies, Located, Lock, Packages, Requested, Requirement, Requirements, Spec, SpecText,
};

/// Drops the pinned digests, if the spec or the command line says so, and records the files that
/// contain them.
///
/// # Errors
/// A lock file does not cover a requirement of the spec: without the lock file's digests, nothing
/// would pin its version.
pub(super) fn apply(text: &SpecText, mut spec: Spec) -> Result<Spec> {
    spec.unlocked |= text.chosen.unlocked;
    if !spec.unlocked {
        return Ok(spec);
    }
    // Listed wheels have no digests.
    match &mut spec.packages {
        Packages::Required(requirements) => {
            let files = drop_digests(requirements);
            spec.unchecked.extend(files);
        }
        Packages::Locked(lock) => {
            // Keep the wheel directories of the lock file.
            let directories = lock.directories();
            let place = lock.packages.first().map(|package| &package.place);
            spec.wheelhouses.extend(place.iter().flat_map(|place| {
                directories.iter().map(|directory| Located {
                    value: directory.to_path_buf().into(),
                    place: (*place).clone(),
                })
            }));
            spec.unchecked.push(lock.path.clone());
            spec.packages = Packages::Required(versions(lock)?);
        }
        Packages::Listed(_) => {}
    }
    spec.unchecked.sort();
    spec.unchecked.dedup();
    Ok(spec)
}

impl Spec {
    /// Returns a warning for each file whose digests are ignored.
    #[must_use]
    pub fn unchecked_digests(&self) -> Vec<String> {
        let sentence = |file: &PathBuf| {
            format!(
                "the digests in `{}` are ignored, because of `-vpython-unlocked` or `unlocked = true`",
                file.display()
            )
        };
        self.unchecked.iter().map(sentence).collect()
    }
}

/// Returns a hint for wheels whose digests differ from those that a lock file for another index
/// pins; `fetch` is the command that fetches wheels.
#[must_use]
pub fn ways_around_digests(fetch: &str) -> String {
    format!(
        "fetch from the index whose wheels are pinned (`{fetch} -- --index-url https://…`), or ignore the digests with \
         `-vpython-unlocked` or with `unlocked = true` in `[tool.vpython]`"
    )
}

/// Drops the digests of requirements, and returns the files that contain them.
fn drop_digests(requirements: &mut Requirements) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for asked in requirements
        .asked
        .iter_mut()
        .chain(&mut requirements.constraints)
    {
        // What a URL has is fetched only with its digest.
        if !asked.value.hashes.is_empty() && asked.value.url.is_none() {
            asked.value.hashes.clear();
            files.extend(asked.place.file.clone());
        }
    }
    requirements.hashes_required = false;
    files
}

/// Converts a lock file to requirements without files: each package in its exact version, under its
/// marker, and no other packages.
fn versions(lock: &Lock) -> Result<Requirements> {
    // Every requirement that always applies must be covered by a package of the lock file.
    let bound = lock.bound.iter().flat_map(|bound| &bound.asked);
    let is_locked = |asked: &Requirement| {
        lock.packages
            .iter()
            .any(|package| package.value.name == asked.name)
    };
    let missing = bound.clone().filter(|asked| {
        let requirement = &asked.value.requirement;
        requirement.marker.is_true() && !is_locked(requirement)
    });
    let missing: Vec<String> = missing
        .map(|asked| {
            format!(
                "it has no `{}` (required in {})",
                asked.value.requirement.name, asked.place
            )
        })
        .collect();
    if !missing.is_empty() {
        return Err(lock.stale(missing).into());
    }
    // Each package becomes an exact requirement.
    let pinned = lock.packages.iter().map(|package| {
        let locked = &package.value;
        let version = locked.version.clone().map(VersionSpecifier::equals_version);
        let requirement = Requirement {
            name: locked.name.clone(),
            extras: Vec::new(),
            version_or_url: version.map(|version| VersionOrUrl::VersionSpecifier(version.into())),
            marker: locked
                .marker
                .as_ref()
                .map_or(MarkerTree::TRUE, |marker| marker.tree.clone()),
            origin: None,
        };
        Located {
            value: Requested {
                requirement,
                hashes: Vec::new(),
                url: None,
            },
            place: package.place.clone(),
        }
    });
    let mut asked: Vec<Located<Requested>> = bound.cloned().chain(pinned).collect();
    for asked in asked.iter_mut().filter(|asked| asked.value.url.is_none()) {
        asked.value.hashes.clear();
    }
    Ok(Requirements {
        asked,
        dependencies: Dependencies::Ignored,
        ..Requirements::default()
    })
}
