//! Where in a file the values of a text are: line and column by offset, in a time that does not grow with the text.

use super::{Origin, Place};

/// How many bytes are between two marks.
const STEP: usize = 512;

/// A text, with a mark every few bytes.
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
    /// The mark behind these bytes.
    fn behind(self, bytes: &[u8]) -> Self {
        let line = self.line + memchr::memchr_iter(b'\n', bytes).count();
        match memchr::memrchr(b'\n', bytes) {
            Some(newline) => Self { line, column: characters(&bytes[newline + 1..]) },
            None => Self { line, column: self.column + characters(bytes) },
        }
    }
}

/// How many characters of UTF-8 begin in these bytes.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

impl<'a> Places<'a> {
    /// Reads a text once.
    pub fn of(origin: &'a Origin, content: &'a str) -> Self {
        let content = content.as_bytes();
        let mut mark = Mark::default();
        let mut marks = Vec::with_capacity(content.len() / STEP + 1);
        for chunk in content.chunks(STEP) {
            marks.push(mark);
            mark = mark.behind(chunk);
        }
        Self { origin, content, marks }
    }

    /// The place of the byte at `offset`.
    pub fn at(&self, offset: usize) -> Place {
        // In the middle of a character it is the place of that character.
        let is_begin = |at: &usize| self.content.get(*at).is_none_or(|byte| *byte & 0xc0 != 0x80);
        let offset = (0..=offset.min(self.content.len())).rev().find(is_begin).unwrap_or(0);
        // A text that ends with a whole step has no mark there.
        let step = (offset / STEP).min(self.marks.len().saturating_sub(1));
        let mark = self.marks.get(step).copied().unwrap_or_default();
        let Mark { line, column } = mark.behind(&self.content[step * STEP..offset]);
        Place {
            file: self.origin.file.clone(),
            line: self.origin.lines_before + line + 1,
            column: self.origin.columns_before + column + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_where_counting_from_the_beginning_finds_it() {
        let origin = Origin { file: Some("/x.py".into()), lines_before: 3, columns_before: 2 };
        let long = "é=1 ".repeat(700);
        for content in [String::new(), "a = 1\né = 2\n".to_owned(), long.clone() + "\n\n" + &long, "x\n".repeat(STEP)] {
            let places = Places::of(&origin, &content);
            for offset in 0..content.len() + 2 {
                assert_eq!(places.at(offset), origin.place(&content, offset), "{offset} of {content:.20}");
            }
        }
    }
}
