//! `pyproject.toml`: the requirements in `[project]`, its extras and `[dependency-groups]` (PEP
//! 621, PEP 735). `[tool.vpython]` has the same meaning as in `vpython.toml`, and also selects
//! extras and groups: `extras = ["cli"]`, `groups = ["test"]`.
//!
//! vpython reads only static metadata. It runs no build backend, so that `dynamic` dependencies are
//! an error.

use pep508_rs::{MarkerTree, PackageName};
use toml::de::DeTable;

use super::dependency_tables::Tables;
use super::toml_reader::Reader;
use super::{Located, PythonRange, Requested};

/// The keys of `[tool.vpython]` that select extras and groups.
pub(super) const CHOICES: [&str; 2] = ["extras", "groups"];

/// The requirements of a project.
#[derive(Default)]
pub(super) struct Project {
    pub requires_python: Option<Located<PythonRange>>,
    pub asked: Vec<Located<Requested>>,
}

/// Reads the project's tables.
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
    // There must be something to install: a project, or a selected group.
    if project.is_none() && groups_chosen.is_empty() {
        let why = if groups.is_some() {
            "there is no `[project]` table, and no group of `[dependency-groups]` is selected"
        } else {
            "there is neither a `[project]` table nor `[dependency-groups]`"
        };
        reader.problem(0, &format!("{why}, so its requirements are unknown"));
        reader.hint("add `dependencies` to `[project]`, or select groups with `groups = [\"...\"]` in `[tool.vpython]`");
        return Project::default();
    }
    // Without a build backend, dynamic dependencies are unknown.
    let dynamic = reader.strings(
        project.and_then(|project| project.get("dynamic")),
        "project.dynamic",
    );
    for (field, start) in &dynamic {
        match *field {
            "dependencies" => refuse_dynamic(field, *start, reader),
            "optional-dependencies" if !extras_chosen.is_empty() => {
                refuse_dynamic(field, *start, reader);
            }
            "requires-python" => {
                reader.warn(*start, "`requires-python` is dynamic, so it is ignored");
            }
            _ => {}
        }
    }
    // Collect the project's own dependencies, then the selected extras and groups.
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
    let why =
        format!("`{field}` is dynamic: only a build backend can compute it, and vpython runs none");
    reader.problem(start, &why);
    reader.hint("list it in `[project]`, or pass a `vpython.toml` or a `requirements.txt` with `-vpython-spec`");
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
    fn the_requirements_of_a_project_are_read() {
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
    fn unknown_requirements_are_refused() {
        let nothing = "hint: add `dependencies` to `[project]`, or select groups with `groups = [\"...\"]` in `[tool.vpython]`";
        let dynamic = "hint: list it in `[project]`, or pass a `vpython.toml` or a `requirements.txt` with `-vpython-spec`";
        let rows = [
            (
                "[tool.poetry.dependencies]\na = '1'\n",
                "line 1, column 1: there is neither a `[project]` table nor `[dependency-groups]`, so its requirements are unknown",
                nothing,
            ),
            (
                "[dependency-groups]\na = ['b']\n",
                "line 1, column 1: there is no `[project]` table, and no group of `[dependency-groups]` is selected, so its \
                 requirements are unknown",
                nothing,
            ),
            (
                "[project]\ndynamic = ['version', 'dependencies']\n",
                "line 2, column 23: `dependencies` is dynamic: only a build backend can compute it, and vpython runs none",
                dynamic,
            ),
            (
                "[project]\ndynamic = ['optional-dependencies']\n[tool.vpython]\nextras = []\ngroups = ['x']\n",
                "line 5, column 11: there is no `x` in `[dependency-groups]`, which is empty",
                "",
            ),
            (
                "[project]\n[tool.vpython]\nextras = ['x']\n",
                "line 3, column 11: there is no `x` in `[project.optional-dependencies]`, which is empty",
                "",
            ),
            (
                "[project]\n[dependency-groups]\nx = [{include-group = 'y'}]\ny = [{include-group = 'X'}]\n[tool.vpython]\ngroups = ['x']\n",
                "line 4, column 6: the group `x` includes itself",
                "",
            ),
            (
                "[project]\n[dependency-groups]\nx = [{include = 'y'}]\n[tool.vpython]\ngroups = ['x']\n",
                "line 3, column 6: a table in `dependency-groups.x` must have `include-group` as its only key",
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
            ["`/p/pyproject.toml`, line 2: `requires-python` is dynamic, so it is ignored"]
        );
    }
}
