//! What comes of each listed wheel, for a check of the list: one verdict each, and what the wheels require that is not among them.

use std::collections::BTreeMap;

use pep440_rs::Version;
use pep508_rs::PackageName;

use super::super::demand::{Demand, Role};
use super::super::judge::{Content, Judge};
use super::{choose, wanted};
use crate::plan::Facts;
use crate::plan::wheelhouse::{WheelFile, Wheelhouse};
use crate::spec::{Asked, ListedWheel, Place, Placed, holds};

/// What comes of a listed wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) enum Verdict {
    /// It is not wanted on this interpreter.
    Unwanted,
    /// There is a file of this version for it.
    Fits(Version),
    /// No file fits.
    Missing,
    /// The list has another version of the project too, and wants both.
    Clash,
}

/// Judges each wheel of a list, in its order. With the verdicts comes what the files require that is not among them, a sentence each.
pub(in crate::plan) fn verify(
    listed: &[Placed<ListedWheel>],
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
) -> (Vec<Verdict>, Vec<String>) {
    let mut judge = Judge::new(interpreter, wheelhouse);
    let is_wanted: Vec<bool> = listed.iter().map(|wheel| wanted::is_wanted(&wheel.value, &judge.tags)).collect();
    let all_wanted = || listed.iter().zip(&is_wanted).filter(|(_, is_wanted)| **is_wanted).map(|(wheel, _)| &wheel.value);
    let clashes = |one: &ListedWheel| all_wanted().any(|other| other.project == one.project && other.wanted != one.wanted);
    let mut files: BTreeMap<PackageName, Option<Chosen<'_>>> = BTreeMap::new();
    let mut verdicts = Vec::new();
    for (wheel, is_wanted) in listed.iter().zip(&is_wanted) {
        let file = if *is_wanted && !clashes(&wheel.value) { choose(&wheel.value, &mut judge).ok() } else { None };
        verdicts.push(match &file {
            _ if !is_wanted => Verdict::Unwanted,
            Some(file) => Verdict::Fits(file.name.version.clone()),
            None if clashes(&wheel.value) => Verdict::Clash,
            None => Verdict::Missing,
        });
        if *is_wanted {
            files.insert(wheel.value.project.clone(), file.map(|file| Chosen { file, place: &wheel.place }));
        }
    }
    let mut unmet: Vec<String> = files.values().flatten().flat_map(|chosen| unmet(chosen, &files, &mut judge)).collect();
    let chosen: Vec<WheelFile> = files.values().flatten().map(|chosen| chosen.file.clone()).collect();
    unmet.extend(judge.warnings_of(&chosen));
    (verdicts, unmet)
}

/// The file for a listed wheel, and where that is listed.
struct Chosen<'a> {
    file: WheelFile,
    place: &'a Place,
}

/// What a file requires that is not among the others; what is wanted and missing is said elsewhere.
fn unmet(chosen: &Chosen<'_>, files: &BTreeMap<PackageName, Option<Chosen<'_>>>, judge: &mut Judge<'_>) -> Vec<String> {
    let Chosen { file, place } = chosen;
    let say = |what: String| format!("`{}` {what} (listed in {place})", file.file_name);
    let content = match judge.content(file) {
        Ok(metadata) => Content::from(metadata),
        Err(why) => return vec![say(why)],
    };
    let mut unmet: Vec<String> = content.is_readable(judge.interpreter, None).err().map(say).into_iter().collect();
    let requirements = content.requirements.into_iter();
    let here = requirements.filter(|requirement| holds(&requirement.marker, &judge.interpreter.markers, &[]));
    for requirement in here {
        let asked = Placed { value: Asked { requirement, hashes: Vec::new() }, place: (*place).clone() };
        let demand = Demand::of(&asked, Role::Requirement);
        match files.get(demand.project()) {
            None => unmet.push(say(format!("requires `{}`, which is not among the listed wheels", demand.title()))),
            Some(Some(other)) if !demand.admits(&other.file.name.version) => {
                unmet.push(say(format!("requires `{}`, and `{}` is listed", demand.title(), other.file.file_name)));
            }
            Some(_) => {}
        }
    }
    unmet
}
