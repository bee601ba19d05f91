//! The wheels of one project, held against all that is asked of it.

use std::cmp::Reverse;

use pep440_rs::VersionSpecifiers;
use pep508_rs::PackageName;

use super::{Choice, Demand, Resolver};
use crate::fs::Stamped;
use crate::plan::wheelhouse::{Metadata, WheelFile};
use crate::report;
use crate::spec::Requirement;

/// What came of each wheel file of a project.
pub(super) struct Candidates {
    /// The wheels that can be taken, best first, one for each version. Pre-releases come last where nobody names one.
    pub fitting: Vec<Choice>,
    /// The other files, sorted.
    pub rejected: Vec<Rejected>,
}

/// A wheel file that was not taken.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rejected {
    /// The file and why it was not taken, as a sentence.
    pub why: String,
    /// The demand that rules it out, where it is a demand and not the wheel itself.
    pub demand: Option<usize>,
}

impl Candidates {
    /// Looks at the wheels of a project.
    pub fn of(project: &PackageName, demands: &[Demand], resolver: &mut Resolver<'_>) -> Self {
        let mut rejected = Vec::new();
        let mut ranked = Vec::new();
        for wheel in resolver.wheelhouse.wheels(project).to_vec() {
            match judge_name(&wheel, demands, resolver) {
                Ok(rank) => ranked.push((wheel, rank)),
                Err(rejection) => rejected.push(rejection),
            }
        }
        // The highest version first; of one version the best tag, then the highest build. Pre-releases count where somebody names
        // one, or where there is nothing else (PEP 440, "Handling of pre-releases").
        let pre_releases_count = demands.iter().any(Demand::names_pre_release);
        ranked.sort_by_cached_key(|(wheel, rank)| {
            let WheelFile { name, file_name, .. } = wheel;
            let counts = pre_releases_count || !name.version.any_prerelease();
            (Reverse((counts, name.version.clone(), Reverse(*rank), name.build.clone())), file_name.clone())
        });
        let mut fitting: Vec<Choice> = Vec::new();
        for (wheel, _) in ranked {
            let reject = |why: String| Rejected { why: format!("`{}` {why}", wheel.file_name), demand: None };
            if let Some(better) = fitting.iter().find(|choice| choice.wheel.name.version == wheel.name.version) {
                rejected.push(reject(format!("fits less well than `{}`", better.wheel.file_name)));
                continue;
            }
            match judge_content(&wheel, resolver) {
                Ok(metadata) => fitting.push(Choice { wheel, metadata }),
                Err(why) => rejected.push(reject(why)),
            }
        }
        rejected.sort();
        Self { fitting, rejected }
    }
}

/// What the file's name alone tells: its place in the interpreter's order of tags, or why it will not do. Where several demands rule
/// it out, one of the spec's is named, which no choice can change.
fn judge_name(wheel: &WheelFile, demands: &[Demand], resolver: &Resolver<'_>) -> Result<usize, Rejected> {
    let (version, file_name) = (&wheel.name.version, &wheel.file_name);
    let ruling_out = demands.iter().enumerate().filter(|(_, demand)| !demand.admits(version));
    if let Some((index, demand)) = ruling_out.min_by_key(|(index, demand)| (!demand.is_from_spec(), *index)) {
        let why = format!("`{file_name}` is version {version}, which does not satisfy `{}`", demand.title());
        return Err(Rejected { why, demand: Some(index) });
    }
    wheel.name.rank(&resolver.tags).ok_or_else(|| {
        let misfit = wheel.name.misfit(&resolver.tags);
        let why = format!("`{file_name}` is for {misfit}; the interpreter is {}", resolver.interpreter.title());
        Rejected { why, demand: None }
    })
}

/// A line of `Requires-Dist`. A comma too many, which old tools wrote and pip takes, is taken.
pub(super) fn requirement(line: &str) -> Option<Requirement> {
    line.parse().ok().or_else(|| without_stray_commas(line).parse().ok())
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

/// What the wheel says of itself, or why it will not do. A wheel that is rejected for what is in it leaves its stamp, since it may
/// be mended where it lies.
fn judge_content(wheel: &WheelFile, resolver: &mut Resolver<'_>) -> Result<Metadata, String> {
    let stamped = Stamped::look(resolver.wheelhouse.path(wheel));
    let judged = judge_metadata(wheel, resolver);
    if judged.is_err() && !resolver.rejected.contains(&stamped) {
        resolver.rejected.push(stamped);
    }
    judged
}

fn judge_metadata(wheel: &WheelFile, resolver: &mut Resolver<'_>) -> Result<Metadata, String> {
    let metadata =
        resolver.wheelhouse.metadata(wheel).map_err(|error| format!("cannot be used: {}", report::one_line(&error)))?;
    if let Some(wanted) = &metadata.requires_python {
        let range = without_stray_commas(wanted).parse::<VersionSpecifiers>();
        let range = range.map_err(|_| format!("has a bad `Requires-Python`: `{wanted}`"))?;
        if !range.contains(resolver.interpreter.version()) {
            return Err(format!("requires Python `{wanted}`; the interpreter is {}", resolver.interpreter.title()));
        }
    }
    match metadata.requires_dist.iter().find(|line| requirement(line).is_none()) {
        Some(line) => Err(format!("has a bad `Requires-Dist`: `{line}`")),
        None => Ok(metadata),
    }
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
