//! `pyproject.toml`: what `[project]`, its extras and `[dependency-groups]` (PEP 621, PEP 735) ask
//! for. `[tool.vpython]` means what it means in `vpython.toml`, and chooses extras and groups:
//! `extras = ["cli"]`, `groups = ["test"]`.
//!
//! Only what is written counts. No build backend is asked, so that what is `dynamic` is a mistake.

use std::collections::{HashMap, HashSet};

use pep508_rs::{ExtraName, MarkerTree, PackageName};
use toml::de::{DeTable, DeValue};

use super::vpython_toml::{Reader, Value};
use super::{Located, PythonRange, Requested, marker};

/// What chooses among what a project may ask for, in `[tool.vpython]`.
pub(super) const CHOICES: [&str; 2] = ["extras", "groups"];

/// What a project asks for.
#[derive(Default)]
pub(super) struct Project {
    pub requires_python: Option<Located<PythonRange>>,
    pub asked: Vec<Located<Requested>>,
}

/// Reads the tables of a project.
pub(super) fn read<'a>(document: &DeTable<'a>, reader: &mut Reader<'a>) -> Project {
    let project = reader.table(document.get("project"), "project");
    let groups = reader.table(document.get("dependency-groups"), "dependency-groups");
    let tool = document.get("tool").and_then(|tool| {
        tool.get_ref()
            .as_table()?
            .get("vpython")?
            .get_ref()
            .as_table()
    });
    let [mut extras_chosen, mut groups_chosen] = CHOICES.map(|key| {
        let value = tool.and_then(|tool| tool.get(key));
        reader.strings(value, &format!("tool.vpython.{key}"))
    });
    let chosen = reader.chosen();
    extras_chosen.extend(chosen.extras.iter().map(|extra| (extra.as_str(), 0)));
    groups_chosen.extend(chosen.groups.iter().map(|group| (group.as_str(), 0)));
    if project.is_none() && groups_chosen.is_empty() {
        let why = if groups.is_some() {
            "there is no `[project]` table, and no group of `[dependency-groups]` is chosen"
        } else {
            "there is neither a `[project]` table nor `[dependency-groups]`"
        };
        reader.problem(0, &format!("{why}: nobody can tell what it asks for"));
        reader.hint("write `dependencies` to `[project]`, or choose groups with `groups = [\"...\"]` in `[tool.vpython]`");
        return Project::default();
    }
    let dynamic = reader.strings(
        project.and_then(|project| project.get("dynamic")),
        "project.dynamic",
    );
    for (field, start) in &dynamic {
        match *field {
            "dependencies" => refuse_dynamic(field, *start, reader),
            "optional-dependencies" if !extras_chosen.is_empty() => {
                refuse_dynamic(field, *start, reader)
            }
            "requires-python" => {
                reader.warn(*start, "`requires-python` is dynamic, and does not count")
            }
            _ => {}
        }
    }
    let requires_python = project.and_then(|project| project.get("requires-python"));
    let optional = project.and_then(|project| project.get("optional-dependencies"));
    let own_name = project.and_then(|project| {
        project
            .get("name")?
            .get_ref()
            .as_str()?
            .parse::<PackageName>()
            .ok()
    });
    let extras = reader.table(optional, "project.optional-dependencies");
    let mut tables = Tables::new(own_name, extras, groups, reader);
    tables.strings(
        project.and_then(|project| project.get("dependencies")),
        "project.dependencies",
        &MarkerTree::TRUE,
    );
    for (extra, start) in extras_chosen {
        tables.extra(extra, start, MarkerTree::TRUE);
    }
    for (group, start) in groups_chosen {
        tables.group(group, start, MarkerTree::TRUE);
    }
    let Tables { asked, reader, .. } = tables;
    Project {
        requires_python: requires_python.and_then(|value| reader.python_range(value)),
        asked,
    }
}

fn refuse_dynamic(field: &str, start: usize, reader: &mut Reader<'_>) {
    let why = format!(
        "`{field}` is dynamic: only the project's build backend knows it, and vpython runs none"
    );
    reader.problem(start, &why);
    reader.hint("write it to `[project]`, or name a `vpython.toml` or a `requirements.txt` with `-vpython-spec`");
}

/// How many extras and groups may be open at a time, each because the one before includes it.
const DEEPEST: usize = 64;
/// How many extras and groups are read, each for another marker: requirements of a project for
/// itself, each with a marker of its own, can make two of one at each step.
const READINGS: usize = 100_000;

/// Tables of requirements by name, which name each other.
struct Tables<'r, 'v, 'a> {
    own_name: Option<PackageName>,
    extras: Table<'v, 'a>,
    groups: Table<'v, 'a>,
    reader: &'r mut Reader<'a>,
    /// What is asked for, as far as it was read.
    asked: Vec<Located<Requested>>,
    /// The extras and groups that are being read, each included by the one before.
    open: Vec<String>,
    /// Those that were read, and where what is in them counts. A second reading would find the same
    /// again.
    read: HashSet<(String, MarkerTree)>,
}

/// The values of a table by their normalised names.
struct Table<'v, 'a> {
    table: Option<&'v DeTable<'a>>,
    by_name: HashMap<String, &'v Value<'a>>,
}

impl<'v, 'a> Table<'v, 'a> {
    fn of(table: Option<&'v DeTable<'a>>) -> Self {
        let mut by_name = HashMap::new();
        for (key, value) in table.into_iter().flatten() {
            by_name.entry(normalised(key.get_ref())).or_insert(value);
        }
        Self { table, by_name }
    }
}

impl<'r, 'v, 'a> Tables<'r, 'v, 'a> {
    fn new(
        own_name: Option<PackageName>,
        extras: Option<&'v DeTable<'a>>,
        groups: Option<&'v DeTable<'a>>,
        reader: &'r mut Reader<'a>,
    ) -> Self {
        let (extras, groups) = (Table::of(extras), Table::of(groups));
        Self {
            own_name,
            extras,
            groups,
            reader,
            asked: Vec::new(),
            open: Vec::new(),
            read: HashSet::new(),
        }
    }

    /// Reads what an extra of the project asks for, where `marker` holds.
    fn extra(&mut self, name: &str, start: usize, marker: MarkerTree) {
        let normal = normalised(name);
        let Some(value) = self.extras.by_name.get(&normal).copied() else {
            let known = known(self.extras.table);
            return self.reader.problem(
                start,
                &format!("there is no `{name}` in `[project.optional-dependencies]`{known}"),
            );
        };
        self.within(
            format!("the extra `{normal}`"),
            start,
            marker,
            |tables, marker| {
                tables.strings(
                    Some(value),
                    &format!("project.optional-dependencies.{name}"),
                    &marker,
                );
            },
        );
    }

    /// Reads what a group asks for, with the groups that it includes, where `marker` holds.
    fn group(&mut self, name: &str, start: usize, marker: MarkerTree) {
        let normal = normalised(name);
        let Some(value) = self.groups.by_name.get(&normal).copied() else {
            let known = known(self.groups.table);
            return self.reader.problem(
                start,
                &format!("there is no `{name}` in `[dependency-groups]`{known}"),
            );
        };
        let key = format!("dependency-groups.{name}");
        let DeValue::Array(items) = value.get_ref() else {
            return self.reader.wrong_type(&key, "an array", value);
        };
        self.within(
            format!("the group `{normal}`"),
            start,
            marker,
            |tables, marker| {
                for item in items {
                    let start = item.span().start;
                    match item.get_ref() {
                        DeValue::String(text) => tables.requirement(text, start, marker.clone()),
                        DeValue::Table(table) => {
                            match table.get("include-group").map(toml::Spanned::get_ref) {
                                Some(DeValue::String(included)) if table.len() == 1 => {
                                    tables.group(included, start, marker.clone())
                                }
                                _ => tables.reader.problem(
                                    start,
                                    &format!("an item of `{key}` has `include-group` alone"),
                                ),
                            }
                        }
                        _ => tables.reader.wrong_type(
                            &format!("an item of {key}"),
                            "a string or a table",
                            item,
                        ),
                    }
                }
            },
        );
    }

    /// Goes into an extra or a group, unless that is open already, or was read for the same marker.
    fn within(
        &mut self,
        title: String,
        start: usize,
        marker: MarkerTree,
        read: impl FnOnce(&mut Self, MarkerTree),
    ) {
        if self.open.contains(&title) {
            return self
                .reader
                .problem(start, &format!("{title} includes itself"));
        }
        if self.open.len() == DEEPEST {
            let what = format!(
                "{title} is not read: {DEEPEST} extras and groups are open already, each because another includes it"
            );
            return self.reader.problem(start, &what);
        }
        if self.read.len() == READINGS || !self.read.insert((title.clone(), marker.clone())) {
            return;
        }
        if self.read.len() == READINGS {
            self.reader.problem(
                start,
                &format!("{title} is not read: more than {READINGS} extras and groups would be"),
            );
        }
        self.open.push(title);
        read(self, marker);
        self.open.pop();
    }

    fn strings(&mut self, value: Option<&'v Value<'a>>, key: &str, marker: &MarkerTree) {
        for (text, start) in self.reader.strings(value, key) {
            self.requirement(text, start, marker.clone());
        }
    }

    /// Reads a requirement; one of the project itself stands for its extras, since the project is
    /// no wheel here.
    fn requirement(&mut self, text: &str, start: usize, marker: MarkerTree) {
        let Some(mut asked) = self.reader.requirement(text, start) else {
            return;
        };
        let requirement = &mut asked.value.requirement;
        if let Err(why) = marker::and(&mut requirement.marker, marker) {
            return self
                .reader
                .problem(start, &format!("`{text}` is no requirement: {why}"));
        }
        if self.own_name.as_ref() != Some(&requirement.name) {
            return self.asked.push(asked);
        }
        for extra in &requirement.extras {
            self.extra(extra.as_ref(), start, requirement.marker.clone());
        }
    }
}

/// The names that a table has, for who has chosen another.
fn known(table: Option<&DeTable<'_>>) -> String {
    let names: Vec<String> = table
        .into_iter()
        .flat_map(|table| table.keys().map(|key| format!("`{}`", key.get_ref())))
        .collect();
    if names.is_empty() {
        ", which has none".to_owned()
    } else {
        format!(", which has {}", names.join(", "))
    }
}

/// A name of an extra or a group, in the one spelling that stands for all.
fn normalised(name: &str) -> String {
    name.parse::<ExtraName>()
        .map_or_else(|_| name.to_owned(), |name| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::{Origin, Packages, Spec, SpecKind, SpecText, vpython_toml};
    use crate::invocation::Chosen;

    fn parse(content: &str) -> anyhow::Result<Spec> {
        vpython_toml::parse(&SpecText {
            kind: SpecKind::Pyproject,
            origin: Origin::file("/p/pyproject.toml".into()),
            base: Some("/p".into()),
            content: content.into(),
            warnings: Vec::new(),
            chosen: Chosen::default(),
        })
    }

    fn asked(content: &str) -> Vec<String> {
        let spec =
            parse(content).unwrap_or_else(|error| panic!("{}", crate::report::render(&error)));
        let Packages::Required(required) = spec.packages else {
            panic!("{content}")
        };
        required
            .asked
            .iter()
            .map(|asked| asked.value.requirement.to_string())
            .collect()
    }

    #[test]
    fn what_a_project_asks_for_is_read() {
        let project = "[build-system]\nrequires = ['b']\n[project]\nname = 'My.Project'\nrequires-python = '>=3.8'\n\
                       dependencies = ['a>=1']\n[project.optional-dependencies]\nCli = ['c']\n\
                       all = ['my-project[cli]; sys_platform == \"linux\"', 'd']\n\
                       [dependency-groups]\ntest = ['t', {include-group = 'Lint_All'}]\nlint-all = ['l']\n";
        let rows: &[(&str, &[&str])] = &[
            ("", &["a>=1"]),
            ("extras = ['cli']", &["a>=1", "c"]),
            (
                "extras = ['all']",
                &["a>=1", "c ; sys_platform == 'linux'", "d"],
            ),
            ("groups = ['test']", &["a>=1", "t", "l"]),
            ("groups = ['lint.all']\nwheels = ['w']", &["a>=1", "l"]),
        ];
        for (tool, expected) in rows {
            let content = format!("{project}[tool.vpython]\n{tool}\n[tool.other]\nx = 1\n");
            assert_eq!(asked(&content), *expected, "{tool}");
            let spec = parse(&content).unwrap();
            assert_eq!(spec.warnings, [""; 0]);
            assert_eq!(spec.requires_python.unwrap().value.written, ">=3.8");
        }
        assert_eq!(
            asked("[dependency-groups]\ntest = ['t']\n[tool.vpython]\ngroups = ['test']\n"),
            ["t"]
        );
        assert_eq!(
            asked("[project]\nname = 'x'\nversion = '1'\n"),
            [""; 0],
            "a project may have no dependencies"
        );
    }

    #[test]
    fn what_nobody_can_tell_is_refused() {
        let nothing = "hint: write `dependencies` to `[project]`, or choose groups with `groups = [\"...\"]` in `[tool.vpython]`";
        let dynamic = "hint: write it to `[project]`, or name a `vpython.toml` or a `requirements.txt` with `-vpython-spec`";
        let rows = [
            (
                "[tool.poetry.dependencies]\na = '1'\n",
                "line 1, column 1: there is neither a `[project]` table nor `[dependency-groups]`: nobody can tell what it asks for",
                nothing,
            ),
            (
                "[dependency-groups]\na = ['b']\n",
                "line 1, column 1: there is no `[project]` table, and no group of `[dependency-groups]` is chosen: nobody can tell \
                 what it asks for",
                nothing,
            ),
            (
                "[project]\ndynamic = ['version', 'dependencies']\n",
                "line 2, column 23: `dependencies` is dynamic: only the project's build backend knows it, and vpython runs none",
                dynamic,
            ),
            (
                "[project]\ndynamic = ['optional-dependencies']\n[tool.vpython]\nextras = []\ngroups = ['x']\n",
                "line 5, column 11: there is no `x` in `[dependency-groups]`, which has none",
                "",
            ),
            (
                "[project]\n[tool.vpython]\nextras = ['x']\n",
                "line 3, column 11: there is no `x` in `[project.optional-dependencies]`, which has none",
                "",
            ),
            (
                "[project]\n[dependency-groups]\nx = [{include-group = 'y'}]\ny = [{include-group = 'X'}]\n[tool.vpython]\ngroups = ['x']\n",
                "line 4, column 6: the group `x` includes itself",
                "",
            ),
            (
                "[project]\n[dependency-groups]\nx = [{include = 'y'}]\n[tool.vpython]\ngroups = ['x']\n",
                "line 3, column 6: an item of `dependency-groups.x` has `include-group` alone",
                "",
            ),
        ];
        for (content, cause, hint) in rows {
            let hint = if hint.is_empty() {
                String::new()
            } else {
                format!("  {hint}\n")
            };
            let expected = format!(
                "vpython: error: bad spec in `/p/pyproject.toml`\n  caused by: `/p/pyproject.toml`, {cause}\n{hint}"
            );
            assert_eq!(
                crate::report::render(&parse(content).unwrap_err()),
                expected,
                "{content}"
            );
        }
    }

    #[test]
    fn a_dynamic_python_version_is_worth_a_warning() {
        let spec = parse("[project]\ndynamic = ['requires-python', 'version']\n").unwrap();
        assert_eq!(
            spec.warnings,
            ["`/p/pyproject.toml`, line 2: `requires-python` is dynamic, and does not count"]
        );
    }
}
