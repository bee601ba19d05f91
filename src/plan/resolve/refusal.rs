//! What is said when there is no answer: of each project in the way who asks for what, each of its
//! files with why it was not taken, and why no other wheel helps.

use std::collections::{BTreeMap, HashSet};

use pep440_rs::Version;
use pep508_rs::PackageName;

use super::demand::Demand;
use super::hint;
use super::stock::Stock;
use crate::plan::Asker;
use crate::plan::wheelhouse::WheelFile;
use crate::report::Failure;

/// What is in the way of an answer.
pub(super) struct Obstacle {
    /// The project that has no wheel for all that is asked of it.
    pub project: PackageName,
    /// All that is asked of it, the spec's constraints last.
    pub demands: Vec<Demand>,
    /// Why those wheels are there that ask for it: for each what asks for it, what asks for that,
    /// and so on to the spec.
    pub reasons: Vec<Vec<Demand>>,
    /// What wheels ask for that could stand in for those on the way to it, in vain.
    pub instead: Vec<Demand>,
    /// What the spec asks for that leads to it.
    pub roots: Vec<Demand>,
}

impl Obstacle {
    /// Its place among several: as the spec asks, then by name.
    pub fn rank(&self, stock: &Stock<'_>) -> (usize, PackageName) {
        let place = stock.places_of(&self.project).first().copied();
        (place.unwrap_or(usize::MAX), self.project.clone())
    }
}

/// The whole error.
pub(super) fn explain(obstacles: &[Obstacle], stock: &mut Stock<'_>) -> Failure {
    let directories: Vec<String> = stock
        .judge
        .wheelhouse
        .directories()
        .map(|directory| format!("`{}`", directory.display()))
        .collect();
    let place = if directories.is_empty() {
        String::new()
    } else {
        format!(" in {}", directories.join(", "))
    };
    let failure = match obstacles {
        [one] => explain_one(one, &place, stock),
        several => {
            let what = format!(
                "no wheel{place} fits what is asked of {} projects",
                several.len()
            );
            let mut lines: Vec<String> =
                several.iter().flat_map(|one| summary(one, stock)).collect();
            let mut seen = HashSet::new();
            lines.retain(|line| seen.insert(line.clone()));
            Failure::new(what).because_of(lines)
        }
    };
    let nothing = directories.is_empty().then(|| {
        "no directory of wheels is named, and there is no `wheels` beside the spec".to_owned()
    });
    failure.because_of(nothing).hint(hint::of(obstacles, stock))
}

/// A project in the way, when it is the only one.
fn explain_one(obstacle: &Obstacle, place: &str, stock: &mut Stock<'_>) -> Failure {
    let failure = match &obstacle.demands[..] {
        [demand] => Failure::new(format!(
            "no wheel{place} fits `{}` ({})",
            demand.title(),
            demand.asker
        )),
        demands => Failure::new(format!(
            "no wheel{place} fits all that is asked of `{}`",
            obstacle.project
        ))
        .because_of(demands.iter().map(asked)),
    };
    let absent =
        is_absent(obstacle, stock).then(|| format!("there is no wheel of `{}`", obstacle.project));
    let others = instead(obstacle, stock);
    failure
        .because_of(reasons(obstacle))
        .because_of(others)
        .because_of(absent)
        .because_of(rejected(obstacle, stock))
}

/// A project in the way, among others.
fn summary(obstacle: &Obstacle, stock: &mut Stock<'_>) -> Vec<String> {
    let mut lines: Vec<String> = obstacle.demands.iter().map(asked).collect();
    if let Some(last) = lines.last_mut().filter(|_| is_absent(obstacle, stock)) {
        *last = format!("{last}; there is no wheel of `{}`", obstacle.project);
    }
    lines.extend(reasons(obstacle));
    lines.extend(instead(obstacle, stock));
    lines.extend(
        rejected(obstacle, stock)
            .iter()
            .map(|why| format!("`{}`: {why}", obstacle.project)),
    );
    lines
}

fn asked(demand: &Demand) -> String {
    format!("`{}` is {}", demand.title(), demand.asker)
}

/// Why those wheels are there that ask for the project, a sentence each.
fn reasons(obstacle: &Obstacle) -> Vec<String> {
    let sentence = |way_back: &Vec<Demand>| {
        let (root, between) = way_back.split_last()?;
        Some(match between {
            [] => asked(root),
            [one] => format!("`{}` is asked for by {}", one.title(), which_is(root)),
            [first, ..] => {
                let asker = first.asker.project()?;
                format!(
                    "`{}` is asked for by `{asker}`, and so on from {}",
                    first.title(),
                    which_is(root)
                )
            }
        })
    };
    obstacle.reasons.iter().filter_map(sentence).collect()
}

fn which_is(demand: &Demand) -> String {
    format!("`{}`, which is {}", demand.project(), demand.asker)
}

/// Whether there are directories, and no file of the project in them.
fn is_absent(obstacle: &Obstacle, stock: &mut Stock<'_>) -> bool {
    stock.files(&obstacle.project).is_empty()
        && stock.judge.wheelhouse.directories().next().is_some()
}

/// Each file of the project and why it was not taken, sorted.
fn rejected(obstacle: &Obstacle, stock: &mut Stock<'_>) -> Vec<String> {
    let files = stock.files(&obstacle.project);
    let mut rejected: Vec<String> = files
        .iter()
        .map(|file| {
            format!(
                "`{}` {}",
                file.file_name,
                why_not(file, &obstacle.demands, stock)
            )
        })
        .collect();
    rejected.sort();
    rejected
}

/// Why a file was not taken. Where several demands rule it out, one of the spec's is named, which
/// no choice can change.
fn why_not(file: &WheelFile, demands: &[Demand], stock: &mut Stock<'_>) -> String {
    let version = &file.name.version;
    let rules_out = |demand: &&Demand| !demand.admits(version);
    let of_spec = demands
        .iter()
        .filter(|demand| demand.is_from_spec())
        .find(rules_out);
    if let Some(demand) = of_spec.or_else(|| demands.iter().find(rules_out)) {
        return format!(
            "is version {version}, which does not satisfy `{}`",
            demand.title()
        );
    }
    let unfit = stock
        .judge
        .tags(file)
        .err()
        .or_else(|| stock.content(file).err());
    unfit
        .or_else(|| flaw(file, demands, stock))
        .unwrap_or_else(|| "leads to another conflict".to_owned())
}

fn flaw(file: &WheelFile, demands: &[Demand], stock: &mut Stock<'_>) -> Option<String> {
    let project = &file.name.project;
    let number = stock
        .offers(project)
        .binary_search_by(|offer| offer.version.cmp(&file.name.version))
        .ok()?;
    let extras = demands
        .iter()
        .flat_map(|demand| demand.requirement.extras.iter().cloned())
        .collect();
    stock.flaw(project, number, &extras)
}

/// Why the wheels do not help that could stand in for those who ask.
fn instead(obstacle: &Obstacle, stock: &mut Stock<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut likewise: BTreeMap<(String, &PackageName), Vec<&Version>> = BTreeMap::new();
    for demand in &obstacle.instead {
        let Asker::Wheel {
            project,
            version,
            file_name,
        } = &demand.asker
        else {
            continue;
        };
        if *demand.project() == obstacle.project {
            likewise
                .entry((demand.title(), project))
                .or_default()
                .push(version);
        } else {
            let why = if stock.choices(demand, false).is_empty() {
                ", which no wheel fits"
            } else {
                ", which does not go together either"
            };
            lines.push(format!(
                "`{file_name}` would do for `{project}`, but asks for `{}`{why}",
                demand.title()
            ));
        }
    }
    lines.sort();
    let likewise = likewise
        .into_iter()
        .map(|((title, project), mut versions)| {
            versions.sort();
            let versions: Vec<String> = versions.into_iter().map(Version::to_string).collect();
            format!(
                "`{title}` is asked for by `{project}` {} too",
                listed(&versions)
            )
        });
    likewise.chain(lines).collect()
}

/// `1`, `1 and 2`, `1, 2 and 3`.
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
