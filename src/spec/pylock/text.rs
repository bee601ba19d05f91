//! The text of a lock in TOML, of whatever form: all that is wrong with its values is said at once,
//! each with its line and column.

use std::str::FromStr;

use anyhow::Result;
use pep440_rs::VersionSpecifiers;
use toml::Spanned;

use crate::report::Failure;
use crate::spec::{Located, Location, Places, PythonRange, SpecText};

/// A text that is being read, with what was found wrong so far.
pub(in crate::spec) struct LockText<'a> {
    /// The text.
    pub text: &'a SpecText,
    places: Places<'a>,
    /// Each with its offset in the text.
    problems: Vec<(usize, String)>,
}

impl<'a> LockText<'a> {
    /// A text of which nothing is read yet.
    pub fn of(text: &'a SpecText) -> Self {
        Self {
            text,
            places: Places::of(&text.origin, &text.content),
            problems: Vec::new(),
        }
    }

    /// What was read.
    ///
    /// # Errors
    /// All that was found wrong, in the order of the text.
    pub fn settle<T>(self, read: Option<T>) -> Result<T> {
        match read {
            Some(read) if self.is_right() => Ok(read),
            _ => {
                let mut problems = self.problems;
                problems.sort();
                let problems = problems.into_iter().map(|(_, problem)| problem);
                Err(Failure::new(format!("bad lock in {}", self.text.title()))
                    .because_of(problems)
                    .into())
            }
        }
    }

    /// Whether nothing was found wrong so far.
    pub fn is_right(&self) -> bool {
        self.problems.is_empty()
    }

    /// The whole text as these keys; none where it does not have them.
    pub fn deserialize<T: serde::de::DeserializeOwned>(&mut self) -> Option<T> {
        match toml::from_str(&self.text.content) {
            Ok(value) => Some(value),
            Err(error) => {
                let what = error.message().lines().next().unwrap_or_default();
                self.problem(error.span().map_or(0, |span| span.start), what);
                None
            }
        }
    }

    /// A value that is read from a text; where it cannot be, that is noted.
    pub fn parsed<T: FromStr>(
        &mut self,
        written: Option<&Spanned<String>>,
        what: &str,
    ) -> Option<T> {
        let written = written?;
        let value = written.get_ref().parse();
        value
            .map_err(|_| {
                self.problem(
                    written.span().start,
                    &format!("`{}` is no {what}", written.get_ref()),
                )
            })
            .ok()
    }

    /// The value of `requires-python`.
    pub fn python_range(&mut self, written: &Spanned<String>) -> Option<Located<PythonRange>> {
        let specifiers: VersionSpecifiers = self.parsed(Some(written), "version range")?;
        let value = PythonRange {
            written: specifiers.to_string(),
            specifiers,
            key: "requires-python",
        };
        Some(Located {
            value,
            place: self.place(written.span().start),
        })
    }

    /// The place of the byte at `offset`.
    pub fn place(&self, offset: usize) -> Location {
        self.places.at(offset)
    }

    /// Notes what is wrong at `offset`.
    pub fn problem(&mut self, offset: usize, what: &str) {
        let place = self.place(offset);
        self.problems
            .push((offset, format!("{}: {what}", place.exact())));
    }
}
