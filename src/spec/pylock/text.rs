//! The TOML text of a lock file in any format: parsing reports all mistakes at once, each with its
//! line and column.

use std::str::FromStr;

use anyhow::Result;
use pep440_rs::VersionSpecifiers;
use serde::de::DeserializeOwned;
use toml::Spanned;

use crate::report::Failure;
use crate::spec::{Located, Location, Places, PythonRange, SpecText};

/// The maximum number of packages in a lock file: the TOML library needs 6 KiB of memory for each.
const MAX_PACKAGES: usize = 50_000;

/// The state of parsing a lock file, with the mistakes so far.
pub(in crate::spec) struct LockText<'a> {
    /// The text.
    pub text: &'a SpecText,
    places: Places<'a>,
    /// The mistakes, each with its offset in the text.
    problems: Vec<(usize, String)>,
}

impl<'a> LockText<'a> {
    /// Returns the initial state for a text.
    pub fn of(text: &'a SpecText) -> Self {
        Self {
            text,
            places: Places::of(&text.origin, &text.content),
            problems: Vec::new(),
        }
    }

    /// Returns the result.
    ///
    /// # Errors
    /// All mistakes that were found, in the order of the text.
    pub fn finish<T>(self, read: Option<T>) -> Result<T> {
        match read {
            Some(read) if self.is_valid() => Ok(read),
            _ => {
                let mut problems = self.problems;
                problems.sort();
                let problems = problems.into_iter().map(|(_, problem)| problem);
                Err(Failure::new(format!("bad lock file {}", self.text.title()))
                    .because_of(problems)
                    .into())
            }
        }
    }

    /// Returns whether no mistake has been found so far.
    pub fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }

    /// Checks the number of packages; adds a mistake and returns `None` if there are too many.
    pub fn check_size(&mut self) -> Option<()> {
        let content = &self.text.content;
        let headers = memchr::memmem::find_iter(content.as_bytes(), "\n[[package");
        let mut packages = headers.filter(|offset| {
            let rest = content[offset + "\n[[package".len()..].trim_start_matches('s');
            rest.starts_with("]]")
        });
        let Some(offset) = packages.nth(MAX_PACKAGES) else {
            return Some(());
        };
        self.problem(
            offset + 1,
            &format!("the lock file has more than {MAX_PACKAGES} packages"),
        );
        None
    }

    /// Deserializes the whole text; on failure, adds a mistake and returns `None`.
    pub fn deserialize<T: DeserializeOwned>(&mut self) -> Option<T> {
        let value = self.try_deserialize();
        self.checked(value)
    }

    /// Deserializes the whole text.
    pub fn try_deserialize<T: DeserializeOwned>(&self) -> Result<T, toml::de::Error> {
        toml::from_str(&self.text.content)
    }

    /// Returns a deserialized value; on failure, adds a mistake and returns `None`.
    pub fn checked<T>(&mut self, value: Result<T, toml::de::Error>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(error) => {
                let what = error.message().lines().next().unwrap_or_default();
                self.problem(error.span().map_or(0, |span| span.start), what);
                None
            }
        }
    }

    /// Parses a value; on failure, adds a mistake and returns `None`.
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
                    &format!("`{}` is not a valid {what}", written.get_ref()),
                );
            })
            .ok()
    }

    /// Parses the value of `requires-python`.
    pub fn python_range(&mut self, written: &Spanned<String>) -> Option<Located<PythonRange>> {
        let specifiers: VersionSpecifiers = self.parsed(Some(written), "version range")?;
        let value = PythonRange {
            written: specifiers.to_string(),
            specifiers,
            free_threaded: false,
            key: "requires-python",
        };
        Some(Located {
            value,
            place: self.place(written.span().start),
        })
    }

    /// Returns the location of the byte at `offset`.
    pub fn place(&self, offset: usize) -> Location {
        self.places.at(offset)
    }

    /// Adds a mistake at `offset`.
    pub fn problem(&mut self, offset: usize, what: &str) {
        let place = self.place(offset);
        self.problems
            .push((offset, format!("{}: {what}", place.exact())));
    }
}
