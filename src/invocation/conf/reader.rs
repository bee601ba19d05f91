//! The parser of `vpython.conf`. It reports all errors at once, each with line and column. An
//! unknown key is a warning, because a later version may know it.

use std::path::Path;

use anyhow::Result;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Conf, Set};
use crate::process::{CalledAs, Process};
use crate::report::{Failure, kind_of, nearest};

const TOP_KEYS: [&str; 9] = [
    "root",
    "shared-roots",
    "wheels",
    "trusted-built-wheels",
    "default-spec",
    "python",
    "prune",
    "fetch",
    "bypass",
];
const PYTHON_KEYS: [&str; 2] = ["vpython", "vpython3"];
const PRUNE_KEYS: [&str; 2] = ["older-than", "max-size"];
const FETCH_KEYS: [&str; 3] = ["allow", "index-url", "pip-options"];

pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// Parses the text of the file at `path`.
///
/// # Errors
/// All errors in the text.
pub(super) fn parse(path: &Path, content: Vec<u8>, process: &Process) -> Result<Conf> {
    let bad = || Failure::new(format!("invalid settings in `{}`", path.display()));
    let content = String::from_utf8(content).map_err(|error| {
        let line =
            memchr::memchr_iter(b'\n', &error.as_bytes()[..error.utf8_error().valid_up_to()])
                .count()
                + 1;
        bad().because(format!("line {line} is not UTF-8"))
    })?;
    // Collect all problems before failing, so that one run shows them all.
    let mut reader = Reader {
        path,
        content: &content,
        process,
        problems: Vec::new(),
        warnings: Vec::new(),
    };
    let conf = reader.read();
    let Reader {
        mut problems,
        warnings,
        ..
    } = reader;
    if problems.is_empty() {
        return Ok(Conf {
            file: Some(path.to_path_buf()),
            warnings,
            ..conf
        });
    }
    problems.sort();
    Err(bad()
        .because_of(problems.into_iter().map(|(_, problem)| problem))
        .into())
}

/// The parser's state for one text, with the errors found so far.
pub(super) struct Reader<'a> {
    pub(super) path: &'a Path,
    content: &'a str,
    pub(super) process: &'a Process,
    /// Each problem with its offset in the text.
    problems: Vec<(usize, String)>,
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    fn read(&mut self) -> Conf {
        let (document, errors) = DeTable::parse_recoverable(self.content);
        // The parser recovers, so all syntax errors are reported at once.
        for error in &errors {
            self.problem(
                error.span().map_or(0, |span| span.start),
                error.message().lines().next().unwrap_or_default(),
            );
        }
        // A recovered document may lack keys, so none of its values is used.
        if !errors.is_empty() {
            return Conf::default();
        }
        let top = document.get_ref();
        // Check the tables and their keys first, then read each value.
        self.warn_of_unknown_keys(top, &TOP_KEYS, "");
        let python = self.table(top, "python", &PYTHON_KEYS);
        let prune = self.table(top, "prune", &PRUNE_KEYS);
        let fetch = self.table(top, "fetch", &FETCH_KEYS);
        let versions = python
            .map(|table| PYTHON_KEYS.map(|key| self.set(table, "python.", key, Self::versions)));
        let [vpython, vpython3] = versions.unwrap_or_default();
        Conf {
            root: self.set(top, "", "root", Self::root),
            shared_roots: self.set(top, "", "shared-roots", Self::paths),
            wheels: self.set(top, "", "wheels", Self::wheelhouses),
            trusted_built_wheels: self.set(top, "", "trusted-built-wheels", Self::references),
            default_spec: self.set(top, "", "default-spec", Self::path),
            python: if self.process.called_as() == CalledAs::Vpython3 {
                vpython3
            } else {
                vpython
            },
            prune_older_than: prune
                .and_then(|table| self.set(table, "prune.", "older-than", Self::age)),
            prune_max_size: prune
                .and_then(|table| self.set(table, "prune.", "max-size", Self::size)),
            fetch_allow: fetch.and_then(|table| self.set(table, "fetch.", "allow", Self::boolean)),
            fetch_index_url: fetch
                .and_then(|table| self.set(table, "fetch.", "index-url", Self::text)),
            fetch_pip_options: fetch
                .and_then(|table| self.set(table, "fetch.", "pip-options", Self::texts)),
            bypass: self.set(top, "", "bypass", Self::text),
            ..Conf::default()
        }
    }

    /// Returns the value of a key, parsed by `read`; `None` if there is no such key or its value is
    /// invalid.
    fn set<T>(
        &mut self,
        table: &DeTable<'_>,
        prefix: &str,
        key: &str,
        read: impl Fn(&mut Self, &str, &Value<'_>) -> Option<T>,
    ) -> Option<Set<T>> {
        let value = table.get(key)?;
        let line = self.line(value.span().start);
        Some(Set {
            value: read(self, &format!("{prefix}{key}"), value)?,
            line,
        })
    }

    fn table<'v>(
        &mut self,
        top: &'v DeTable<'a>,
        key: &str,
        known: &[&str],
    ) -> Option<&'v DeTable<'a>> {
        let value = top.get(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(&format!("`{key}`"), "a table", value);
            return None;
        };
        self.warn_of_unknown_keys(table, known, &format!("{key}."));
        Some(table)
    }

    fn warn_of_unknown_keys(&mut self, table: &DeTable<'_>, known: &[&str], prefix: &str) {
        for key in table
            .keys()
            .filter(|key| !known.contains(&key.get_ref().as_ref()))
        {
            let (line, key) = (self.line(key.span().start), key.get_ref());
            let near = nearest(key, known.iter().copied());
            let hint = near
                .map(|near| format!("; did you mean `{prefix}{near}`?"))
                .unwrap_or_default();
            self.warnings.push(format!(
                "`{}`, line {line}: unknown key `{prefix}{key}` is ignored{hint}",
                self.path.display()
            ));
        }
    }

    pub(super) fn wrong_type(&mut self, what: &str, wanted: &str, value: &Value<'_>) {
        let found = kind_of(value.get_ref());
        self.problem(
            value.span().start,
            &format!("{what} must be {wanted}, not {found}"),
        );
    }

    pub(super) fn problem(&mut self, offset: usize, what: &str) {
        let before = &self.content[..self.content.floor_char_boundary(offset)];
        let column = before[before.rfind('\n').map_or(0, |newline| newline + 1)..]
            .chars()
            .count()
            + 1;
        let place = format!(
            "`{}`, line {}, column {column}",
            self.path.display(),
            self.line(offset)
        );
        self.problems.push((offset, format!("{place}: {what}")));
    }

    /// Returns the line of the byte at `offset`, counted from 1.
    fn line(&self, offset: usize) -> usize {
        memchr::memchr_iter(b'\n', &self.content.as_bytes()[..offset]).count() + 1
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use expect_test::expect;

    use crate::oci::Reference;

    use super::*;

    fn read(content: &str, name: &str) -> Result<Conf> {
        let process = Process {
            name: Some(name.into()),
            environment: vec![("HOME".into(), "/home/me".into())],
            user: 7,
            ..Process::default()
        };
        parse(Path::new("/site/vpython.conf"), content.into(), &process)
    }

    fn set<T>(value: T, line: usize) -> Set<T> {
        Set { value, line }
    }

    #[test]
    fn all_keys_are_read() {
        let content = "\
root = '/scratch/{uid}/vpython'
wheels = ['wheels', '~/wheels', '/opt/wheels']
shared-roots = ['/srv/store', '~/store']
trusted-built-wheels = ['oci://h/team/wheels', 'oci:layout:v1']
default-spec = './default.toml'
bypass = ''
[python]
vpython = '3.11'
vpython3 = ['3.12', '3.11.4', '3']
[prune]
older-than = '2days'
max-size = '1GiB'
[fetch]
allow = false
index-url = 'https://pypi.example/simple'
pip-options = ['--no-input']
";
        let expected = Conf {
            file: Some("/site/vpython.conf".into()),
            root: Some(set("/scratch/7/vpython".into(), 1)),
            wheels: Some(set(
                vec![
                    PathBuf::from("/site/wheels").into(),
                    PathBuf::from("/home/me/wheels").into(),
                    PathBuf::from("/opt/wheels").into(),
                ],
                2,
            )),
            shared_roots: Some(set(vec!["/srv/store".into(), "/home/me/store".into()], 3)),
            trusted_built_wheels: Some(set(
                ["oci://h/team/wheels", "oci:/site/layout:v1"]
                    .map(|text| Reference::parse(text).unwrap().unwrap())
                    .to_vec(),
                4,
            )),
            default_spec: Some(set("/site/default.toml".into(), 5)),
            python: Some(set(vec!["3.11".into()], 8)),
            prune_older_than: Some(set(Duration::from_hours(48), 11)),
            prune_max_size: Some(set(1 << 30, 12)),
            fetch_allow: Some(set(false, 14)),
            fetch_index_url: Some(set("https://pypi.example/simple".into(), 15)),
            fetch_pip_options: Some(set(vec!["--no-input".into()], 16)),
            bypass: Some(set(String::new(), 6)),
            warnings: Vec::new(),
        };
        assert_eq!(read(content, "vpython").unwrap(), expected);
        let python = Some(set(vec!["3.12".into(), "3.11.4".into(), "3".into()], 9));
        assert_eq!(
            read(content, "vpython3").unwrap(),
            Conf { python, ..expected }
        );
        assert_eq!(
            read("", "vpython").unwrap(),
            Conf {
                file: Some("/site/vpython.conf".into()),
                ..Conf::default()
            }
        );
    }

    #[test]
    fn the_documented_example_is_read() {
        let (_, rest) = include_str!("../../../docs/site.md")
            .split_once("<!-- conf -->\n```toml\n")
            .unwrap();
        let conf = read(rest.split_once("```").unwrap().0, "vpython3").unwrap();
        assert_eq!(conf.warnings, [""; 0]);
        assert_eq!(
            conf.wheels.unwrap().value,
            [PathBuf::from("/site/wheels-of-2026").into()]
        );
        assert_eq!(conf.python.unwrap().value, ["3.12", "3.11"]);
    }

    #[test]
    fn all_errors_are_reported_at_once_with_line_and_column() {
        let content = "\
root = ''
wheels = 'wheels'
python = '3.11'
bypass = true
[prune]
older-than = 'long'
max-size = 10
[fetch]
allow = 'no'
";
        expect![[r#"
            vpython: error: invalid settings in `/site/vpython.conf`
              caused by: `/site/vpython.conf`, line 1, column 8: the path is empty
              caused by: `/site/vpython.conf`, line 2, column 10: `wheels` must be an array of strings, not a string
              caused by: `/site/vpython.conf`, line 3, column 10: `python` must be a table, not a string
              caused by: `/site/vpython.conf`, line 4, column 10: `bypass` must be a string, not a boolean
              caused by: `/site/vpython.conf`, line 6, column 14: `long` is not an age; write a number with a unit, such as `30d`
              caused by: `/site/vpython.conf`, line 7, column 12: `prune.max-size` must be a string, not an integer
              caused by: `/site/vpython.conf`, line 9, column 9: `fetch.allow` must be a boolean, not a string
        "#]]
        .assert_eq(&crate::report::render(&read(content, "vpython").unwrap_err()));
        let rows = [
            (
                "[python]\nvpython = 3.11",
                "line 2, column 11: `python.vpython` must be a string, or an array of strings, not a float",
            ),
            (
                "[python]\nvpython3 = 'x'",
                "line 2, column 12: `x` is not a Python version; write it as in `3.11`",
            ),
            (
                "wheels = ['oci:']",
                "line 1, column 10: `oci:` is not a wheelhouse: it names no directory",
            ),
            (
                "trusted-built-wheels = ['wheels']",
                "line 1, column 24: `wheels` is neither an image layout (`oci:DIR`) nor a registry (`oci://HOST/REPO`)",
            ),
            (
                "a = [\n'b'\n'c'\n]",
                "line 3, column 1: missing comma between array elements, expected `,`",
            ),
        ];
        for (content, cause) in rows {
            let message = crate::report::render(&read(content, "vpython").unwrap_err());
            assert!(
                message.ends_with(&format!("  caused by: `/site/vpython.conf`, {cause}\n")),
                "{message}"
            );
        }
    }
}
