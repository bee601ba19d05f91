//! Fetching the missing wheels of one system: all requirements in one call of pip, and then without
//! those that pip cannot find, so that these do not block the others.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Result;
use pep440_rs::Version;
use pep508_rs::{MarkerTree, PackageName};

use super::failed::{Failed, Reason};
use super::pip::{self, Pip};
use super::refused::Refused;
use super::staging::Staging;
use super::{Follow, follow, pre_releases};
use crate::fs;
use crate::plan::Lacking;
use crate::report;
use crate::spec::{Packages, Requested, Requirement, Spec, parse_requirement};

/// The missing wheels of a system, and the means to fetch them.
pub(super) struct Fetching<'a> {
    /// The system and its missing wheels.
    pub system: &'a Lacking,
    /// The pip that fetches.
    pub pip: &'a Pip<'a>,
    /// The spec that requires the wheels.
    pub spec: &'a Spec,
    /// The directory to fetch into.
    pub destination: &'a Path,
    /// The files that this run has already fetched, which are not replaced.
    pub already_fetched: &'a [PathBuf],
}

/// Listed versions for which pip fetched another local version, each with its public version.
type OtherBuilds<'a> = Vec<&'a (String, String)>;

impl Fetching<'_> {
    /// Fetches the missing wheels, and returns the new files. Records what cannot be fetched.
    pub fn run(&self, refused: &mut Refused) -> Result<Vec<PathBuf>> {
        let (files, mut lines) = self.listed_builds(refused)?;
        let mut files = files;
        while !lines.is_empty() && !refused.is_offline() {
            let failed = match self.lines(&lines, &files)? {
                Ok(more) => {
                    files.extend(more);
                    break;
                }
                Err(failed) => failed,
            };
            // A single requirement, or no network: there is nothing left to try.
            if lines.len() == 1 || failed.reason == Reason::Network {
                self.refuse(&lines, &failed, refused);
                break;
            }
            // Try again without the requirements that pip names, if it names any.
            let (blamed, others): (Vec<String>, _) =
                lines.into_iter().partition(|line| failed.blames(line));
            lines = others;
            for line in &blamed {
                self.refuse(std::slice::from_ref(line), &failed, refused);
            }
            if blamed.is_empty() {
                report::notice("pip cannot fetch these together; fetching each separately");
                files.extend(self.one_by_one(&lines, &files, refused)?);
                break;
            }
            if !lines.is_empty() {
                report::notice("fetching the others without them");
            }
        }
        Ok(files)
    }

    /// Fetches the exact local versions that the spec lists, if there are any, together with all
    /// other requirements. Returns the new files and the requirements that are still missing: all
    /// of them, by public version, if the index does not have these local versions.
    fn listed_builds(&self, refused: &mut Refused) -> Result<(Vec<PathBuf>, Vec<String>)> {
        let public = self.system.requirements.clone();
        if self.system.builds.is_empty() {
            return Ok((Vec::new(), public));
        }
        let exact = |line: &String| {
            let build = self.system.builds.iter().find(|(public, _)| public == line);
            build.map_or(line, |(_, exact)| exact).clone()
        };
        match self.lines(&public.iter().map(exact).collect::<Vec<_>>(), &[])? {
            Ok(files) => Ok((files, Vec::new())),
            Err(failed) if failed.reason == Reason::Network => {
                self.refuse(&public, &failed, refused);
                Ok((Vec::new(), Vec::new()))
            }
            Err(_) => {
                report::notice(
                    "the index lacks some of these local versions; fetching the public versions",
                );
                Ok((Vec::new(), public))
            }
        }
    }

    fn one_by_one(
        &self,
        lines: &[String],
        files: &[PathBuf],
        refused: &mut Refused,
    ) -> Result<Vec<PathBuf>> {
        let mut new_files = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let line = std::slice::from_ref(line);
            match self.lines(line, &[files, &new_files[..]].concat())? {
                Ok(more) => new_files.extend(more),
                Err(failed) if failed.reason == Reason::Network => {
                    self.refuse(&lines[index..], &failed, refused);
                    break;
                }
                Err(failed) => self.refuse(line, &failed, refused),
            }
        }
        Ok(new_files)
    }

    fn refuse(&self, lines: &[String], failed: &Failed, refused: &mut Refused) {
        let failure = failed.failure(lines);
        if failed.reason == Reason::Network {
            refused.note_offline(failure.clone());
        }
        refused.add(self.system, lines, failure);
    }

    /// Fetches some of the missing wheels. `files` are those that this system already received.
    fn lines(&self, lines: &[String], files: &[PathBuf]) -> Result<Result<Vec<PathBuf>, Failed>> {
        let staging = Staging::make(self.destination)?;
        if let Err(failed) = self.call(lines, staging.path())? {
            return Ok(Err(failed));
        }
        for (public, exact) in self.other_builds(lines, staging.path())? {
            // `===` matches the exact text of the public version; `==` also matches each of its
            // local versions.
            let lines = [exact.clone(), public.replace("==", "===")];
            let mut fetched = None;
            for line in lines {
                let call = self.call(&[line], staging.path())?;
                let is_settled = call
                    .as_ref()
                    .map_or_else(|failed| failed.reason == Reason::Network, |()| true);
                fetched = Some(call);
                if is_settled {
                    break;
                }
            }
            if let Some(Err(failed)) = fetched {
                return Ok(Err(failed));
            }
        }
        // Replace the files whose digest does not match, but not those that were just fetched.
        let names = |paths: &[PathBuf]| {
            paths
                .iter()
                .filter_map(|path| path.file_name().map(OsStr::to_owned))
                .collect()
        };
        let (other_bytes, already_fetched): (BTreeSet<OsString>, BTreeSet<OsString>) = (
            names(&self.system.other_bytes),
            names(&[self.already_fetched, files].concat()),
        );
        let replaced = other_bytes
            .difference(&already_fetched)
            .map(OsString::as_os_str)
            .collect();
        staging.move_in(self.destination, &replaced).map(Ok)
    }

    /// Calls pip to fetch lines into a directory. Keeps to the versions of the present wheels if
    /// that is possible. pip has verified the digest of each file that replaces one with a wrong
    /// digest.
    fn call(&self, lines: &[String], to: &Path) -> Result<Result<(), Failed>> {
        let system = self.system;
        let lines: Vec<String> = lines
            .iter()
            .map(|line| with_hashes(line, self.spec))
            .collect();
        let of_spec = self
            .spec
            .wheelhouses
            .iter()
            .filter_map(|placed| placed.value.directory());
        let mut directories = of_spec.chain([self.destination]).collect::<Vec<_>>();
        // pip would use the present file with the wrong digest.
        directories.retain(|directory| {
            !system
                .other_bytes
                .iter()
                .any(|path| path.parent() == Some(*directory))
        });
        let request = pip::Request {
            system: &system.facts,
            lines: &lines,
            kept: &system.present,
            directories: &directories,
            pre_releases: pre_releases(self.spec),
        };
        let follow = follow(&system.facts, self.spec);
        let fetched = self.pip.fetch(&request, follow, to)?;
        let is_constrained = follow == Follow::Dependencies && !system.present.is_empty();
        // The versions of the present wheels may be the conflict, so try again without them.
        match fetched {
            Err(failed) if is_constrained && failed.reason != Reason::Network => self.pip.fetch(
                &pip::Request {
                    kept: &[],
                    ..request
                },
                follow,
                to,
            ),
            fetched => Ok(fetched),
        }
    }

    /// Removes the wheels from a directory whose local version is not the listed one, and returns
    /// the listed versions. For `==1.14.5` pip picks the highest version, which may be another
    /// local version.
    fn other_builds(&self, lines: &[String], directory: &Path) -> Result<OtherBuilds<'_>> {
        let builds = self
            .system
            .builds
            .iter()
            .filter(|(public, _)| lines.contains(public));
        let mut others = Vec::new();
        for pair in builds {
            let Some((project, version)) = pair.1.split_once("==") else {
                continue;
            };
            let (project, version): (Option<PackageName>, Option<Version>) =
                (project.parse().ok(), version.parse().ok());
            for name in fs::list(directory)?.unwrap_or_default() {
                let Some((of, found)) = name_and_version(&name) else {
                    continue;
                };
                // A public version is acceptable; another local version is not.
                if Some(&of) == project.as_ref()
                    && found.is_local()
                    && Some(&found) != version.as_ref()
                {
                    fs::remove_file(&directory.join(&name))?;
                    others.push(pair);
                }
            }
        }
        Ok(others)
    }
}

/// Returns the project and version from the file name of a wheel.
fn name_and_version(file_name: &OsStr) -> Option<(PackageName, Version)> {
    let mut parts = file_name.to_str()?.strip_suffix(".whl")?.split('-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Returns a line of a requirements file, with the digests that the spec pins for the project, and
/// with the URL that the spec names for it.
fn with_hashes(requirement: &str, spec: &Spec) -> String {
    let Packages::Required(requirements) = &spec.packages else {
        return requirement.to_owned();
    };
    let Ok(asked) = parse_requirement(requirement) else {
        return requirement.to_owned();
    };
    let of_spec = requirements
        .asked
        .iter()
        .chain(&requirements.constraints)
        .map(|placed| &placed.value)
        .filter(|known| known.requirement.name == asked.name);
    let by_url = |known: &&Requested| known.requirement.version_or_url == asked.version_or_url;
    let named = Requirement {
        version_or_url: None,
        marker: MarkerTree::TRUE,
        ..asked.clone()
    };
    let url = of_spec
        .clone()
        .filter(by_url)
        .find_map(|known| Some((known.url.as_ref()?, &known.hashes)));
    match url {
        // Without `--hash`, pip requires no digests of the dependencies.
        Some((url, hashes)) if !requirements.hashes_required => {
            let fragment = hashes.first().map(|hash| format!("#sha256={hash}"));
            let fragment = fragment.unwrap_or_default();
            format!("{named} @ {}{fragment}", url.reveal())
        }
        url => {
            let line = url.map_or_else(
                || requirement.to_owned(),
                |(url, _)| format!("{named} @ {}", url.reveal()),
            );
            let hashes = of_spec.flat_map(|pinned| &pinned.hashes);
            hashes.fold(line, |line, hash| format!("{line} --hash=sha256:{hash}"))
        }
    }
}
