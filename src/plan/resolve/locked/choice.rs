//! The file of a locked package for the interpreter: chosen by its tags, found by its digests.

use std::cmp::Reverse;

use anyhow::Result;

use super::Origins;
use super::lock_error::{Digests, LockProblem};
use crate::fs::Digest;
use crate::interpreter::{Facts, Tags};
use crate::plan::PlannedWheel;
use crate::plan::wheelhouse::{WheelFile, Wheelhouse};
use crate::remote::{FileToFetch, RemoteUrl};
use crate::spec::{Located, Lock, LockedPackage, LockedWheel};
use crate::wheel::WheelName;

/// The locked wheel of a package for the interpreter.
pub(super) struct Choice<'a> {
    pub(super) package: &'a Located<LockedPackage>,
    wheel: &'a Located<LockedWheel>,
    pub(super) name: WheelName,
    /// The file, once it is found.
    pub(super) file: Option<WheelFile>,
}

impl<'a> Choice<'a> {
    /// Chooses the wheel with the best tag; if there are several, the one with the highest build
    /// tag.
    pub(super) fn of(
        package: &'a Located<LockedPackage>,
        interpreter: &Facts,
        tags: &Tags,
    ) -> Result<Self, LockProblem<'a>> {
        let value = &package.value;
        if let Some(range) = value
            .requires_python
            .as_ref()
            .filter(|range| !range.contains(interpreter.version()))
        {
            return Err(LockProblem::OtherPython { package, range });
        }
        // Rank the wheels with compatible tags.
        let mut ranked = Vec::new();
        let mut misfits = Vec::new();
        for wheel in &value.wheels {
            let name = parse_name(value, &wheel.value).map_err(|why| LockProblem::BadName {
                package,
                wheel,
                why,
            })?;
            match name.rank(tags) {
                Some(rank) => ranked.push((
                    rank,
                    Self {
                        package,
                        wheel,
                        name,
                        file: None,
                    },
                )),
                None => misfits.push(name.misfit(tags)),
            }
        }
        ranked.sort_by_cached_key(|(rank, choice)| {
            (
                *rank,
                Reverse(choice.name.build.clone()),
                choice.wheel.value.file_name.clone(),
            )
        });
        ranked
            .into_iter()
            .next()
            .map(|(_, choice)| choice)
            .ok_or(LockProblem::NoWheel { package, misfits })
    }

    /// Returns the locked digest.
    pub(super) fn sha256(&self) -> &Digest {
        &self.wheel.value.sha256
    }

    /// Returns where the file can be downloaded: at the URL in the lock file, or else at `by_digest`
    /// on a server that has wheels by digest.
    pub(super) fn file_to_fetch(&self, by_digest: Option<RemoteUrl>) -> Option<FileToFetch> {
        let LockedWheel {
            file_name,
            url,
            size,
            sha256,
            ..
        } = &self.wheel.value;
        let url = url.as_ref();
        let of_lock = url.and_then(|url| RemoteUrl::parse(url.reveal()).ok());
        Some(FileToFetch {
            url: of_lock.or(by_digest)?,
            file_name: file_name.clone(),
            size: *size,
            sha256: Some(*sha256),
            stated: None,
            kept: None,
        })
    }

    /// Finds the file with the locked name and digests in the first directory that has it. The
    /// inner error is the problem with the first file of that name.
    pub(super) fn find(
        &self,
        wheelhouse: &mut Wheelhouse,
    ) -> Result<Result<WheelFile, LockProblem<'a>>> {
        let mut other = None;
        for file in wheelhouse.named(&self.name) {
            let Some(digests) = self.difference(&file, wheelhouse)? else {
                return Ok(Ok(file));
            };
            let path = wheelhouse.path(&file);
            other.get_or_insert(LockProblem::OtherBytes {
                package: self.package,
                wheel: self.wheel,
                path,
                shown: wheelhouse.path_in_wheelhouse(&file),
                digests: Box::new(digests),
            });
        }
        Ok(Err(other.unwrap_or(LockProblem::Missing {
            package: self.package,
            wheel: self.wheel,
        })))
    }

    /// Returns the first digest of a file that differs from the locked one; `None` if all locked
    /// digests match.
    fn difference(&self, file: &WheelFile, wheelhouse: &mut Wheelhouse) -> Result<Option<Digests>> {
        let LockedWheel {
            sha256,
            long_digests,
            ..
        } = &self.wheel.value;
        let digest = wheelhouse.digests(std::slice::from_ref(file))?[0];
        if digest != *sha256 {
            return Ok(Some(Digests {
                name: "sha256",
                found: digest.to_string(),
                locked: sha256.to_string(),
            }));
        }
        // The bytes of a remote wheel are those of its sha256, which the download checks.
        let long_digests = long_digests.iter().filter(|_| !file.is_remote());
        for (kind, locked) in long_digests {
            let found = kind.of_file(&wheelhouse.path(file))?;
            if found != *locked {
                return Ok(Some(Digests {
                    name: kind.name(),
                    found,
                    locked: locked.clone(),
                }));
            }
        }
        Ok(None)
    }

    /// Plans a wheel without a file, from the lock file alone.
    pub(super) fn without_file(self, lock: &Lock, required_by: &Origins) -> PlannedWheel {
        let LockedWheel {
            file_name,
            path,
            url: _,
            size,
            sha256,
            long_digests: _,
        } = &self.wheel.value;
        PlannedWheel {
            name: self.name.project,
            version: self.name.version,
            path: path
                .clone()
                .unwrap_or_else(|| lock.path.with_file_name(file_name)),
            in_layout: None,
            built: None,
            to_fetch: None,
            size: size.unwrap_or_default(),
            sha256: *sha256,
            required_by: required_by.of_package(self.package),
        }
    }
}

/// Parses the name of a locked file, which must match its package.
fn parse_name(package: &LockedPackage, wheel: &LockedWheel) -> Result<WheelName, String> {
    let name = WheelName::parse(&wheel.file_name)?;
    let is_ours = name.project == package.name
        && package
            .version
            .as_ref()
            .is_none_or(|version| *version == name.version);
    is_ours
        .then_some(name)
        .ok_or_else(|| match &package.version {
            Some(version) => format!("it is locked as `{}` {version}", package.name),
            None => format!("it is locked as `{}`", package.name),
        })
}
