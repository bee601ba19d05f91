//! The schema of a LUCI spec: its fields and their types.
//!
//! | message | field | |
//! |---|---|---|
//! | spec | `python_version` | a string |
//! | | `wheel` | packages |
//! | | `verify_pep425_tag` | tags |
//! | package | `name`, `version` | strings |
//! | | `match_tag`, `not_match_tag` | tags |
//! | tag | `python`, `abi`, `platform` | strings |
//!
//! A field that is not in the table is a mistake, and so is a second value for a single-value
//! field: vpython never uses part of a spec. It finds all mistakes in a text at once.

use super::lexer::Diagnostic;
use super::text::{Field, Shape, Value};
use crate::report::nearest;

/// A string with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// The string.
    pub value: String,
    /// The offset of its first byte.
    pub offset: usize,
}

/// A whole spec as written: in the order of the file, without merging or filtering.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// The interpreter's version.
    pub python_version: Option<Text>,
    /// The wheels.
    pub wheels: Vec<Package>,
    /// The platforms to verify.
    pub verify_tags: Vec<TagEntry>,
}

/// A wheel as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Package {
    /// The offset of its opening bracket.
    pub offset: usize,
    /// The package's name in CIPD.
    pub name: Option<Text>,
    /// The package's version in CIPD.
    pub version: Option<Text>,
    /// The wheel is required if one of these matches.
    pub match_tags: Vec<TagEntry>,
    /// The wheel is not required if one of these matches.
    pub not_match_tags: Vec<TagEntry>,
}

/// A tag as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TagEntry {
    /// The offset of its opening bracket.
    pub offset: usize,
    /// For example `cp38`.
    pub python: Option<Text>,
    /// For example `abi3`.
    pub abi: Option<Text>,
    /// For example `manylinux1_x86_64`.
    pub platform: Option<Text>,
}

/// Converts the fields of a text to a spec.
///
/// # Errors
/// All deviations from the table above.
pub(super) fn read(fields: Vec<Field<'_>>) -> Result<Message, Vec<Diagnostic>> {
    let mut reader = Reader::default();
    let message = reader.spec(fields);
    if reader.mistakes.is_empty() {
        return Ok(message);
    }
    reader.mistakes.sort_by_key(|mistake| mistake.offset);
    Err(reader.mistakes)
}

#[derive(Default)]
struct Reader {
    mistakes: Vec<Diagnostic>,
}

impl Reader {
    fn spec(&mut self, fields: Vec<Field<'_>>) -> Message {
        let mut spec = Message::default();
        for field in fields {
            match field.name {
                "python_version" => self.string(&mut spec.python_version, field),
                "wheel" => {
                    let packages = self
                        .messages(field)
                        .into_iter()
                        .map(|(offset, fields)| self.package(offset, fields));
                    spec.wheels.extend(packages.collect::<Vec<_>>());
                }
                "verify_pep425_tag" => self.tags(&mut spec.verify_tags, field),
                // A field of older specs.
                "virtualenv" => {
                    self.mistake(
                        field.offset,
                        "the field `virtualenv` was removed: vpython does not use virtualenv",
                    );
                }
                _ => self.unknown(
                    &field,
                    "a spec",
                    &["python_version", "wheel", "verify_pep425_tag"],
                ),
            }
        }
        spec
    }

    fn package(&mut self, offset: usize, fields: Vec<Field<'_>>) -> Package {
        let mut package = Package {
            offset,
            ..Package::default()
        };
        for field in fields {
            match field.name {
                "name" => self.string(&mut package.name, field),
                "version" => self.string(&mut package.version, field),
                "match_tag" => self.tags(&mut package.match_tags, field),
                "not_match_tag" => self.tags(&mut package.not_match_tags, field),
                _ => self.unknown(
                    &field,
                    "a wheel",
                    &["name", "version", "match_tag", "not_match_tag"],
                ),
            }
        }
        package
    }

    fn tags(&mut self, tags: &mut Vec<TagEntry>, field: Field<'_>) {
        for (offset, fields) in self.messages(field) {
            let mut tag = TagEntry {
                offset,
                ..TagEntry::default()
            };
            for field in fields {
                match field.name {
                    "python" => self.string(&mut tag.python, field),
                    "abi" => self.string(&mut tag.abi, field),
                    "platform" => self.string(&mut tag.platform, field),
                    _ => self.unknown(&field, "a tag", &["python", "abi", "platform"]),
                }
            }
            tags.push(tag);
        }
    }

    /// Stores the value of a field that holds a single string.
    fn string(&mut self, slot: &mut Option<Text>, field: Field<'_>) {
        let name = field.name;
        match field.value.shape {
            // In protobuf's text format, a field that is not repeated occurs once.
            Shape::Text(_) if slot.is_some() => {
                self.mistake(field.offset, format!("duplicate `{name}`"));
            }
            Shape::Text(value) => {
                *slot = Some(Text {
                    value,
                    offset: field.value.offset,
                });
            }
            Shape::Message(_) => self.mistake(
                field.value.offset,
                format!("`{name}` must be a string, not a message"),
            ),
            Shape::List(_) => self.mistake(
                field.value.offset,
                format!("`{name}` must be a string, not a list"),
            ),
        }
    }

    /// Returns the messages of a repeated field, each with its offset.
    fn messages<'a>(&mut self, field: Field<'a>) -> Vec<(usize, Vec<Field<'a>>)> {
        // `wheel: [<...>, <...>]` has the same meaning as two fields `wheel`.
        let values = match field.value {
            Value {
                shape: Shape::List(items),
                ..
            } => items,
            value => vec![value],
        };
        let mut messages = Vec::new();
        for value in values {
            match value.shape {
                Shape::Message(fields) => messages.push((value.offset, fields)),
                _ => self.mistake(
                    value.offset,
                    format!(
                        "`{}` must be a message in `< >` or `{{ }}`, not a string",
                        field.name
                    ),
                ),
            }
        }
        messages
    }

    fn unknown(&mut self, field: &Field<'_>, of: &str, known: &[&str]) {
        let hint = nearest(field.name, known.iter().copied());
        let hint = hint
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        self.mistake(
            field.offset,
            format!("{of} has no field `{}`{hint}", field.name),
        );
    }

    fn mistake(&mut self, offset: usize, what: impl Into<String>) {
        self.mistakes.push(Diagnostic::new(offset, what));
    }
}

#[cfg(test)]
mod tests {
    use super::super::text;
    use super::*;

    fn read_text(text: &str) -> Result<Message, Vec<Diagnostic>> {
        text::parse(text)
            .map_err(|mistake| vec![mistake])
            .and_then(read)
    }

    #[test]
    fn every_field_is_read_in_the_order_of_the_file() {
        let text = "python_version: '3.8' wheel < name: 'b' version: '1' > wheel: [{name: 'a' not_match_tag: <abi: 'none'>}, {}] \
                    wheel { match_tag [{python: 'cp38'}] match_tag {platform: 'win32'} } verify_pep425_tag < python: 'cp38' >";
        let spec = read_text(text).unwrap();
        let value = |text: &Option<Text>| {
            text.as_ref()
                .map(|text| text.value.clone())
                .unwrap_or_default()
        };
        assert_eq!(value(&spec.python_version), "3.8");
        assert_eq!(
            spec.wheels
                .iter()
                .map(|wheel| value(&wheel.name))
                .collect::<Vec<_>>(),
            ["b", "a", "", ""]
        );
        assert_eq!(value(&spec.wheels[0].version), "1");
        assert_eq!(value(&spec.wheels[1].not_match_tags[0].abi), "none");
        assert_eq!(value(&spec.wheels[3].match_tags[0].python), "cp38");
        assert_eq!(value(&spec.wheels[3].match_tags[1].platform), "win32");
        assert_eq!(value(&spec.verify_tags[0].python), "cp38");
        assert_eq!((spec.wheels[0].offset, spec.wheels[1].offset), (28, 63));
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        #[rustfmt::skip]
        let rows: &[(&str, &[(usize, &str)], &str)] = &[
            ("python_version: '3' python_version: '3'", &[(20, "duplicate `python_version`")], "twice, though the same"),
            ("python_version: ''python_version: '3'", &[(18, "duplicate `python_version`")], "an empty string is one too"),
            ("python_version: <>", &[(16, "`python_version` must be a string, not a message")], "no message"),
            ("python_version: ['3']", &[(16, "`python_version` must be a string, not a list")], "no list"),
            ("wheel: 'six'", &[(7, "`wheel` must be a message in `< >` or `{ }`, not a string")], "no string"),
            ("wheel: ['six']", &[(8, "`wheel` must be a message in `< >` or `{ }`, not a string")], "no list of strings"),
            ("virtualenv <>", &[(0, "the field `virtualenv` was removed: vpython does not use virtualenv")], "reserved"),
            ("wheels <>", &[(0, "a spec has no field `wheels`; did you mean `wheel`?")], "a typing mistake"),
            ("wheel < colour: 'x' name: 'a' name: 'b' >", &[(8, "a wheel has no field `colour`"), (30, "duplicate `name`")], "two"),
            ("verify_pep425_tag: [{pyton: 'x'}]", &[(21, "a tag has no field `pyton`; did you mean `python`?")], "in a tag"),
        ];
        for (text, mistakes, why) in rows {
            let expected = mistakes
                .iter()
                .map(|(offset, what)| Diagnostic::new(*offset, *what))
                .collect();
            assert_eq!(
                read_text(text),
                Err::<Message, Vec<Diagnostic>>(expected),
                "{why}"
            );
        }
    }
}
