//! The environments in which each package of a lock file is required: those in which something that
//! is itself required depends on it, starting from the spec. uv follows the same edges for a single
//! interpreter; this module follows them for all interpreters at once, with markers instead of
//! booleans.

use std::collections::{BTreeMap, HashMap};

use pep440_rs::Version;
use pep508_rs::{ExtraName, MarkerTree, PackageName};

use crate::spec::{Dependencies, Located, LockedPackage, Requested};

/// Upper bound for the number of steps: uv writes no lock file that needs more. One with 3,000
/// packages needs about ten thousand.
const MAX_STEPS: usize = 1_000_000;

/// The index, file or repository that a package comes from.
pub(super) type Source = BTreeMap<String, toml::Value>;

/// A package with its dependencies.
pub(super) struct Node {
    /// The package, without a marker so far.
    pub package: Located<LockedPackage>,
    /// The source of the package.
    pub source: Source,
    /// The environments for which this version of the project was chosen; all, if it is the only
    /// version.
    pub fork: MarkerTree,
    /// The dependencies.
    pub requires: Vec<Edge>,
    /// The additional dependencies of each extra.
    pub extras: BTreeMap<ExtraName, Vec<Edge>>,
}

/// A dependency of a package.
pub(super) struct Edge {
    /// The project.
    pub name: PackageName,
    /// The version, if the lock file has several.
    pub version: Option<Version>,
    /// The source, if the lock file has several.
    pub source: Option<Source>,
    /// The required extras.
    pub extras: Vec<ExtraName>,
    /// The environments in which it is required.
    pub marker: MarkerTree,
    /// The offset in the text.
    pub offset: usize,
}

/// Returns the marker of each package, by index in the lock file. The error is a mistake with its
/// offset in the text.
pub(super) fn markers(
    nodes: &[Node],
    asked: &[Located<Requested>],
    dependencies: Dependencies,
) -> Result<Vec<MarkerTree>, (usize, String)> {
    let mut walk = Walk {
        named: HashMap::new(),
        nodes,
        reached: HashMap::new(),
        open: Vec::new(),
    };
    for (index, node) in nodes.iter().enumerate() {
        let LockedPackage { name, version, .. } = &node.package.value;
        for version in [None].into_iter().chain(version.as_ref().map(Some)) {
            walk.named.entry((name, version)).or_default().push(index);
        }
    }
    // Start from the spec's requirements.
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
        // The plan reports missing packages, when the interpreter is known.
        walk.follow(&edge, &MarkerTree::TRUE);
    }
    if dependencies == Dependencies::Followed {
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

/// A package, or one of its extras.
type Visited<'a> = (usize, Option<&'a ExtraName>);

struct Walk<'a> {
    nodes: &'a [Node],
    /// The packages of a name: all of them, and those of each version.
    named: HashMap<(&'a PackageName, Option<&'a Version>), Vec<usize>>,
    /// The marker of each visited node, as far as it is known.
    reached: HashMap<(usize, Option<ExtraName>), MarkerTree>,
    /// The nodes whose edges have to be followed (again).
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
            // The node's own dependencies, or those of one of its extras.
            let edges = match &extra {
                None => Some(&nodes[index].requires),
                Some(extra) => nodes[index].extras.get(extra),
            };
            for edge in edges.into_iter().flatten() {
                // Markers may grow until a fixed point is reached: bound the work.
                steps += 1;
                if steps > MAX_STEPS {
                    return Err((
                        edge.offset,
                        format!("the dependencies take more than {MAX_STEPS} steps to follow"),
                    ));
                }
                if !self.follow(edge, &from) {
                    let by = &nodes[index].package.value.name;
                    return Err((
                        edge.offset,
                        format!(
                            "`{by}` requires `{}`, which is not in the lock file",
                            edge.name
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Adds the environments of `from` to all packages that an edge leads to; returns whether there
    /// are any.
    fn follow(&mut self, edge: &Edge, from: &MarkerTree) -> bool {
        // Candidates by name and version.
        let nodes = self.nodes;
        let named = self
            .named
            .get(&(&edge.name, edge.version.as_ref()))
            .cloned()
            .unwrap_or_default();
        let is_from_there = |node: &Node| {
            edge.source
                .as_ref()
                .is_none_or(|source| *source == node.source)
        };
        let mut is_found = false;
        for index in named
            .into_iter()
            .filter(|index| is_from_there(&nodes[*index]))
        {
            is_found = true;
            // The target is required where the source is, the edge applies, and its version was
            // chosen.
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
