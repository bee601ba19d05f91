//! The core metadata of a wheel, from its `METADATA` file:
//! <https://packaging.python.org/en/latest/specifications/core-metadata/>.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{Listing, Source, WheelName};
use crate::fs;
use crate::report::Failure;

/// The part of the metadata that a plan depends on, unparsed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The values of `Requires-Dist`: requirements.
    pub requires_dist: Vec<String>,
    /// The value of `Requires-Python`: a version range.
    pub requires_python: Option<String>,
    /// The values of `Provides-Extra`: names.
    pub extras: Vec<String>,
}

impl Metadata {
    /// Reads the metadata of the wheel at `path`, which has the file name `name`.
    ///
    /// # Errors
    /// It is not a zip archive, has no `METADATA`, or its metadata belongs to another project or
    /// version than its file name says.
    pub fn of_wheel(path: &Path, name: &WheelName) -> Result<Self> {
        let file = fs::open_regular(path)?;
        Self::of_file(&file, name).with_context(|| Self::cannot_read(path))
    }

    /// Returns the title of an error about a wheel that cannot be read.
    #[must_use]
    pub fn cannot_read(path: &Path) -> String {
        format!("cannot read `{}` as a wheel", path.display())
    }

    /// Like [`Self::of_wheel`], of an open file. Errors do not name it.
    ///
    /// # Errors
    /// Those of [`Self::of_wheel`].
    pub fn of_file(file: &File, name: &WheelName) -> Result<Self> {
        Self::of_source(Source::file(file)?, name)
    }

    /// Like [`Self::of_wheel`], of the bytes of the wheel.
    ///
    /// # Errors
    /// Those of [`Self::of_wheel`].
    pub fn of_bytes(bytes: &[u8], name: &WheelName) -> Result<Self> {
        Self::of_source(Source::memory(bytes, 0), name)
    }

    fn of_source(source: Source<'_>, name: &WheelName) -> Result<Self> {
        let listing = Listing::open(source)?;
        let member = metadata_member(&listing, name);
        let text = member
            .map(|member| listing.read(member, fs::limits::METADATA.bytes))
            .transpose()?
            .flatten();
        let text = text.with_context(|| {
            format!(
                "it has no `METADATA` for `{}` {}",
                name.project, name.version
            )
        })?;
        Self::parse(&text, name)
    }

    /// Returns how `of_wheel` differs from this metadata, which was stated elsewhere, one phrase
    /// each. The order of lines does not count.
    #[must_use]
    pub fn differences(&self, of_wheel: &Self) -> Vec<String> {
        let without = |these: &[String], those: &[String]| -> Vec<String> {
            let those: HashSet<&String> = those.iter().collect();
            let rest = these.iter().filter(|line| !those.contains(line));
            rest.cloned().collect()
        };
        let only_stated = without(&self.requires_dist, &of_wheel.requires_dist).into_iter();
        let only_there = without(&of_wheel.requires_dist, &self.requires_dist).into_iter();
        let mut differences: Vec<String> = only_there
            .map(|line| format!("the wheel requires `{line}`"))
            .chain(only_stated.map(|line| format!("it does not require `{line}`")))
            .collect();
        if self.requires_python != of_wheel.requires_python {
            let range = of_wheel.requires_python.as_deref().unwrap_or("*");
            differences.push(format!("it requires Python `{range}`"));
        }
        differences
    }

    /// Returns the length of the text of a `METADATA` up to its description, which an empty line
    /// separates. [`Self::parse`] reads no further.
    #[must_use]
    pub fn header_length(text: &[u8]) -> usize {
        let is_empty_line = |pair: &[u8]| matches!(pair, b"\n\n" | b"\n\r" | b"\r\r");
        let end = text.windows(2).position(is_empty_line);
        end.map_or(text.len(), |end| end + 1)
    }

    /// Parses the text of a `METADATA` of the wheel with this file name.
    ///
    /// # Errors
    /// It belongs to another project or version.
    pub fn parse(text: &[u8], name: &WheelName) -> Result<Self> {
        let headers = headers(&String::from_utf8_lossy(text));
        let all = |wanted: &'static str| {
            let named = headers
                .iter()
                .filter(move |(name, _)| name.eq_ignore_ascii_case(wanted));
            named.map(|(_, value)| value.clone())
        };
        let stated = all("Name").next().unwrap_or_default();
        if stated.parse::<pep508_rs::PackageName>().ok().as_ref() != Some(&name.project) {
            return Err(
                Failure::new(format!("its `METADATA` is for the project `{stated}`")).into(),
            );
        }
        let version = all("Version").next().unwrap_or_default();
        if version.parse::<pep440_rs::Version>().ok().as_ref() != Some(&name.version) {
            return Err(Failure::new(format!("its `METADATA` is for version `{version}`")).into());
        }
        Ok(Self {
            requires_dist: all("Requires-Dist").collect(),
            requires_python: all("Requires-Python").next(),
            extras: all("Provides-Extra").collect(),
        })
    }
}

/// Returns the name of the `METADATA` member in the `.dist-info` directory of the project.
fn metadata_member<'a>(listing: &'a Listing, name: &WheelName) -> Option<&'a str> {
    let is_ours = |member: &str| {
        let directory = member
            .strip_suffix(".dist-info/METADATA")
            .filter(|directory| !directory.contains('/'));
        let project = directory.and_then(|directory| directory.split('-').next());
        project.is_some_and(|project| {
            project
                .parse()
                .is_ok_and(|project: pep508_rs::PackageName| project == name.project)
        })
    };
    listing.names().find(|member| is_ours(member))
}

/// Returns the values of `Requires-Dist` in a `METADATA` of any project, unparsed.
#[must_use]
pub fn requires_dist(text: &[u8]) -> Vec<String> {
    let headers = headers(&String::from_utf8_lossy(text)).into_iter();
    headers
        .filter(|(name, _)| name.eq_ignore_ascii_case("Requires-Dist"))
        .map(|(_, value)| value)
        .collect()
}

/// Returns the headers at the beginning of a text, names and values, as Python's `email.parser`
/// finds them: the first line that is neither a header nor a continuation ends them, whether empty
/// or not.
fn headers(text: &str) -> Vec<(String, String)> {
    let is_of_name = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    let mut headers: Vec<(String, String)> = Vec::new();
    // A continuation belongs to the header directly before it, and is dropped after a skipped line.
    let mut is_open = false;
    for line in text.replace("\r\n", "\n").split(['\n', '\r']) {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut().filter(|_| is_open) {
                value.push(' ');
                value.push_str(line.trim());
                value.truncate(value.trim_end().len());
            }
            continue;
        }
        match line
            .split_once(':')
            .filter(|(name, _)| name.bytes().all(is_of_name))
        {
            Some((name, value)) if !name.is_empty() => {
                headers.push((name.to_owned(), value.trim().to_owned()));
                is_open = true;
            }
            _ if line.starts_with("From ") || line.starts_with(':') => is_open = false,
            _ => break,
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_begins_after_an_empty_line() {
        let rows: [(&[u8], &[u8]); 6] = [
            (b"Name: a\n\nText\n\nText", b"Name: a\n"),
            (
                b"Name: a\r\nVersion: 1\r\n\r\nText",
                b"Name: a\r\nVersion: 1\r\n",
            ),
            (b"Name: a\r\rText", b"Name: a\r"),
            (
                b"Description: a\n \n b\nName: a\n",
                b"Description: a\n \n b\nName: a\n",
            ),
            (b"Name: a", b"Name: a"),
            (b"", b""),
        ];
        for (text, expected) in rows {
            let header = &text[..Metadata::header_length(text)];
            assert_eq!(header, expected, "{}", String::from_utf8_lossy(text));
        }
    }

    const TEXT: &[u8] = b"Metadata-Version: 2.1\nName: A.b\nVersion: 1.0\nRequires-Python: >=3.8\nRequires-Dist: c (>=1)\n\
                          Requires-Dist: d ; extra == 'x'\nProvides-Extra: x\n\nA long text: with a colon.\n";

    #[test]
    fn the_headers_are_read_and_the_text_is_not() {
        let metadata =
            Metadata::parse(TEXT, &WheelName::parse("a_b-1.0-py3-none-any.whl").unwrap()).unwrap();
        assert_eq!(metadata.requires_dist, ["c (>=1)", "d ; extra == 'x'"]);
        assert_eq!(metadata.requires_python.as_deref(), Some(">=3.8"));
        assert_eq!(metadata.extras, ["x"]);
    }

    #[test]
    fn the_metadata_of_another_project_is_an_error() {
        let error = Metadata::parse(TEXT, &WheelName::parse("b-1.0-py3-none-any.whl").unwrap())
            .unwrap_err();
        assert_eq!(error.to_string(), "its `METADATA` is for the project `A.b`");
        let error = Metadata::parse(TEXT, &WheelName::parse("a_b-1.1-py3-none-any.whl").unwrap())
            .unwrap_err();
        assert_eq!(error.to_string(), "its `METADATA` is for version `1.0`");
    }

    #[test]
    fn the_headers_end_where_python_ends_them() {
        let rows = [
            ("A: 1\nB: 2\n\nC: 3\n", "A=1 B=2"),
            (
                "A: 1\nA text without an empty line before it.\nB: 2\n",
                "A=1",
            ),
            ("A: 1\na name: 2\nB: 3\n", "A=1"),
            ("A: 1\r\nB:2\r\n\r\nC: 3", "A=1 B=2"),
            ("A: 1\rB: 2\r\rC: 3", "A=1 B=2"),
            ("A: 1\n  more\n\tand more\nB:\n", "A=1 more and more B="),
            ("A: 1\n \nB: 2\n", "A=1 B=2"),
            (" first\nA: 1\n", "A=1"),
            ("From me\nA: 1\n", "A=1"),
            ("A: 1\n: none\n more\nB: 2: 3\n", "A=1 B=2: 3"),
            ("A: é\n", "A=é"),
            ("é: 1\n", ""),
            ("", ""),
        ];
        for (text, expected) in rows {
            let found: Vec<String> = headers(text)
                .into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            assert_eq!(found.join(" "), expected, "{text:?}");
        }
    }
}
