//! Protobuf text, cut into words, strings and signs:
//! <https://protobuf.dev/reference/protobuf/textformat-spec/>.
//!
//! All scalars of a spec are strings, so numbers have no token of their own: they are junk,
//! wherever they stand.

use std::ops::Range;

/// What is wrong with a text, and where: the offset of a byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diagnostic {
    /// Where it is.
    pub offset: usize,
    /// What it is, as the rest of a line that begins with the place.
    pub what: String,
}

impl Diagnostic {
    /// A mistake at `offset`.
    pub fn new(offset: usize, what: impl Into<String>) -> Self {
        Self {
            offset,
            what: what.into(),
        }
    }
}

/// What kind of token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A field's name.
    Word,
    /// A string, with its escapes resolved. That it is UTF-8 is only known of strings that are
    /// joined.
    Text(Vec<u8>),
    /// A bracket, colon, comma or semicolon.
    Sign(u8),
    /// Anything else, which is nowhere right.
    Junk,
    /// The end of the text.
    End,
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// Where it begins.
    pub offset: usize,
    /// As it is written.
    pub raw: &'a str,
}

impl Token<'_> {
    /// As a message would name it.
    pub fn title(&self) -> String {
        match &self.kind {
            Kind::End => "the end of the file".to_owned(),
            Kind::Text(_) => format!("the string {}", self.raw),
            Kind::Word | Kind::Sign(_) | Kind::Junk => format!("`{}`", self.raw),
        }
    }
}

/// A text that is being cut.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    next: usize,
    /// Where comments stand, so far.
    pub comments: Vec<Range<usize>>,
}

const SIGNS: &[u8] = b"<>{}[]:,;";

impl<'a> Lexer<'a> {
    /// Begins at the beginning.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            next: 0,
            comments: Vec::new(),
        }
    }

    /// The next token.
    ///
    /// # Errors
    /// A string that is none.
    pub fn token(&mut self) -> Result<Token<'a>, Diagnostic> {
        self.skip_blank();
        let offset = self.next;
        let rest = &self.text.as_bytes()[offset..];
        let kind = match rest.first() {
            None => Kind::End,
            Some(b'"' | b'\'') => Kind::Text(self.string()?),
            Some(sign) if SIGNS.contains(sign) => {
                self.next += 1;
                Kind::Sign(*sign)
            }
            Some(b'A'..=b'Z' | b'a'..=b'z' | b'_') => {
                self.next += rest
                    .iter()
                    .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
                    .count();
                Kind::Word
            }
            Some(_) => {
                let is_end =
                    |byte: &u8| is_blank(*byte) || SIGNS.contains(byte) || b"\"'#".contains(byte);
                self.next += rest.iter().position(is_end).unwrap_or(rest.len());
                Kind::Junk
            }
        };
        Ok(Token {
            kind,
            offset,
            raw: &self.text[offset..self.next],
        })
    }

    /// The text between `<<WORD` at `offset` and a line that is `WORD`, without the indentation
    /// that its lines share; none where no such text begins there. An extension of LUCI's.
    pub fn heredoc(&mut self, offset: usize) -> Option<Result<Vec<u8>, Diagnostic>> {
        let opener = self.text[offset..].split('\n').next()?;
        let word = opener.strip_prefix("<<")?.trim();
        if word.is_empty()
            || !word
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        {
            return None;
        }
        let mut next = offset + opener.len() + 1;
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
            format!("no line `{word}` ends the text that begins here"),
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
                None | Some(b'\n') => {
                    return Err(Diagnostic::new(
                        self.next,
                        format!("no `{}` ends the string on its line", quote as char),
                    ));
                }
                Some(0) => return Err(Diagnostic::new(at, "a NUL byte in a string")),
                Some(b'\\') => {
                    at += escape(&bytes[at..], &mut content).ok_or_else(|| {
                        let shown: String = self.text[at..].chars().take(2).collect();
                        Diagnostic::new(
                            at,
                            format!(
                                "`{}` begins no escape that a string can have",
                                shown.trim_end()
                            ),
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

/// White space is what the specification says it is: vertical tabs and form feeds too.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Resolves the escape that begins with the backslash at the beginning of `text`. Gives its length;
/// none where it is no escape.
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
        b'u' => character(&text[2..], 4),
        b'U' => character(&text[2..], 8),
        _ => None,
    }?;
    content.extend(resolved);
    Some(length)
}

/// A character by exactly `count` hexadecimal digits.
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

/// The lines without the indentation that all of them share. Lines of white space alone are empty
/// and share any.
fn dedent(lines: &[&str]) -> String {
    // Blanks and tabs alone: of other white space two may share a part of their bytes.
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
            (r#""\400""#, Err(r"`\4` begins no escape that a string can have"), "more than a byte"),
            (r#""\ud800""#, Err(r"`\u` begins no escape that a string can have"), "half a character"),
            (r#""\xg""#, Err(r"`\x` begins no escape that a string can have"), "no digit"),
            (r#""\q""#, Err(r"`\q` begins no escape that a string can have"), "an unknown letter"),
            ("\"a\nb\"", Err("no `\"` ends the string on its line"), "a string ends on its line"),
            ("'a", Err("no `'` ends the string on its line"), "the end of the file ends no string"),
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
                    .map(|bytes| Kind::Text(bytes.into()))
                    .map_err(str::to_owned),
                "{why}"
            );
        }
    }

    #[test]
    fn blanks_and_comments_stand_between_tokens() {
        let mut lexer = Lexer::new("# a comment\r\n\tname\u{b}:\u{c}# another\n3.8;-x# last");
        let mut tokens = Vec::new();
        loop {
            let token = lexer.token().unwrap();
            tokens.push((token.raw, token.kind.clone()));
            if token.kind == Kind::End {
                break;
            }
        }
        let sign = |sign| Kind::Sign(sign);
        let expected = [
            ("name", Kind::Word),
            (":", sign(b':')),
            ("3.8", Kind::Junk),
            (";", sign(b';')),
            ("-x", Kind::Junk),
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
            ("<<EOF\n a\n", Some(Err("no line `EOF` ends the text that begins here")), "it must end"),
            ("<<EOF", Some(Err("no line `EOF` ends the text that begins here")), "it must begin"),
            ("<<<<<<< HEAD\n", None, "a merge marker is none"),
            ("<\n", None, "a message is none"),
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
