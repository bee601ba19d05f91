//! The wheels of one project, held against all that is asked of it.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use pep508_rs::PackageName;

use super::{Choice, Demand, Resolver};
use crate::plan::wheelhouse::WheelFile;

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
        for wheel in resolver.judge.wheelhouse.wheels(project).to_vec() {
            match judge_name(&wheel, demands, resolver) {
                Ok(rank) => ranked.push((wheel, rank)),
                Err(rejection) => rejected.push(rejection),
            }
        }
        // The highest version first; of one version the best tag, then the highest build. Pre-releases count where somebody names
        // one, or where there is nothing else (PEP 440, "Handling of pre-releases").
        let pre_releases_count = resolver.pre_releases_count(demands);
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
            if let Err(rejection) = judge_hash(&wheel, demands, resolver) {
                rejected.push(rejection);
                continue;
            }
            match resolver.judge.content_and_requirements(&wheel) {
                Ok(metadata) => fitting.push(Choice { wheel, metadata, because_of: BTreeSet::new() }),
                Err(why) => rejected.push(reject(why)),
            }
        }
        rejected.sort();
        Self { fitting, rejected }
    }
}

/// Whether the wheel's digest is among those that are pinned; each demand that pins any must have it.
fn judge_hash(wheel: &WheelFile, demands: &[Demand], resolver: &mut Resolver<'_>) -> Result<(), Rejected> {
    let reject = |why: String, demand| Rejected { why: format!("`{}` {why}", wheel.file_name), demand };
    let pinning: Vec<_> = demands.iter().enumerate().filter(|(_, demand)| !demand.hashes.is_empty()).collect();
    if pinning.is_empty() {
        let unpinned = || reject("has no digest in the spec, which must name the digests of all wheels".into(), None);
        return if resolver.hashes_required { Err(unpinned()) } else { Ok(()) };
    }
    let digest = resolver.judge.digest(wheel).map_err(|why| reject(why, None))?;
    match pinning.into_iter().find(|(_, demand)| !demand.hashes.contains(&digest)) {
        None => Ok(()),
        Some((index, demand)) => {
            let pinned = demand.hashes.iter().map(|hash| format!("`{hash}`")).collect::<Vec<_>>().join(", ");
            Err(reject(format!("has the sha256 `{digest}`, and {pinned} is pinned ({})", demand.asker), Some(index)))
        }
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
    resolver.judge.tags(wheel).map_err(|why| Rejected { why: format!("`{file_name}` {why}"), demand: None })
}
