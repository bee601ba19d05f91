//! Differential tests: the parser and another parser of protobuf text accept the same texts, and
//! read the same values from them.
//!
//! There are two known differences. LUCI's heredocs are an extension, and the tests generate none.
//! The specification allows a list of messages without a colon, and the other parser does not, so
//! the tests insert the colon.

use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, ReflectMessage, Value};

use super::lexer::{Kind, Lexer};
use super::schema::{self, Message, Package, TagEntry, Text};
use super::text;

/// The number of generated texts.
const CASES: u64 = 20_000;

#[test]
fn another_reader_reads_the_same() {
    let descriptor = descriptor();
    let mut accepted = 0;
    for seed in 0..CASES {
        let text = Author::new(seed).spec();
        let ours = text::parse(&text)
            .ok()
            .and_then(|fields| schema::read(fields).ok())
            .map(|message| plain(&message));
        let theirs = DynamicMessage::parse_text_format(descriptor.clone(), &with_colons(&text))
            .ok()
            .map(|spec| plain_dynamic(&spec));
        assert_eq!(ours, theirs, "seed {seed}:\n{text}\n---\n{text:?}");
        accepted += u64::from(ours.is_some());
    }
    assert!(
        (CASES / 5..CASES * 4 / 5).contains(&accepted),
        "{accepted} of {CASES} are good: make more of the other kind"
    );
}

/// Inserts a colon between each word and the list that follows it.
fn with_colons(text: &str) -> String {
    let mut lexer = Lexer::new(text);
    let mut after_word = false;
    let mut places = Vec::new();
    while let Ok(token) = lexer.token() {
        match token.kind {
            Kind::End => break,
            Kind::Punctuation(b'[') if after_word => places.push(token.offset),
            _ => {}
        }
        after_word = token.kind == Kind::Identifier;
    }
    let mut text = text.to_owned();
    for place in places.into_iter().rev() {
        text.insert(place, ':');
    }
    text
}

/// The common form of both parsers' results: each message as its fields, each field as its values.
#[derive(Debug, PartialEq, Eq)]
enum Plain {
    Text(String),
    Message(Vec<Vec<Plain>>),
}

fn plain(spec: &Message) -> Plain {
    let text = |text: &Option<Text>| {
        text.iter()
            .map(|text| Plain::Text(text.value.clone()))
            .collect::<Vec<_>>()
    };
    let tag = |tag: &TagEntry| {
        Plain::Message(vec![text(&tag.python), text(&tag.abi), text(&tag.platform)])
    };
    let tags = |tags: &[TagEntry]| tags.iter().map(tag).collect::<Vec<_>>();
    let package = |package: &Package| {
        let Package {
            name,
            version,
            match_tags,
            not_match_tags,
            offset: _,
        } = package;
        Plain::Message(vec![
            text(name),
            text(version),
            tags(match_tags),
            tags(not_match_tags),
        ])
    };
    let wheels = spec.wheels.iter().map(package).collect();
    Plain::Message(vec![
        text(&spec.python_version),
        wheels,
        tags(&spec.verify_tags),
    ])
}

fn plain_dynamic(message: &DynamicMessage) -> Plain {
    let value = |value: &Value| match value {
        Value::Message(message) => plain_dynamic(message),
        value => Plain::Text(value.as_str().unwrap().to_owned()),
    };
    let field = |field: prost_reflect::FieldDescriptor| {
        if !message.has_field(&field) {
            return Vec::new();
        }
        let found = message.get_field(&field);
        found.as_list().map_or_else(
            || vec![value(&found)],
            |values| values.iter().map(value).collect(),
        )
    };
    Plain::Message(message.descriptor().fields().map(field).collect())
}

/// Returns the schema, with field presence, so that an explicit empty string is distinct from an
/// absent one.
fn descriptor() -> MessageDescriptor {
    let field = |name: &str, number, label, type_name: Option<&str>| FieldDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        label: Some(label as i32),
        r#type: Some(type_name.map_or(Type::String, |_| Type::Message) as i32),
        type_name: type_name.map(str::to_owned),
        ..FieldDescriptorProto::default()
    };
    let text = |name, number| field(name, number, Label::Optional, None);
    let messages = |name, number, type_name| field(name, number, Label::Repeated, Some(type_name));
    let message = |name: &str, fields| DescriptorProto {
        name: Some(name.into()),
        field: fields,
        ..DescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("spec.proto".into()),
        message_type: vec![
            message(
                "Tag",
                vec![text("python", 1), text("abi", 2), text("platform", 3)],
            ),
            message(
                "Package",
                vec![
                    text("name", 1),
                    text("version", 2),
                    messages("match_tag", 3, ".Tag"),
                    messages("not_match_tag", 4, ".Tag"),
                ],
            ),
            message(
                "Spec",
                vec![
                    text("python_version", 1),
                    messages("wheel", 2, ".Package"),
                    messages("verify_pep425_tag", 4, ".Tag"),
                ],
            ),
        ],
        ..FileDescriptorProto::default()
    };
    let pool =
        DescriptorPool::from_file_descriptor_set(FileDescriptorSet { file: vec![file] }).unwrap();
    pool.get_message_by_name("Spec").unwrap()
}

/// A generator of specs, one for each seed: valid ones in every form, and some with mistakes.
struct Author {
    state: u64,
    out: String,
}

const TEXT_FIELDS: [&[&str]; 3] = [
    &["python_version"],
    &["name", "version"],
    &["python", "abi", "platform"],
];
const BLANKS: [&str; 8] = [
    " ",
    "",
    "\n",
    "\r\n",
    "\t",
    " # a 'comment' <\n",
    "#\n",
    "\u{c}\u{b}",
];
const PIECES: [&str; 26] = [
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
const BAD_PIECES: [&str; 8] = [
    "\\q", "\\400", "\\xff", "\\ud800", "\\u12", "\n", "\0", "\\x",
];
const OTHER_NAMES: [&str; 7] = [
    "name",
    "python",
    "wheel",
    "match_tag",
    "python_version",
    "virtualenv",
    "Wheel",
];
const JUNK: [&str; 22] = [
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

impl Author {
    fn new(seed: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d,
            out: String::new(),
        }
    }

    /// Returns a number below `bound` (Marsaglia's xorshift).
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 33).unwrap() % bound
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn any<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn spec(mut self) -> String {
        self.fields(0);
        let mistakes = if self.one_in(2) { 1 + self.below(2) } else { 0 };
        for _ in 0..mistakes {
            self.spoil();
        }
        // Only LUCI's extension has this form.
        self.out.replace("<<", "< <")
    }

    fn blank(&mut self) {
        for _ in 0..self.below(3) {
            let blank = self.any(&BLANKS);
            self.out.push_str(blank);
        }
    }

    fn write(&mut self, text: &str) {
        self.out.push_str(text);
        self.blank();
    }

    /// Writes the fields of a message: 0 is the spec, 1 a package, 2 a tag.
    fn fields(&mut self, depth: usize) {
        self.blank();
        for name in TEXT_FIELDS[depth] {
            if !self.one_in(3) {
                self.name(name);
                if !self.one_in(80) {
                    self.write(":");
                }
                self.text();
                self.end();
            }
        }
        let messages: &[(&str, usize)] = match depth {
            0 => &[("wheel", 1), ("verify_pep425_tag", 2), ("wheel", 1)],
            1 => &[("match_tag", 2), ("not_match_tag", 2)],
            _ => &[],
        };
        for (name, depth) in messages {
            if self.one_in(2) {
                self.name(name);
                self.messages(*depth);
                self.end();
            }
        }
    }

    /// Writes a field's name, and occasionally that of another field.
    fn name(&mut self, name: &str) {
        let name = if self.one_in(80) {
            self.any(&OTHER_NAMES)
        } else {
            name
        };
        self.write(name);
    }

    fn end(&mut self) {
        let end = self.any(&["", "", ",", ";"]);
        // Keep two words apart.
        self.write(if end.is_empty() { " " } else { end });
    }

    fn messages(&mut self, depth: usize) {
        if self.one_in(3) {
            if self.one_in(2) {
                self.write(":");
            }
            self.write("[");
            let count = self.below(3);
            for index in 0..count {
                if index > 0 {
                    let separator = if self.one_in(20) {
                        self.any(&[";", "", ",,"])
                    } else {
                        ","
                    };
                    self.write(separator);
                }
                self.message(depth);
            }
            self.write("]");
        } else {
            if self.one_in(2) {
                self.write(":");
            }
            self.message(depth);
        }
    }

    fn message(&mut self, depth: usize) {
        let (open, close) = if self.one_in(2) {
            ("<", ">")
        } else {
            ("{", "}")
        };
        self.write(open);
        self.fields(depth);
        self.write(close);
    }

    fn text(&mut self) {
        for _ in 0..=self.below(2) {
            let quote = self.any(&["'", "\""]);
            let mut content = String::new();
            for _ in 0..self.below(4) {
                let piece = if self.one_in(60) {
                    self.any(&BAD_PIECES)
                } else {
                    self.any(&PIECES)
                };
                content.push_str(piece);
            }
            self.write(&format!("{quote}{content}{quote}"));
        }
    }

    /// Removes, inserts or duplicates some text, truncates the rest, or replaces a punctuation
    /// character.
    fn spoil(&mut self) {
        let places: Vec<usize> = self
            .out
            .char_indices()
            .map(|(place, _)| place)
            .chain([self.out.len()])
            .collect();
        let from = places[self.below(places.len())];
        let length = self.below(12);
        let to = self
            .out
            .floor_char_boundary(self.out.len().min(from + length));
        match self.below(6) {
            0 => drop(self.out.drain(from..to)),
            1 => {
                let again = self.out[from..to].to_owned();
                self.out.insert_str(from, &again);
            }
            2 => self.out.truncate(from),
            3 => {
                let junk = self.any(&JUNK);
                self.out.insert_str(from, junk);
            }
            _ => {
                let signs: Vec<usize> = self
                    .out
                    .match_indices(|sign| "<>{}[]:,;'\"".contains(sign))
                    .map(|(at, _)| at)
                    .collect();
                if let Some(at) = signs.get(self.below(signs.len().max(1))).copied() {
                    let other =
                        self.any(&["<", ">", "{", "}", "[", "]", ":", ",", ";", "'", "\"", ""]);
                    self.out.replace_range(at..=at, other);
                }
            }
        }
    }
}
