//! What fixed wheels require, as far as there are wheels for it.
//!
//! The resolver chooses among what is there, as for any spec, but for two things: the version of a
//! fixed wheel is never in question, and what cannot be had is left out. Both are said, and neither
//! is an error: a list is taken as it is.

use std::collections::{BTreeMap, BTreeSet};

use pep508_rs::{ExtraName, MarkerTree, PackageName};

use crate::plan::Asker;
use crate::plan::resolve::demand::{Demand, Role};
use crate::plan::resolve::judge::Judge;
use crate::plan::resolve::search::Chosen;
use crate::plan::resolve::stock::{Stock, Wheel};
use crate::plan::resolve::wishes::Wishes;
use crate::plan::wheelhouse::WheelFile;
use crate::spec::Requirement;

/// A wheel that is in the environment whatever else is.
pub(super) struct Fixed {
    /// The wheel.
    pub file: WheelFile,
    /// Who wants it: the spec, or nobody in particular, as a seed.
    pub asker: Asker,
}

/// What fixed wheels come to.
pub(super) struct Followed<'a> {
    /// These wheels and those that they bring along, sorted by project, each with those who ask for
    /// it.
    pub wheels: Vec<(WheelFile, Vec<Asker>)>,
    /// What is required and lacking here, in the order of the projects that require it.
    pub lacking: Vec<Lacking>,
    /// What requirements cannot be met by, and what cannot be read, a sentence each.
    pub remarks: Vec<String>,
    /// The judge that was lent.
    pub judge: Judge<'a>,
}

/// A project that a wheel requires, and of which there is no wheel that can be taken.
pub(super) struct Lacking {
    /// The project.
    pub project: PackageName,
    /// The project whose wheel requires it.
    pub required_by: PackageName,
}

/// Follows what the wheels require, but for projects that are listed and missing: these are said
/// elsewhere.
pub(super) fn follow<'a>(
    fixed: &[Fixed],
    missing: &BTreeSet<PackageName>,
    judge: Judge<'a>,
) -> Followed<'a> {
    let asked: Vec<Demand> = fixed.iter().map(demand).collect();
    let mut files: BTreeMap<PackageName, WheelFile> = fixed
        .iter()
        .map(|one| (one.file.name.project.clone(), one.file.clone()))
        .collect();
    let mut judge = judge;
    loop {
        let mut stock = Stock::around(files.clone(), missing.clone(), asked.clone(), judge);
        let (chosen, _) = crate::plan::resolve::choose(&mut stock, usize::MAX);
        let mut chosen = chosen.unwrap_or_default();
        for one in fixed {
            chosen.entry(one.file.name.project.clone()).or_insert(0);
        }
        let mut contested = contested(&chosen, &mut stock);
        contested.retain(|file| !files.contains_key(&file.name.project));
        if contested.is_empty() {
            return finish(&chosen, fixed, stock);
        }
        files.extend(
            contested
                .into_iter()
                .map(|file| (file.name.project.clone(), file)),
        );
        judge = stock.judge;
    }
}

/// Of each project that is required and that no wheel is right for, whoever asks, the wheel that is
/// right for the first for whom there is one.
fn contested(chosen: &Chosen, stock: &mut Stock<'_>) -> Vec<WheelFile> {
    let wishes = Wishes::of_chosen(chosen, stock);
    let left_out = wishes
        .order
        .iter()
        .filter(|project| !chosen.contains_key(*project));
    let file = |project: &PackageName| {
        let mut demands = wishes.of(project).iter().map(std::slice::from_ref);
        let number = demands.find_map(|demand| stock.fitting(project, demand).first().copied())?;
        stock
            .wheel(project, number)
            .as_ref()
            .as_ref()
            .ok()
            .map(|wheel| wheel.file.clone())
    };
    left_out.filter_map(file).collect()
}

/// The wish for a fixed wheel.
fn demand(fixed: &Fixed) -> Demand {
    let Fixed { file, asker } = fixed;
    let name = file.name.project.clone();
    let requirement = Requirement {
        name,
        extras: Vec::new(),
        version_or_url: None,
        marker: MarkerTree::TRUE,
        origin: None,
    };
    Demand {
        requirement,
        hashes: Vec::new(),
        asker: asker.clone(),
        role: Role::Requirement,
    }
}

fn finish<'a>(chosen: &Chosen, fixed: &[Fixed], mut stock: Stock<'a>) -> Followed<'a> {
    let wishes = Wishes::of_chosen(chosen, &mut stock);
    let mut followed = (
        Vec::new(),
        Vec::new(),
        wishes.missing_extras(chosen, &mut stock),
    );
    let (wheels, lacking, remarks) = &mut followed;
    for (project, number) in chosen {
        let wheel = stock.wheel(project, *number);
        let Ok(Wheel { file, content }) = &*wheel else {
            continue;
        };
        let askers: Vec<Asker> = wishes
            .of(project)
            .iter()
            .map(|demand| demand.asker.clone())
            .collect();
        let extras: BTreeSet<ExtraName> = wishes.extras(project);
        let say = |what: String| match askers.first() {
            Some(Asker::Spec(place)) => format!("`{}` {what} (listed in {place})", file.file_name),
            Some(asker) => format!("`{}` {what} ({asker})", file.file_name),
            None => format!("`{}` {what}", file.file_name),
        };
        for extra in [None].into_iter().chain(extras.iter().map(Some)) {
            remarks.extend(
                content
                    .is_readable(stock.judge.interpreter, extra)
                    .err()
                    .map(say),
            );
            for demand in stock.requirements_as_written(project, *number, extra) {
                let taken = chosen
                    .get(demand.project())
                    .and_then(|number| stock.file_name_and_version(demand.project(), *number));
                match taken {
                    Some((_, version)) if demand.admits(&version) => {}
                    Some((name, _)) => {
                        let role = role(fixed, demand.project());
                        remarks.push(say(format!(
                            "requires `{}`, and `{name}` is {role}",
                            demand.title()
                        )));
                    }
                    None => {
                        remarks.push(say(format!(
                            "requires `{}`, which is not among the listed wheels",
                            demand.title()
                        )));
                        lacking.push(Lacking {
                            project: demand.project().clone(),
                            required_by: project.clone(),
                        });
                    }
                }
            }
        }
        wheels.push((file.clone(), askers.clone()));
    }
    let (wheels, lacking, remarks) = followed;
    Followed {
        wheels,
        lacking,
        remarks,
        judge: stock.judge,
    }
}

/// What a wheel that is taken is to the list.
fn role(fixed: &[Fixed], project: &PackageName) -> &'static str {
    match fixed
        .iter()
        .find(|one| one.file.name.project == *project)
        .map(|one| &one.asker)
    {
        Some(Asker::Seed) => "seeded",
        Some(_) => "listed",
        None => "taken",
    }
}
