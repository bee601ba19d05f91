//! Whether the wheels that there are can be what a spec asks for: with the interpreter of this
//! machine, and on each platform that the spec names.
//!
//! Nothing is built. All that is missing is found at once: what cannot be had on a platform is put
//! aside, and the rest is judged without it.

mod required;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Error, Result};
use pep440_rs::Version;
use pep508_rs::{MarkerTree, PackageName};

use super::interpreter;
use super::resolve::listed::{self, Verdict, Verdicts};
use super::resolve::locked;
use super::wheelhouse::Wheelhouse;
use super::{Evidence, Facts};
use crate::invocation::Invocation;
use crate::process::Process;
use crate::spec::{ListedWheel, Located, Location, Lock, Packages, Requirement, Spec, Target};

/// What came of a check.
#[derive(Debug, Default)]
pub struct Verification {
    /// The interpreter of this machine; none where the spec asks for nothing.
    pub here: Option<Facts>,
    /// This machine, then the platforms in the spec's order.
    pub columns: Vec<Column>,
    /// What the spec asks for, in its order, then what that brings along, sorted by name. None
    /// where the spec asks for nothing.
    pub rows: Vec<Row>,
    /// The seeds that no environment of the spec would have, since there is no wheel of them.
    pub unseeded: Vec<PackageName>,
    /// What the caller should know, a sentence each.
    pub warnings: Vec<String>,
}

/// A system that was checked.
#[derive(Debug)]
pub struct Column {
    /// `here (3.11.7)`, or the platform's name.
    pub title: String,
    /// Why the spec cannot be met there, if so: each wheel file that was not taken, and what to
    /// try.
    pub refusal: Option<Error>,
}

/// A requirement or a listed wheel, or a project that they bring along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// As in `numpy>=1.26`; the project's name where it is brought along.
    pub title: String,
    /// Who asks for it.
    pub origin: RowOrigin,
    /// What comes of it in each column.
    pub cells: Vec<Cell>,
}

/// Who asks for what is in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowOrigin {
    /// The spec, in this place.
    Spec(Location),
    /// The wheels of these projects.
    Wheels(BTreeSet<PackageName>),
    /// Each spec of LUCI's, without saying so.
    Seed,
}

/// What comes of a requirement on a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// A wheel of this version is taken.
    Fits(Version),
    /// It is not wanted there.
    Unwanted,
    /// No wheel fits.
    Missing,
    /// A wheel would fit, and is not the pinned one.
    WrongHash,
    /// Wheels would fit, and not go together with what else is asked for.
    Conflict,
    /// Whether it is wanted cannot be told, because something else is missing.
    Unknown,
}

/// What came of a spec on one system.
#[derive(Debug, Default)]
struct Findings {
    /// Of what the spec asks for, in its order.
    asked: Vec<Cell>,
    /// What that brings along.
    brought: Vec<(PackageName, Brought)>,
    /// The seeds that the spec does not ask for, each with the version that is taken, if there is a
    /// wheel of it.
    seeds: Vec<(PackageName, Option<Version>)>,
    refusal: Option<Error>,
    warnings: Vec<String>,
}

/// What comes of a project that the spec does not ask for itself.
#[derive(Debug)]
struct Brought {
    cell: Cell,
    /// The projects whose wheels ask for it.
    required_by: BTreeSet<PackageName>,
}

impl Findings {
    /// The version that is taken of a seed.
    fn seed(&self, project: &PackageName) -> Option<&Version> {
        self.seeds
            .iter()
            .find(|(known, _)| known == project)?
            .1
            .as_ref()
    }

    fn brought(&self, project: &PackageName) -> Option<&Brought> {
        self.brought
            .iter()
            .find(|(known, _)| known == project)
            .map(|(_, brought)| brought)
    }
}

/// Holds the wheels that there are against a spec. `memo` is the directory for what can be found
/// again; it need not be there.
///
/// # Errors
/// The platforms cannot be told; no interpreter satisfies the spec; a directory of wheels is not
/// there.
pub fn verify(
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<Verification> {
    let targets = spec.targets()?;
    if spec.wants_no_wheels() {
        return Ok(Verification::default());
    }
    let mut evidence = Evidence::default();
    let here = interpreter::find(invocation, spec, process, Some(memo), &mut evidence)?;
    let mut wheelhouse = Wheelhouse::open(spec, invocation, memo, &mut evidence)?;
    let passed_over = wheelhouse.passed_over().into_iter();
    let mut warnings: Vec<String> = passed_over
        .map(|file| format!("`{}` is passed over: {}", file.path.display(), file.why))
        .collect();
    let systems = systems(here.clone(), &targets);
    let findings = systems
        .iter()
        .map(|(_, facts)| find(&spec.packages, facts, &mut wheelhouse))
        .collect::<Result<Vec<_>>>()?;
    wheelhouse.remember();
    warnings.extend(merge_warnings(&systems, &findings));
    let rows = rows(&spec.packages, &findings);
    let unseeded = seeds(&findings)
        .into_iter()
        .filter(|seed| findings.iter().all(|one| one.seed(seed).is_none()));
    let unseeded = unseeded.cloned().collect();
    let columns = systems
        .into_iter()
        .zip(findings)
        .map(|((title, facts), findings)| {
            let headline = format!("the spec cannot be met by {}", facts.title());
            Column {
                title,
                refusal: findings.refusal.map(|refusal| refusal.context(headline)),
            }
        });
    Ok(Verification {
        here: Some(here),
        columns: columns.collect(),
        rows,
        unseeded,
        warnings,
    })
}

/// The systems to check, each under its title.
pub(super) fn systems(here: Facts, targets: &[Located<Target>]) -> Vec<(String, Facts)> {
    let there = targets.iter().map(|target| {
        let facts = here.for_target(&target.value);
        let name = &target.value.platform.name;
        let title = target.value.python.map_or(name.clone(), |_| {
            format!("{name} ({})", facts.version_title())
        });
        (title, facts)
    });
    let there: Vec<_> = there.collect();
    let title = format!("here ({})", here.version_title());
    [(title, here)].into_iter().chain(there).collect()
}

/// Judges what a spec asks for on one system.
fn find(packages: &Packages, facts: &Facts, wheelhouse: &mut Wheelhouse) -> Result<Findings> {
    match packages {
        Packages::Required(requirements) => required::find(requirements, facts, wheelhouse),
        Packages::Listed(wheels) => Ok(find_listed(wheels, facts, wheelhouse)),
        Packages::Locked(lock) => Ok(find_locked(lock, facts, wheelhouse)),
    }
}

fn find_listed(
    wheels: &[Located<ListedWheel>],
    facts: &Facts,
    wheelhouse: &mut Wheelhouse,
) -> Findings {
    let Verdicts {
        listed,
        seeds,
        required,
        warnings,
    } = listed::verify(wheels, facts, wheelhouse);
    let refusal = listed::resolve(wheels, facts, wheelhouse, &mut Evidence::default()).err();
    let brought = required
        .into_iter()
        .map(|(project, (version, required_by))| {
            (
                project,
                Brought {
                    cell: version.map_or(Cell::Missing, Cell::Fits),
                    required_by,
                },
            )
        });
    let asked = listed.into_iter().map(|verdict| match verdict {
        Verdict::Unwanted => Cell::Unwanted,
        Verdict::Fits(version) => Cell::Fits(version),
        Verdict::Missing => Cell::Missing,
        Verdict::Clash => Cell::Conflict,
    });
    Findings {
        asked: asked.collect(),
        brought: brought.collect(),
        seeds,
        refusal,
        warnings,
    }
}

fn find_locked(lock: &Lock, facts: &Facts, wheelhouse: &mut Wheelhouse) -> Findings {
    let (verdicts, refusal) = locked::verify(lock, facts, wheelhouse);
    let asked = verdicts.into_iter().map(|verdict| match verdict {
        locked::Verdict::Unwanted => Cell::Unwanted,
        locked::Verdict::Fits(version) => Cell::Fits(version),
        locked::Verdict::Missing => Cell::Missing,
        locked::Verdict::WrongHash => Cell::WrongHash,
        locked::Verdict::Unknown => Cell::Unknown,
    });
    Findings {
        asked: asked.collect(),
        refusal,
        ..Findings::default()
    }
}

/// The rows of a table in which each of these findings is a column.
fn rows(packages: &Packages, findings: &[Findings]) -> Vec<Row> {
    let asked: Vec<(String, &Location)> = match packages {
        Packages::Required(requirements) => requirements
            .asked
            .iter()
            .map(|asked| (title(&asked.value.requirement), &asked.place))
            .collect(),
        Packages::Listed(wheels) => wheels
            .iter()
            .map(|wheel| {
                (
                    format!("{}=={}", wheel.value.project, wheel.value.wanted),
                    &wheel.place,
                )
            })
            .collect(),
        Packages::Locked(lock) => lock
            .packages
            .iter()
            .map(|package| (package.value.title(), &package.place))
            .collect(),
    };
    let asked = asked
        .into_iter()
        .enumerate()
        .map(|(index, (title, place))| Row {
            title,
            origin: RowOrigin::Spec(place.clone()),
            cells: findings
                .iter()
                .map(|findings| findings.asked[index].clone())
                .collect(),
        });
    // A list is not refused for what it does not name, so of that nothing is shown but what there
    // is.
    let is_listed = matches!(packages, Packages::Listed(_));
    let is_shown = |brought: &Brought| !is_listed || matches!(brought.cell, Cell::Fits(_));
    let brought = findings.iter().flat_map(|findings| &findings.brought);
    let brought: BTreeSet<&PackageName> = brought
        .filter(|(_, brought)| is_shown(brought))
        .map(|(project, _)| project)
        .collect();
    let brought = brought.into_iter().map(|project| Row {
        title: project.to_string(),
        origin: RowOrigin::Wheels(required_by(project, findings)),
        cells: findings
            .iter()
            .map(|findings| cell_of_brought(project, findings))
            .collect(),
    });
    let seeds = seeds(findings)
        .into_iter()
        .filter(|seed| findings.iter().any(|one| one.seed(seed).is_some()));
    let seeds = seeds.map(|seed| Row {
        title: seed.to_string(),
        origin: RowOrigin::Seed,
        cells: findings
            .iter()
            .map(|one| one.seed(seed).cloned().map_or(Cell::Unwanted, Cell::Fits))
            .collect(),
    });
    asked.chain(brought).chain(seeds).collect()
}

/// The seeds that the spec leaves to the interpreter on any system.
fn seeds(findings: &[Findings]) -> BTreeSet<&PackageName> {
    findings
        .iter()
        .flat_map(|findings| findings.seeds.iter().map(|(seed, _)| seed))
        .collect()
}

/// A requirement without its marker, which the cells tell of.
fn title(requirement: &Requirement) -> String {
    Requirement {
        marker: MarkerTree::TRUE,
        ..requirement.clone()
    }
    .to_string()
}

/// The projects whose wheels ask for a project, on any system.
fn required_by(project: &PackageName, findings: &[Findings]) -> BTreeSet<PackageName> {
    findings
        .iter()
        .filter_map(|findings| findings.brought(project))
        .flat_map(|brought| brought.required_by.clone())
        .collect()
}

fn cell_of_brought(project: &PackageName, findings: &Findings) -> Cell {
    match findings.brought(project) {
        Some(brought) => brought.cell.clone(),
        None if findings.refusal.is_some() => Cell::Unknown,
        None => Cell::Unwanted,
    }
}

/// The warnings of all systems, each once, with the systems that it is about where it is not about
/// all.
fn merge_warnings(systems: &[(String, Facts)], findings: &[Findings]) -> Vec<String> {
    let mut merged: Vec<(&str, Vec<&str>)> = Vec::new();
    for ((title, facts), findings) in systems.iter().zip(findings) {
        let title = if facts.elsewhere.is_none() {
            "this machine"
        } else {
            title
        };
        for warning in &findings.warnings {
            match merged.iter_mut().find(|(known, _)| known == warning) {
                Some((_, titles)) if titles.contains(&title) => {}
                Some((_, titles)) => titles.push(title),
                None => merged.push((warning, vec![title])),
            }
        }
    }
    let say = |(warning, titles): (&str, Vec<&str>)| {
        if titles.len() == systems.len() {
            warning.to_owned()
        } else {
            format!("{warning}, on {}", titles.join(", "))
        }
    };
    merged.into_iter().map(say).collect()
}
