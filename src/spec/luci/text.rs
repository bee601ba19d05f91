//! The parser for protobuf text. It yields a tree of fields with their positions:
//! <https://protobuf.dev/reference/protobuf/textformat-spec/>.
//!
//! The parser knows no schema. A message is enclosed in `<` `>` or `{ }`, with an optional colon
//! before it, and a list in `[ ]`. One comma or semicolon may follow a field. Adjacent strings are
//! concatenated. The parser rejects what cannot occur in a spec, such as numbers, extensions or an
//! expanded `Any`.

use std::ops::Range;

use super::lexer::{Diagnostic, Kind, Lexer, Token};

/// A field as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field<'a> {
    /// Its name.
    pub name: &'a str,
    /// The offset of its name.
    pub offset: usize,
    /// Its value.
    pub value: Value<'a>,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value<'a> {
    /// The offset of its first byte.
    pub offset: usize,
    /// The offset after its last byte.
    pub end: usize,
    /// The contents.
    pub shape: Shape<'a>,
}

/// The shapes of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape<'a> {
    /// A string.
    Text(String),
    /// A message.
    Message(Vec<Field<'a>>),
    /// Several strings or messages.
    List(Vec<Value<'a>>),
}

/// Upper bound for the nesting depth: more than any spec has.
const MAX_DEPTH: usize = 16;

/// Parses a text.
///
/// # Errors
/// The first syntax error.
pub(super) fn parse(text: &str) -> Result<Vec<Field<'_>>, Diagnostic> {
    parse_with_comments(text).map(|(fields, _)| fields)
}

/// Parses a text, and returns the ranges of its comments as well, in order and without newlines.
///
/// # Errors
/// The first syntax error.
pub(super) fn parse_with_comments(
    text: &str,
) -> Result<(Vec<Field<'_>>, Vec<Range<usize>>), Diagnostic> {
    let read = || {
        let mut lexer = Lexer::new(text);
        let token = lexer.token()?;
        let mut parser = Parser {
            lexer,
            token,
            previous_end: 0,
            text,
            open: Vec::new(),
        };
        Ok((parser.fields()?, parser.lexer.comments))
    };
    read().map_err(|mistake| about_merge_marker(text, &mistake).unwrap_or(mistake))
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token<'a>,
    /// The end of the previous token.
    previous_end: usize,
    text: &'a str,
    /// The open brackets, with their offsets.
    open: Vec<(u8, usize)>,
}

impl<'a> Parser<'a> {
    /// Parses the fields up to the closing bracket of the message, or to the end of the text.
    fn fields(&mut self) -> Result<Vec<Field<'a>>, Diagnostic> {
        let close = self.open.last().map(|(bracket, _)| closing(*bracket));
        let mut fields = Vec::new();
        loop {
            match (&self.token.kind, close) {
                (Kind::Identifier, _) => fields.push(self.field()?),
                (Kind::Punctuation(sign), Some(close)) if *sign == close => {
                    self.advance()?;
                    return Ok(fields);
                }
                (Kind::End, None) => return Ok(fields),
                (_, Some(close)) => {
                    return Err(self.unclosed(&format!("a field or `{}`", close as char)));
                }
                (_, None) => return Err(self.unexpected("a field")),
            }
        }
    }

    fn field(&mut self) -> Result<Field<'a>, Diagnostic> {
        let (name, offset) = (self.token.raw, self.token.offset);
        self.advance()?;
        let has_colon = self.take(b':')?;
        let value = match (&self.token.kind, has_colon) {
            (Kind::Punctuation(b'['), _) => self.list()?,
            (Kind::Punctuation(b'<' | b'{'), false) => self.message()?,
            (_, true) => self.item()?,
            (_, false) => return Err(self.unexpected("`:`, or a message in `< >` or `{ }`")),
        };
        if !self.take(b',')? {
            self.take(b';')?;
        }
        Ok(Field {
            name,
            offset,
            value,
        })
    }

    /// Parses a string or a message.
    fn item(&mut self) -> Result<Value<'a>, Diagnostic> {
        let offset = self.token.offset;
        match self.token.kind {
            Kind::Punctuation(b'<') => match self.lexer.heredoc(offset) {
                Some(content) => {
                    let content = content?;
                    self.advance()?;
                    self.joined(offset, content)
                }
                None => self.message(),
            },
            Kind::Punctuation(b'{') => self.message(),
            Kind::String(_) => self.joined(offset, Vec::new()),
            _ => Err(self.unexpected("a string in quotes, or a message in `< >` or `{ }`")),
        }
    }

    /// Parses a string, and joins the strings that follow it.
    fn joined(&mut self, offset: usize, mut content: Vec<u8>) -> Result<Value<'a>, Diagnostic> {
        while let Kind::String(more) = &self.token.kind {
            content.extend(more);
            self.advance()?;
        }
        let text = String::from_utf8(content)
            .map_err(|_| Diagnostic::new(offset, "the string's escapes are not valid UTF-8"))?;
        Ok(Value {
            offset,
            end: self.previous_end,
            shape: Shape::Text(text),
        })
    }

    fn message(&mut self) -> Result<Value<'a>, Diagnostic> {
        let offset = self.open()?;
        let fields = self.fields()?;
        self.open.pop();
        Ok(Value {
            offset,
            end: self.previous_end,
            shape: Shape::Message(fields),
        })
    }

    fn list(&mut self) -> Result<Value<'a>, Diagnostic> {
        let offset = self.open()?;
        let mut items = Vec::new();
        // A list may be empty, but has no comma at its end.
        if !self.take(b']')? {
            loop {
                items.push(self.item()?);
                if self.take(b']')? {
                    break;
                }
                if !self.take(b',')? {
                    return Err(self.unclosed("`,` or `]`"));
                }
            }
        }
        self.open.pop();
        Ok(Value {
            offset,
            end: self.previous_end,
            shape: Shape::List(items),
        })
    }

    /// Consumes an opening bracket.
    fn open(&mut self) -> Result<usize, Diagnostic> {
        let offset = self.token.offset;
        if self.open.len() == MAX_DEPTH {
            return Err(Diagnostic::new(
                offset,
                format!("messages are nested more than {MAX_DEPTH} levels deep"),
            ));
        }
        self.open.push((self.token.raw.as_bytes()[0], offset));
        self.advance()?;
        Ok(offset)
    }

    /// Consumes a punctuation character, if it is next.
    fn take(&mut self, sign: u8) -> Result<bool, Diagnostic> {
        let is_here = self.token.kind == Kind::Punctuation(sign);
        if is_here {
            self.advance()?;
        }
        Ok(is_here)
    }

    fn advance(&mut self) -> Result<(), Diagnostic> {
        self.previous_end = self.token.offset + self.token.raw.len();
        self.token = self.lexer.token()?;
        Ok(())
    }

    fn unexpected(&self, expected: &str) -> Diagnostic {
        Diagnostic::new(
            self.token.offset,
            format!("expected {expected}, but found {}", self.token.title()),
        )
    }

    /// Like [`Self::unexpected`], where a closing bracket may be missing: the message says where
    /// the innermost open bracket is.
    fn unclosed(&self, expected: &str) -> Diagnostic {
        let Diagnostic { offset, what } = self.unexpected(expected);
        let Some((bracket, opened)) = self.open.last() else {
            return Diagnostic { offset, what };
        };
        let since = match self.text[*opened..offset].matches('\n').count() {
            0 => "on this line".to_owned(),
            1 => "on the previous line".to_owned(),
            lines => format!("{lines} lines earlier"),
        };
        Diagnostic::new(
            offset,
            format!("{what}; `{}` was opened {since}", *bracket as char),
        )
    }
}

fn closing(bracket: u8) -> u8 {
    match bracket {
        b'<' => b'>',
        b'{' => b'}',
        _ => b']',
    }
}

/// Returns a better message for a mistake in a line with a merge conflict marker.
fn about_merge_marker(text: &str, mistake: &Diagnostic) -> Option<Diagnostic> {
    let start = text[..mistake.offset]
        .rfind('\n')
        .map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next()?;
    let marker = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"]
        .into_iter()
        .find(|marker| line.trim_start().starts_with(marker))?;
    let offset = start + line.len() - line.trim_start().len();
    Some(Diagnostic::new(
        offset,
        format!("`{marker}` is an unresolved merge conflict marker"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Formats the tree: `name=text`, `name(…)`, `name[…]`.
    fn shown(fields: &[Field<'_>]) -> String {
        fn value(shape: &Shape<'_>) -> String {
            match shape {
                Shape::Text(text) => format!("={text}"),
                Shape::Message(fields) => format!("({})", shown(fields)),
                Shape::List(items) => {
                    let items: Vec<String> = items.iter().map(|item| value(&item.shape)).collect();
                    format!("[{}]", items.join(" "))
                }
            }
        }
        let fields: Vec<String> = fields
            .iter()
            .map(|field| format!("{}{}", field.name, value(&field.value.shape)))
            .collect();
        fields.join(" ")
    }

    #[test]
    fn every_form_that_specs_have_is_read() {
        #[rustfmt::skip]
        let rows: &[(&str, &str, &str)] = &[
            ("", "", "an empty file"),
            ("# only a comment", "", "a comment without a newline"),
            ("a: 'x'", "a=x", "no last newline"),
            ("a: 'x'\r\nb: 'y'\r\n", "a=x b=y", "CR LF"),
            ("a:'x'b:\"y\"", "a=x b=y", "no space at all"),
            ("a: 'x', b: 'y'; c: 'z';", "a=x b=y c=z", "commas and semicolons"),
            ("a: 'x' \"y\"\n  # between\n 'z'", "a=xyz", "strings side by side"),
            ("a: '\\303' '\\251'", "a=é", "a character in two pieces"),
            ("m: < a: 'x' >", "m(a=x)", "angle brackets with a colon"),
            ("m < a: 'x' >", "m(a=x)", "angle brackets without"),
            ("m { a: 'x' }", "m(a=x)", "braces"),
            ("m {}", "m()", "nothing inside"),
            ("m < n { a: 'x' }, > m: {}", "m(n(a=x)) m()", "brackets inside others"),
            ("m: [ {a: 'x'}, <b: 'y'> ]", "m[(a=x) (b=y)]", "a list"),
            ("m [ {} ]", "m[()]", "a list without a colon"),
            ("m: []", "m[]", "an empty list"),
            ("a: <<EOF\n  x\n  y\nEOF\nb: 'z'", "a=x\ny b=z", "a text over several lines"),
        ];
        for (text, expected, why) in rows {
            let read = parse(text).map(|fields| shown(&fields));
            assert_eq!(read.as_deref(), Ok(*expected), "{why}");
        }
    }

    #[test]
    fn mistakes_are_reported_with_their_location() {
        let value = "a string in quotes, or a message in `< >` or `{ }`";
        #[rustfmt::skip]
        let rows: &[(&str, usize, &str, &str)] = &[
            ("a: 3.8", 3, &format!("expected {value}, but found `3.8`"), "a number without quotes"),
            ("a: x", 3, &format!("expected {value}, but found `x`"), "a word without quotes"),
            ("a: -", 3, &format!("expected {value}, but found `-`"), "junk"),
            ("a:", 2, &format!("expected {value}, but found the end of the file"), "no value"),
            ("a 'x'", 2, "expected `:`, or a message in `< >` or `{ }`, but found the string 'x'", "no colon"),
            ("m <\n a: 'x'\n", 12, "expected a field or `>`, but found the end of the file; `<` was opened 2 lines earlier", "not closed"),
            ("m <\n}", 4, "expected a field or `>`, but found `}`; `<` was opened on the previous line", "the other bracket"),
            ("m < >\n>", 6, "expected a field, but found `>`", "a bracket too many"),
            ("m: [ {}, ]", 9, &format!("expected {value}, but found `]`"), "a comma too many in a list"),
            ("m: [ {} {} ]", 8, "expected `,` or `]`, but found `{`; `[` was opened on this line", "no comma in a list"),
            ("m: [ [] ]", 5, &format!("expected {value}, but found `[`"), "a list in a list"),
            ("a: 'x',, b: 'y'", 7, "expected a field, but found `,`", "a comma too many"),
            ("a: 'x' = 3", 7, "expected a field, but found `=`", "junk after a field"),
            ("a: 'x'\n----\n", 7, "expected a field, but found `----`", "trailing junk"),
            ("[x.y]: 'z'", 0, "expected a field, but found `[`", "an extension"),
            ("1: 'z'", 0, "expected a field, but found `1`", "a field by its number"),
            ("a: '\\xff'", 3, "the string's escapes are not valid UTF-8", "bytes that are no text"),
            ("<<<<<<< HEAD\na: 'x'\n", 0, "`<<<<<<<` is an unresolved merge conflict marker", "the first marker"),
            ("a: 'x'\n=======\n", 7, "`=======` is an unresolved merge conflict marker", "the second marker"),
            ("m <\n  a: 'x'\n>>>>>>> topic\n", 13, "`>>>>>>>` is an unresolved merge conflict marker", "the third marker"),
            ("m:\n<<<<<<< HEAD\n", 3, "`<<<<<<<` is an unresolved merge conflict marker", "in place of a value"),
        ];
        for (text, offset, what, why) in rows {
            assert_eq!(parse(text), Err(Diagnostic::new(*offset, *what)), "{why}");
        }
    }

    #[test]
    fn comments_are_known_by_their_place() {
        let text = "# one\na: '#' # two\r\nb: <<END\n# no comment\nEND\nm < # three\n> # four";
        let (fields, comments) = parse_with_comments(text).unwrap();
        let shown: Vec<&str> = comments
            .into_iter()
            .map(|comment| text[comment].trim_end())
            .collect();
        assert_eq!(shown, ["# one", "# two", "# three", "# four"]);
        let values: Vec<&str> = fields
            .iter()
            .map(|field| &text[field.value.offset..field.value.end])
            .collect();
        assert_eq!((values[0], values[2]), ("'#'", "< # three\n>"));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = "m <".repeat(100_000);
        assert_eq!(
            parse(&deep),
            Err(Diagnostic::new(
                3 * MAX_DEPTH + 2,
                "messages are nested more than 16 levels deep"
            ))
        );
    }
}
