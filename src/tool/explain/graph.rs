//! The dependency graph of the wheels: as a tree for people, as edges for programs, and in
//! graphviz's language.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;

use pep508_rs::PackageName;

use crate::plan::PlannedWheel;

/// The maximum depth of the tree. Deeper subtrees start again at the margin: otherwise the width of
/// the lines would grow with the length of a chain.
const DEPTH: usize = 40;
/// The mark for a wheel that was shown before.
const SHOWN: &str = " (*)";
/// The mark for a wheel whose requirements are shown later, at the margin.
const BELOW: &str = " (below)";

/// The wheels and their dependencies, as indices.
pub(super) struct Graph<'w> {
    wheels: &'w [PlannedWheel],
    /// For each wheel, the wheels that it requires, sorted by name.
    required: Vec<Vec<usize>>,
    /// The wheels that the spec or its lock requires.
    roots: Vec<usize>,
}

/// A wheel on the path from the margin to the current line.
struct Level {
    wheel: usize,
    /// The number of its requirements that are written.
    written: usize,
    /// The length of the indentation that belongs to the levels above.
    indentation: usize,
}

impl<'w> Graph<'w> {
    /// Builds the graph of wheels, which must be sorted by name.
    pub(super) fn of(wheels: &'w [PlannedWheel]) -> Self {
        let indices: HashMap<&PackageName, usize> = wheels
            .iter()
            .enumerate()
            .map(|(index, wheel)| (&wheel.name, index))
            .collect();
        let mut required = vec![Vec::new(); wheels.len()];
        let mut roots = Vec::new();
        for (index, wheel) in wheels.iter().enumerate() {
            for required_by in &wheel.required_by {
                let edges = match required_by.project() {
                    Some(project) => indices.get(project).map(|from| &mut required[*from]),
                    None => Some(&mut roots),
                };
                // A wheel may require another twice, for example with an extra.
                if let Some(edges) = edges.filter(|edges| edges.last() != Some(&index)) {
                    edges.push(index);
                }
            }
        }
        Self {
            wheels,
            required,
            roots,
        }
    }

    /// Returns the edges as project names, sorted. The spec is `None`.
    pub(super) fn edges(&self) -> Vec<(Option<&'w PackageName>, &'w PackageName)> {
        let name = |index: usize| &self.wheels[index].name;
        let of_spec = self.roots.iter().map(|to| (None, name(*to)));
        let of_wheels = self
            .required
            .iter()
            .enumerate()
            .flat_map(|(from, required)| required.iter().map(move |to| (from, *to)));
        of_spec
            .chain(of_wheels.map(|(from, to)| (Some(name(from)), name(to))))
            .collect()
    }

    /// Renders the tree: the wheels that the spec requires at the margin, and below each wheel its
    /// requirements. Shows each subtree once.
    pub(super) fn tree(&self) -> String {
        if self.wheels.is_empty() {
            return "no wheels\n".to_owned();
        }
        let mut tree = Tree {
            graph: self,
            text: String::new(),
            shown: vec![false; self.wheels.len()],
            deferred: VecDeque::new(),
        };
        for root in &self.roots {
            tree.add(*root);
        }
        while let Some(index) = tree.deferred.pop_front() {
            tree.add_unless_shown(index);
        }
        // Add the wheels that nothing requires, so that none is omitted.
        (0..self.wheels.len()).for_each(|index| tree.add_unless_shown(index));
        // Explain the marks that the tree uses.
        let marks = [(SHOWN, "shown above"), (BELOW, "continued below")];
        let used = marks
            .iter()
            .filter(|(mark, _)| tree.text.contains(&format!("{mark}\n")));
        let legend: String = used
            .flat_map(|(mark, meaning)| [mark.trim_start(), " ", meaning, "\n"])
            .collect();
        if legend.is_empty() {
            tree.text
        } else {
            format!("{}\n{legend}", tree.text)
        }
    }

    /// Renders the graph in graphviz's language. The wheels that the spec requires are bold.
    pub(super) fn dot(&self) -> String {
        let mut text = String::from("digraph vpython {\n  node [shape=box]\n");
        for (index, wheel) in self.wheels.iter().enumerate() {
            let style = if self.roots.binary_search(&index).is_ok() {
                ", style=bold"
            } else {
                ""
            };
            let _ = writeln!(
                text,
                "  \"{}\" [label=\"{}\"{style}]",
                wheel.name,
                self.title(index)
            );
        }
        for (from, to) in self.edges() {
            if let Some(from) = from {
                let _ = writeln!(text, "  \"{from}\" -> \"{to}\"");
            }
        }
        text + "}\n"
    }

    fn title(&self, index: usize) -> String {
        format!("{} {}", self.wheels[index].name, self.wheels[index].version)
    }
}

/// A partly rendered tree.
struct Tree<'g, 'w> {
    graph: &'g Graph<'w>,
    text: String,
    /// Whether each wheel has a line with its requirements below it.
    shown: Vec<bool>,
    /// The wheels that are too deep, which start at the margin later.
    deferred: VecDeque<usize>,
}

impl Tree<'_, '_> {
    fn add_unless_shown(&mut self, index: usize) {
        if !self.shown[index] {
            self.add(index);
        }
    }

    /// Adds a wheel at the margin and the subtree below it. Does not use recursion, because a chain
    /// may contain all wheels.
    fn add(&mut self, root: usize) {
        let mut indentation = String::new();
        let mut levels = Vec::new();
        if self.write("", root, 0) {
            levels.push(Level {
                wheel: root,
                written: 0,
                indentation: 0,
            });
        }
        while let Some(level) = levels.last_mut() {
            // The next requirement of the innermost level, or back to the level above.
            let required = &self.graph.required[level.wheel];
            let Some(index) = required.get(level.written).copied() else {
                indentation.truncate(level.indentation);
                levels.pop();
                continue;
            };
            level.written += 1;
            let is_last = level.written == required.len();
            let before = indentation.len();
            let depth = levels.len();
            if self.write(
                &format!("{indentation}{}", if is_last { "└── " } else { "├── " }),
                index,
                depth,
            ) {
                indentation.push_str(if is_last { "    " } else { "│   " });
                levels.push(Level {
                    wheel: index,
                    written: 0,
                    indentation: before,
                });
            }
        }
    }

    /// Writes the line of a wheel. Returns whether its requirements belong below it.
    fn write(&mut self, lead: &str, index: usize, depth: usize) -> bool {
        let requires_nothing = self.graph.required[index].is_empty();
        let mark = if self.shown[index] {
            SHOWN
        } else if depth >= DEPTH && !requires_nothing {
            self.deferred.push_back(index);
            BELOW
        } else {
            self.shown[index] = true;
            ""
        };
        let _ = writeln!(self.text, "{lead}{}{mark}", self.graph.title(index));
        mark.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use pep440_rs::Version;

    use super::*;
    use crate::fs::Digest;
    use crate::plan::RequiredBy;
    use crate::spec::Location;

    /// Builds a wheel that these projects require; the empty name means the spec.
    fn wheel(name: &str, required_by: &[&str]) -> PlannedWheel {
        let requirer = |required_by: &&str| match *required_by {
            "" => RequiredBy::Spec(Location {
                file: None,
                line: 1,
                column: 1,
            }),
            project => RequiredBy::Wheel {
                project: PackageName::from_str(project).unwrap(),
                version: Version::new([1]),
                file_name: String::new(),
            },
        };
        PlannedWheel {
            name: PackageName::from_str(name).unwrap(),
            version: Version::new([1]),
            path: format!("{name}-1-py3-none-any.whl").into(),
            in_layout: None,
            built: None,
            to_fetch: None,
            size: 0,
            sha256: Digest::of(b""),
            required_by: required_by.iter().map(requirer).collect(),
        }
    }

    #[test]
    fn the_tree_shows_each_subtree_once() {
        #[rustfmt::skip]
        let rows: [(&[(&str, &[&str])], &str); 6] = [
            (&[], "no wheels\n"),
            (&[("a", &[""]), ("b", &["a", "c"]), ("c", &["a"])], "a 1\n├── b 1\n└── c 1\n    └── b 1 (*)\n\n(*) shown above\n"),
            (&[("a", &["", "", "b"]), ("b", &["a", "a"])], "a 1\n└── b 1\n    └── a 1 (*)\n\n(*) shown above\n"),
            (&[("a", &["", "a"])], "a 1\n└── a 1 (*)\n\n(*) shown above\n"),
            (&[("a", &[""]), ("b", &["", "a"]), ("c", &["a"]), ("d", &["b"])], "a 1\n├── b 1\n│   └── d 1\n└── c 1\nb 1 (*)\n\n(*) shown above\n"),
            (&[("a", &["b"]), ("b", &["a"]), ("c", &[])], "a 1\n└── b 1\n    └── a 1 (*)\nc 1\n\n(*) shown above\n"),
        ];
        for (wheels, expected) in rows {
            let wheels: Vec<_> = wheels
                .iter()
                .map(|(name, required_by)| wheel(name, required_by))
                .collect();
            assert_eq!(Graph::of(&wheels).tree(), expected);
        }
    }

    /// Builds wheels that each require the next one.
    fn chain(length: usize) -> Vec<PlannedWheel> {
        let name = |index: usize| format!("w{index:06}");
        let before = |index: usize| index.checked_sub(1).map(name).unwrap_or_default();
        (0..length)
            .map(|index| wheel(&name(index), &[&before(index)]))
            .collect()
    }

    #[test]
    fn a_long_chain_continues_at_the_margin() {
        let wheels = chain(DEPTH + 3);
        let tree = Graph::of(&wheels).tree();
        let tail: Vec<&str> = tree.lines().skip(DEPTH).collect();
        let deepest = format!("{}└── w000040 1 (below)", "    ".repeat(DEPTH - 1));
        let expected = [
            &deepest,
            "w000040 1",
            "└── w000041 1",
            "    └── w000042 1",
            "",
            "(below) continued below",
        ];
        assert_eq!(tail, expected);
        let wheels = chain(100_000);
        let graph = Graph::of(&wheels);
        assert_eq!(
            graph
                .tree()
                .lines()
                .filter(|line| line.ends_with(" 1"))
                .count(),
            100_000
        );
        assert_eq!(
            (graph.edges().len(), graph.dot().lines().count()),
            (100_000, 200_002)
        );
    }
}
