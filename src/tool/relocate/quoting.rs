//! How paths are quoted in the languages that environments have files in, and replaced there.
//!
//! A file is read line by line and only as far as its quotes go, since none of its commands is run.
//! In shells a word may be put together of several quoted parts, so that it is the part that is
//! rewritten; in the others it is the whole literal.

use super::prefixes::Prefixes;

/// A language that a place is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// sh, bash, zsh.
    Posix,
    /// csh and tcsh.
    Csh,
    /// fish.
    Fish,
    /// PowerShell.
    PowerShell,
    /// The batch files that some tools write on every system.
    Batch,
    /// Python, xonsh and, as far as paths go, JSON.
    Python,
    /// nushell.
    Nu,
}

/// Where in a line of a shell's something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

impl Language {
    /// The text with the new place in each line that named one.
    pub fn rewrite(self, text: &[u8], places: &Prefixes) -> Vec<u8> {
        text.split_inclusive(|byte| *byte == b'\n')
            .flat_map(|line| self.rewrite_line(line, places))
            .collect()
    }

    fn rewrite_line(self, line: &[u8], places: &Prefixes) -> Vec<u8> {
        match self {
            Self::Batch => places.replace(line, |place| doubled(place, b"%")),
            Self::Python | Self::Nu => rewrite_literals(self, line, places),
            Self::Posix | Self::Csh | Self::Fish | Self::PowerShell => {
                self.rewrite_words(line, places)
            }
        }
    }

    /// A path with a quote in it stands in several parts of a word, and is looked for as a whole.
    fn rewrite_words(self, line: &[u8], places: &Prefixes) -> Vec<u8> {
        let mut text = line.to_vec();
        for place in places
            .old()
            .iter()
            .map(Vec::as_slice)
            .chain([places.to()])
            .filter(|place| place.contains(&b'\''))
        {
            let (from, to) = (self.word(place), self.word(places.to()));
            if memchr::memmem::find(&text, &from).is_some() {
                text = replace_all(&text, &from, &to);
                return text;
            }
        }
        let mut rewritten = Vec::with_capacity(line.len());
        for (quote, part) in self.parts(&text) {
            rewritten.extend(places.replace(part, |place| self.encode(place, quote)));
        }
        rewritten
    }

    /// A line cut where its quotes begin and end; the quotes themselves stand in parts without
    /// quotes.
    fn parts(self, line: &[u8]) -> Vec<(Quote, &[u8])> {
        let (mut parts, mut quote, mut start, mut next) = (Vec::new(), Quote::None, 0, 0);
        while next < line.len() {
            let byte = line[next];
            let turned = match (quote, byte) {
                (Quote::None, b'\'') => Quote::Single,
                (Quote::None, b'"') => Quote::Double,
                (Quote::Single, b'\'') | (Quote::Double, b'"') => Quote::None,
                _ => quote,
            };
            let escape = if self == Self::PowerShell {
                b'`'
            } else {
                b'\\'
            };
            let is_escape = byte == escape
                && match quote {
                    Quote::None => true,
                    Quote::Single => self == Self::Fish,
                    Quote::Double => self != Self::Csh,
                };
            if turned != quote {
                // A quote that ends a part belongs to the part without quotes behind it, one that
                // begins a part to the one before it.
                let cut = if turned == Quote::None {
                    next
                } else {
                    next + 1
                };
                parts.push((quote, &line[start..cut]));
                (start, quote) = (cut, turned);
            }
            next += if is_escape { 2 } else { 1 };
        }
        parts.push((quote, &line[start..]));
        parts
    }

    /// A place within such quotes. Where these cannot hold it they are closed before it and opened
    /// again behind.
    fn encode(self, place: &[u8], quote: Quote) -> Vec<u8> {
        match (self, quote) {
            (_, Quote::None) if place.iter().all(|byte| is_plain(*byte)) => place.to_vec(),
            (_, Quote::None) => self.word(place),
            (Self::Fish, Quote::Single) => escaped(place, b"\\'", b'\\'),
            (Self::PowerShell, Quote::Single) => doubled(place, b"'"),
            (_, Quote::Single) => {
                let word = self.word(place);
                word[1..word.len() - 1].to_vec()
            }
            (Self::Csh, Quote::Double) if place.iter().any(|byte| b"\"$`!\\".contains(byte)) => {
                [b"\"", &self.word(place)[..], b"\""].concat()
            }
            (Self::Csh, Quote::Double) => place.to_vec(),
            (Self::Fish, Quote::Double) => escaped(place, b"\\\"$", b'\\'),
            (Self::PowerShell, Quote::Double) => escaped(place, b"`\"$", b'`'),
            (_, Quote::Double) => escaped(place, b"\\\"$`", b'\\'),
        }
    }

    /// A place as a word of its own, in single quotes.
    fn word(self, place: &[u8]) -> Vec<u8> {
        let inner = match self {
            Self::Fish => escaped(place, b"\\'", b'\\'),
            Self::PowerShell => doubled(place, b"'"),
            Self::Csh => replace_all(&escaped(place, b"!", b'\\'), b"'", b"'\"'\"'"),
            _ => replace_all(place, b"'", b"'\"'\"'"),
        };
        [b"'", &inner[..], b"'"].concat()
    }
}

/// A word for `sh`, in single quotes.
pub(super) fn shell_word(word: &[u8]) -> Vec<u8> {
    Language::Posix.word(word)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./+=:,@%".contains(&byte) || byte >= 0x80
}

fn escaped(text: &[u8], special: &[u8], escape: u8) -> Vec<u8> {
    text.iter()
        .flat_map(|byte| {
            special
                .contains(byte)
                .then_some(escape)
                .into_iter()
                .chain([*byte])
        })
        .collect()
}

fn doubled(text: &[u8], special: &[u8]) -> Vec<u8> {
    text.iter()
        .flat_map(|byte| {
            special
                .contains(byte)
                .then_some(*byte)
                .into_iter()
                .chain([*byte])
        })
        .collect()
}

fn replace_all(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut end = 0;
    for start in memchr::memmem::find_iter(text, from) {
        replaced.extend_from_slice(&text[end..start]);
        replaced.extend_from_slice(to);
        end = start + from.len();
    }
    replaced.extend_from_slice(&text[end..]);
    replaced
}

/// A literal of a line: where it stands with its prefix and quotes, and what it says.
struct Literal {
    start: usize,
    end: usize,
    /// What stands before the first quote: `r`, or `r#` of nushell's.
    prefix: Vec<u8>,
    quote: u8,
    text: Vec<u8>,
}

/// The line with each literal written anew that named a place.
fn rewrite_literals(language: Language, line: &[u8], places: &Prefixes) -> Vec<u8> {
    let (mut rewritten, mut end) = (Vec::with_capacity(line.len()), 0);
    for literal in literals(language, line) {
        let text = places.replace(&literal.text, <[u8]>::to_vec);
        if text == literal.text {
            continue;
        }
        rewritten.extend_from_slice(&line[end..literal.start]);
        rewritten.extend(if language == Language::Nu {
            nu_literal(&text)
        } else {
            python_literal(&text, &literal)
        });
        end = literal.end;
    }
    rewritten.extend_from_slice(&line[end..]);
    rewritten
}

/// What the literals of a line of python's say.
pub(super) fn python_texts(line: &[u8]) -> Vec<Vec<u8>> {
    literals(Language::Python, line)
        .into_iter()
        .map(|literal| literal.text)
        .collect()
}

/// The literals of a line, up to a comment.
fn literals(language: Language, line: &[u8]) -> Vec<Literal> {
    let (mut literals, mut next) = (Vec::new(), 0);
    while next < line.len() {
        let byte = line[next];
        if byte == b'#' {
            break;
        }
        if byte != b'\'' && byte != b'"' {
            let is_raw = byte == b'r' && line[next + 1..].starts_with(b"#");
            match is_raw.then(|| raw_literal(line, next)).flatten() {
                Some(literal) if language == Language::Nu => {
                    next = literal.end;
                    literals.push(literal);
                }
                _ => next += 1,
            }
            continue;
        }
        let letters = line[..next]
            .iter()
            .rev()
            .take_while(|byte| b"rRuUbB".contains(byte))
            .count();
        let prefix = line[next - letters..next].to_vec();
        let is_verbatim = if language == Language::Nu {
            byte == b'\''
        } else {
            prefix.iter().any(u8::is_ascii_lowercase) && raw(&prefix)
        };
        let Some(length) = length(
            &line[next + 1..],
            byte,
            is_verbatim && language == Language::Nu,
        ) else {
            break;
        };
        let inner = &line[next + 1..next + 1 + length];
        let text = if is_verbatim || raw(&prefix) {
            inner.to_vec()
        } else {
            unescaped(inner)
        };
        literals.push(Literal {
            start: next - letters,
            end: next + length + 2,
            prefix,
            quote: byte,
            text,
        });
        next += length + 2;
    }
    literals
}

fn raw(prefix: &[u8]) -> bool {
    prefix.iter().any(|byte| b"rR".contains(byte))
}

/// nushell's `r#'…'#`.
fn raw_literal(line: &[u8], start: usize) -> Option<Literal> {
    let hashes = line[start + 1..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let opened = start + 1 + hashes;
    line[opened..].starts_with(b"'").then_some(())?;
    let closing = [b"'".to_vec(), vec![b'#'; hashes]].concat();
    let length = memchr::memmem::find(&line[opened + 1..], &closing)?;
    let text = line[opened + 1..opened + 1 + length].to_vec();
    let end = opened + 1 + length + closing.len();
    Some(Literal {
        start,
        end,
        prefix: line[start..opened].to_vec(),
        quote: b'\'',
        text,
    })
}

/// How far a literal goes.
fn length(behind: &[u8], quote: u8, is_verbatim: bool) -> Option<usize> {
    let mut next = 0;
    while next < behind.len() {
        match behind[next] {
            b'\\' if !is_verbatim => next += 1,
            byte if byte == quote => return Some(next),
            _ => {}
        }
        next += 1;
    }
    None
}

/// What a literal of Python's or JSON's says, as far as paths have need of it.
fn unescaped(inner: &[u8]) -> Vec<u8> {
    let (mut text, mut next) = (Vec::with_capacity(inner.len()), 0);
    while next < inner.len() {
        if inner[next] != b'\\' || next + 1 == inner.len() {
            text.push(inner[next]);
            next += 1;
            continue;
        }
        let digits = match inner[next + 1] {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => 0,
        };
        let code = inner
            .get(next + 2..next + 2 + digits)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match (
            digits,
            code.and_then(|code| u32::from_str_radix(code, 16).ok())
                .and_then(char::from_u32),
        ) {
            (1.., Some(character)) => text.extend(character.to_string().into_bytes()),
            (0, _) if b"\\'\"/".contains(&inner[next + 1]) => text.push(inner[next + 1]),
            _ => text.extend_from_slice(&inner[next..(next + 2 + digits).min(inner.len())]),
        }
        next += 2 + digits;
    }
    text
}

/// In the quotes that it had, as long as these do.
fn python_literal(text: &[u8], before: &Literal) -> Vec<u8> {
    let needs_escape = text
        .iter()
        .any(|byte| *byte == before.quote || *byte == b'\\');
    let prefix: Vec<u8> = before
        .prefix
        .iter()
        .copied()
        .filter(|byte| !needs_escape || !b"rR".contains(byte))
        .collect();
    let inner = if needs_escape {
        escaped(text, &[before.quote, b'\\'], b'\\')
    } else {
        text.to_vec()
    };
    [&prefix[..], &[before.quote], &inner, &[before.quote]].concat()
}

/// In single quotes, or between as many `#` as it takes.
fn nu_literal(text: &[u8]) -> Vec<u8> {
    if !text.contains(&b'\'') {
        return [b"'", text, b"'"].concat();
    }
    let runs = text.windows(2).filter(|pair| pair == b"'#").count();
    let hashes = vec![b'#'; runs + 1];
    [b"r", &hashes[..], b"'", text, b"'", &hashes].concat()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn rewrite(language: Language, line: &str, old: &str, to: &str) -> String {
        let places = Prefixes::new(Path::new(to), [old.as_bytes().to_vec()], &[]);
        let once = language.rewrite(line.as_bytes(), &places);
        assert_eq!(
            language.rewrite(&once, &places),
            once,
            "written again it is the same"
        );
        String::from_utf8(once).unwrap()
    }

    #[test]
    fn a_place_is_quoted_as_its_line_needs_it() {
        use Language::{Batch, Csh, Fish, Nu, Posix, PowerShell, Python};
        #[rustfmt::skip]
        let rows = [
            (Posix, "VIRTUAL_ENV=/old", "/a b$c", "VIRTUAL_ENV='/a b$c'"),
            (Posix, "VIRTUAL_ENV=\"/old\"", "/a b", "VIRTUAL_ENV=\"/a b\""),
            (Posix, "VIRTUAL_ENV=\"/old\"", "/a$`\"\\", "VIRTUAL_ENV=\"/a\\$\\`\\\"\\\\\""),
            (Posix, "VIRTUAL_ENV='/old'", "/it's", "VIRTUAL_ENV='/it'\"'\"'s'"),
            (Posix, "if [ ! -d /old ] &&", "/a b", "if [ ! -d '/a b' ] &&"),
            (Posix, "x=$(cygpath \"/old\")/bin", "/new", "x=$(cygpath \"/new\")/bin"),
            (Csh, "setenv VIRTUAL_ENV \"/old\"", "/a b", "setenv VIRTUAL_ENV \"/a b\""),
            (Csh, "setenv VIRTUAL_ENV \"/old\"", "/a$b", "setenv VIRTUAL_ENV \"\"'/a$b'\"\""),
            (Csh, "source '/old'\"/\"'bin'\"/x\"", "/a!", "source '/a\\!'\"/\"'bin'\"/x\""),
            (Fish, "set -gx VIRTUAL_ENV '/old'", "/it's", "set -gx VIRTUAL_ENV '/it\\'s'"),
            (Fish, "set -gx VIRTUAL_ENV \"/old\"", "/a$b", "set -gx VIRTUAL_ENV \"/a\\$b\""),
            (PowerShell, "$x = '/old'", "/it's", "$x = '/it''s'"),
            (PowerShell, "$x = \"/old\"", "/a$b", "$x = \"/a`$b\""),
            (Batch, "@set \"VIRTUAL_ENV=/old\"", "/a%b", "@set \"VIRTUAL_ENV=/a%%b\""),
            (Python, "x = r\"/old\"", "/a b", "x = r\"/a b\""),
            (Python, "x = r'/old', '/old/y' # '/old'", "/it's", "x = '/it\\'s', '/it\\'s/y' # '/old'"),
            (Python, "{\"argv\": [\"/old/bin/python\"]}", "/a\"b", "{\"argv\": [\"/a\\\"b/bin/python\"]}"),
            (Nu, "    const virtual_env = '/old'", "/a b", "    const virtual_env = '/a b'"),
            (Nu, "    let virtual_env = r#'/old'#", "/it's", "    let virtual_env = r#'/it's'#"),
        ];
        for (language, line, to, expected) in rows {
            assert_eq!(rewrite(language, line, "/old", to), expected);
        }
    }

    #[test]
    fn an_odd_old_place_is_found_as_it_was_quoted() {
        let rows = [
            (
                Language::Posix,
                "VIRTUAL_ENV='/it'\"'\"'s'",
                "VIRTUAL_ENV='/new'",
            ),
            (
                Language::Posix,
                "VIRTUAL_ENV=\"/it's\"/bin",
                "VIRTUAL_ENV=\"/new\"/bin",
            ),
            (Language::Fish, "set -gx V '/it\\'s'", "set -gx V '/new'"),
            (
                Language::Python,
                "x = '/it\\'s', '/\\x69t\\u0027s'",
                "x = '/new', '/new'",
            ),
            (Language::Nu, "let x = r#'/it's'#", "let x = '/new'"),
        ];
        for (language, line, expected) in rows {
            assert_eq!(rewrite(language, line, "/it's", "/new"), expected);
        }
        assert_eq!(
            rewrite(
                Language::Posix,
                "V=\"/a b$c\" W=\"/a b\\$c\"",
                "/a b$c",
                "/new"
            ),
            "V=\"/new\" W=\"/new\""
        );
    }
}
