//! The search for versions that go together: PubGrub's algorithm, by the library of that name, over
//! what is in stock.

use std::collections::{BTreeMap, BTreeSet};

use pep508_rs::PackageName;
use pubgrub::{DerivationTree, PubGrubError};
use tracing::debug;

use super::candidates::{Candidates, choice};
use super::provider::{Package, Provider, THE_SPEC, Unusable};
use super::requirement_set::RequirementSet;
use super::version_set::Versions;

/// Why there is no answer: what follows from what, down to what wheels and spec say.
pub(super) type Derivation = DerivationTree<Package, Versions, Unusable>;

/// The number of the version that was chosen for each project.
pub(super) type Chosen = BTreeMap<PackageName, usize>;

/// Finds versions for all that is asked for, but for the projects that are `given`, of which
/// nothing is wanted.
///
/// A pre-release that nobody names is chosen where what is asked of its project admits no final
/// version (PEP 440, "Handling of pre-releases"). It stands in for final versions that lead nowhere
/// only if there is no answer without it.
///
/// # Errors
/// The proof that there is no answer.
pub(super) fn search(
    candidates: &mut Candidates<'_>,
    given: &BTreeSet<PackageName>,
) -> Result<Chosen, Box<Derivation>> {
    let mut chosen = search_with(candidates, given, &BTreeSet::new())?;
    let mut finals_first = BTreeSet::new();
    loop {
        let stand_ins = stand_ins(&chosen, candidates);
        if stand_ins.is_empty() {
            return Ok(chosen);
        }
        debug!(
            ?stand_ins,
            "pre-releases stand in for final versions; trying without"
        );
        finals_first.extend(stand_ins);
        match search_with(candidates, given, &finals_first) {
            Ok(better) => chosen = better,
            Err(_) => return Ok(chosen),
        }
    }
}

/// The projects of which a pre-release was chosen that nobody names, although a final version
/// satisfies what is asked.
fn stand_ins(chosen: &Chosen, candidates: &mut Candidates<'_>) -> Vec<PackageName> {
    let is_pre_release = |project: &PackageName, number: usize, candidates: &mut Candidates<'_>| {
        candidates.of(project)[number].version.any_prerelease()
    };
    let mut pre_releases: Vec<PackageName> = chosen.keys().cloned().collect();
    pre_releases.retain(|project| is_pre_release(project, chosen[project], candidates));
    if pre_releases.is_empty() {
        return pre_releases;
    }
    let requirement_set = RequirementSet::of_chosen(chosen, candidates);
    pre_releases.retain(|project| {
        let dependencies = requirement_set.of(project);
        let is_named = dependencies
            .iter()
            .any(|dependency| candidates.lets_pre_releases_in(dependency));
        !is_named
            && candidates
                .fitting(project, dependencies)
                .iter()
                .any(|number| !is_pre_release(project, *number, candidates))
    });
    pre_releases
}

/// One run of PubGrub. Of the projects for which finals come first, no pre-release is chosen in
/// place of a final version.
fn search_with(
    candidates: &mut Candidates<'_>,
    given: &BTreeSet<PackageName>,
    finals_first: &BTreeSet<PackageName>,
) -> Result<Chosen, Box<Derivation>> {
    let provider = Provider::new(candidates, given, finals_first);
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
        Package::Project(project) => Some((project, choice::number(version))),
        _ => None,
    };
    Ok(solution.into_iter().filter_map(number).collect())
}
