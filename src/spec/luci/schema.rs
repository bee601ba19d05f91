//! The message that a LUCI spec is: which fields there are, and what each may hold.
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
//! A field that is not in the table, and one that has a single value and is given two, are
//! mistakes: a spec is never half read. All mistakes of a text are found at once.

use super::lexer::Diagnostic;
use super::text::{Field, Shape, Value};
use crate::report::nearest;

/// A string and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// The string.
    pub value: String,
    /// Where it begins.
    pub offset: usize,
}

/// A whole spec, as it is written: in the order of the file, nothing merged or left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// The interpreter's version.
    pub python_version: Option<Text>,
    /// The wheels.
    pub wheels: Vec<Package>,
    /// The platforms that the author wants checked.
    pub verify_tags: Vec<TagEntry>,
}

/// A wheel as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Package {
    /// Where its brackets open.
    pub offset: usize,
    /// The package's name in CIPD.
    pub name: Option<Text>,
    /// Its version there.
    pub version: Option<Text>,
    /// It is wanted where one of these matches.
    pub match_tags: Vec<TagEntry>,
    /// It is not wanted where one of these matches.
    pub not_match_tags: Vec<TagEntry>,
}

/// A tag as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TagEntry {
    /// Where its brackets open.
    pub offset: usize,
    /// As in `cp38`.
    pub python: Option<Text>,
    /// As in `abi3`.
    pub abi: Option<Text>,
    /// As in `manylinux1_x86_64`.
    pub platform: Option<Text>,
}

/// Reads a spec from the fields of a text.
///
/// # Errors
/// All that does not fit the table above.
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
                "virtualenv" => {
                    self.mistake(
                        field.offset,
                        "`virtualenv` is no field any more: environments are made without it",
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

    /// The value of a field that holds a single string.
    fn string(&mut self, slot: &mut Option<Text>, field: Field<'_>) {
        let name = field.name;
        match field.value.shape {
            Shape::Text(_) if slot.is_some() => {
                self.mistake(field.offset, format!("a second `{name}`"))
            }
            Shape::Text(value) => {
                *slot = Some(Text {
                    value,
                    offset: field.value.offset,
                })
            }
            Shape::Message(_) => self.mistake(
                field.value.offset,
                format!("`{name}` must be a string, and is a message"),
            ),
            Shape::List(_) => self.mistake(
                field.value.offset,
                format!("`{name}` must be a string, and is a list"),
            ),
        }
    }

    /// The messages of a field that holds any number of them, and where each begins.
    fn messages<'a>(&mut self, field: Field<'a>) -> Vec<(usize, Vec<Field<'a>>)> {
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
                        "`{}` must be a message in `< >` or `{{ }}`, and is a string",
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
    fn all_mistakes_are_said_at_once() {
        #[rustfmt::skip]
        let rows: &[(&str, &[(usize, &str)], &str)] = &[
            ("python_version: '3' python_version: '3'", &[(20, "a second `python_version`")], "twice, though the same"),
            ("python_version: ''python_version: '3'", &[(18, "a second `python_version`")], "an empty string is one too"),
            ("python_version: <>", &[(16, "`python_version` must be a string, and is a message")], "no message"),
            ("python_version: ['3']", &[(16, "`python_version` must be a string, and is a list")], "no list"),
            ("wheel: 'six'", &[(7, "`wheel` must be a message in `< >` or `{ }`, and is a string")], "no string"),
            ("wheel: ['six']", &[(8, "`wheel` must be a message in `< >` or `{ }`, and is a string")], "no list of strings"),
            ("virtualenv <>", &[(0, "`virtualenv` is no field any more: environments are made without it")], "reserved"),
            ("wheels <>", &[(0, "a spec has no field `wheels`; did you mean `wheel`?")], "a typing mistake"),
            ("wheel < colour: 'x' name: 'a' name: 'b' >", &[(8, "a wheel has no field `colour`"), (30, "a second `name`")], "two"),
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
