//! The native form: `requires-python`, `dependencies` and `[tool.vpython]`, in `vpython.toml` and
//! in PEP 723 blocks.
//!
//! Parsing reports all mistakes at once, each with its line and column. An unknown key is a
//! warning, because a later version may define it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use toml::de::{DeTable, DeValue};

use super::index_tables;
use super::pyproject::{self, Project};
use super::toml_reader::{Reader, Value};
use super::{
    Dependencies, Located, Packages, Places, Platform, Requirements, Spec, SpecKind, SpecText,
    SystemPackages,
};
use crate::invocation::{HOW_TO_PIN, WheelhouseReference};
use crate::oci::PinnedReference;

const TOP_KEYS: [&str; 3] = ["requires-python", "dependencies", "tool"];
/// The prefix of the keys of vpython's own table.
const TOOL: &str = "tool.vpython.";
const TOOL_KEYS: [&str; 11] = [
    "interpreter",
    "wheels",
    "index",
    "fetch",
    "python-path",
    "no-deps",
    "platforms",
    "strict",
    "seed",
    "system-site-packages",
    "unlocked",
];

/// Parses the text.
pub(super) fn parse(text: &SpecText) -> Result<Spec> {
    let places = Places::of(&text.origin, &text.content);
    let mut reader = Reader {
        text,
        places,
        problems: Vec::new(),
        warnings: Vec::new(),
        hint: None,
    };
    let spec = reader.read();
    match spec {
        Some(spec) if reader.problems.is_empty() => Ok(Spec {
            warnings: reader.warnings,
            base: text.base.clone(),
            ..spec
        }),
        _ => Err(reader.refusal().into()),
    }
}

impl<'a> Reader<'a> {
    fn read(&mut self) -> Option<Spec> {
        let (document, errors) = DeTable::parse_recoverable(&self.text.content);
        for error in &errors {
            self.problem(
                error.span().map_or(0, |span| span.start),
                error.message().lines().next().unwrap_or_default(),
            );
        }
        if !errors.is_empty() {
            return None;
        }
        // The requirements: from `[project]` and its groups, or from the keys at the top level.
        let document = document.get_ref();
        let is_pyproject = self.text.kind == SpecKind::Pyproject;
        let Project {
            requires_python,
            asked,
        } = if is_pyproject {
            pyproject::read(document, self)
        } else {
            self.project(document)
        };
        let choices: &[&str] = if is_pyproject {
            &pyproject::CHOICES
        } else {
            &[]
        };
        let mut spec = Spec {
            requires_python,
            indexes: index_tables::read(document, self),
            ..Spec::default()
        };
        let mut requirements = Requirements {
            asked,
            ..Requirements::default()
        };
        // The settings in `[tool.vpython]`.
        let tool = self.table(document.get("tool"), "tool");
        if let Some(tool) = self.table(tool.and_then(|tool| tool.get("vpython")), "tool.vpython") {
            let known = [&TOOL_KEYS, choices].concat();
            self.warn_of_unknown_keys(tool, (TOOL, &known), ("", &TOP_KEYS));
            spec.interpreter = self.interpreter(tool.get("interpreter"));
            spec.wheelhouses = self.wheelhouses(tool);
            spec.python_path = self
                .paths(tool, "python-path")
                .into_iter()
                .map(|path| path.value)
                .collect();
            spec.platforms = self.platforms(tool);
            spec.fetch = self.boolean(tool.get("fetch"), "tool.vpython.fetch");
            spec.strict = self.boolean(tool.get("strict"), "tool.vpython.strict");
            if self.boolean(
                tool.get("system-site-packages"),
                "tool.vpython.system-site-packages",
            ) {
                spec.system_packages = SystemPackages::Visible;
            }
            spec.unlocked = self.boolean(tool.get("unlocked"), "tool.vpython.unlocked");
            spec.seed = self.boolean(tool.get("seed"), "tool.vpython.seed");
            if self.boolean(tool.get("no-deps"), "tool.vpython.no-deps") {
                requirements.dependencies = Dependencies::Ignored;
            }
        }
        spec.packages = Packages::Required(requirements);
        Some(spec)
    }

    /// Reads the keys at the top level.
    fn project(&mut self, document: &DeTable<'a>) -> Project {
        self.warn_of_unknown_keys(document, ("", &TOP_KEYS), (TOOL, &TOOL_KEYS));
        let requires_python = document
            .get("requires-python")
            .and_then(|value| self.python_range(value));
        let dependencies = self.strings(document.get("dependencies"), "dependencies");
        let asked = dependencies
            .into_iter()
            .filter_map(|(text, start)| self.requirement(text, start))
            .collect();
        Project {
            requires_python,
            asked,
        }
    }

    fn paths(&mut self, table: &DeTable<'a>, key: &'static str) -> Vec<Located<PathBuf>> {
        let name = format!("tool.vpython.{key}");
        let strings = self.strings(table.get(key), &name);
        strings
            .into_iter()
            .map(|(path, start)| self.placed(self.text.resolve(path), start))
            .collect()
    }

    fn wheelhouses(&mut self, table: &DeTable<'a>) -> Vec<Located<WheelhouseReference>> {
        let mut wheelhouses = Vec::new();
        for (name, start) in self.strings(table.get("wheels"), "tool.vpython.wheels") {
            let resolve = |path: &Path| self.text.resolve(&path.to_string_lossy());
            match WheelhouseReference::parse(OsStr::new(name), resolve) {
                Ok(wheelhouse) => wheelhouses.push(self.placed(wheelhouse, start)),
                Err(why) => self.problem(start, &format!("`{name}` is not a wheelhouse: {why}")),
            }
        }
        wheelhouses
    }

    /// Reads the image of the interpreter.
    fn interpreter(&mut self, value: Option<&Value<'a>>) -> Option<Located<PinnedReference>> {
        let value = value?;
        let start = value.span().start;
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type("tool.vpython.interpreter", "a string", value);
            return None;
        };
        let resolve = |path: &Path| self.text.resolve(&path.to_string_lossy());
        let why = match PinnedReference::parse(text, resolve) {
            Some(Ok(image)) => return Some(self.placed(image, start)),
            Some(Err(why)) => why,
            None => "it does not begin with `oci:`".to_owned(),
        };
        self.problem(
            start,
            &format!("`{text}` is not the image of an interpreter: {why}"),
        );
        self.hint.get_or_insert(HOW_TO_PIN);
        None
    }

    fn platforms(&mut self, table: &DeTable<'a>) -> Vec<Located<Platform>> {
        let mut platforms = Vec::new();
        for (name, start) in self.strings(table.get("platforms"), "tool.vpython.platforms") {
            match Platform::parse(name) {
                Ok(platform) => platforms.push(self.placed(platform, start)),
                Err(why) => self.problem(start, &why),
            }
        }
        platforms
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::{Origin, SpecKind};
    use super::*;
    use crate::invocation::Chosen;

    fn text(content: &str) -> SpecText {
        SpecText {
            kind: SpecKind::VpythonToml,
            origin: Origin::file("/src/vpython.toml".into()),
            base: Some("/src".into()),
            content: content.into(),
            warnings: Vec::new(),
            chosen: Chosen::default(),
        }
    }

    #[test]
    fn the_whole_form_is_read() {
        let spec = parse(&text(concat!(
            "requires-python = '>=3.11'\n",
            "dependencies = [\n  'requests[socks]>=2.31',\n  \"pywin32==306; sys_platform == 'win32'\",\n]\n",
            "[tool.vpython]\nwheels = ['third_party/wheels', '/opt/wheels', 'oci:layout:v1', 'oci:/layout', 'oci://h/a/b', 'https://h/{sha256}']\npython-path = ['lib', '.']\n",
            "platforms = ['win32', 'macosx_11_0_arm64']\n[tool.ruff]\nline-length = 3\n",
        )))
        .unwrap();
        assert_eq!(
            spec.requires_python
                .as_ref()
                .unwrap()
                .value
                .specifiers
                .to_string(),
            ">=3.11"
        );
        let Packages::Required(required) = &spec.packages else {
            panic!("{spec:?}")
        };
        let requirements: Vec<_> = required
            .asked
            .iter()
            .map(|one| (one.value.requirement.to_string(), one.place.line))
            .collect();
        assert_eq!(
            requirements,
            [
                ("requests[socks]>=2.31".into(), 3),
                ("pywin32==306 ; sys_platform == 'win32'".into(), 4)
            ]
        );
        let wheelhouses: Vec<_> = spec
            .wheelhouses
            .iter()
            .map(|wheelhouse| wheelhouse.value.to_string())
            .collect();
        assert_eq!(
            wheelhouses,
            [
                "/src/third_party/wheels",
                "/opt/wheels",
                "oci:/src/layout:v1",
                "oci:/layout",
                "oci://h/a/b",
                "https://h/{sha256}"
            ]
        );
        assert_eq!(
            spec.python_path,
            [PathBuf::from("/src/lib"), PathBuf::from("/src")]
        );
        let platforms: Vec<_> = spec
            .platforms
            .iter()
            .map(|one| (one.value.name.as_str(), one.place.line, one.place.column))
            .collect();
        assert_eq!(platforms, [("win32", 9, 14), ("macosx_11_0_arm64", 9, 23)]);
        assert_eq!(spec.warnings, [""; 0]);
    }

    #[test]
    fn an_empty_file_requires_nothing() {
        assert_eq!(
            parse(&text("")).unwrap(),
            Spec {
                base: Some("/src".into()),
                ..Spec::default()
            }
        );
    }

    #[test]
    fn the_interpreters_packages_are_visible_on_request_only() {
        let read = |content: &str| parse(&text(content)).map(|spec| spec.system_packages);
        assert_eq!(read("").unwrap(), SystemPackages::Hidden);
        assert_eq!(
            read("[tool.vpython]\nsystem-site-packages = false\n").unwrap(),
            SystemPackages::Hidden
        );
        assert_eq!(
            read("[tool.vpython]\nsystem-site-packages = true\n").unwrap(),
            SystemPackages::Visible
        );
        let error = read("[tool.vpython]\nsystem-site-packages = 'yes'\n").unwrap_err();
        expect![[r#"
            vpython: error: bad spec in `/src/vpython.toml`
              caused by: `/src/vpython.toml`, line 2, column 24: `tool.vpython.system-site-packages` must be a boolean, not a string
        "#]]
        .assert_eq(&crate::report::render(&error));
    }

    #[test]
    fn an_unknown_key_is_a_warning_with_a_suggestion() {
        let spec = parse(&text(
            "dependancies = []\nname = 'x'\nwheels = []\n[tool.vpython]\nwheel = []\ndependencies = []\n",
        ))
        .unwrap();
        let warnings = [
            "`/src/vpython.toml`, line 1: unknown key `dependancies` is ignored; did you mean `dependencies`?",
            "`/src/vpython.toml`, line 2: unknown key `name` is ignored",
            "`/src/vpython.toml`, line 3: unknown key `wheels` is ignored; did you mean `tool.vpython.wheels`?",
            "`/src/vpython.toml`, line 6: unknown key `tool.vpython.dependencies` is ignored; did you mean `dependencies`?",
            "`/src/vpython.toml`, line 5: unknown key `tool.vpython.wheel` is ignored; did you mean `tool.vpython.wheels`?",
        ];
        assert_eq!(spec.warnings, warnings);
    }

    #[test]
    fn all_mistakes_are_reported_at_once_with_line_and_column() {
        let error = parse(&text(concat!(
            "requires-python = 3.11\n",
            "dependencies = ['ok', 7,\n   'bad requirement!', 'x @ https://example.org/x.whl']\n",
            "[tool.vpython]\nwheels = ['oci:x:']\nplatforms = ['win32', 'win64', 3]\n",
        )))
        .unwrap_err();
        expect![[r#"
            vpython: error: bad spec in `/src/vpython.toml`
              caused by: `/src/vpython.toml`, line 1, column 19: `requires-python` must be a string, not a float
              caused by: `/src/vpython.toml`, line 2, column 23: an item of dependencies must be a string, not an integer
              caused by: `/src/vpython.toml`, line 3, column 4: `bad requirement!` is not a valid requirement: Expected one of `@`, `(`, `<`, `=`, `>`, `~`, `!`, `;`, found `r`
              caused by: `/src/vpython.toml`, line 3, column 24: `x @ https://example.org/x.whl` does not end in the name of a wheel
              caused by: `/src/vpython.toml`, line 5, column 11: `oci:x:` is not a wheelhouse: `` is not a tag: a tag consists of letters, digits, `_`, `.` and `-`
              caused by: `/src/vpython.toml`, line 6, column 23: `win64` is not a platform; did you mean `win_amd64`?
              caused by: `/src/vpython.toml`, line 6, column 32: an item of tool.vpython.platforms must be a string, not an integer
        "#]]
        .assert_eq(&crate::report::render(&error));
    }

    #[test]
    fn invalid_toml_is_reported_with_line_and_column() {
        let error = parse(&text("dependencies = [\n'a'\n'b'\n]\n")).unwrap_err();
        expect![[r#"
            vpython: error: bad spec in `/src/vpython.toml`
              caused by: `/src/vpython.toml`, line 3, column 1: missing comma between array elements, expected `,`
        "#]]
        .assert_eq(&crate::report::render(&error));
    }

    #[test]
    fn a_bad_version_range_is_reported() {
        let error = parse(&text("requires-python = '3.11+'\n")).unwrap_err();
        let text = crate::report::render(&error);
        assert!(
            text.contains("line 1, column 19: `3.11+` is not a valid version range: "),
            "{text}"
        );
    }
}
