//! Generates LUCI specs for tests: valid ones in every form, and some with mistakes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const BLANKS: &[&str] = &[
    " ",
    "",
    "\n",
    "\r\n",
    "\t",
    " # a 'comment' <\n",
    "#\n",
    "\u{c}\u{b}",
];

const PIECES: &[&str] = &[
    "x",
    "cp38",
    "infra/python/wheels/six-py2_py3",
    "version:1.0",
    "${os}",
    "é",
    "😀",
    "#",
    "\\n",
    "\\\\",
    "\\'",
    "\\\"",
    "\\?",
    "\\x41",
    "\\X4",
    "\\101",
    "\\0",
    "\\u00e9",
    "\\U0001F600",
    "\\303\\251",
    "\\a\\v",
    "<",
    "]",
    ",",
    "\t",
    "\r",
];

const BAD_PIECES: &[&str] = &[
    "\\q", "\\400", "\\xff", "\\ud800", "\\u12", "\n", "\0", "\\x",
];

const OTHER_NAMES: &[&str] = &[
    "name",
    "python",
    "wheel",
    "match_tag",
    "python_version",
    "virtualenv",
    "Wheel",
];

const JUNK: &[&str] = &[
    "<",
    ">",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    ";",
    "'",
    "\"",
    "#",
    "\n",
    "3.8",
    "-",
    "=======",
    "true",
    "virtualenv",
    "wheel",
    "name: 'x'",
    "\\",
    "[a.b]",
];

const PUNCTUATION: &[&str] = &["<", ">", "{", "}", "[", "]", ":", ",", ";", "'", "\"", ""];

/// A part of a spec, as text.
type Part = BoxedStrategy<String>;

/// Generates specs; about half of them have mistakes.
pub(super) fn specs() -> impl Strategy<Value = String> {
    let messages = [
        ("wheel", package()),
        ("verify_pep425_tag", tag()),
        ("wheel", package()),
    ];
    let mistakes = prop_oneof![Just(Vec::new()), vec(mistake(), 1..3)];
    (fields(&["python_version"], &messages), mistakes).prop_map(|(mut text, mistakes)| {
        for mistake in mistakes {
            mistake.apply(&mut text);
        }
        // Only LUCI's extension has this form.
        text.replace("<<", "< <")
    })
}

fn package() -> Part {
    let messages = [("match_tag", tag()), ("not_match_tag", tag())];
    fields(&["name", "version"], &messages)
}

fn tag() -> Part {
    fields(&["python", "abi", "platform"], &[])
}

/// The fields of a message: those with a text, then those with messages. Each may be absent.
fn fields(texts: &[&'static str], messages: &[(&'static str, Part)]) -> Part {
    let mut parts = vec![blank()];
    for name in texts {
        let colon = rarely(80, just(""), written(just(":")));
        let field = sequence(vec![field_name(name), colon, text(), end()]);
        parts.push(maybe(2.0 / 3.0, field));
    }
    for (name, fields) in messages {
        let field = sequence(vec![field_name(name), message_or_list(fields), end()]);
        parts.push(maybe(0.5, field));
    }
    sequence(parts)
}

/// A field's name, and occasionally that of another field.
fn field_name(name: &'static str) -> Part {
    written(rarely(80, any_of(OTHER_NAMES), just(name)))
}

/// The end of a field, which keeps two words apart.
fn end() -> Part {
    written(any_of(&[" ", " ", ",", ";"]))
}

fn message_or_list(fields: &Part) -> Part {
    let message = prop_oneof![
        sequence(vec![written(just("<")), fields.clone(), written(just(">"))]),
        sequence(vec![written(just("{")), fields.clone(), written(just("}"))]),
    ];
    let separator = written(rarely(20, any_of(&[";", "", ",,"]), just(",")));
    let items = vec((separator, message.clone()), 0..3).prop_map(|items| {
        let mut list = String::new();
        for (index, (separator, message)) in items.into_iter().enumerate() {
            if index > 0 {
                list.push_str(&separator);
            }
            list.push_str(&message);
        }
        list
    });
    let list = sequence(vec![written(just("[")), items.boxed(), written(just("]"))]);
    let value = prop_oneof![2 => message, 1 => list];
    sequence(vec![maybe(0.5, written(just(":"))), value.boxed()])
}

/// One or two string literals.
fn text() -> Part {
    let pieces = vec(rarely(60, any_of(BAD_PIECES), any_of(PIECES)), 0..4);
    let literal = (select(&["'", "\""][..]), pieces, blank())
        .prop_map(|(quote, pieces, blank)| format!("{quote}{}{quote}{blank}", pieces.concat()));
    vec(literal, 1..3)
        .prop_map(|literals| literals.concat())
        .boxed()
}

fn blank() -> Part {
    vec(select(BLANKS), 0..3)
        .prop_map(|blanks| blanks.concat())
        .boxed()
}

/// A text with a blank after it.
fn written(text: Part) -> Part {
    sequence(vec![text, blank()])
}

fn just(text: &'static str) -> Part {
    Just(text.to_owned()).boxed()
}

fn any_of(texts: &'static [&'static str]) -> Part {
    select(texts).prop_map(str::to_owned).boxed()
}

fn sequence(parts: Vec<Part>) -> Part {
    parts.prop_map(|parts| parts.concat()).boxed()
}

/// The text with this probability, otherwise nothing.
fn maybe(probability: f64, text: Part) -> Part {
    proptest::option::weighted(probability, text)
        .prop_map(Option::unwrap_or_default)
        .boxed()
}

/// `rare` once in so many times, otherwise `usual`.
fn rarely(times: u32, rare: Part, usual: Part) -> Part {
    prop_oneof![times - 1 => usual, 1 => rare].boxed()
}

/// A change of a spec's text. Positions are those of characters.
#[derive(Debug, Clone)]
enum Mistake {
    Remove(Index, usize),
    Repeat(Index, usize),
    Truncate(Index),
    Insert(Index, &'static str),
    /// Replaces a punctuation character.
    Punctuation(Index, &'static str),
}

fn mistake() -> impl Strategy<Value = Mistake> {
    let at = any::<Index>;
    prop_oneof![
        1 => (at(), 0..12_usize).prop_map(|(at, length)| Mistake::Remove(at, length)),
        1 => (at(), 0..12_usize).prop_map(|(at, length)| Mistake::Repeat(at, length)),
        1 => at().prop_map(Mistake::Truncate),
        1 => (at(), select(JUNK)).prop_map(|(at, junk)| Mistake::Insert(at, junk)),
        2 => (at(), select(PUNCTUATION)).prop_map(|(at, other)| Mistake::Punctuation(at, other)),
    ]
}

impl Mistake {
    fn apply(self, text: &mut String) {
        let position = |at: Index, text: &str| {
            let characters = text.char_indices().map(|(position, _)| position);
            let positions: Vec<usize> = characters.chain([text.len()]).collect();
            *at.get(&positions)
        };
        let range = |at, length, text: &str| {
            let from = position(at, text);
            from..text.floor_char_boundary(text.len().min(from + length))
        };
        match self {
            Self::Remove(at, length) => drop(text.drain(range(at, length, text))),
            Self::Repeat(at, length) => {
                let range = range(at, length, text);
                let again = text[range.clone()].to_owned();
                text.insert_str(range.start, &again);
            }
            Self::Truncate(at) => text.truncate(position(at, text)),
            Self::Insert(at, junk) => text.insert_str(position(at, text), junk),
            Self::Punctuation(at, other) => {
                let found: Vec<usize> = text
                    .match_indices(|character| "<>{}[]:,;'\"".contains(character))
                    .map(|(position, _)| position)
                    .collect();
                if !found.is_empty() {
                    let position = *at.get(&found);
                    text.replace_range(position..=position, other);
                }
            }
        }
    }
}
