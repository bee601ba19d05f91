//! The lines between `[VPYTHON:BEGIN]` and `[VPYTHON:END]` in a script.
//!
//! A guard line ends with the guard, whether in a comment or in a string. The text before the guard
//! is the prefix of the block, and vpython strips it from each line that has it. Stripped
//! characters become spaces, so that columns in the block are columns in the script.

use anyhow::Result;
use memchr::memmem;

use crate::report::Failure;
use crate::spec::{Location, Origin, pep723};

const BEGIN: &[u8] = b"[VPYTHON:BEGIN]";
const END: &[u8] = b"[VPYTHON:END]";

/// The content of a block.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::spec) struct Block {
    /// The lines without their prefix, each with a newline.
    pub content: String,
    /// The number of lines before the content.
    pub lines_before: usize,
}

/// Finds the block in a text of any ASCII-compatible encoding. Guards without any line between them
/// are not a block; a block of blank lines is an empty spec.
///
/// # Errors
/// The block does not end, its guards have different prefixes, or its content is not UTF-8.
pub(in crate::spec) fn read(text: &[u8], origin: &Origin) -> Result<Option<Block>> {
    // Fast path for nearly every script: no guard, no need to split it into lines.
    if memmem::find(text, BEGIN).is_none() {
        return Ok(None);
    }
    let lines = pep723::lines(text);
    let Some(begin) = lines
        .iter()
        .position(|line| line.trim_ascii().ends_with(BEGIN))
    else {
        return Ok(None);
    };
    let prefix = prefix(lines[begin], BEGIN);
    let place = |index: usize| Location {
        file: origin.file.clone(),
        line: index + 1,
        column: 1,
    };
    // Both guards must be there, with the same prefix.
    let Some(length) = lines[begin + 1..]
        .iter()
        .position(|line| line.trim_ascii().ends_with(END))
    else {
        return Err(Failure::new(format!(
            "the spec that begins in {} does not end",
            place(begin)
        ))
        .because("no line ends with `[VPYTHON:END]`")
        .into());
    };
    let end = begin + 1 + length;
    if prefix != self::prefix(lines[end], END) {
        let shown = |prefix: &[u8]| String::from_utf8_lossy(prefix).into_owned();
        let (of_begin, of_end) = (shown(prefix), shown(self::prefix(lines[end], END)));
        return Err(Failure::new(format!("the guards of the spec that begins in {} have different prefixes", place(begin)))
            .because(format!(
                "`{of_begin}` precedes `[VPYTHON:BEGIN]`, but `{of_end}` precedes `[VPYTHON:END]` on line {}",
                end + 1
            ))
            .hint("use the same prefix before both guards and on each line in between")
            .into());
    }
    // Strip the prefix from the lines in between.
    let mut content = String::new();
    for (index, line) in lines[..end].iter().enumerate().skip(begin + 1) {
        let line = std::str::from_utf8(line).map_err(|_| {
            Failure::new(format!("{} is not UTF-8", place(index)))
                .because("it is in a spec, which must be UTF-8")
        })?;
        content.push_str(&blanked(line, prefix));
        content.push('\n');
    }
    Ok((!content.is_empty()).then_some(Block {
        content,
        lines_before: begin + 1,
    }))
}

/// Returns the text before the opening guard of a line, without the indentation.
pub(in crate::spec) fn prefix_of_begin(line: &[u8]) -> &[u8] {
    prefix(line, BEGIN)
}

/// Returns the text before the guard, without the indentation.
fn prefix<'a>(line: &'a [u8], guard: &[u8]) -> &'a [u8] {
    let line = line.trim_ascii();
    &line[..line.len() - guard.len()]
}

/// Replaces the indentation and the prefix of a line by spaces. A line that is itself the start of
/// the prefix, such as `#` for `# `, becomes empty.
fn blanked(line: &str, prefix: &[u8]) -> String {
    let bare = line.trim();
    let indentation = line.len() - line.trim_start().len();
    if prefix.starts_with(bare.as_bytes()) {
        return String::new();
    }
    let Some(content) = bare.as_bytes().strip_prefix(prefix) else {
        return line.trim_end().to_owned();
    };
    // The prefix is the start of a UTF-8 text, and so ends at a character boundary.
    let content = &bare[bare.len() - content.len()..];
    let taken =
        line[..indentation].chars().count() + bare[..bare.len() - content.len()].chars().count();
    format!("{:taken$}{content}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin {
            file: Some("/x.py".into()),
            lines_before: 0,
            columns_before: 0,
        }
    }

    #[test]
    fn a_block_is_the_text_between_the_guards() {
        #[rustfmt::skip]
        let rows: &[(&str, Option<(&str, usize)>, &str)] = &[
            ("print()\n", None, "no block"),
            ("# [VPYTHON:BEGIN]\n# a: 'x'\n# [VPYTHON:END]\n", Some(("  a: 'x'\n", 1)), "in comments"),
            ("'''\n[VPYTHON:BEGIN]\na: 'x'\n[VPYTHON:END]\n'''\n", Some(("a: 'x'\n", 2)), "in a string"),
            ("'''[VPYTHON:BEGIN]\na: 'x'\n'''[VPYTHON:END]", Some(("a: 'x'\n", 1)), "a line may lack the prefix"),
            ("if x:\n    # [VPYTHON:BEGIN]\n    #   a: 'x'\n    # [VPYTHON:END]\n", Some(("        a: 'x'\n", 2)), "indented"),
            ("    # [VPYTHON:BEGIN]\n# a: 'x'\n  # [VPYTHON:END]\n", Some(("  a: 'x'\n", 1)), "indented anyhow"),
            ("# [VPYTHON:BEGIN]\r\n#\r\n# a: 'x'\r\n# [VPYTHON:END]\r\n", Some(("\n  a: 'x'\n", 1)), "with CR LF and an empty line"),
            ("# [VPYTHON:BEGIN]  \n# a: 'x'\t\n# [VPYTHON:END]\n", Some(("  a: 'x'\n", 1)), "blanks at the end of lines"),
            ("# [VPYTHON:BEGIN]\n# # a\n# [VPYTHON:END]\n", Some(("  # a\n", 1)), "a comment in the block is content"),
            ("# é [VPYTHON:BEGIN]\n# é a: 'x'\n# é [VPYTHON:END]\n", Some(("    a: 'x'\n", 1)), "a prefix of any characters"),
            ("# [VPYTHON:BEGIN]\n#\n# [VPYTHON:END]\n", Some(("\n", 1)), "nothing between"),
            ("# [VPYTHON:BEGIN]\n\n# [VPYTHON:END]\n", Some(("\n", 1)), "an empty line between"),
            ("# [VPYTHON:BEGIN]\n# [VPYTHON:END]\n", None, "no line between"),
            ("x = '[VPYTHON:BEGIN]'\n", None, "a quoted guard does not count"),
            ("# [VPYTHON:END]\n", None, "an end alone"),
        ];
        for (text, expected, why) in rows {
            let block = expected.map(|(content, lines_before)| Block {
                content: content.into(),
                lines_before,
            });
            assert_eq!(read(text.as_bytes(), &origin()).unwrap(), block, "{why}");
        }
    }

    #[test]
    fn a_line_may_be_of_any_length() {
        let long = "y".repeat(1 << 17);
        let text = format!("x = '{long}'\n# [VPYTHON:BEGIN]\n# a: '{long}'\n# [VPYTHON:END]\n");
        assert_eq!(
            read(text.as_bytes(), &origin()).unwrap().unwrap().content,
            format!("  a: '{long}'\n")
        );
    }

    #[test]
    fn a_broken_block_is_an_error() {
        let guards = "\
vpython: error: the guards of the spec that begins in `/x.py`, line 2 have different prefixes
  caused by: `# ` precedes `[VPYTHON:BEGIN]`, but `#` precedes `[VPYTHON:END]` on line 4
  hint: use the same prefix before both guards and on each line in between
";
        let no_end = "\
vpython: error: the spec that begins in `/x.py`, line 1 does not end
  caused by: no line ends with `[VPYTHON:END]`
";
        let not_text = "\
vpython: error: `/x.py`, line 2 is not UTF-8
  caused by: it is in a spec, which must be UTF-8
";
        let rows: &[(&[u8], &str)] = &[
            (b"\n# [VPYTHON:BEGIN]\n# a: 'x'\n#[VPYTHON:END]\n", guards),
            (b"# [VPYTHON:BEGIN]\n# a: 'x'\n", no_end),
            (
                b"# [VPYTHON:BEGIN]\n# a: '\xe9'\n# [VPYTHON:END]\n",
                not_text,
            ),
        ];
        for (text, message) in rows {
            assert_eq!(
                crate::report::render(&read(text, &origin()).unwrap_err()),
                *message
            );
        }
    }
}
