//! Checks whether a wheel is usable on an interpreter, whatever requires it: by the tags in its
//! file name, its metadata and its digest. Yanked files of an index are left out before, in
//! `plan/wheelhouse/index_wheels.rs`.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use pep508_rs::{ExtraName, MarkerEnvironment, MarkerTree, PackageName};

use crate::fs::{self, Digest, Stamped};
use crate::interpreter::{Facts, Tags};
use crate::plan::RequiredBy;
use crate::plan::seed::Seed;
use crate::plan::wheelhouse::{WheelFile, Wheelhouse};
use crate::report;
use crate::spec::{Requirement, extras, holds, parse_marker};
use crate::wheel::{Metadata, read_requirement, read_specifiers};

/// Selects the wheels that are usable on an interpreter.
pub(super) struct WheelFilter<'a> {
    /// The facts about the interpreter.
    pub interpreter: &'a Facts,
    /// The tags of the interpreter.
    pub tags: Tags,
    /// The available wheels.
    pub wheelhouse: &'a mut Wheelhouse,
    /// The stamps of wheels that were read and rejected, from before they were read: each may be
    /// repaired in place.
    pub rejected: Vec<Stamped>,
    /// The first I/O error of a wheel that may be intact, or of a damaged one of an image layout. An
    /// answer without that wheel might be wrong.
    pub fault: Option<anyhow::Error>,
    /// The wheels in `rejected`.
    noted: HashSet<WheelFile>,
    /// The warnings about usable wheels.
    warnings: Vec<(WheelFile, String)>,
    /// The wheels in `warnings`.
    warned_of: HashSet<WheelFile>,
}

impl<'a> WheelFilter<'a> {
    /// Creates a filter that has not read any wheel yet.
    pub fn new(interpreter: &'a Facts, wheelhouse: &'a mut Wheelhouse) -> Self {
        Self {
            interpreter,
            tags: Tags::of(interpreter),
            wheelhouse,
            rejected: Vec::new(),
            fault: None,
            noted: HashSet::new(),
            warnings: Vec::new(),
            warned_of: HashSet::new(),
        }
    }

    /// Returns the wheels of a project in the wheel directories. For a seed without a usable wheel
    /// among them, this includes the wheels that are bundled with the interpreter.
    pub fn files(&mut self, project: &PackageName) -> Vec<WheelFile> {
        self.wheelhouse.list_on_index(project);
        let files = self.wheelhouse.wheels(project).to_vec();
        let seed = if self.wheelhouse.is_seeded() {
            Seed::named(project)
        } else {
            None
        };
        let Some(seed) = seed else { return files };
        if files.iter().any(|file| self.can_be_seed(file, &seed)) {
            return files;
        }
        let bundled = self.wheelhouse.bundled(project, &self.interpreter.bundled);
        [files, bundled].concat()
    }

    fn can_be_seed(&mut self, file: &WheelFile, seed: &Seed) -> bool {
        seed.admits(&file.name.version) && self.tags(file).is_ok() && self.content(file).is_ok()
    }

    /// Returns the rank of a wheel in the interpreter's order of tags, or the reason why the wheel
    /// is incompatible.
    pub fn tags(&self, wheel: &WheelFile) -> Result<usize, String> {
        let misfit = || {
            format!(
                "is for {}; the interpreter is {}",
                wheel.name.misfit(&self.tags),
                self.interpreter.title()
            )
        };
        wheel.name.rank(&self.tags).ok_or_else(misfit)
    }

    /// Returns the metadata of a wheel, or the reason why the wheel is unusable. The requirements
    /// in it are not checked.
    pub fn content(&mut self, wheel: &WheelFile) -> Result<Metadata, String> {
        self.metadata(wheel)
            .inspect_err(|_| self.note_rejection(wheel))
    }

    /// Checks that each pin lists the digest of the wheel. The error is the reason why the wheel is
    /// unusable.
    pub fn digest_is_pinned(&mut self, wheel: &WheelFile, pins: &[Pin]) -> Result<(), String> {
        let digests = self.wheelhouse.digests(std::slice::from_ref(wheel));
        let digest = digests
            .map(|digests| digests[0])
            .map_err(|error| self.cannot_be_used(error));
        let judged = digest.and_then(|digest| {
            match pins.iter().find(|pin| !pin.digests.contains(&digest)) {
                None => Ok(()),
                Some(Pin {
                    title, required_by, ..
                }) => {
                    // For a file that is not a wheel, its kind explains more than its digest.
                    if let Some(impostor) = self.wheelhouse.impostor(wheel) {
                        return Err(impostor.to_string());
                    }
                    Err(format!(
                        "has the sha256 `{digest}`, but {title} is pinned ({required_by})"
                    ))
                }
            }
        });
        judged.inspect_err(|_| self.note_rejection(wheel))
    }

    /// Records the stamp of a wheel that is rejected for its content, from before it was read.
    pub fn note_rejection(&mut self, wheel: &WheelFile) {
        if self.noted.insert(wheel.clone()) {
            self.rejected.extend(self.wheelhouse.stamped(wheel));
        }
    }

    /// Returns the reason why a wheel that cannot be read is unusable. Keeps the first I/O error.
    fn cannot_be_used(&mut self, error: anyhow::Error) -> String {
        let why = format!("cannot be used: {}", report::one_line(&error));
        if self.fault.is_none() && fs::is_io_failure(&error) {
            self.fault = Some(error);
        }
        why
    }

    /// Returns the first I/O error of a wheel, if there was one.
    pub fn check_io_errors(&mut self) -> anyhow::Result<()> {
        let of_index = self.wheelhouse.take_index_failure();
        self.fault.take().or(of_index).map_or(Ok(()), Err)
    }

    fn metadata(&mut self, wheel: &WheelFile) -> Result<Metadata, String> {
        // The range that an index states saves the request.
        if let Some(wanted) = self.wheelhouse.listed_requires_python(wheel) {
            self.check_python(wheel, &wanted)?;
        }
        let metadata = self.wheelhouse.metadata(wheel).map_err(|error| {
            if self.wheelhouse.is_damaged(wheel) {
                // The layout promises this wheel: to choose another one would hide the damage.
                let why = report::one_line(&error);
                self.fault.get_or_insert(error);
                return why;
            }
            let why = self.cannot_be_used(error);
            self.wheelhouse
                .impostor(wheel)
                .map_or(why, |impostor| impostor.to_string())
        })?;
        if let Some(wanted) = &metadata.requires_python {
            self.check_python(wheel, wanted)?;
        }
        Ok(metadata)
    }

    /// Checks that a `Requires-Python` of a wheel admits the interpreter.
    fn check_python(&mut self, wheel: &WheelFile, wanted: &str) -> Result<(), String> {
        match read_specifiers(wanted) {
            Some(range) if !range.contains(self.interpreter.version()) => Err(format!(
                "requires Python `{wanted}`; the interpreter is {}",
                self.interpreter.title()
            )),
            Some(_) => Ok(()),
            None => {
                self.note_ignored(wheel, wanted);
                Ok(())
            }
        }
    }

    /// Warns of an invalid `Requires-Python`, which excludes no version of Python.
    fn note_ignored(&mut self, wheel: &WheelFile, range: &str) {
        if self.warned_of.insert(wheel.clone()) {
            let warning = format!(
                "`{}` has an invalid `Requires-Python`, which vpython ignores: `{range}`",
                wheel.file_name
            );
            self.warnings.push((wheel.clone(), warning));
        }
    }

    /// Returns the warnings about these wheels, one sentence each.
    pub fn warnings_of(&self, wheels: &[WheelFile]) -> Vec<String> {
        if self.warnings.is_empty() {
            return Vec::new();
        }
        let wheels: HashSet<&WheelFile> = wheels.iter().collect();
        let of_them = self
            .warnings
            .iter()
            .filter(|(wheel, _)| wheels.contains(wheel));
        of_them.map(|(_, warning)| warning.clone()).collect()
    }
}

/// The digests that one requirement pins for a project.
pub(super) struct Pin {
    digests: HashSet<Digest>,
    /// The digests, as an error message lists them.
    title: String,
    /// The origin of the requirement.
    pub required_by: Rc<RequiredBy>,
}

impl Pin {
    /// The maximum number of digests in an error message.
    const NAMED: usize = 50;

    /// Creates a pin from the digests of a requirement.
    pub fn new(digests: &[Digest], required_by: Rc<RequiredBy>) -> Self {
        let named: Vec<String> = digests
            .iter()
            .take(Self::NAMED)
            .map(|digest| format!("`{digest}`"))
            .collect();
        let more = digests.len() - named.len();
        let more = if more == 0 {
            String::new()
        } else {
            format!(" or one of {more} more")
        };
        Self {
            digests: digests.iter().copied().collect(),
            title: named.join(", ") + &more,
            required_by,
        }
    }
}

/// The parsed metadata of a wheel.
pub(super) struct Content {
    /// The extras of the wheel.
    pub extras: HashSet<ExtraName>,
    /// The requirements, whether or not their markers hold.
    pub requirements: Vec<Rc<Requirement>>,
    /// The indexes of the requirements whose marker mentions an extra.
    of_extra: HashMap<ExtraName, Vec<usize>>,
    /// The first invalid line of `Requires-Dist` that applies without an extra, and the first one
    /// for each extra. An invalid line of an extra that is not required does no harm.
    unreadable: HashMap<Option<ExtraName>, (usize, String)>,
}

impl Content {
    /// Parses the metadata of a wheel. Invalid lines are kept if they apply in this environment.
    pub fn of(metadata: Metadata, markers: &MarkerEnvironment) -> Self {
        let mut content = Self {
            extras: metadata
                .extras
                .iter()
                .filter_map(|extra| extra.parse().ok())
                .collect(),
            requirements: Vec::new(),
            of_extra: HashMap::new(),
            unreadable: HashMap::new(),
        };
        for (place, line) in metadata.requires_dist.into_iter().enumerate() {
            if let Some(requirement) = read_requirement(&line) {
                for extra in extras(&requirement.marker) {
                    content
                        .of_extra
                        .entry(extra)
                        .or_default()
                        .push(content.requirements.len());
                }
                content.requirements.push(Rc::new(requirement));
            } else {
                // Keep the first invalid line for each extra to which it applies.
                let marker = marker_of(&line);
                let counts = |extra: &Option<ExtraName>| holds(&marker, markers, extra.as_slice());
                for extra in [None]
                    .into_iter()
                    .chain(extras(&marker).into_iter().map(Some))
                    .filter(counts)
                {
                    content
                        .unreadable
                        .entry(extra)
                        .or_insert_with(|| (place, line.clone()));
                }
            }
        }
        content
    }

    /// Returns the requirements that an extra adds to those of the wheel itself.
    pub fn required_for<'a>(
        &'a self,
        extra: &'a ExtraName,
        markers: &'a MarkerEnvironment,
    ) -> impl Iterator<Item = &'a Rc<Requirement>> {
        let of_extra = self
            .of_extra
            .get(extra)
            .into_iter()
            .flatten()
            .map(|index| &self.requirements[*index]);
        let counts = |extras: &[ExtraName], marker: &MarkerTree| holds(marker, markers, extras);
        of_extra.filter(move |known| {
            counts(std::slice::from_ref(extra), &known.marker) && !counts(&[], &known.marker)
        })
    }

    /// Checks that the requirements of the wheel are valid, including those of an extra if one is
    /// given.
    pub fn is_readable(&self, extra: Option<&ExtraName>) -> Result<(), String> {
        let with = |extra: Option<&ExtraName>| self.unreadable.get(&extra.cloned());
        match with(None)
            .into_iter()
            .chain(extra.and_then(|extra| with(Some(extra))))
            .min()
        {
            Some((_, line)) => Err(format!("has an invalid `Requires-Dist`: `{line}`")),
            None => Ok(()),
        }
    }
}

/// Returns the marker of an invalid line, or a marker that always holds if the line has no valid
/// one.
fn marker_of(line: &str) -> MarkerTree {
    line.split_once(';')
        .and_then(|(_, marker)| parse_marker(marker).ok())
        .unwrap_or(MarkerTree::TRUE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::tests::facts;

    #[test]
    fn an_invalid_requirement_is_an_error_only_if_it_applies() {
        let lines = [
            "one >= x",
            "two >= x; extra == 'y'",
            "three >= x; python_version < '3'",
            "four >= x; nonsense",
            "five",
        ];
        let (facts, extra) = (facts([3, 11, 7]), "y".parse().unwrap());
        let rows = [
            (0, false, false),
            (1, true, false),
            (2, true, true),
            (3, false, false),
            (4, true, true),
        ];
        for (line, alone, with_extra) in rows {
            let metadata = Metadata {
                requires_dist: vec![lines[line].to_owned()],
                ..Metadata::default()
            };
            let content = Content::of(metadata, &facts.markers);
            assert_eq!(content.is_readable(None).is_ok(), alone, "{}", lines[line]);
            assert_eq!(
                content.is_readable(Some(&extra)).is_ok(),
                with_extra,
                "{}",
                lines[line]
            );
        }
    }
}
