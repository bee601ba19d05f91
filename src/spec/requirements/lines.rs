//! The lines of a requirements file, by pip's rules: joined at a trailing backslash, without
//! comments, with environment variables expanded.
//!
//! <https://pip.pypa.io/en/stable/reference/requirements-file-format/>

/// A joined line, with the position of its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The line's number in the file, counted from 0.
    pub index: usize,
    /// The text, without comment and surrounding white space.
    pub text: String,
}

/// Decodes bytes that begin with a UTF-16 byte order mark, as PowerShell's `pip freeze >
/// requirements.txt` writes them; returns `None` if there is no mark, or if the rest is not valid
/// UTF-16.
pub(in crate::spec) fn from_utf16(bytes: &[u8]) -> Option<String> {
    let unit: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return None,
    };
    let (pairs, rest) = bytes[2..].as_chunks();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16(&units).ok().filter(|_| rest.is_empty())
}

/// Returns the lines that are not empty.
pub(super) fn parse(content: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut open: Option<Line> = None;
    for (index, line) in split(content).enumerate() {
        // A comment ends a joined line, and a backslash in a comment joins nothing.
        let is_comment = line.trim_start().starts_with('#');
        let continues = line.ends_with('\\') && !is_comment;
        let piece = if continues {
            line.trim_matches('\\')
        } else {
            line
        };
        let line = open.get_or_insert(Line {
            index,
            text: String::new(),
        });
        if is_comment {
            line.text.push(' ');
        }
        line.text.push_str(piece);
        if !continues {
            lines.extend(open.take());
        }
    }
    lines.extend(open);
    let meaning = lines.into_iter().map(|line| Line {
        text: without_comment(&line.text).trim().to_owned(),
        ..line
    });
    meaning.filter(|line| !line.text.is_empty()).collect()
}

/// Splits a text into lines like Python's `str.splitlines`: also at a lone CR, at form feeds and at
/// the other line boundaries.
fn split(content: &str) -> impl Iterator<Item = &str> {
    let is_end = |char| {
        matches!(
            char,
            '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    content.lines().flat_map(move |line| line.split(is_end))
}

/// Drops a comment, which begins with a `#` at the start or after white space.
fn without_comment(line: &str) -> &str {
    let begins = |(at, _): &(usize, &str)| {
        line[..*at]
            .chars()
            .next_back()
            .is_none_or(char::is_whitespace)
    };
    line.match_indices('#')
        .find(begins)
        .map_or(line, |(at, _)| &line[..at])
}

/// Replaces each `${NAME}` by its `value`; without a value, it stays as it is. A name consists of
/// capitals, digits and underscores.
pub(super) fn expand(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        expanded.push_str(before);
        let is_name = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
        };
        let replaced = after
            .split_once('}')
            .filter(|(name, _)| is_name(name))
            .and_then(|(name, remainder)| Some((value(name)?, remainder)));
        if let Some((value, remainder)) = replaced {
            expanded.push_str(&value);
            rest = remainder;
        } else {
            // Not a variable: keep the text, and go on after it.
            expanded.push_str("${");
            rest = after;
        }
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_lose_their_comments() {
        #[rustfmt::skip]
        let rows: &[(&str, &[(usize, &str)], &str)] = &[
            ("", &[], "nothing"),
            ("a\n\n  b  \r\n", &[(0, "a"), (2, "b")], "blank lines and space"),
            ("# c\n  # c\na # c\nb#c\n", &[(2, "a"), (3, "b#c")], "comments"),
            ("a \\\r\n  --x\r\nb", &[(0, "a   --x"), (2, "b")], "with CR LF"),
            ("a \\\r--x\rb # c\rc\u{c}d", &[(0, "a --x"), (2, "b"), (3, "c"), (4, "d")], "with CR, or a form feed"),
            ("a\r\r\nb", &[(0, "a"), (2, "b")], "with CR CR LF"),
            ("a \\\n--x\nb\n", &[(0, "a --x"), (2, "b")], "joined"),
            ("a \\\n# c \\\nb\n", &[(0, "a"), (2, "b")], "a comment ends a joined line"),
            ("a # c \\\nb\n", &[(0, "a")], "a comment after a requirement continues the line"),
            ("a \\", &[(0, "a")], "a backslash at the end of the file"),
            ("\\a\\\nb", &[(0, "ab")], "backslashes at both ends"),
        ];
        for (content, expected, why) in rows {
            let expected: Vec<Line> = expected
                .iter()
                .map(|(index, text)| Line {
                    index: *index,
                    text: (*text).into(),
                })
                .collect();
            assert_eq!(parse(content), expected, "{why}");
        }
    }

    #[test]
    fn variables_are_expanded() {
        let value = |name: &str| (name == "A_1").then(|| "one".to_owned());
        let rows = [
            ("x${A_1}y${A_1}", "xoneyone"),
            ("${B}", "${B}"),
            ("$A_1 ${a_1} ${A_1", "$A_1 ${a_1} ${A_1"),
            ("${${A_1}}", "${one}"),
            ("${}", "${}"),
        ];
        for (text, expected) in rows {
            assert_eq!(expand(text, value), expected, "{text}");
        }
    }
}
