//! Versions without digests: with `-vpython-unlocked`, or `unlocked = true`, what pins wheels pins
//! their versions alone, as LUCI's vpython has it. Its locks name digests of wheels that were built
//! again for an index of its own, and are dropped when it installs.

use std::path::PathBuf;

use anyhow::Result;
use pep440_rs::VersionSpecifier;
use pep508_rs::{MarkerTree, VersionOrUrl};

use super::{
    Dependencies, Located, Lock, Packages, Requested, Requirement, Requirements, Spec, SpecText,
};

/// The spec without the digests that it pins, if that is what it or the command line wants. The
/// files that have them are noted.
///
/// # Errors
/// A lock has nothing for something that the spec asks for: without the lock's digests nothing else
/// would keep it from being chosen freely.
pub(super) fn apply(text: &SpecText, mut spec: Spec) -> Result<Spec> {
    spec.unlocked |= text.chosen.unlocked;
    if !spec.unlocked {
        return Ok(spec);
    }
    match &mut spec.packages {
        Packages::Required(requirements) => {
            let files = drop_digests(requirements);
            spec.unchecked.extend(files);
        }
        Packages::Locked(lock) => {
            let directories = lock.directories();
            let place = lock.packages.first().map(|package| &package.place);
            spec.wheelhouses.extend(place.iter().flat_map(|place| {
                directories.iter().map(|directory| Located {
                    value: directory.to_path_buf(),
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
    /// What to say of the digests that do not count, a sentence for each file that has them.
    #[must_use]
    pub fn unchecked_digests(&self) -> Vec<String> {
        let sentence = |file: &PathBuf| {
            format!(
                "the digests in `{}` are not checked: `-vpython-unlocked` or `unlocked = true` takes versions alone",
                file.display()
            )
        };
        self.unchecked.iter().map(sentence).collect()
    }
}

/// What to try where wheels have other digests than a lock of another index pins: `fetch` is the
/// command that fetches them.
#[must_use]
pub fn ways_around_digests(fetch: &str) -> String {
    format!(
        "fetch from the index whose wheels are pinned (`{fetch} -- --index-url https://…`), or take the versions without the digests: \
         `-vpython-unlocked`, or `unlocked = true` under `[tool.vpython]`"
    )
}

/// Drops the digests of requirements, and gives the files that have them.
fn drop_digests(requirements: &mut Requirements) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for asked in requirements
        .asked
        .iter_mut()
        .chain(&mut requirements.constraints)
    {
        if !asked.value.hashes.is_empty() {
            asked.value.hashes.clear();
            files.extend(asked.place.file.clone());
        }
    }
    requirements.hashes_required = false;
    files
}

/// What a lock comes to without its files: each package in its very version, where it is wanted,
/// and nothing else.
fn versions(lock: &Lock) -> Result<Requirements> {
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
                "it has no `{}` (asked for in {})",
                asked.value.requirement.name, asked.place
            )
        })
        .collect();
    if !missing.is_empty() {
        return Err(lock.stale(missing).into());
    }
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
            },
            place: package.place.clone(),
        }
    });
    let mut asked: Vec<Located<Requested>> = bound.cloned().chain(pinned).collect();
    for asked in &mut asked {
        asked.value.hashes.clear();
    }
    Ok(Requirements {
        asked,
        dependencies: Dependencies::Ignored,
        ..Requirements::default()
    })
}
