//! String literals of Python, JSON and nushell in a line: their values, and their replacement.

use super::prefixes::Prefixes;
use super::quoting::{Language, escaped};

/// A literal in a line: its extent including prefix and quotes, and its value.
struct Literal {
    start: usize,
    end: usize,
    /// The characters before the first quote: `r`, or `r#` in nushell.
    prefix: Vec<u8>,
    quote: u8,
    text: Vec<u8>,
}

/// Rewrites each literal of a line that contains a prefix.
pub(super) fn rewrite_literals(language: Language, line: &[u8], prefixes: &Prefixes) -> Vec<u8> {
    let (mut rewritten, mut end) = (Vec::with_capacity(line.len()), 0);
    for literal in literals(language, line) {
        let text = prefixes.replace(&literal.text, <[u8]>::to_vec);
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

/// Returns the values of the string literals in a line of Python.
pub(super) fn python_texts(line: &[u8]) -> Vec<Vec<u8>> {
    literals(Language::Python, line)
        .into_iter()
        .map(|literal| literal.text)
        .collect()
}

/// Returns the literals of a line, up to a comment.
fn literals(language: Language, line: &[u8]) -> Vec<Literal> {
    let (mut literals, mut next) = (Vec::new(), 0);
    while next < line.len() {
        let byte = line[next];
        if byte == b'#' {
            break;
        }
        // Between literals, only nushell's raw strings need attention.
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
        // The letters in front of a quote are the prefix of a Python literal.
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

/// Parses nushell's `r#'…'#`.
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

/// Returns the length of a literal's content.
fn length(after: &[u8], quote: u8, is_verbatim: bool) -> Option<usize> {
    let mut next = 0;
    while next < after.len() {
        match after[next] {
            b'\\' if !is_verbatim => next += 1,
            byte if byte == quote => return Some(next),
            _ => {}
        }
        next += 1;
    }
    None
}

/// Resolves the escapes of a Python or JSON literal that can occur in paths.
fn unescaped(inner: &[u8]) -> Vec<u8> {
    let (mut text, mut next) = (Vec::with_capacity(inner.len()), 0);
    while next < inner.len() {
        if inner[next] != b'\\' || next + 1 == inner.len() {
            text.push(inner[next]);
            next += 1;
            continue;
        }
        // `\xHH`, `\uHHHH` and `\UHHHHHHHH` encode a character.
        let digits = match inner[next + 1] {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => 0,
        };
        let code = inner
            .get(next + 2..next + 2 + digits)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        // An escaped quote, slash or backslash yields itself; any other escape is kept.
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

/// Renders a literal with its old quotes, and without a raw prefix if an escape is needed.
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

/// Renders a literal in single quotes, or as a raw string with as many `#` as necessary.
fn nu_literal(text: &[u8]) -> Vec<u8> {
    if !text.contains(&b'\'') {
        return [b"'", text, b"'"].concat();
    }
    // The literal would end at a quote that as many `#` follow.
    let runs = text
        .split(|byte| *byte == b'\'')
        .skip(1)
        .map(|after| after.iter().take_while(|byte| **byte == b'#').count());
    let hashes = vec![b'#'; runs.max().unwrap_or_default() + 1];
    [b"r", &hashes[..], b"'", text, b"'", &hashes].concat()
}
