//! What requires what among the wheels: as a tree for a reader, as edges for programs, and as a
//! graph for graphviz.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;

use pep508_rs::PackageName;

use crate::plan::PlannedWheel;

/// How deep the tree is indented; what lies deeper begins again at the margin, since each line of a
/// long chain would be as long as the chain.
const DEPTH: usize = 40;
/// Behind a wheel that was shown before.
const SHOWN: &str = " (*)";
/// Behind a wheel whose requirements are shown at the margin.
const BELOW: &str = " (below)";

/// The wheels, and who requires whom.
pub(super) struct Graph<'w> {
    wheels: &'w [PlannedWheel],
    /// Of each wheel those that it requires, sorted by name.
    required: Vec<Vec<usize>>,
    /// Those that the spec asks for, or its lock.
    roots: Vec<usize>,
}

/// A wheel on the way from the margin to the line that is written.
struct Level {
    wheel: usize,
    /// How many of those that it requires were written.
    written: usize,
    /// How much of the indentation belongs to the levels above.
    indentation: usize,
}

impl<'w> Graph<'w> {
    /// The graph of wheels that are sorted by name.
    pub(super) fn of(wheels: &'w [PlannedWheel]) -> Self {
        let places: HashMap<&PackageName, usize> = wheels
            .iter()
            .enumerate()
            .map(|(place, wheel)| (&wheel.name, place))
            .collect();
        let mut required = vec![Vec::new(); wheels.len()];
        let mut roots = Vec::new();
        for (place, wheel) in wheels.iter().enumerate() {
            for required_by in &wheel.required_by {
                let asking = match required_by.project() {
                    Some(project) => places.get(project).map(|from| &mut required[*from]),
                    None => Some(&mut roots),
                };
                // One that asks twice, such as by an extra, asks once.
                if let Some(asking) = asking.filter(|asking| asking.last() != Some(&place)) {
                    asking.push(place);
                }
            }
        }
        Self {
            wheels,
            required,
            roots,
        }
    }

    /// The edges by the names of the projects, sorted; the spec has no name.
    pub(super) fn edges(&self) -> Vec<(Option<&'w PackageName>, &'w PackageName)> {
        let name = |place: usize| &self.wheels[place].name;
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

    /// The tree: at the margin what the spec asks for, below each wheel what it requires, and each
    /// subtree once.
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
        while let Some(place) = tree.deferred.pop_front() {
            tree.add_unless_shown(place);
        }
        // Whatever nobody asks for, so that none is left out.
        (0..self.wheels.len()).for_each(|place| tree.add_unless_shown(place));
        let marks = [(SHOWN, "shown above"), (BELOW, "goes on below")];
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

    /// The graph in graphviz's language; what the spec asks for is bold.
    pub(super) fn dot(&self) -> String {
        let mut text = String::from("digraph vpython {\n  node [shape=box]\n");
        for (place, wheel) in self.wheels.iter().enumerate() {
            let style = if self.roots.binary_search(&place).is_ok() {
                ", style=bold"
            } else {
                ""
            };
            let _ = writeln!(
                text,
                "  \"{}\" [label=\"{}\"{style}]",
                wheel.name,
                self.title(place)
            );
        }
        for (from, to) in self.edges() {
            if let Some(from) = from {
                let _ = writeln!(text, "  \"{from}\" -> \"{to}\"");
            }
        }
        text + "}\n"
    }

    fn title(&self, place: usize) -> String {
        format!("{} {}", self.wheels[place].name, self.wheels[place].version)
    }
}

/// A tree that is being written.
struct Tree<'g, 'w> {
    graph: &'g Graph<'w>,
    text: String,
    /// Which wheels have a line with what they require below it.
    shown: Vec<bool>,
    /// Those that are too deep, and begin at the margin later.
    deferred: VecDeque<usize>,
}

impl Tree<'_, '_> {
    fn add_unless_shown(&mut self, place: usize) {
        if !self.shown[place] {
            self.add(place);
        }
    }

    /// Adds a wheel at the margin and what is below it, without recursion: a chain may be as long
    /// as there are wheels.
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
            let required = &self.graph.required[level.wheel];
            let Some(place) = required.get(level.written).copied() else {
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
                place,
                depth,
            ) {
                indentation.push_str(if is_last { "    " } else { "│   " });
                levels.push(Level {
                    wheel: place,
                    written: 0,
                    indentation: before,
                });
            }
        }
    }

    /// Writes the line of a wheel. Gives whether what it requires belongs below it.
    fn write(&mut self, lead: &str, place: usize, depth: usize) -> bool {
        let requires_nothing = self.graph.required[place].is_empty();
        let mark = if self.shown[place] {
            SHOWN
        } else if depth >= DEPTH && !requires_nothing {
            self.deferred.push_back(place);
            BELOW
        } else {
            self.shown[place] = true;
            ""
        };
        let _ = writeln!(self.text, "{lead}{}{mark}", self.graph.title(place));
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

    /// A wheel that the spec asks for where no other does.
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

    /// Wheels of which each requires the next.
    fn chain(length: usize) -> Vec<PlannedWheel> {
        let name = |place: usize| format!("w{place:06}");
        let before = |place: usize| place.checked_sub(1).map(name).unwrap_or_default();
        (0..length)
            .map(|place| wheel(&name(place), &[&before(place)]))
            .collect()
    }

    #[test]
    fn a_long_chain_goes_on_at_the_margin() {
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
            "(below) goes on below",
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
