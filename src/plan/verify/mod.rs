//! Checks whether the available wheels satisfy a spec, for the interpreter of this machine and on
//! each platform that the spec names.
//!
//! Nothing is built. All missing wheels are found at once: an unsatisfiable requirement is set
//! aside, and the rest is resolved without it.

mod required;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Error, Result};
use pep440_rs::Version;
use pep508_rs::{MarkerTree, PackageName};

use super::resolve::listed::{self, Verdict, Verdicts};
use super::resolve::locked;
use super::wheelhouse::Wheelhouse;
use super::{Evidence, find_interpreter};
use crate::interpreter::Facts;
use crate::invocation::Invocation;
use crate::process::Process;
use crate::spec::{ListedWheel, Located, Location, Lock, Packages, Requirement, Spec, Target};

/// The result of a check.
#[derive(Debug, Default)]
pub struct Verification {
    /// The interpreter of this machine; `None` if the spec requires nothing.
    pub here: Option<Facts>,
    /// This machine, then the platforms in the spec's order.
    pub columns: Vec<Column>,
    /// The requirements of the spec, in its order, then their dependencies, sorted by name. Empty
    /// if the spec requires nothing.
    pub rows: Vec<Row>,
    /// The seeds that no environment of the spec would have, because there is no wheel for them.
    pub unseeded: Vec<PackageName>,
    /// Warnings for the caller, one sentence each.
    pub warnings: Vec<String>,
}

/// A system that was checked.
#[derive(Debug)]
pub struct Column {
    /// `here (3.11.7)`, or the platform's name.
    pub title: String,
    /// The error of the spec there, if any: each rejected wheel file, and a hint.
    pub refusal: Option<Error>,
}

/// A requirement, a listed wheel, or a dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// As in `numpy>=1.26`; the project's name for a dependency.
    pub title: String,
    /// The origin of the requirement.
    pub origin: RowOrigin,
    /// The result in each column.
    pub cells: Vec<Cell>,
}

/// The origin of the requirement in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowOrigin {
    /// The spec, at this location.
    Spec(Location),
    /// The wheels of these projects.
    Wheels(BTreeSet<PackageName>),
    /// Implicitly each LUCI spec.
    Seed,
}

/// The result of a requirement on a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// A wheel of this version is used.
    Fits(Version),
    /// It is not required there.
    Unwanted,
    /// No wheel is compatible.
    Missing,
    /// A wheel is compatible, but is not the pinned one.
    WrongHash,
    /// Compatible wheels conflict with other requirements.
    Conflict,
    /// Unknown, because something else is missing.
    Unknown,
}

/// The results of a spec on one system.
#[derive(Debug, Default)]
struct Findings {
    /// For the requirements of the spec, in its order.
    requested: Vec<Cell>,
    /// For their dependencies.
    dependencies: BTreeMap<PackageName, Dependency>,
    /// The seeds that the spec does not require, each with the version that is used, if there is a
    /// wheel.
    seeds: Vec<(PackageName, Option<Version>)>,
    refusal: Option<Error>,
    warnings: Vec<String>,
}

/// The result for a project that the spec does not require itself.
#[derive(Debug)]
struct Dependency {
    cell: Cell,
    /// The projects whose wheels require it.
    required_by: BTreeSet<PackageName>,
}

impl Findings {
    /// Returns the version that is used of a seed.
    fn seed(&self, project: &PackageName) -> Option<&Version> {
        self.seeds
            .iter()
            .find(|(known, _)| known == project)?
            .1
            .as_ref()
    }
}

/// Checks the available wheels against a spec. `memo` is the directory for cached facts; it need
/// not exist.
///
/// # Errors
/// The platforms cannot be determined, no interpreter satisfies the spec, or a wheel directory does
/// not exist, or a wheel in an image layout is damaged.
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
    let here = find_interpreter(invocation, spec, process, Some(memo), &mut evidence)?;
    let mut wheelhouse = Wheelhouse::open(spec, invocation, memo, &mut evidence)?;
    wheelhouse.check_blobs()?;
    // Report files that no interpreter can use.
    let skipped_files = wheelhouse.skipped_files().into_iter();
    let mut warnings: Vec<String> = skipped_files
        .map(|file| format!("`{}` is skipped: {}", file.path.display(), file.why))
        .collect();
    // Resolve the spec on each system.
    let systems = systems(here.clone(), &targets);
    let findings = systems
        .iter()
        .map(|(_, facts)| find(&spec.packages, facts, &mut wheelhouse))
        .collect::<Result<Vec<_>>>()?;
    wheelhouse.remember();
    warnings.extend(merge_warnings(&systems, &findings));
    let rows = rows(&spec.packages, &findings);
    // A seed is only reported if no system has a wheel for it.
    let unseeded = seeds(&findings)
        .into_iter()
        .filter(|seed| findings.iter().all(|one| one.seed(seed).is_none()));
    let unseeded = unseeded.cloned().collect();
    let columns = systems
        .into_iter()
        .zip(findings)
        .map(|((title, facts), findings)| {
            let headline = format!("the spec cannot be satisfied for {}", facts.title());
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

/// Returns the systems to check, each with its title.
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

/// Checks a spec on one system.
fn find(packages: &Packages, facts: &Facts, wheelhouse: &mut Wheelhouse) -> Result<Findings> {
    match packages {
        Packages::Required(requirements) => required::find(requirements, facts, wheelhouse),
        Packages::Listed(wheels) => find_listed(wheels, facts, wheelhouse),
        Packages::Locked(lock) => Ok(find_locked(lock, facts, wheelhouse)),
    }
}

fn find_listed(
    wheels: &[Located<ListedWheel>],
    facts: &Facts,
    wheelhouse: &mut Wheelhouse,
) -> Result<Findings> {
    let Verdicts {
        listed,
        seeds,
        required,
        warnings,
    } = listed::verify(wheels, facts, wheelhouse)?;
    let refusal = listed::resolve(wheels, facts, wheelhouse, &mut Evidence::default()).err();
    // The wheels' own requirements do not bind, but the table shows them.
    let dependencies = required
        .into_iter()
        .map(|(project, (version, required_by))| {
            (
                project,
                Dependency {
                    cell: version.map_or(Cell::Missing, Cell::Fits),
                    required_by,
                },
            )
        });
    let requested = listed.into_iter().map(|verdict| match verdict {
        Verdict::Unwanted => Cell::Unwanted,
        Verdict::Fits(version) => Cell::Fits(version),
        Verdict::Missing => Cell::Missing,
        Verdict::Clash => Cell::Conflict,
    });
    Ok(Findings {
        requested: requested.collect(),
        dependencies: dependencies.collect(),
        seeds,
        refusal,
        warnings,
    })
}

fn find_locked(lock: &Lock, facts: &Facts, wheelhouse: &mut Wheelhouse) -> Findings {
    let (verdicts, refusal) = locked::verify(lock, facts, wheelhouse);
    let requested = verdicts.into_iter().map(|verdict| match verdict {
        locked::Verdict::Unwanted => Cell::Unwanted,
        locked::Verdict::Fits(version) => Cell::Fits(version),
        locked::Verdict::Missing => Cell::Missing,
        locked::Verdict::WrongHash => Cell::WrongHash,
        locked::Verdict::Unknown => Cell::Unknown,
    });
    Findings {
        requested: requested.collect(),
        refusal,
        ..Findings::default()
    }
}

/// Returns the rows of a table with a column for each of the findings.
fn rows(packages: &Packages, findings: &[Findings]) -> Vec<Row> {
    let requested: Vec<(String, &Location)> = match packages {
        Packages::Required(requirements) => requirements
            .asked
            .iter()
            .map(|requested| (title(&requested.value.requirement), &requested.place))
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
    // The requirements of the spec.
    let requested = requested
        .into_iter()
        .enumerate()
        .map(|(index, (title, place))| Row {
            title,
            origin: RowOrigin::Spec(place.clone()),
            cells: findings
                .iter()
                .map(|findings| findings.requested[index].clone())
                .collect(),
        });
    // The dependencies. A list of wheels does not require them, so only those with a wheel are
    // shown.
    let is_listed = matches!(packages, Packages::Listed(_));
    let is_shown = |dependency: &Dependency| !is_listed || matches!(dependency.cell, Cell::Fits(_));
    let dependencies = findings.iter().flat_map(|findings| &findings.dependencies);
    let dependencies: BTreeSet<&PackageName> = dependencies
        .filter(|(_, dependency)| is_shown(dependency))
        .map(|(project, _)| project)
        .collect();
    let dependencies = dependencies.into_iter().map(|project| Row {
        title: project.to_string(),
        origin: RowOrigin::Wheels(required_by(project, findings)),
        cells: findings
            .iter()
            .map(|findings| cell_of_dependency(project, findings))
            .collect(),
    });
    // The seeds with a wheel on any system.
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
    requested.chain(dependencies).chain(seeds).collect()
}

/// Returns the seeds that the spec leaves to the interpreter on any system.
fn seeds(findings: &[Findings]) -> BTreeSet<&PackageName> {
    findings
        .iter()
        .flat_map(|findings| findings.seeds.iter().map(|(seed, _)| seed))
        .collect()
}

/// Returns a requirement without its marker, which the cells reflect.
fn title(requirement: &Requirement) -> String {
    Requirement {
        marker: MarkerTree::TRUE,
        ..requirement.clone()
    }
    .to_string()
}

/// Returns the projects whose wheels require a project, on any system.
fn required_by(project: &PackageName, findings: &[Findings]) -> BTreeSet<PackageName> {
    findings
        .iter()
        .filter_map(|findings| findings.dependencies.get(project))
        .flat_map(|dependency| dependency.required_by.clone())
        .collect()
}

fn cell_of_dependency(project: &PackageName, findings: &Findings) -> Cell {
    match findings.dependencies.get(project) {
        Some(dependency) => dependency.cell.clone(),
        None if findings.refusal.is_some() => Cell::Unknown,
        None => Cell::Unwanted,
    }
}

/// Returns the warnings of all systems, each once, with the affected systems unless it affects all.
fn merge_warnings(systems: &[(String, Facts)], findings: &[Findings]) -> Vec<String> {
    let mut merged: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for ((title, facts), findings) in systems.iter().zip(findings) {
        let title = if facts.elsewhere.is_none() {
            "this machine"
        } else {
            title
        };
        // A warning keeps the position of its first occurrence.
        for warning in &findings.warnings {
            let place = *places.entry(warning).or_insert(merged.len());
            match merged.get_mut(place) {
                Some((_, titles)) if titles.contains(&title) => {}
                Some((_, titles)) => titles.push(title),
                None => merged.push((warning, vec![title])),
            }
        }
    }
    let say = |(warning, titles): (&str, Vec<&str>)| {
        // A warning about every system needs no list of them.
        if titles.len() == systems.len() {
            warning.to_owned()
        } else {
            format!("{warning}, on {}", titles.join(", "))
        }
    };
    merged.into_iter().map(say).collect()
}
