//! Inline script metadata (PEP 723): finds the `script` block in a text.
//!
//! The rules are those of the specification's reference expression, applied line by line instead of
//! by backtracking:
//! <https://packaging.python.org/en/latest/specifications/inline-script-metadata/#reference-implementation>.
//! [`super::vpython_toml`] parses the content of the block.

use anyhow::Result;
use memchr::memmem;

use super::{Location, Origin};
use crate::report::Failure;

/// The content of a `script` block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The content without the leading `# `, each line with its newline.
    pub content: String,
    /// The number of lines before the content.
    pub lines_before: usize,
}

/// The inline metadata of a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// The only `script` block.
    pub block: Option<Block>,
    /// Warnings about lines that only look like a block, one sentence each.
    pub warnings: Vec<String>,
}

/// The number of columns that the comment prefix takes from each line.
pub(super) const COLUMNS_BEFORE: usize = 2;
const OPENER: &[u8] = b"# /// ";
const CLOSER: &[u8] = b"# ///";
/// The line that opens a `script` block.
const SCRIPT: &[u8] = b"# /// script";

/// Finds the `script` block of a text in any ASCII-compatible encoding.
///
/// # Errors
/// Two `script` blocks; a block whose content is not UTF-8.
pub(super) fn read(text: &[u8], origin: &Origin) -> Result<Reading> {
    // Fast path for nearly every script: no `///`, no need to split it into lines.
    if memmem::find(text, b"///").is_none() {
        return Ok(Reading::default());
    }
    let lines = lines(text);
    let at = |index: usize| Location {
        file: origin.file.clone(),
        line: index + 1,
        column: 1,
    };
    // Collect the closed `script` blocks, and warn about lines that look like one.
    let mut blocks = Vec::new();
    let mut warnings = Vec::new();
    let mut next = 0;
    let mut comment = Comment::default();
    while next < lines.len() {
        let kind = block_kind(lines[next]);
        let Some(close) = kind.and_then(|_| comment.closing_line(&lines, next)) else {
            warnings.extend(
                near_miss(&lines[next..])
                    .map(|why| format!("{} is not a `script` block: {why}", at(next))),
            );
            next += 1;
            continue;
        };
        match kind {
            Some(b"script") => blocks.push(next..close),
            kind => {
                let kind = String::from_utf8_lossy(kind.unwrap_or_default());
                let inside = (next + 1..close).filter(|index| lines[*index] == SCRIPT);
                warnings.extend(inside.map(|index| {
                    let begin = next + 1;
                    format!(
                        "{} is not a `script` block: it belongs to the `{kind}` block that begins on line {begin}; put an empty \
                         line between the two",
                        at(index)
                    )
                }));
            }
        }
        next = close + 1;
    }
    // PEP 723 allows one block of each type.
    if let [first, second, ..] = &blocks[..] {
        return Err(
            Failure::new(format!("more than one `script` block in {}", named(origin)))
                .because(format!(
                    "one begins on line {}, another on line {}",
                    first.start + 1,
                    second.start + 1
                ))
                .hint("merge them; a script may contain only one block of each type (PEP 723)")
                .into(),
        );
    }
    let block = blocks
        .pop()
        .map(|block| content(&lines[block.start + 1..block.end], block.start + 1, origin))
        .transpose()?;
    Ok(Reading { block, warnings })
}

/// Splits a text into lines without line ends, by Python's rules: LF, CR LF and a lone CR end a
/// line. A leading byte order mark is dropped.
pub(super) fn lines(text: &[u8]) -> Vec<&[u8]> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
        lines.push(&rest[..end]);
        let after = if rest[end..].starts_with(b"\r\n") {
            end + 2
        } else {
            end + 1
        };
        rest = &rest[after..];
    }
    lines.push(rest);
    lines
}

/// Returns the type of a block from its opening line: `# /// ` followed by one word of letters,
/// digits and dashes.
fn block_kind(line: &[u8]) -> Option<&[u8]> {
    let kind = line.strip_prefix(OPENER)?;
    let is_word = !kind.is_empty()
        && kind
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    is_word.then_some(kind)
}

/// The most recently scanned comment. A single comment may contain many opening lines.
#[derive(Default)]
struct Comment {
    /// The line numbers of the comment.
    lines: std::ops::Range<usize>,
    /// The last `# ///` of the comment.
    closer: Option<usize>,
}

impl Comment {
    /// Returns the last `# ///` of the comment that follows the opening line, with at least one
    /// line in between.
    fn closing_line(&mut self, lines: &[&[u8]], open: usize) -> Option<usize> {
        let begin = open + 1;
        if !self.lines.contains(&begin) {
            let length = lines[begin..]
                .iter()
                .take_while(|line| **line == b"#" || line.starts_with(b"# "))
                .count();
            self.lines = begin..begin + length;
            self.closer = self
                .lines
                .clone()
                .rev()
                .find(|index| lines[*index] == CLOSER);
        }
        self.closer.filter(|closer| *closer > begin)
    }
}

/// Returns the reason that the first of these lines, which looks like the start of a `script`
/// block, is not one; `None` if it does not look like one.
fn near_miss(lines: &[&[u8]]) -> Option<&'static str> {
    let line = *lines.first()?;
    if line == SCRIPT && lines.get(1) == Some(&CLOSER) {
        return Some("it is empty (write `# dependencies = []` for a script without packages)");
    }
    if line == SCRIPT {
        return Some("no `# ///` line closes it, or a line in between does not begin with `# `");
    }
    let word = line
        .strip_prefix(b"#")?
        .trim_ascii_start()
        .strip_prefix(b"///")?
        .trim_ascii();
    (word == b"script").then_some("the line must be exactly `# /// script`")
}

fn content(lines: &[&[u8]], lines_before: usize, origin: &Origin) -> Result<Block> {
    let mut content = String::new();
    for (index, line) in lines.iter().enumerate() {
        let bare = line.strip_prefix(b"# ").unwrap_or(&line[1..]);
        content.push_str(std::str::from_utf8(bare).map_err(|_| {
            let place = Location {
                file: origin.file.clone(),
                line: lines_before + index + 1,
                column: 1,
            };
            Failure::new(format!("{place} is not UTF-8"))
                .because("a `script` block is TOML, which must be UTF-8")
        })?);
        content.push('\n');
    }
    Ok(Block {
        content,
        lines_before,
    })
}

fn named(origin: &Origin) -> String {
    origin.file.as_ref().map_or_else(
        || "the text of `-c`".to_owned(),
        |file| format!("`{}`", file.display()),
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn origin() -> Origin {
        Origin::file("/x.py".into())
    }

    fn read_text(text: &str) -> Reading {
        read(text.as_bytes(), &origin()).unwrap()
    }

    #[test]
    fn a_block_is_read_as_the_reference_reads_it() {
        #[rustfmt::skip]
        let rows: &[(&str, Option<(&str, usize)>, &str)] = &[
            ("print()\n", None, "no block"),
            ("# /// script\n# a = 1\n# ///\n", Some(("a = 1\n", 1)), "a block"),
            ("# /// script\n# a = 1\n# ///", Some(("a = 1\n", 1)), "without a last newline"),
            ("# /// script\r\n# a = 1\r\n#\r\n# ///\r\n", Some(("a = 1\n\n", 1)), "with CR LF"),
            ("\u{feff}# /// script\n# a = 1\n# ///\n", Some(("a = 1\n", 1)), "after a byte order mark"),
            ("#!/usr/bin/env vpython\n'''doc'''\nx = 1\n# /// script\n# a = 1\n# ///\n", Some(("a = 1\n", 4)), "after code"),
            ("# /// script\n# a = 1\n# ///\n# b = 2\n# ///\n", Some(("a = 1\n///\nb = 2\n", 1)), "the last closing line counts"),
            ("# /// script\n# a = 1\n# ///\n# more\n", Some(("a = 1\n", 1)), "a comment may follow"),
            ("# /// script\n# ///\n", None, "an empty block does not count"),
            ("# /// script\n# ///\n# ///\n", Some(("///\n", 1)), "but a closing line too many is content"),
            ("# /// script\n#\n# ///\n", Some(("\n", 1)), "an empty line is content"),
            ("# /// script\n#a = 1\n# ///\n", None, "a content line needs its space"),
            ("# /// script\n\n# ///\n", None, "a blank line breaks the comment"),
            ("# /// pyproject\n# x = 1\n# ///\n\n# /// script\n# a = 1\n# ///\n", Some(("a = 1\n", 5)), "other blocks are ignored"),
            ("# /// pyproject\n# x = 1\n# ///\n# /// script\n# a = 1\n# ///\n", None, "a block of one comment is one block"),
            ("# /// script \n# a = 1\n# ///\n", None, "a space too many"),
            ("    # /// script\n    # a = 1\n    # ///\n", None, "an indented quotation"),
            ("# /// Script\n# a = 1\n# ///\n", None, "another type"),
        ];
        for (text, block, why) in rows {
            let block = block.map(|(content, lines_before)| Block {
                content: content.into(),
                lines_before,
            });
            assert_eq!(read_text(text).block, block, "{why}");
        }
    }

    #[test]
    fn a_line_that_looks_like_a_block_is_worth_a_warning() {
        let not_exact =
            "`/x.py`, line 1 is not a `script` block: the line must be exactly `# /// script`";
        let not_closed = "`/x.py`, line 1 is not a `script` block: no `# ///` line closes it, or a line in between does not begin with `# `";
        let empty = "`/x.py`, line 1 is not a `script` block: it is empty (write `# dependencies = []` for a \
                     script without packages)";
        let swallowed = "`/x.py`, line 4 is not a `script` block: it belongs to the `pyproject` block that begins on line 1; put an \
                         empty line between the two";
        #[rustfmt::skip]
        let rows: &[(&str, Option<&str>)] = &[
            ("#/// script\n# a = 1\n# ///\n", Some(not_exact)),
            ("# ///script\n", Some(not_exact)),
            ("#  ///  script \n", Some(not_exact)),
            ("# /// script\n# a = 1\n", Some(not_closed)),
            ("# /// script\n#a = 1\n# ///\n", Some(not_closed)),
            ("# /// script\n\n# ///\n", Some(not_closed)),
            ("# /// script\n# ///\n", Some(empty)),
            ("# /// script\n# ///\n\n# x\n# ///\n", Some(empty)),
            ("# /// pyproject\n# x = 1\n# ///\n# /// script\n# a = 1\n# ///\n", Some(swallowed)),
            ("# /// pyproject\n# x = 1\n# ///\n\n# /// script\n# a = 1\n# ///\n", None),
            ("'''\n    # /// script\n'''\n", None),
            ("x = 7 /// script\n", None),
            ("# /// pyproject\n", None),
        ];
        for (text, warning) in rows {
            assert_eq!(
                read_text(text).warnings,
                warning.map(str::to_owned).into_iter().collect::<Vec<_>>(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn two_blocks_are_an_error() {
        let text = "# /// script\n# a = 1\n# ///\n\n# /// script\n# a = 2\n# ///\n";
        expect![[r#"
            vpython: error: more than one `script` block in `/x.py`
              caused by: one begins on line 1, another on line 5
              hint: merge them; a script may contain only one block of each type (PEP 723)
        "#]]
        .assert_eq(&crate::report::render(
            &read(text.as_bytes(), &origin()).unwrap_err(),
        ));
    }

    #[test]
    fn only_the_block_must_be_utf_8() {
        let latin = b"# -*- coding: latin-1 -*-\n# /// script\n# a = 1\n# ///\nx = '\xe9'\n";
        assert_eq!(
            read(latin, &origin()).unwrap().block.unwrap().content,
            "a = 1\n"
        );
        let error = read(b"# /// script\n# a = '\xe9'\n# ///\n", &origin()).unwrap_err();
        expect![[r#"
            vpython: error: `/x.py`, line 2 is not UTF-8
              caused by: a `script` block is TOML, which must be UTF-8
        "#]]
        .assert_eq(&crate::report::render(&error));
    }
}
