//! Differential tests: the parser and another parser of protobuf text accept the same texts, and
//! read the same values from them.
//!
//! There are two known differences. LUCI's heredocs are an extension, and the tests generate none.
//! The specification allows a list of messages without a colon, and the other parser does not, so
//! the tests insert the colon.

use std::cell::Cell;

use proptest::test_runner::{Config, RngSeed, TestRunner};
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, ReflectMessage, Value};

use super::lexer::{Kind, Lexer};
use super::schema::{self, Message, Package, TagEntry, Text};
use super::spec_generator::specs;
use super::text;

/// The number of generated texts.
const CASES: u32 = 20_000;

#[test]
fn another_reader_reads_the_same() {
    let descriptor = descriptor();
    let accepted = Cell::new(0);
    let config = Config {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..Config::with_cases(CASES)
    };
    let result = TestRunner::new(config).run(&specs(), |text| {
        let ours = text::parse(&text)
            .ok()
            .and_then(|fields| schema::read(fields).ok())
            .map(|message| plain(&message));
        let theirs = DynamicMessage::parse_text_format(descriptor.clone(), &with_colons(&text))
            .ok()
            .map(|spec| plain_dynamic(&spec));
        accepted.set(accepted.get() + u32::from(ours.is_some()));
        proptest::prop_assert_eq!(ours, theirs);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    let accepted = accepted.get();
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
