//! Whether a wheel will do on an interpreter, whoever asks for it: by the tags of its name, and by
//! what is in it.

use std::collections::{HashMap, HashSet};

use pep508_rs::{ExtraName, MarkerEnvironment, MarkerTree, PackageName};

use crate::fs::{self, Digest, Stamped};
use crate::plan::seed::Seed;
use crate::plan::wheelhouse::{Metadata, WheelFile, Wheelhouse, read_requirement, read_specifiers};
use crate::plan::{Facts, RequiredBy, Tags};
use crate::report;
use crate::spec::{Requirement, extras, holds, parse_marker};

/// An interpreter that wheels are held against.
pub(super) struct WheelFilter<'a> {
    /// What is known of it.
    pub interpreter: &'a Facts,
    /// Its tags.
    pub tags: Tags,
    /// The wheels that there are.
    pub wheelhouse: &'a mut Wheelhouse,
    /// Wheels that were read and rejected, as they were then: each may be mended where it lies.
    pub rejected: Vec<Stamped>,
    /// What kept a wheel from being read, though nothing may be wrong with it. An answer without
    /// that wheel would not be the right one.
    pub fault: Option<anyhow::Error>,
    /// The wheels among `rejected`.
    noted: HashSet<WheelFile>,
    /// What was passed over in a wheel that will do all the same.
    warnings: Vec<(WheelFile, String)>,
    /// The wheels among `warnings`.
    warned_of: HashSet<WheelFile>,
}

impl<'a> WheelFilter<'a> {
    /// One that has not read a wheel yet.
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

    /// The wheels of a project: those in the directories, and of a seed, where none of these will
    /// do, those that the interpreter brings too.
    pub fn files(&mut self, project: &PackageName) -> Vec<WheelFile> {
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

    /// The place of a wheel in the interpreter's order of tags, or why the interpreter cannot take
    /// it.
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

    /// What the wheel says of itself, or why it will not do. What it requires of others is not
    /// looked at.
    pub fn content(&mut self, wheel: &WheelFile) -> Result<Metadata, String> {
        self.metadata(wheel)
            .inspect_err(|_| self.note_rejection(wheel))
    }

    /// That the wheel's digest is one of those that are pinned, by each who pins any; or why it
    /// will not do.
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
                    if let Some(impostor) = self.wheelhouse.impostor(wheel) {
                        return Err(impostor.to_string());
                    }
                    Err(format!(
                        "has the sha256 `{digest}`, and {title} is pinned ({required_by})"
                    ))
                }
            }
        });
        judged.inspect_err(|_| self.note_rejection(wheel))
    }

    /// A wheel that is rejected for what is in it leaves its stamp, from before it was read.
    pub fn note_rejection(&mut self, wheel: &WheelFile) {
        if self.noted.insert(wheel.clone()) {
            self.rejected.push(self.wheelhouse.stamped(wheel));
        }
    }

    /// Why a wheel will not do that could not be read.
    fn cannot_be_used(&mut self, error: anyhow::Error) -> String {
        let why = format!("cannot be used: {}", report::one_line(&error));
        if self.fault.is_none() && fs::is_io_failure(&error) {
            self.fault = Some(error);
        }
        why
    }

    /// That all wheels could be read that were looked at.
    pub fn check_io_errors(&mut self) -> anyhow::Result<()> {
        self.fault.take().map_or(Ok(()), Err)
    }

    fn metadata(&mut self, wheel: &WheelFile) -> Result<Metadata, String> {
        let metadata = self.wheelhouse.metadata(wheel).map_err(|error| {
            let why = self.cannot_be_used(error);
            self.wheelhouse
                .impostor(wheel)
                .map_or(why, |impostor| impostor.to_string())
        })?;
        if let Some(wanted) = &metadata.requires_python {
            match read_specifiers(wanted) {
                Some(range) if !range.contains(self.interpreter.version()) => {
                    return Err(format!(
                        "requires Python `{wanted}`; the interpreter is {}",
                        self.interpreter.title()
                    ));
                }
                Some(_) => {}
                None => self.note_ignored(wheel, wanted),
            }
        }
        Ok(metadata)
    }

    /// A range of Python versions that cannot be read rules nothing out.
    fn note_ignored(&mut self, wheel: &WheelFile, range: &str) {
        if self.warned_of.insert(wheel.clone()) {
            let warning = format!(
                "`{}` has a bad `Requires-Python`, which is ignored: `{range}`",
                wheel.file_name
            );
            self.warnings.push((wheel.clone(), warning));
        }
    }

    /// What there is to say of wheels that will do all the same, a sentence each.
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

/// The digests that somebody pins for a project.
pub(super) struct Pin {
    digests: HashSet<Digest>,
    /// The digests, as an error names them.
    title: String,
    /// Who pins them.
    pub required_by: RequiredBy,
}

impl Pin {
    /// How many digests an error names.
    const NAMED: usize = 50;

    /// What somebody pins.
    pub fn new(digests: &[Digest], required_by: RequiredBy) -> Self {
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

/// What a wheel says of itself, understood.
pub(super) struct Content {
    /// The extras that it has.
    pub extras: HashSet<ExtraName>,
    /// What it requires, whatever the markers.
    pub requirements: Vec<Requirement>,
    /// Which of these have a marker that speaks of an extra.
    of_extra: HashMap<ExtraName, Vec<usize>>,
    /// The first line of `Requires-Dist` that cannot be read and counts without an extra, and those
    /// that count with one. What nobody follows does no harm.
    unreadable: HashMap<Option<ExtraName>, (usize, String)>,
}

impl Content {
    /// What a wheel says, and what of it counts with these markers.
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
                content.requirements.push(requirement);
            } else {
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

    /// What the wheel requires for an extra besides what it requires anyhow.
    pub fn required_for<'a>(
        &'a self,
        extra: &'a ExtraName,
        markers: &'a MarkerEnvironment,
    ) -> impl Iterator<Item = &'a Requirement> {
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

    /// That what the wheel requires can be followed: for itself, or for an extra besides.
    pub fn is_readable(&self, extra: Option<&ExtraName>) -> Result<(), String> {
        let with = |extra: Option<&ExtraName>| self.unreadable.get(&extra.cloned());
        match with(None)
            .into_iter()
            .chain(extra.and_then(|extra| with(Some(extra))))
            .min()
        {
            Some((_, line)) => Err(format!("has a bad `Requires-Dist`: `{line}`")),
            None => Ok(()),
        }
    }
}

/// The marker of a line that cannot be read as a whole; one that always holds, where there is none
/// that can be read.
fn marker_of(line: &str) -> MarkerTree {
    line.split_once(';')
        .and_then(|(_, marker)| parse_marker(marker).ok())
        .unwrap_or(MarkerTree::TRUE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::interpreter::tests::facts;

    #[test]
    fn what_cannot_be_read_counts_where_it_is_followed() {
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
