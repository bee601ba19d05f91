//! Source locations of a spec and its values: file, line and column.

use std::fmt;
use std::path::{Path, PathBuf};

/// The file name that represents standard input.
pub const STANDARD_INPUT: &str = "/dev/stdin";

/// The location of a spec's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, or [`STANDARD_INPUT`]; `None` for the text of `-c`.
    pub file: Option<PathBuf>,
    /// The number of lines before the text.
    pub lines_before: usize,
    /// The number of columns before each line of the text.
    pub columns_before: usize,
}

impl Origin {
    /// Returns the file if it is on disk, and so has a directory with further files.
    #[must_use]
    pub fn file_on_disk(&self) -> Option<&Path> {
        self.file
            .as_deref()
            .filter(|file| *file != Path::new(STANDARD_INPUT))
    }

    /// Returns the origin of a whole file.
    pub(super) fn file(path: PathBuf) -> Self {
        Self {
            file: Some(path),
            lines_before: 0,
            columns_before: 0,
        }
    }
}

/// A source location: file, line and column, both counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file; `None` for the text of `-c`.
    pub file: Option<PathBuf>,
    /// The line in the file.
    pub line: usize,
    /// The column in the line, in characters.
    pub column: usize,
}

impl Location {
    /// Returns the location with its column, for mistakes in a single value.
    pub(super) fn exact(&self) -> String {
        format!("{self}, column {}", self.column)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(formatter, "`{}`, line {}", file.display(), self.line),
            None => write!(formatter, "the text of `-c`, line {}", self.line),
        }
    }
}

/// A value of a spec with its location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// The location of the value.
    pub place: Location,
}

/// The number of bytes between two marks.
const STEP: usize = 512;

/// A text with a mark every [`STEP`] bytes.
pub(super) struct Places<'a> {
    origin: &'a Origin,
    content: &'a [u8],
    marks: Vec<Mark>,
}

/// Line and column of an offset, both counted from 0.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    line: usize,
    column: usize,
}

impl Mark {
    /// Returns the mark after these bytes.
    fn after(self, bytes: &[u8]) -> Self {
        let line = self.line + memchr::memchr_iter(b'\n', bytes).count();
        match memchr::memrchr(b'\n', bytes) {
            Some(newline) => Self {
                line,
                column: characters(&bytes[newline + 1..]),
            },
            None => Self {
                line,
                column: self.column + characters(bytes),
            },
        }
    }
}

/// Returns the number of UTF-8 characters that begin in these bytes.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

impl<'a> Places<'a> {
    /// Indexes a text in one pass.
    pub fn of(origin: &'a Origin, content: &'a str) -> Self {
        let content = content.as_bytes();
        let mut mark = Mark::default();
        let mut marks = Vec::with_capacity(content.len() / STEP + 1);
        for chunk in content.chunks(STEP) {
            marks.push(mark);
            mark = mark.after(chunk);
        }
        Self {
            origin,
            content,
            marks,
        }
    }

    /// Returns the location of the byte at `offset`.
    pub fn at(&self, offset: usize) -> Location {
        // An offset inside a character refers to that character.
        let is_begin = |at: &usize| {
            self.content
                .get(*at)
                .is_none_or(|byte| *byte & 0xc0 != 0x80)
        };
        let offset = (0..=offset.min(self.content.len()))
            .rev()
            .find(is_begin)
            .unwrap_or(0);
        // A text whose length is a multiple of the step has no mark at its end.
        let step = (offset / STEP).min(self.marks.len().saturating_sub(1));
        let mark = self.marks.get(step).copied().unwrap_or_default();
        let Mark { line, column } = mark.after(&self.content[step * STEP..offset]);
        Location {
            file: self.origin.file.clone(),
            line: self.origin.lines_before + line + 1,
            column: self.origin.columns_before + column + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of the byte at `offset`, counted from the beginning of the text.
    fn counted(origin: &Origin, content: &str, offset: usize) -> Location {
        let before = &content[..content.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Location {
            file: origin.file.clone(),
            line: origin.lines_before + before.matches('\n').count() + 1,
            column: origin.columns_before + before[line_start..].chars().count() + 1,
        }
    }

    #[test]
    fn a_place_counts_lines_and_columns_of_the_file() {
        let origin = Origin {
            file: Some("/x.py".into()),
            lines_before: 3,
            columns_before: 2,
        };
        let place = Places::of(&origin, "a = 1\né = 2\n").at(9);
        assert_eq!((place.line, place.column), (5, 5));
        assert_eq!(place.exact(), "`/x.py`, line 5, column 5");
    }

    #[test]
    fn each_place_is_where_counting_from_the_beginning_finds_it() {
        let origin = Origin {
            file: Some("/x.py".into()),
            lines_before: 3,
            columns_before: 2,
        };
        let long = "é=1 ".repeat(700);
        for content in [
            String::new(),
            "a = 1\né = 2\n".to_owned(),
            long.clone() + "\n\n" + &long,
            "x\n".repeat(STEP),
        ] {
            let places = Places::of(&origin, &content);
            for offset in 0..content.len() + 2 {
                assert_eq!(
                    places.at(offset),
                    counted(&origin, &content, offset),
                    "{offset} of {content:.20}"
                );
            }
        }
    }
}
