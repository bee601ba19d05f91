//! What to try when there is no answer: the likeliest mendings, in one line.

use std::collections::{BTreeSet, HashSet};

use pep440_rs::{Operator, Version, VersionSpecifiers};
use pep508_rs::PackageName;
use pubgrub::Ranges;

use super::demand::Demand;
use super::refusal::Obstacle;
use super::stock::Stock;
use crate::plan::Asker;
use crate::plan::wheelhouse::read_specifiers;
use crate::spec::{is_uv_lock, ways_around_digests};

/// What to try where Git LFS has a file that is not fetched.
pub(super) const PULL_FROM_LFS: &str = "`git lfs pull` fetches the file";

/// The likeliest mendings: wheels to fetch, a bound to loosen, another python.
pub(super) fn of(obstacles: &[Obstacle], stock: &mut Stock<'_>) -> String {
    let Some(directory) = stock
        .judge
        .wheelhouse
        .directories()
        .next()
        .map(|directory| directory.display().to_string())
    else {
        let name = "name a directory of wheels: `wheels = [\"…\"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`";
        let fetch = stock
            .judge
            .wheelhouse
            .fetch_command()
            .map(|command| format!("make and fill one: `{command}`, or "));
        return format!("{}{name}", fetch.unwrap_or_default());
    };
    if obstacles
        .iter()
        .any(|obstacle| is_in_lfs(&obstacle.project, stock))
    {
        return PULL_FROM_LFS.to_owned();
    }
    let is_foreign = obstacles
        .iter()
        .any(|obstacle| has_foreign_digest(&obstacle.project, stock));
    if let Some(command) = stock
        .judge
        .wheelhouse
        .fetch_command()
        .filter(|_| is_foreign)
    {
        return ways_around_digests(command);
    }
    let mut mendings = Vec::new();
    if let [obstacle] = obstacles
        && let Some(minor) = other_minor(obstacle, stock)
    {
        let [_, own, _] = stock.judge.interpreter.release;
        mendings.push(format!("add a cp3{own} wheel to `{directory}`"));
        mendings.push(format!("set `requires-python = \"==3.{minor}.*\"`"));
    } else {
        mendings.extend(fetch(obstacles, stock));
    }
    mendings.extend(
        obstacles
            .iter()
            .find_map(|obstacle| loosen(obstacle, stock)),
    );
    if let [obstacle] = obstacles {
        mendings.extend(
            wanted_python(obstacle, stock)
                .map(|range| format!("set `requires-python = \"{range}\"`")),
        );
    }
    mendings.join(", or ")
}

/// Whether a file of the project that the interpreter could take is yet to be fetched by Git LFS.
fn is_in_lfs(project: &PackageName, stock: &Stock<'_>) -> bool {
    let wheelhouse = &stock.judge.wheelhouse;
    let mut fitting = wheelhouse
        .wheels(project)
        .iter()
        .filter(|file| stock.judge.tags(file).is_ok());
    fitting.any(|file| wheelhouse.is_in_lfs(file))
}

/// Whether a wheel of the project that the interpreter could take has another digest than a lock of
/// LUCI's pins.
fn has_foreign_digest(project: &PackageName, stock: &mut Stock<'_>) -> bool {
    stock.is_pinned_by(project, is_uv_lock) && !stock.other_bytes(project).is_empty()
}

/// The command that brings what is missing.
fn fetch(obstacles: &[Obstacle], stock: &Stock<'_>) -> Option<String> {
    let what = match obstacles {
        [one] if can_be_satisfied(&one.demands) => "fetch one",
        [_] => "fetch others",
        _ => "fetch what is missing",
    };
    Some(format!(
        "{what}: `{}`",
        stock.judge.wheelhouse.fetch_command()?
    ))
}

/// What to ask an index for, to get rid of these obstacles. Where no version can satisfy all that
/// is asked of a project, other wheels of those who ask are needed, and which these are is found
/// out from what the spec asks for.
pub(super) fn to_fetch(obstacles: &[Obstacle]) -> Vec<String> {
    let (mut wanted, mut seen) = (Vec::new(), HashSet::new());
    for obstacle in obstacles {
        let demands = if can_be_satisfied(&obstacle.demands) {
            &obstacle.demands
        } else {
            &obstacle.roots
        };
        // Where there are digests, pip takes no requirement without an exact version, and the
        // digests go with that.
        let is_pinned =
            demands.iter().any(|demand| !demand.hashes.is_empty()) && demands.iter().any(is_exact);
        for demand in demands
            .iter()
            .filter(|demand| !is_pinned || is_exact(demand))
        {
            let title = demand.title();
            if seen.insert(title.clone()) {
                wanted.push(title);
            }
        }
    }
    wanted
}

/// Whether a demand names one version, as pip wants it beside a digest.
fn is_exact(demand: &Demand) -> bool {
    demand
        .specifiers()
        .iter()
        .any(|specifier| *specifier.operator() == Operator::Equal)
}

/// Whether any version at all could satisfy these demands.
fn can_be_satisfied(demands: &[Demand]) -> bool {
    let specifiers = demands.iter().flat_map(Demand::specifiers);
    let range = specifiers.fold(Ranges::full(), |range: Ranges<Version>, specifier| {
        range.intersection(&specifier.clone().into())
    });
    !range.is_empty()
}

/// A demand of the spec that alone keeps a wheel out.
fn loosen(obstacle: &Obstacle, stock: &mut Stock<'_>) -> Option<String> {
    let offers = stock.offers(&obstacle.project);
    let keeping_out = |number: usize| {
        let mut demands = obstacle
            .demands
            .iter()
            .enumerate()
            .filter(|(_, demand)| !demand.admits(&offers[number].version));
        demands
            .next()
            .filter(|_| demands.next().is_none())
            .filter(|(_, demand)| demand.is_from_spec())
    };
    let alone = (0..offers.len()).filter_map(|number| Some((keeping_out(number)?, number)));
    let mut alone: Vec<((usize, &Demand), usize)> = alone.collect();
    alone.sort_by_key(|((place, _), number)| (*place, *number));
    let ((_, demand), _) = alone
        .into_iter()
        .find(|(_, number)| stock.wheel(&obstacle.project, *number).is_ok())?;
    let Asker::Spec(place) = &demand.asker else {
        return None;
    };
    Some(format!("loosen `{}` in {place}", demand.title()))
}

/// The highest other minor version of CPython that a wheel of the project is built for, where that
/// wheel would satisfy all demands.
fn other_minor(obstacle: &Obstacle, stock: &Stock<'_>) -> Option<u64> {
    let [_, own, _] = stock.judge.interpreter.release;
    // A wheel that fits this interpreter helps no other.
    let misfits = stock
        .judge
        .wheelhouse
        .wheels(&obstacle.project)
        .iter()
        .filter(|file| stock.judge.tags(file).is_err());
    let admitted = misfits.filter(|file| {
        obstacle
            .demands
            .iter()
            .all(|demand| demand.admits(&file.name.version))
    });
    admitted
        .flat_map(|file| file.name.cpython_minors())
        .filter(|minor| *minor != u64::from(own))
        .max()
}

/// The range of Python versions that a wheel of the project wants, where nothing else is in its
/// way.
fn wanted_python(obstacle: &Obstacle, stock: &mut Stock<'_>) -> Option<String> {
    let files = stock.judge.wheelhouse.wheels(&obstacle.project).to_vec();
    let mut ranges = BTreeSet::new();
    for file in files {
        let is_admitted = obstacle
            .demands
            .iter()
            .all(|demand| demand.admits(&file.name.version));
        if is_admitted
            && stock.judge.tags(&file).is_ok()
            && let Ok(metadata) = stock.judge.wheelhouse.metadata(&file)
        {
            let written = metadata.requires_python.unwrap_or_default();
            let range = read_specifiers(&written)
                .filter(|range| !range.contains(stock.judge.interpreter.version()));
            // What had to be mended is no range for a spec either.
            let is_plain = written.parse::<VersionSpecifiers>().is_ok();
            ranges.extend(range.map(|range| {
                (
                    file.name.version,
                    if is_plain { written } else { range.to_string() },
                )
            }));
        }
    }
    ranges.pop_last().map(|(_, range)| range)
}
