//! Resolves a list of wheels: the listed wheels that apply on the interpreter, each in exactly its
//! version, then the seeds, then the dependencies of all of these, as far as there are wheels for
//! them.
//!
//! A local version, such as `1.14.5+chromium.7`, is LUCI's own build of a public version. If that
//! build has no usable wheel, vpython uses a wheel of the public version. A local build satisfies a
//! public version too, as it does for `==` (PEP 440), but only if the public version has no usable
//! wheel itself.

mod follow;
mod missing;
mod seeding;
mod verify;
mod wanted;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Error, Result};
use pep440_rs::Version;
use pep508_rs::PackageName;
use tracing::debug;

use super::wheel_filter::WheelFilter;
use crate::interpreter::Facts;
use crate::plan::wheelhouse::{WheelFile, Wheelhouse};
use crate::plan::{Evidence, PlannedWheel, RequiredBy, Seed};
use crate::report::Failure;
use crate::spec::{ListedWheel, Located};
use follow::{Fixed, Followed};
use missing::Missing;
pub(in crate::plan) use verify::{Verdict, Verdicts, verify};
pub(in crate::plan) use wanted::is_wanted;

/// Chooses the wheels of a list, sorted by project.
///
/// # Errors
/// A project is listed in two versions that both apply, or wheels are missing. The error for
/// missing wheels lists each file with the reason why it was rejected.
pub(in crate::plan) fn resolve(
    listed: &[Located<ListedWheel>],
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
    evidence: &mut Evidence,
) -> Result<Vec<PlannedWheel>> {
    let (wheels, refusal) = resolve_partly(listed, interpreter, wheelhouse, evidence)?;
    refusal.map_or(Ok(wheels), Err)
}

/// Chooses the wheels of a list, sorted by project. If wheels are missing, returns only those of
/// package indexes, and the error.
///
/// # Errors
/// A project is listed in two versions that both apply, or a wheel or an index cannot be read.
pub(in crate::plan) fn resolve_partly(
    listed: &[Located<ListedWheel>],
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
    evidence: &mut Evidence,
) -> Result<(Vec<PlannedWheel>, Option<Error>)> {
    let mut filter = WheelFilter::new(interpreter, wheelhouse);
    let wanted = merge(
        listed
            .iter()
            .filter(|wheel| wanted::is_wanted(&wheel.value, &filter.tags)),
    )?;
    // A list is complete: of an index, only what it lists is used.
    let seeds = Seed::all().into_iter().map(|seed| seed.project);
    let projects = wanted.keys().cloned().chain(seeds);
    filter.wheelhouse.restrict_index(projects.collect());
    // Choose a file for each listed wheel.
    let mut fixed = Vec::new();
    let mut missing = Vec::new();
    for wheel in wanted.values() {
        match choose(&wheel.value, &mut filter) {
            Ok(file) => fixed.push(Fixed {
                file,
                required_by: RequiredBy::Spec(wheel.place.clone()),
            }),
            Err(rejected) => missing.push(Missing { wheel, rejected }),
        }
    }
    filter.check_io_errors()?;
    if !missing.is_empty() {
        // Nothing can be built from these, so their dependencies are of no interest.
        let refusal = missing::explain(&missing, filter.wheelhouse);
        let wheels = fixed.into_iter().filter(|fixed| fixed.file.is_remote());
        let wheels = wheels.map(|fixed| (fixed.file, vec![fixed.required_by]));
        let wheels = super::plan(wheels.collect(), filter, evidence)?;
        return Ok((wheels, Some(refusal.into())));
    }
    // Add the seeds and the dependencies.
    evidence
        .unseeded
        .extend(seed(&mut fixed, &wanted, &mut filter));
    let Followed {
        wheels,
        remarks,
        mut filter,
        ..
    } = follow::follow(&fixed, &BTreeSet::new(), filter)?;
    filter.check_io_errors()?;
    evidence.remarks.extend(remarks);
    Ok((super::plan(wheels, filter, evidence)?, None))
}

/// Adds the seeds that are not listed. Returns those without a wheel.
fn seed(fixed: &mut Vec<Fixed>, wanted: &Wanted<'_>, filter: &mut WheelFilter<'_>) -> Vec<Seed> {
    if !filter.wheelhouse.is_seeded() {
        return Vec::new();
    }
    let mut unseeded = Vec::new();
    for seed in Seed::all()
        .into_iter()
        .filter(|seed| !wanted.contains_key(&seed.project))
    {
        match seeding::choose(&seed, filter) {
            Some(file) => fixed.push(Fixed {
                file,
                required_by: RequiredBy::Seed,
            }),
            None => unseeded.push(seed),
        }
    }
    unseeded
}

/// Returns the requirements to fetch from an index for the missing wheels of a list, and the seeds
/// without a wheel. Each requirement names the public version, since no index has LUCI's own
/// builds.
///
/// # Errors
/// A project is listed in two versions that both apply.
pub(in crate::plan) fn to_fetch(
    listed: &[Located<ListedWheel>],
    interpreter: &Facts,
    wheelhouse: &mut Wheelhouse,
) -> Result<(Vec<String>, Vec<Seed>)> {
    let mut filter = WheelFilter::new(interpreter, wheelhouse);
    let wanted = merge(
        listed
            .iter()
            .filter(|wheel| wanted::is_wanted(&wheel.value, &filter.tags)),
    )?;
    let missing = wanted
        .values()
        .filter(|wheel| choose(&wheel.value, &mut filter).is_err());
    let title = |wheel: &&Located<ListedWheel>| {
        format!(
            "{}=={}",
            wheel.value.project,
            wheel.value.wanted.clone().without_local()
        )
    };
    let requirements = missing.map(title).collect();
    Ok((requirements, seed(&mut Vec::new(), &wanted, &mut filter)))
}

/// The wheels of a list that apply on an interpreter, by project.
type Wanted<'a> = BTreeMap<PackageName, &'a Located<ListedWheel>>;

/// Returns one wheel for each project. Repeated entries of the same version count once.
fn merge<'a>(wheels: impl Iterator<Item = &'a Located<ListedWheel>>) -> Result<Wanted<'a>> {
    let mut mentions: BTreeMap<PackageName, Vec<&Located<ListedWheel>>> = BTreeMap::new();
    for wheel in wheels {
        mentions
            .entry(wheel.value.project.clone())
            .or_default()
            .push(wheel);
    }
    let is_clash = |wheels: &[&Located<ListedWheel>]| {
        wheels
            .iter()
            .any(|wheel| wheel.value.wanted != wheels[0].value.wanted)
    };
    let clashes: Vec<_> = mentions
        .iter()
        .filter(|(_, wheels)| is_clash(wheels))
        .collect();
    // Report all projects in different versions in one error.
    let what = match &clashes[..] {
        [] => {
            return Ok(mentions
                .into_iter()
                .map(|(project, wheels)| (project, wheels[0]))
                .collect());
        }
        [(project, _)] => {
            format!("`{project}` is listed in different versions, and all of them apply here")
        }
        _ => "several projects are listed in different versions, and all of them apply here"
            .to_owned(),
    };
    let causes = clashes
        .into_iter()
        .flat_map(|(_, wheels)| wheels)
        .map(|wheel| {
            let ListedWheel { name, version, .. } = &wheel.value;
            format!("`{name}` is `{version}` in {}", wheel.place)
        });
    let hint =
        "keep one version, or give each a `match_tag` or `not_match_tag` so that one is left";
    Err(Failure::new(what).because_of(causes).hint(hint).into())
}

/// Returns how well the version of a file matches the listed one; lower is better.
fn version_rank(wanted: &Version, found: &Version) -> Option<u8> {
    let same_public = found.clone().without_local() == wanted.clone().without_local();
    match (wanted == found, wanted.is_local(), found.is_local()) {
        (true, ..) => Some(0),
        (false, true, false) | (false, false, true) if same_public => Some(1),
        _ => None,
    }
}

/// Returns the best file for a listed wheel, or one sentence for each file of its project with the
/// reason why it was rejected.
fn choose(wheel: &ListedWheel, filter: &mut WheelFilter<'_>) -> Result<WheelFile, Vec<String>> {
    // Rank the files by version and tags; their names suffice for this.
    let mut rejected = Vec::new();
    let mut ranked = Vec::new();
    filter.wheelhouse.list_on_index(&wheel.project);
    for file in filter.wheelhouse.wheels(&wheel.project).to_vec() {
        match file.is_trusted().and_then(|()| rank(&file, wheel, filter)) {
            Ok(rank) => ranked.push((rank, file)),
            Err(why) => rejected.push(format!("`{}` {why}", file.file_name)),
        }
    }
    ranked.sort_by(|(one_rank, one), (other_rank, other)| {
        let key = |rank: (u8, usize), file: &WheelFile| {
            (
                rank.0,
                Reverse(file.name.version.clone()),
                rank.1,
                Reverse(file.name.build.clone()),
            )
        };
        key(*one_rank, one)
            .cmp(&key(*other_rank, other))
            .then_with(|| one.file_name.cmp(&other.file_name))
    });
    // Take the first one with usable content.
    for ((version_rank, _), file) in ranked {
        match filter.content(&file) {
            Ok(_) => {
                if version_rank > 0 {
                    let (listed, file) = (&wheel.version, &*file.file_name);
                    debug!(
                        listed,
                        file,
                        "no wheel of the exact version is usable; using one of the same public version"
                    );
                }
                return Ok(file);
            }
            Err(why) => rejected.push(format!("`{}` {why}", file.file_name)),
        }
    }
    rejected.sort();
    Err(rejected)
}

/// Returns the ranks of the version and the tags in a file name, or the reason why one of them does
/// not match.
fn rank(
    file: &WheelFile,
    wheel: &ListedWheel,
    filter: &WheelFilter<'_>,
) -> Result<(u8, usize), String> {
    let version = &file.name.version;
    let version_rank =
        version_rank(&wheel.wanted, version).ok_or_else(|| format!("is version {version}"))?;
    Ok((version_rank, filter.tags(file)?))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::spec::Location;

    fn listed(name: &str, version: &str, line: usize) -> Located<ListedWheel> {
        let value = ListedWheel {
            name: format!("infra/python/wheels/{name}-py3"),
            version: format!("version:{version}"),
            project: name.parse().unwrap(),
            wanted: version.parse().unwrap(),
            conditions: Vec::new(),
            match_tags: Vec::new(),
            not_match_tags: Vec::new(),
        };
        Located {
            value,
            place: Location {
                file: Some("/src/.vpython3".into()),
                line,
                column: 1,
            },
        }
    }

    #[test]
    fn a_public_wheel_replaces_a_build_and_a_build_replaces_a_public_wheel() {
        let rows = [
            (
                "1.14.5+chromium.7",
                "1.14.5+chromium.7",
                Some(0),
                "the exact build",
            ),
            (
                "1.14.5+chromium.7",
                "1.14.5",
                Some(1),
                "the public version of the build",
            ),
            (
                "1.14.5+chromium.7",
                "1.14.5+chromium.8",
                None,
                "another build",
            ),
            ("1.14.5+chromium.7", "1.14.6", None, "another version"),
            ("1.14.5", "1.14.5", Some(0), "the exact version"),
            (
                "1.14.5",
                "1.14.5.0",
                Some(0),
                "the same version in another spelling",
            ),
            (
                "1.14.5",
                "1.14.5+chromium.7",
                Some(1),
                "a build of the version",
            ),
            ("1.14", "1.14.5", None, "a version that only begins like it"),
        ];
        for (wanted, found, rank, why) in rows {
            assert_eq!(
                version_rank(&wanted.parse().unwrap(), &found.parse().unwrap()),
                rank,
                "{why}"
            );
        }
    }

    #[test]
    fn the_same_wheel_twice_counts_once() {
        let wheels = [
            listed("six", "1.15.0", 3),
            listed("six", "1.15.0", 9),
            listed("attrs", "20.3.0", 6),
        ];
        let merged: Vec<_> = merge(wheels.iter())
            .unwrap()
            .into_values()
            .map(|wheel| wheel.place.line)
            .collect();
        assert_eq!(merged, [6, 3]);
    }

    #[test]
    fn two_versions_of_one_project_are_refused() {
        let two = [listed("six", "1.15.0", 3), listed("six", "1.16.0", 9)];
        expect![[r#"
            vpython: error: `six` is listed in different versions, and all of them apply here
              caused by: `infra/python/wheels/six-py3` is `version:1.15.0` in `/src/.vpython3`, line 3
              caused by: `infra/python/wheels/six-py3` is `version:1.16.0` in `/src/.vpython3`, line 9
              hint: keep one version, or give each a `match_tag` or `not_match_tag` so that one is left
        "#]]
        .assert_eq(&crate::report::render(&merge(two.iter()).unwrap_err()));
        let four = [
            two.clone(),
            [
                listed("attrs", "1", 12),
                listed("attrs", "1+chromium.1", 15),
            ],
        ]
        .concat();
        expect![[r#"
            vpython: error: several projects are listed in different versions, and all of them apply here
              caused by: `infra/python/wheels/attrs-py3` is `version:1` in `/src/.vpython3`, line 12
              caused by: `infra/python/wheels/attrs-py3` is `version:1+chromium.1` in `/src/.vpython3`, line 15
              caused by: `infra/python/wheels/six-py3` is `version:1.15.0` in `/src/.vpython3`, line 3
              caused by: `infra/python/wheels/six-py3` is `version:1.16.0` in `/src/.vpython3`, line 9
              hint: keep one version, or give each a `match_tag` or `not_match_tag` so that one is left
        "#]]
        .assert_eq(&crate::report::render(&merge(four.iter()).unwrap_err()));
    }
}
