//! Conversion of a message to JSON: all fields of the schema, in the order of the file.

use serde_json::{Map, Value, json};

use super::schema::{Message, Package, TagEntry, Text};

impl Message {
    /// Returns the spec's fields. A missing string is null; repeated fields are lists.
    pub fn to_json(&self) -> Value {
        json!({
            "python_version": string(self.python_version.as_ref()),
            "wheel": self.wheels.iter().map(Package::to_json).collect::<Value>(),
            "verify_pep425_tag": tags(&self.verify_tags),
        })
    }
}

impl Package {
    fn to_json(&self) -> Value {
        json!({
            "name": string(self.name.as_ref()),
            "version": string(self.version.as_ref()),
            "match_tag": tags(&self.match_tags),
            "not_match_tag": tags(&self.not_match_tags),
        })
    }
}

/// Converts tags, with only the parts that are present, since only these affect matching.
fn tags(tags: &[TagEntry]) -> Value {
    let parts = |tag: &TagEntry| {
        let parts = [
            ("python", &tag.python),
            ("abi", &tag.abi),
            ("platform", &tag.platform),
        ];
        let said = parts
            .into_iter()
            .filter_map(|(name, part)| Some((name.to_owned(), string(Some(part.as_ref()?)))));
        Value::Object(said.collect::<Map<_, _>>())
    };
    tags.iter().map(parts).collect()
}

fn string(text: Option<&Text>) -> Value {
    text.map_or(Value::Null, |text| text.value.clone().into())
}
