//! The lexer for protobuf text: it yields words, strings and punctuation:
//! <https://protobuf.dev/reference/protobuf/textformat-spec/>.
//!
//! All scalars of a spec are strings, so numbers have no token of their own: they are unknown tokens
//! wherever they occur.

use std::ops::Range;

/// A mistake in a text, with its byte offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diagnostic {
    /// The byte offset.
    pub offset: usize,
    /// The description, as the rest of a line that begins with the location.
    pub what: String,
}

impl Diagnostic {
    /// Returns a mistake at `offset`.
    pub fn new(offset: usize, what: impl Into<String>) -> Self {
        Self {
            offset,
            what: what.into(),
        }
    }
}

/// The kinds of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A field's name.
    Identifier,
    /// A string, with its escapes resolved. The bytes may become valid UTF-8 only after adjacent
    /// strings are joined.
    String(Vec<u8>),
    /// A bracket, colon, comma or semicolon.
    Punctuation(u8),
    /// Anything else, which is invalid everywhere.
    Unknown,
    /// The end of the text.
    End,
}

/// A token with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// The kind.
    pub kind: Kind,
    /// The offset of the first byte.
    pub offset: usize,
    /// The source text.
    pub raw: &'a str,
}

impl Token<'_> {
    /// Returns the token's name for messages.
    pub fn title(&self) -> String {
        match &self.kind {
            Kind::End => "the end of the file".to_owned(),
            Kind::String(_) => format!("the string {}", self.raw),
            Kind::Identifier | Kind::Punctuation(_) | Kind::Unknown => format!("`{}`", self.raw),
        }
    }
}

/// The state of the lexer.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    next: usize,
    /// The ranges of the comments so far.
    pub comments: Vec<Range<usize>>,
}

const PUNCTUATION: &[u8] = b"<>{}[]:,;";

impl<'a> Lexer<'a> {
    /// Returns a lexer at the start of the text.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            next: 0,
            comments: Vec::new(),
        }
    }

    /// Returns the next token.
    ///
    /// # Errors
    /// A malformed string.
    pub fn token(&mut self) -> Result<Token<'a>, Diagnostic> {
        self.skip_blank();
        let offset = self.next;
        let rest = &self.text.as_bytes()[offset..];
        let kind = match rest.first() {
            None => Kind::End,
            Some(b'"' | b'\'') => Kind::String(self.string()?),
            Some(sign) if PUNCTUATION.contains(sign) => {
                self.next += 1;
                Kind::Punctuation(*sign)
            }
            Some(b'A'..=b'Z' | b'a'..=b'z' | b'_') => {
                self.next += rest
                    .iter()
                    .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
                    .count();
                Kind::Identifier
            }
            // Consume unknown text up to the next possible token.
            Some(_) => {
                let is_end = |byte: &u8| {
                    is_blank(*byte) || PUNCTUATION.contains(byte) || b"\"'#".contains(byte)
                };
                self.next += rest.iter().position(is_end).unwrap_or(rest.len());
                Kind::Unknown
            }
        };
        Ok(Token {
            kind,
            offset,
            raw: &self.text[offset..self.next],
        })
    }

    /// Parses a heredoc, which is an extension of LUCI's: the text between `<<WORD` at `offset` and
    /// a line `WORD`, without the common indentation of its lines. Returns `None` if no heredoc
    /// begins at `offset`.
    pub fn heredoc(&mut self, offset: usize) -> Option<Result<Vec<u8>, Diagnostic>> {
        // Before the line is cut out: a text may be a single line.
        let opener = self.text[offset..].strip_prefix("<<")?.split('\n').next()?;
        let word = opener.trim();
        if word.is_empty()
            || !word
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        {
            return None;
        }
        // Collect the lines up to the closing word.
        let mut next = offset + "<<".len() + opener.len() + 1;
        let mut lines = Vec::new();
        for line in self
            .text
            .get(next..)
            .unwrap_or_default()
            .split_inclusive('\n')
        {
            next += line.len();
            if line.trim() == word {
                self.next = next;
                return Some(Ok(dedent(&lines).into_bytes()));
            }
            lines.push(line.trim_end_matches(['\r', '\n']));
        }
        Some(Err(Diagnostic::new(
            offset,
            format!("no line `{word}` ends the heredoc that begins here"),
        )))
    }

    fn skip_blank(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.next) {
            match byte {
                b'#' => {
                    let start = self.next;
                    self.next +=
                        memchr::memchr(b'\n', &bytes[start..]).unwrap_or(bytes.len() - start);
                    self.comments.push(start..self.next);
                }
                _ if is_blank(*byte) => self.next += 1,
                _ => return,
            }
        }
    }

    fn string(&mut self) -> Result<Vec<u8>, Diagnostic> {
        let bytes = self.text.as_bytes();
        let quote = bytes[self.next];
        let mut at = self.next + 1;
        let mut content = Vec::new();
        loop {
            match bytes.get(at) {
                // A string must not span lines.
                None | Some(b'\n') => {
                    return Err(Diagnostic::new(
                        self.next,
                        format!("the string has no closing `{}` on its line", quote as char),
                    ));
                }
                Some(0) => return Err(Diagnostic::new(at, "a NUL byte in a string")),
                Some(b'\\') => {
                    at += escape(&bytes[at..], &mut content).ok_or_else(|| {
                        let shown: String = self.text[at..].chars().take(2).collect();
                        Diagnostic::new(
                            at,
                            format!("`{}` is not a valid escape sequence", shown.trim_end()),
                        )
                    })?;
                }
                Some(byte) if *byte == quote => {
                    self.next = at + 1;
                    return Ok(content);
                }
                Some(byte) => {
                    content.push(*byte);
                    at += 1;
                }
            }
        }
    }
}

/// White space as defined by the specification, which includes vertical tabs and form feeds.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Resolves the escape sequence that begins with the backslash at the start of `text`. Returns its
/// length, or `None` if it is not an escape sequence.
fn escape(text: &[u8], content: &mut Vec<u8>) -> Option<usize> {
    let simple = |byte: u8| Some((vec![byte], 2));
    let (resolved, length) = match text.get(1)? {
        b'a' => simple(0x07),
        b'b' => simple(0x08),
        b'f' => simple(0x0c),
        b'n' => simple(b'\n'),
        b'r' => simple(b'\r'),
        b't' => simple(b'\t'),
        b'v' => simple(0x0b),
        same @ (b'?' | b'\\' | b'\'' | b'"') => simple(*same),
        // Octal and hexadecimal escapes denote bytes.
        b'0'..=b'7' => {
            let digits = digits(&text[1..], 3, 8);
            let value = number(digits, 8)?;
            Some((vec![u8::try_from(value).ok()?], 1 + digits.len()))
        }
        b'x' | b'X' => {
            let digits = digits(&text[2..], 2, 16);
            Some((
                vec![u8::try_from(number(digits, 16)?).ok()?],
                2 + digits.len(),
            ))
        }
        // Unicode escapes denote characters.
        b'u' => character(&text[2..], 4),
        b'U' => character(&text[2..], 8),
        _ => None,
    }?;
    content.extend(resolved);
    Some(length)
}

/// Decodes a character from exactly `count` hexadecimal digits.
fn character(text: &[u8], count: usize) -> Option<(Vec<u8>, usize)> {
    let digits = digits(text, count, 16);
    let character = char::from_u32(number(digits, 16)?).filter(|_| digits.len() == count)?;
    Some((character.to_string().into_bytes(), 2 + count))
}

fn digits(text: &[u8], most: usize, radix: u32) -> &[u8] {
    let count = text
        .iter()
        .take(most)
        .take_while(|byte| char::from(**byte).is_digit(radix))
        .count();
    &text[..count]
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

/// Removes the common indentation of all lines. Lines of white space become empty, and do not
/// count.
fn dedent(lines: &[&str]) -> String {
    // Only spaces and tabs: other white space characters may have a common byte prefix.
    let indentation = |line: &'_ str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let mut filled = lines.iter().filter(|line| !line.trim().is_empty());
    let first = filled.next().map_or("", |line| &line[..indentation(line)]);
    let shared = filled.fold(first.len(), |shared, line| {
        let same = first
            .bytes()
            .zip(line.bytes())
            .take_while(|(one, other)| one == other)
            .count();
        shared.min(same)
    });
    let bare = |line: &&'_ str| {
        if line.trim().is_empty() {
            String::new()
        } else {
            line[shared..].to_owned()
        }
    };
    lines.iter().map(bare).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blanks_and_tabs_indent() {
        assert_eq!(dedent(&["  a", "", "    b"]), "a\n\n  b");
        assert_eq!(
            dedent(&["\u{2002}a", "\u{2003}b"]),
            "\u{2002}a\n\u{2003}b",
            "these two share bytes"
        );
    }

    #[test]
    fn a_string_is_read_with_its_escapes() {
        #[rustfmt::skip]
        let rows: &[(&str, Result<&[u8], &str>, &str)] = &[
            (r#""a b""#, Ok(b"a b"), "double quotes"),
            (r#"'a"b'"#, Ok(b"a\"b"), "single quotes hold double ones"),
            (r#""\a\b\f\n\r\t\v\?\\\'\"""#, Ok(b"\x07\x08\x0c\n\r\t\x0b?\\'\""), "the simple escapes"),
            (r#""\0\12\1018""#, Ok(b"\0\nA8"), "one to three octal digits"),
            (r#""\x4\x41\X41g""#, Ok(b"\x04AAg"), "one or two hexadecimal digits"),
            (r#""\u00e9\U0001F600""#, Ok("é😀".as_bytes()), "characters by number"),
            (r#""\400""#, Err(r"`\4` is not a valid escape sequence"), "more than a byte"),
            (r#""\ud800""#, Err(r"`\u` is not a valid escape sequence"), "half a character"),
            (r#""\xg""#, Err(r"`\x` is not a valid escape sequence"), "no digit"),
            (r#""\q""#, Err(r"`\q` is not a valid escape sequence"), "an unknown letter"),
            ("\"a\nb\"", Err("the string has no closing `\"` on its line"), "a string ends on its line"),
            ("'a", Err("the string has no closing `'` on its line"), "the end of the file ends no string"),
            ("'a\0'", Err("a NUL byte in a string"), "NUL"),
        ];
        for (text, expected, why) in rows {
            let read = Lexer::new(text)
                .token()
                .map(|token| token.kind)
                .map_err(|mistake| mistake.what);
            assert_eq!(
                read,
                expected
                    .map(|bytes| Kind::String(bytes.into()))
                    .map_err(str::to_owned),
                "{why}"
            );
        }
    }

    #[test]
    fn white_space_and_comments_separate_tokens() {
        let mut lexer = Lexer::new("# a comment\r\n\tname\u{b}:\u{c}# another\n3.8;-x# last");
        let mut tokens = Vec::new();
        loop {
            let token = lexer.token().unwrap();
            tokens.push((token.raw, token.kind.clone()));
            if token.kind == Kind::End {
                break;
            }
        }
        let sign = |sign| Kind::Punctuation(sign);
        let expected = [
            ("name", Kind::Identifier),
            (":", sign(b':')),
            ("3.8", Kind::Unknown),
            (";", sign(b';')),
            ("-x", Kind::Unknown),
        ];
        assert_eq!(tokens[..5], expected);
        assert_eq!(tokens[5], ("", Kind::End));
    }

    #[test]
    fn a_heredoc_loses_the_indentation_that_its_lines_share() {
        #[rustfmt::skip]
        let rows: &[(&str, Option<Result<&str, &str>>, &str)] = &[
            ("<<EOF\n  a\n    b\n\n  c\n  EOF\nrest", Some(Ok("a\n  b\n\nc")), "the common indentation goes"),
            ("<< END_ \r\n a\r\n END_", Some(Ok("a")), "with CR LF, and without a last newline"),
            ("<<EOF\nEOF\n", Some(Ok("")), "nothing between"),
            ("<<EOF\n\ta\n  b\nEOF\n", Some(Ok("\ta\n  b")), "a tab is not two spaces"),
            ("<<EOF\n a\n", Some(Err("no line `EOF` ends the heredoc that begins here")), "it must end"),
            ("<<EOF", Some(Err("no line `EOF` ends the heredoc that begins here")), "it must begin"),
            ("<<<<<<< HEAD\n", None, "a merge conflict marker is not a heredoc"),
            ("<\n", None, "a message is not a heredoc"),
        ];
        for (text, expected, why) in rows {
            let read = Lexer::new(text)
                .heredoc(0)
                .map(|read| read.map_err(|mistake| mistake.what));
            assert_eq!(
                read,
                expected.map(|read| read.map(Vec::from).map_err(str::to_owned)),
                "{why}"
            );
        }
    }
}
