//! Fetching what is missing on one system: together, and without what pip names as what there is
//! not, so that this does not keep the others away.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Result;
use pep440_rs::Version;
use pep508_rs::PackageName;

use super::failed::{Failed, Why};
use super::pip::{self, Pip};
use super::refused::Refused;
use super::staging::Staging;
use super::{Follow, follow, pre_releases};
use crate::fs;
use crate::plan::Lacking;
use crate::report;
use crate::spec::{Packages, Spec, parse_requirement};

/// What a system lacks, and what fetches it.
pub(super) struct Fetching<'a> {
    /// What is missing.
    pub system: &'a Lacking,
    /// Who fetches it.
    pub pip: &'a Pip<'a>,
    /// The spec that asks for it.
    pub spec: &'a Spec,
    /// Where it goes.
    pub destination: &'a Path,
    /// What came before, and is not replaced.
    pub came: &'a [PathBuf],
}

/// Builds of a site's own that pip took in place of those that are listed.
type OtherBuilds<'a> = Vec<&'a (String, String)>;

impl Fetching<'_> {
    /// Fetches what is missing, and gives the files that came. What cannot be had is noted.
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
            if lines.len() == 1 || failed.why == Why::Network {
                self.refuse(&lines, &failed, refused);
                break;
            }
            let (blamed, others): (Vec<String>, _) =
                lines.into_iter().partition(|line| failed.blames(line));
            lines = others;
            for line in &blamed {
                self.refuse(std::slice::from_ref(line), &failed, refused);
            }
            if blamed.is_empty() {
                report::notice("pip cannot fetch these together; fetching each by itself");
                files.extend(self.one_by_one(&lines, &files, refused)?);
                break;
            }
            if !lines.is_empty() {
                report::notice("fetching the others without these");
            }
        }
        Ok(files)
    }

    /// Fetches the very builds that are listed, where there are any, together with all else. What
    /// is still to be fetched comes second: all of it in its public version, where the index does
    /// not have these builds.
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
            Err(failed) if failed.why == Why::Network => {
                self.refuse(&public, &failed, refused);
                Ok((Vec::new(), Vec::new()))
            }
            Err(_) => {
                report::notice(
                    "the index does not have all of these builds; fetching public versions",
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
        let mut came = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let line = std::slice::from_ref(line);
            match self.lines(line, &[files, &came[..]].concat())? {
                Ok(more) => came.extend(more),
                Err(failed) if failed.why == Why::Network => {
                    self.refuse(&lines[index..], &failed, refused);
                    break;
                }
                Err(failed) => self.refuse(line, &failed, refused),
            }
        }
        Ok(came)
    }

    fn refuse(&self, lines: &[String], failed: &Failed, refused: &mut Refused) {
        let failure = failed.failure(lines);
        if failed.why == Why::Network {
            refused.note_offline(failure.clone());
        }
        refused.add(self.system, lines, failure);
    }

    /// Fetches some of what is missing. `files` came before them.
    fn lines(&self, lines: &[String], files: &[PathBuf]) -> Result<Result<Vec<PathBuf>, Failed>> {
        let staging = Staging::make(self.destination)?;
        if let Err(failed) = self.call(lines, staging.path())? {
            return Ok(Err(failed));
        }
        for (public, exact) in self.other_builds(lines, staging.path())? {
            // The public version by its very text: for `==` each build of it would do.
            let lines = [exact.clone(), public.replace("==", "===")];
            let mut fetched = None;
            for line in lines {
                let call = self.call(&[line], staging.path())?;
                let is_settled = call
                    .as_ref()
                    .map_or_else(|failed| failed.why == Why::Network, |()| true);
                fetched = Some(call);
                if is_settled {
                    break;
                }
            }
            if let Some(Err(failed)) = fetched {
                return Ok(Err(failed));
            }
        }
        let names = |paths: &[PathBuf]| {
            paths
                .iter()
                .filter_map(|path| path.file_name().map(OsStr::to_owned))
                .collect()
        };
        let (other_bytes, came): (BTreeSet<OsString>, BTreeSet<OsString>) = (
            names(&self.system.other_bytes),
            names(&[self.came, files].concat()),
        );
        let replaced = other_bytes
            .difference(&came)
            .map(OsString::as_os_str)
            .collect();
        staging.move_in(self.destination, &replaced).map(Ok)
    }

    /// Has pip fetch lines into a directory. What is there already is kept to, if that can be. A
    /// file with other bytes than are pinned is to be replaced; pip has held what comes in its
    /// place against the digest.
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
            .map(|directory| directory.value.as_path());
        let mut directories = of_spec.chain([self.destination]).collect::<Vec<_>>();
        // pip would take the file that is there.
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
        match fetched {
            Err(failed) if is_constrained && failed.why != Why::Network => self.pip.fetch(
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

    /// Takes the builds out of a directory that are not the listed ones: of `==1.14.5` pip takes
    /// the highest, which may be another build.
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

/// The project and version of a wheel file's name.
fn name_and_version(file_name: &OsStr) -> Option<(PackageName, Version)> {
    let mut parts = file_name.to_str()?.strip_suffix(".whl")?.split('-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// A line of a requirements file, with the digests that the spec pins for the project.
fn with_hashes(requirement: &str, spec: &Spec) -> String {
    let Packages::Required(requirements) = &spec.packages else {
        return requirement.to_owned();
    };
    let Ok(asked) = parse_requirement(requirement) else {
        return requirement.to_owned();
    };
    let pinned = requirements
        .asked
        .iter()
        .chain(&requirements.constraints)
        .map(|placed| &placed.value);
    let hashes = pinned
        .filter(|pinned| pinned.requirement.name == asked.name)
        .flat_map(|pinned| &pinned.hashes);
    hashes.fold(requirement.to_owned(), |line, hash| {
        format!("{line} --hash=sha256:{hash}")
    })
}
