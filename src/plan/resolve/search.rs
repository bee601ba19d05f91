//! Searches for compatible versions with the `pubgrub` library, and keeps pre-releases out where a
//! final version will serve.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use pep508_rs::PackageName;
use pubgrub::{DerivationTree, PubGrubError};
use tracing::debug;

use super::candidates::{Candidates, choice};
use super::provider::{Package, Provider, THE_SPEC, Unusable};
use super::requirement_set::RequirementSet;
use super::version_set::Versions;

/// The proof that there is no answer: a tree of incompatibilities, whose leaves are the
/// requirements of the spec and of wheels.
pub(super) type Derivation = DerivationTree<Package, Versions, Unusable>;

/// The number of the version that was chosen for each project.
pub(super) type Chosen = BTreeMap<PackageName, usize>;

/// Finds versions that satisfy all requirements, except those on `excluded` projects.
///
/// A pre-release that no requirement names is chosen if the requirements on its project admit no
/// final version (PEP 440, "Handling of pre-releases"). It replaces final versions that lead to a
/// conflict only if there is no answer without it.
///
/// # Errors
/// The proof that there is no answer.
pub(super) fn search(
    candidates: &mut Candidates<'_>,
    excluded: &BTreeSet<PackageName>,
) -> Result<Chosen, Box<Derivation>> {
    let mut chosen = search_with(candidates, excluded, &BTreeSet::new())?;
    let mut finals_first = BTreeSet::new();
    loop {
        let pre_releases = avoidable_pre_releases(&chosen, candidates);
        if pre_releases.is_empty() {
            return Ok(chosen);
        }
        debug!(
            ?pre_releases,
            "pre-releases replace final versions; searching without them"
        );
        finals_first.extend(pre_releases);
        match search_with(candidates, excluded, &finals_first) {
            Ok(better) => chosen = better,
            Err(_) => return Ok(chosen),
        }
    }
}

/// Returns the projects with a chosen pre-release that no requirement names, although a final
/// version satisfies the requirements.
fn avoidable_pre_releases(chosen: &Chosen, candidates: &mut Candidates<'_>) -> Vec<PackageName> {
    let is_pre_release = |project: &PackageName, number: usize, candidates: &mut Candidates<'_>| {
        candidates.of(project)[number].version.any_prerelease()
    };
    let mut pre_releases: Vec<PackageName> = chosen.keys().cloned().collect();
    pre_releases.retain(|project| is_pre_release(project, chosen[project], candidates));
    // Most choices have none. Do not collect the requirements for them.
    if pre_releases.is_empty() {
        return pre_releases;
    }
    let requirement_set = RequirementSet::of_chosen(chosen, candidates);
    pre_releases.retain(|project| {
        let dependencies = requirement_set.of(project);
        let is_named = dependencies
            .iter()
            .any(|dependency| candidates.allows_pre_releases(dependency));
        !is_named
            && candidates
                .fitting(project, dependencies)
                .iter()
                .any(|number| !is_pre_release(project, *number, candidates))
    });
    pre_releases
}

/// Runs PubGrub once. For the projects in `finals_first`, a pre-release does not replace a final
/// version.
fn search_with(
    candidates: &mut Candidates<'_>,
    excluded: &BTreeSet<PackageName>,
    finals_first: &BTreeSet<PackageName>,
) -> Result<Chosen, Box<Derivation>> {
    let provider = Provider::new(candidates, excluded, finals_first);
    let solution = match pubgrub::resolve(&provider, Package::Spec, THE_SPEC) {
        Ok(solution) => solution,
        Err(PubGrubError::NoSolution(derivation)) => return Err(Box::new(derivation)),
        Err(
            PubGrubError::ErrorChoosingVersion { source, .. }
            | PubGrubError::ErrorRetrievingDependencies { source, .. }
            | PubGrubError::ErrorInShouldCancel(source),
        ) => match source {},
    };
    let number = |(package, version)| match package {
        Package::Project(project) => Some((Rc::unwrap_or_clone(project), choice::number(version))),
        _ => None,
    };
    Ok(solution.into_iter().filter_map(number).collect())
}
