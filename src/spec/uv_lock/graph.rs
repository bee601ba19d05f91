//! Where each package of a lock is wanted: wherever something that is wanted requires it, from the
//! spec on. uv follows the same edges for one interpreter at a time; here it is done for all of
//! them at once, with markers in place of yes and no.

use std::collections::{BTreeMap, HashMap};

use pep440_rs::Version;
use pep508_rs::{ExtraName, MarkerTree, PackageName};

use crate::spec::{Located, LockedPackage, Requested};

/// A lock that needs more steps than this to be followed was not made by uv: with 3,000 packages it
/// takes some ten thousand.
const MAX_STEPS: usize = 1_000_000;

/// What names the index, the file or the repository that a package is from.
pub(super) type Source = BTreeMap<String, toml::Value>;

/// A package, with what it requires.
pub(super) struct Node {
    /// The package, which as yet is wanted nowhere in particular.
    pub package: Located<LockedPackage>,
    /// Where it is from.
    pub source: Source,
    /// Where this version of the project was chosen; everywhere, where it is the only one.
    pub fork: MarkerTree,
    /// What it requires.
    pub requires: Vec<Edge>,
    /// What it requires besides for each of its extras.
    pub extras: BTreeMap<ExtraName, Vec<Edge>>,
}

/// A requirement of a package.
pub(super) struct Edge {
    /// The project.
    pub name: PackageName,
    /// Its version, where the lock has several.
    pub version: Option<Version>,
    /// Where it is from, where the lock has several.
    pub source: Option<Source>,
    /// The extras that are required with it.
    pub extras: Vec<ExtraName>,
    /// Where it is required.
    pub marker: MarkerTree,
    /// Where it stands in the text.
    pub offset: usize,
}

impl Edge {
    fn leads_to(&self, node: &Node) -> bool {
        let package = &node.package.value;
        package.name == self.name
            && self
                .version
                .as_ref()
                .is_none_or(|version| package.version.as_ref() == Some(version))
            && self
                .source
                .as_ref()
                .is_none_or(|source| *source == node.source)
    }
}

/// Where each package is wanted, by its place in the lock; or what is wrong, and where in the text.
pub(super) fn wanted(
    nodes: &[Node],
    asked: &[Located<Requested>],
    is_followed: bool,
) -> Result<Vec<MarkerTree>, (usize, String)> {
    let mut walk = Walk {
        by_name: HashMap::new(),
        nodes,
        reached: HashMap::new(),
        open: Vec::new(),
    };
    for (index, node) in nodes.iter().enumerate() {
        walk.by_name
            .entry(&node.package.value.name)
            .or_default()
            .push(index);
    }
    for asked in asked {
        let requirement = &asked.value.requirement;
        let edge = Edge {
            name: requirement.name.clone(),
            version: None,
            source: None,
            extras: requirement.extras.clone(),
            marker: requirement.marker.clone(),
            offset: 0,
        };
        // What the lock lacks of the spec is found out where it is known for which interpreter.
        walk.follow(&edge, &MarkerTree::TRUE);
    }
    if is_followed {
        walk.run()?;
    }
    let marker = |index| {
        walk.reached
            .get(&(index, None))
            .cloned()
            .unwrap_or(MarkerTree::FALSE)
    };
    Ok((0..nodes.len()).map(marker).collect())
}

/// A package, or an extra of it.
type Visited<'a> = (usize, Option<&'a ExtraName>);

struct Walk<'a> {
    nodes: &'a [Node],
    by_name: HashMap<&'a PackageName, Vec<usize>>,
    /// Where each is wanted, as far as is known.
    reached: HashMap<(usize, Option<ExtraName>), MarkerTree>,
    /// Those from which there is more to follow.
    open: Vec<(usize, Option<ExtraName>)>,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<(), (usize, String)> {
        let nodes = self.nodes;
        let mut steps = 0;
        while let Some((index, extra)) = self.open.pop() {
            let from = self
                .reached
                .get(&(index, extra.clone()))
                .cloned()
                .unwrap_or(MarkerTree::FALSE);
            let edges = match &extra {
                None => Some(&nodes[index].requires),
                Some(extra) => nodes[index].extras.get(extra),
            };
            for edge in edges.into_iter().flatten() {
                steps += 1;
                if steps > MAX_STEPS {
                    return Err((edge.offset, "the requirements have no end".to_owned()));
                }
                if !self.follow(edge, &from) {
                    let by = &nodes[index].package.value.name;
                    return Err((
                        edge.offset,
                        format!(
                            "`{by}` requires `{}`, which the lock does not have",
                            edge.name
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Notes where the packages of a requirement are wanted, given where that counts; whether there
    /// are any.
    fn follow(&mut self, edge: &Edge, from: &MarkerTree) -> bool {
        let nodes = self.nodes;
        let named = self.by_name.get(&edge.name).cloned().unwrap_or_default();
        let mut is_found = false;
        for index in named
            .into_iter()
            .filter(|index| edge.leads_to(&nodes[*index]))
        {
            is_found = true;
            let mut marker = from.clone();
            marker.and(edge.marker.clone());
            marker.and(nodes[index].fork.clone());
            for extra in [None].into_iter().chain(edge.extras.iter().map(Some)) {
                self.reach((index, extra), &marker);
            }
        }
        is_found
    }

    fn reach(&mut self, (index, extra): Visited<'_>, marker: &MarkerTree) {
        let visited = (index, extra.cloned());
        let known = self
            .reached
            .entry(visited.clone())
            .or_insert(MarkerTree::FALSE);
        let before = known.clone();
        known.or(marker.clone());
        if *known != before {
            self.open.push(visited);
        }
    }
}
