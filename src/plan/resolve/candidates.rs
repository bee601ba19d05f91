//! The wheels of one project, held against all that is asked of it.

use std::cmp::Reverse;

use pep440_rs::VersionSpecifiers;
use pep508_rs::PackageName;

use super::{Choice, Demand, Resolver};
use crate::plan::wheelhouse::{Metadata, WheelFile};
use crate::spec::Requirement;

/// What came of each wheel file of a project.
pub(super) struct Candidates {
    /// The wheels that can be taken, best first, one for each version.
    pub fitting: Vec<Choice>,
    /// Each other file and why it was not taken, a sentence each.
    pub rejected: Vec<String>,
}

impl Candidates {
    /// Looks at the wheels of a project.
    pub fn of(project: &PackageName, demands: &[Demand], resolver: &mut Resolver<'_>) -> Self {
        let mut rejected = Vec::new();
        let mut ranked = Vec::new();
        for wheel in resolver.wheelhouse.wheels(project).to_vec() {
            match judge_name(&wheel, demands, resolver) {
                Ok(rank) => ranked.push((wheel, rank)),
                Err(why) => rejected.push(format!("`{}` {why}", wheel.file_name)),
            }
        }
        // The highest version first; of one version the best tag, then the highest build.
        ranked.sort_by(|(one, one_rank), (other, other_rank)| {
            let key = |wheel: &WheelFile, rank: usize| (wheel.name.version.clone(), Reverse(rank), wheel.name.build.clone());
            key(other, *other_rank).cmp(&key(one, *one_rank)).then_with(|| one.file_name.cmp(&other.file_name))
        });
        leave_out_pre_releases(&mut ranked, demands, &mut rejected);
        let mut fitting: Vec<Choice> = Vec::new();
        for (wheel, _) in ranked {
            if let Some(better) = fitting.iter().find(|choice| choice.wheel.name.version == wheel.name.version) {
                rejected.push(format!("`{}` fits less well than `{}`", wheel.file_name, better.wheel.file_name));
                continue;
            }
            match judge_content(&wheel, resolver) {
                Ok(metadata) => fitting.push(Choice { wheel, metadata }),
                Err(why) => rejected.push(format!("`{}` {why}", wheel.file_name)),
            }
        }
        rejected.sort();
        Self { fitting, rejected }
    }
}

/// What the file's name alone tells: its place in the interpreter's order of tags, or why it will not do.
fn judge_name(wheel: &WheelFile, demands: &[Demand], resolver: &Resolver<'_>) -> Result<usize, String> {
    let version = &wheel.name.version;
    if let Some(demand) = demands.iter().find(|demand| !demand.admits(version)) {
        return Err(format!("is version {version}, which does not satisfy `{}`", demand.title()));
    }
    wheel.name.rank(&resolver.tags).ok_or_else(|| {
        let misfit = wheel.name.misfit(&resolver.tags);
        format!("is for {misfit}; the interpreter is {}", resolver.interpreter.title())
    })
}

/// Pre-releases count only where somebody names one, or where there is nothing else (PEP 440, "Handling of pre-releases").
fn leave_out_pre_releases(ranked: &mut Vec<(WheelFile, usize)>, demands: &[Demand], rejected: &mut Vec<String>) {
    let is_pre = |wheel: &WheelFile| wheel.name.version.any_prerelease();
    let all_are = ranked.iter().all(|(wheel, _)| is_pre(wheel));
    if all_are || demands.iter().any(Demand::names_pre_release) {
        return;
    }
    ranked.retain(|(wheel, _)| {
        if is_pre(wheel) {
            rejected.push(format!("`{}` is a pre-release, which nobody asks for", wheel.file_name));
        }
        !is_pre(wheel)
    });
}

/// What the wheel says of itself, or why it will not do.
fn judge_content(wheel: &WheelFile, resolver: &mut Resolver<'_>) -> Result<Metadata, String> {
    let metadata = resolver.wheelhouse.metadata(wheel).map_err(|error| {
        let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        format!("cannot be used: {}", causes.join(": "))
    })?;
    if let Some(wanted) = &metadata.requires_python {
        let python = resolver.interpreter.version();
        let range: VersionSpecifiers = wanted.parse().map_err(|_| format!("has a bad `Requires-Python`: `{wanted}`"))?;
        if !range.contains(python) {
            return Err(format!("requires Python `{wanted}`; the interpreter is {}", resolver.interpreter.title()));
        }
    }
    match metadata.requires_dist.iter().find(|line| line.parse::<Requirement>().is_err()) {
        Some(line) => Err(format!("has a bad `Requires-Dist`: `{line}`")),
        None => Ok(metadata),
    }
}
