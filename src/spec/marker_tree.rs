//! Parsed markers: the limit for the number of their cases, and the extras that they mention.

use std::collections::{HashMap, HashSet};

use pep508_rs::{ExtraName, MarkerTree, MarkerTreeKind, MarkerValueExtra};

/// Upper bound for the number of cases: the combinations of variable values that a marker
/// distinguishes.
const MAX_CASES: usize = 2000;

/// Narrows a marker to the environments where another marker holds too.
///
/// # Errors
/// The result exceeds the limit; the error is the rest of a sentence.
pub(super) fn and(one: &mut MarkerTree, other: MarkerTree) -> Result<(), String> {
    one.and(other);
    check_cases(one)
}

pub(super) fn check_cases(tree: &MarkerTree) -> Result<(), String> {
    if cases(tree, &mut HashMap::new()) <= MAX_CASES {
        return Ok(());
    }
    Err(format!(
        "it distinguishes more than {MAX_CASES} cases; split or simplify it"
    ))
}

/// Returns the number of paths through the tree. It bounds both the number of terms in the written
/// form and the cost of joining the tree with another.
fn cases(tree: &MarkerTree, known: &mut HashMap<MarkerTree, usize>) -> usize {
    if let Some(cases) = known.get(tree) {
        return *cases;
    }
    let edges = edges(tree);
    if edges.is_empty() {
        return 1;
    }
    let cases = edges
        .iter()
        .fold(0_usize, |sum, edge| sum.saturating_add(cases(edge, known)));
    known.insert(tree.clone(), cases);
    cases
}

/// Returns the subtrees for the values of the first variable; empty if the marker is always true or
/// always false.
fn edges(tree: &MarkerTree) -> Vec<MarkerTree> {
    match tree.kind() {
        MarkerTreeKind::True | MarkerTreeKind::False => Vec::new(),
        MarkerTreeKind::Version(node) => node.edges().map(|(_, tree)| tree).collect(),
        MarkerTreeKind::String(node) => node.children().map(|(_, tree)| tree).collect(),
        MarkerTreeKind::In(node) => node.children().map(|(_, tree)| tree).collect(),
        MarkerTreeKind::Contains(node) => node.children().map(|(_, tree)| tree).collect(),
        MarkerTreeKind::Extra(node) => node.children().map(|(_, tree)| tree).collect(),
    }
}

/// Returns the extras that a marker mentions.
#[must_use]
pub fn extras(tree: &MarkerTree) -> HashSet<ExtraName> {
    let mut extras = HashSet::new();
    let mut seen = HashSet::new();
    let mut open = vec![tree.clone()];
    while let Some(tree) = open.pop() {
        if let MarkerTreeKind::Extra(node) = tree.kind()
            && let MarkerValueExtra::Extra(extra) = node.name()
        {
            extras.insert(extra.clone());
        }
        let edges = edges(&tree);
        if seen.insert(tree) {
            open.extend(edges);
        }
    }
    extras
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extras_of_a_marker_are_found() {
        let tree: MarkerTree =
            "extra == 'b' and (os_name == 'x' or extra != 'c') or python_version < '3'"
                .parse()
                .unwrap();
        let found: std::collections::BTreeSet<String> = extras(&tree)
            .into_iter()
            .map(|extra| extra.to_string())
            .collect();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["b", "c"]);
    }
}
