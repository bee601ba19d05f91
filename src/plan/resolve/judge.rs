//! Whether a wheel will do on an interpreter, whoever asks for it: by the tags of its name, and by what is in it.

use pep440_rs::VersionSpecifiers;
use pep508_rs::ExtraName;

use crate::fs::{self, Digest, Stamped};
use crate::plan::wheelhouse::{Metadata, WheelFile, Wheelhouse};
use crate::plan::{Asker, Facts, Tags};
use crate::report;
use crate::spec::{Requirement, parse_requirement};

/// An interpreter that wheels are held against.
pub(super) struct Judge<'a> {
    /// What is known of it.
    pub interpreter: &'a Facts,
    /// Its tags.
    pub tags: Tags,
    /// The wheels that there are.
    pub wheelhouse: &'a mut Wheelhouse,
    /// Wheels that were read and rejected, as they were then: each may be mended where it lies.
    pub rejected: Vec<Stamped>,
    /// What kept a wheel from being read, though nothing may be wrong with it. An answer without that wheel would not be the right one.
    pub fault: Option<anyhow::Error>,
}

impl<'a> Judge<'a> {
    /// One that has not read a wheel yet.
    pub fn new(interpreter: &'a Facts, wheelhouse: &'a mut Wheelhouse) -> Self {
        Self { interpreter, tags: Tags::of(interpreter), wheelhouse, rejected: Vec::new(), fault: None }
    }

    /// The place of a wheel in the interpreter's order of tags, or why the interpreter cannot take it.
    pub fn tags(&self, wheel: &WheelFile) -> Result<usize, String> {
        let misfit = || format!("is for {}; the interpreter is {}", wheel.name.misfit(&self.tags), self.interpreter.title());
        wheel.name.rank(&self.tags).ok_or_else(misfit)
    }

    /// What the wheel says of itself, or why it will not do. What it requires of others is not looked at.
    pub fn content(&mut self, wheel: &WheelFile) -> Result<Metadata, String> {
        self.metadata(wheel).inspect_err(|_| self.note_rejection(wheel))
    }

    /// That the wheel's digest is one of those that are pinned, by each who pins any; or why it will not do.
    pub fn digest_is_pinned(&mut self, wheel: &WheelFile, pins: &[(Vec<Digest>, Asker)]) -> Result<(), String> {
        let digests = self.wheelhouse.digests(std::slice::from_ref(wheel));
        let digest = digests.map(|digests| digests[0]).map_err(|error| self.cannot_be_used(error));
        let judged = digest.and_then(|digest| match pins.iter().find(|(pinned, _)| !pinned.contains(&digest)) {
            None => Ok(()),
            Some((pinned, asker)) => {
                let pinned = pinned.iter().map(|hash| format!("`{hash}`")).collect::<Vec<_>>().join(", ");
                Err(format!("has the sha256 `{digest}`, and {pinned} is pinned ({asker})"))
            }
        });
        judged.inspect_err(|_| self.note_rejection(wheel))
    }

    /// A wheel that is rejected for what is in it leaves its stamp, from before it was read.
    pub fn note_rejection(&mut self, wheel: &WheelFile) {
        let stamped = self.wheelhouse.stamped(wheel);
        if !self.rejected.contains(&stamped) {
            self.rejected.push(stamped);
        }
    }

    /// Why a wheel will not do that could not be read.
    fn cannot_be_used(&mut self, error: anyhow::Error) -> String {
        let why = format!("cannot be used: {}", report::one_line(&error));
        if self.fault.is_none() && fs::is_systems_fault(&error) {
            self.fault = Some(error);
        }
        why
    }

    /// That all wheels could be read that were looked at.
    pub fn was_not_hindered(&mut self) -> anyhow::Result<()> {
        self.fault.take().map_or(Ok(()), Err)
    }

    fn metadata(&mut self, wheel: &WheelFile) -> Result<Metadata, String> {
        let metadata = self.wheelhouse.metadata(wheel).map_err(|error| self.cannot_be_used(error))?;
        if let Some(wanted) = &metadata.requires_python {
            let range = without_stray_commas(wanted).parse::<VersionSpecifiers>();
            let range = range.map_err(|_| format!("has a bad `Requires-Python`: `{wanted}`"))?;
            if !range.contains(self.interpreter.version()) {
                return Err(format!("requires Python `{wanted}`; the interpreter is {}", self.interpreter.title()));
            }
        }
        Ok(metadata)
    }
}

/// What a wheel says of itself, understood.
pub(super) struct Content {
    /// The extras that it has.
    pub extras: Vec<ExtraName>,
    /// What it requires, whatever the markers.
    pub requirements: Vec<Requirement>,
}

impl Metadata {
    /// What a wheel says of itself, or why it will not do: a requirement that cannot be followed.
    pub(super) fn with_requirements(self) -> Result<Content, String> {
        let bad = |line: &String| format!("has a bad `Requires-Dist`: `{line}`");
        let requirements = self.requires_dist.iter().map(|line| requirement(line).ok_or_else(|| bad(line)));
        Ok(Content {
            extras: self.extras.iter().filter_map(|extra| extra.parse().ok()).collect(),
            requirements: requirements.collect::<Result<_, _>>()?,
        })
    }
}

/// A line of `Requires-Dist`. A comma too many, which old tools wrote and pip takes, is taken.
fn requirement(line: &str) -> Option<Requirement> {
    parse_requirement(line).or_else(|_| parse_requirement(&without_stray_commas(line))).ok()
}

/// A text without the commas that nothing follows.
fn without_stray_commas(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for (index, character) in text.char_indices() {
        let next = text[index + character.len_utf8()..].trim_start().chars().next();
        if character != ',' || !matches!(next, None | Some(')' | ';' | ',')) {
            kept.push(character);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_too_many_is_taken() {
        let rows = [
            ("foo>=1,", "foo>=1"),
            ("foo (>=1,<2,)", "foo>=1,<2"),
            ("foo>=1, ; python_version >= '3'", "foo>=1 ; python_full_version >= '3'"),
            ("foo>=1,,<2", "foo>=1,<2"),
        ];
        for (line, expected) in rows {
            let expected: Requirement = expected.parse().unwrap();
            let found = requirement(line).unwrap();
            assert_eq!((&found.name, &found.version_or_url), (&expected.name, &expected.version_or_url), "{line}");
        }
        assert_eq!(requirement("foo >= "), None);
    }
}
