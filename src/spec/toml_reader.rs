//! Reading of values from a TOML document. A mistake is recorded with its line and column and
//! reading goes on, so that all mistakes are reported at once.

use pep440_rs::VersionSpecifiers;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::direct_url::{self, Advice};
use super::{Located, Places, PythonRange, Requested, SpecText, parse_requirement};
use crate::invocation::Chosen;
use crate::report::{Failure, kind_of, nearest};

/// What TOML specs offer instead of a URL.
const ADVICE: Advice = Advice {
    directories: "`wheels`",
    digest: "`#sha256=` and the digest to the URL",
};

/// The state of parsing one text, with the mistakes so far.
pub(super) struct Reader<'a> {
    pub(super) text: &'a SpecText,
    pub(super) places: Places<'a>,
    /// The mistakes, each with its offset in the text.
    pub(super) problems: Vec<(usize, String)>,
    pub(super) warnings: Vec<String>,
    /// The hint for the error.
    pub(super) hint: Option<&'static str>,
}

pub(super) type Value<'a> = Spanned<DeValue<'a>>;

impl<'a> Reader<'a> {
    pub(super) fn python_range(&mut self, value: &Value<'a>) -> Option<Located<PythonRange>> {
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type("requires-python", "a string", value);
            return None;
        };
        match text.parse::<VersionSpecifiers>() {
            Ok(specifiers) => {
                let written = specifiers.to_string();
                Some(self.placed(
                    PythonRange {
                        specifiers,
                        free_threaded: false,
                        key: "requires-python",
                        written,
                    },
                    value.span().start,
                ))
            }
            Err(error) => {
                // The library's message has several lines, of which the first is the reason.
                let why = error.to_string();
                let why = why
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .trim_end_matches(':')
                    .to_owned();
                self.problem(
                    value.span().start,
                    &format!("`{text}` is not a valid version range: {why}"),
                );
                None
            }
        }
    }

    pub(super) fn requirement(&mut self, text: &str, start: usize) -> Option<Located<Requested>> {
        let requirement = parse_requirement(text)
            .map_err(|why| format!("`{text}` is not a valid requirement: {why}"));
        let requested = requirement
            .and_then(|requirement| direct_url::requested(requirement, Vec::new(), ADVICE));
        match requested {
            Ok(requested) => Some(self.placed(requested, start)),
            Err(why) => {
                self.problem(start, &why);
                None
            }
        }
    }

    /// Reads a boolean; a missing value is false.
    pub(super) fn boolean(&mut self, value: Option<&Value<'a>>, key: &str) -> bool {
        let Some(value) = value else { return false };
        if let DeValue::Boolean(truth) = value.get_ref() {
            return *truth;
        }
        self.wrong_type(key, "a boolean", value);
        false
    }

    /// Returns the extras and groups that the command line selects.
    pub(super) fn chosen(&self) -> &'a Chosen {
        &self.text.chosen
    }

    /// Returns the strings of an array, each with its offset.
    pub(super) fn strings<'v>(
        &mut self,
        value: Option<&'v Value<'a>>,
        key: &str,
    ) -> Vec<(&'v str, usize)> {
        let Some(value) = value else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, "an array of strings", value);
            return Vec::new();
        };
        let mut strings = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::String(text) => strings.push((text.as_ref(), item.span().start)),
                _ => self.wrong_type(&format!("an item of {key}"), "a string", item),
            }
        }
        strings
    }

    pub(super) fn table<'v>(
        &mut self,
        value: Option<&'v Value<'a>>,
        key: &str,
    ) -> Option<&'v DeTable<'a>> {
        let value = value?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, "a table", value);
        }
        table
    }

    /// Warns of each key of a table that is not `known`, and suggests a known one with a similar
    /// name, or the same key `elsewhere`. Both are keys after a prefix, which is the path of their
    /// table.
    pub(super) fn warn_of_unknown_keys(
        &mut self,
        table: &DeTable<'a>,
        (prefix, known): (&str, &[&str]),
        (other_prefix, elsewhere): (&str, &[&str]),
    ) {
        for key in table
            .keys()
            .filter(|key| !known.contains(&key.get_ref().as_ref()))
        {
            let place = self.places.at(key.span().start);
            let key = key.get_ref();
            let meant = if elsewhere.contains(&key.as_ref()) {
                Some((other_prefix, key.as_ref()))
            } else {
                nearest(key, known.iter().copied()).map(|near| (prefix, near))
            };
            let hint = meant
                .map(|(prefix, key)| format!("; did you mean `{prefix}{key}`?"))
                .unwrap_or_default();
            self.warnings.push(format!(
                "{place}: unknown key `{prefix}{key}` is ignored{hint}"
            ));
        }
    }

    pub(super) fn wrong_type(&mut self, key: &str, wanted: &str, value: &Value<'a>) {
        let name = if key.contains(' ') {
            key.to_owned()
        } else {
            format!("`{key}`")
        };
        let found = kind_of(value.get_ref());
        self.problem(
            value.span().start,
            &format!("{name} must be {wanted}, not {found}"),
        );
    }

    /// Returns the error with all mistakes, in the order of the text.
    pub(super) fn refusal(mut self) -> Failure {
        self.problems.sort();
        let problems = self.problems.into_iter().map(|(_, problem)| problem);
        let failure =
            Failure::new(format!("bad spec in {}", self.text.title())).because_of(problems);
        Failure {
            hint: self.hint.map(str::to_owned),
            ..failure
        }
    }

    pub(super) fn problem(&mut self, offset: usize, what: &str) {
        let place = self.places.at(offset);
        self.problems
            .push((offset, format!("{}: {what}", place.exact())));
    }

    /// Sets the hint for the error.
    pub(super) fn hint(&mut self, hint: &'static str) {
        self.hint = Some(hint);
    }

    /// Adds a warning for the author of the text.
    pub(super) fn warn(&mut self, offset: usize, what: &str) {
        self.warnings
            .push(format!("{}: {what}", self.places.at(offset)));
    }

    pub(super) fn placed<T>(&self, value: T, offset: usize) -> Located<T> {
        Located {
            value,
            place: self.places.at(offset),
        }
    }
}
