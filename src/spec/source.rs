//! The raw fields of a spec: the same keys, values and order as in the file, without merging,
//! filtering or validation. They are available even for a spec whose requirements are invalid, as
//! long as its text parses as TOML, protobuf text or lines.

use serde_json::Value;
use toml::Value as Toml;

use super::{SpecKind, SpecText, luci, requirements};

impl SpecText {
    /// Returns the spec's own fields as JSON; `None` if the text does not parse, or if there is no
    /// spec.
    #[must_use]
    pub fn source(&self) -> Option<Value> {
        match self.kind {
            SpecKind::VpythonToml | SpecKind::Pyproject | SpecKind::Pep723 | SpecKind::Pylock => {
                self.content
                    .parse::<toml::Table>()
                    .ok()
                    .map(|table| json(Toml::Table(table)))
            }
            SpecKind::Luci => luci::source(&self.content),
            SpecKind::Requirements => Some(requirements::source(&self.content)),
            SpecKind::None => None,
        }
    }
}

/// Converts TOML to JSON. Dates become strings; numbers that JSON cannot represent become null.
fn json(value: Toml) -> Value {
    match value {
        Toml::String(text) => text.into(),
        Toml::Integer(number) => number.into(),
        Toml::Float(number) => number.into(),
        Toml::Boolean(truth) => truth.into(),
        Toml::Datetime(time) => time.to_string().into(),
        Toml::Array(items) => items.into_iter().map(json).collect(),
        Toml::Table(table) => table
            .into_iter()
            .map(|(key, value)| (key, json(value)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::invocation::Chosen;
    use serde_json::json;

    use super::super::Origin;
    use super::*;

    fn source(kind: SpecKind, content: &str) -> Option<Value> {
        let origin = Origin {
            file: Some("/src/spec".into()),
            lines_before: 0,
            columns_before: 0,
        };
        SpecText {
            kind,
            origin,
            base: None,
            content: content.into(),
            warnings: Vec::new(),
            chosen: Chosen::default(),
        }
        .source()
    }

    #[test]
    fn toml_is_its_keys() {
        let text = "requires-python = 'nonsense'\ndependencies = ['b', 'a', 'a']\n[tool.other]\nwhen = 2024-01-02\nx = [1, 2.5, true, inf]\n";
        let expected = json!({
            "requires-python": "nonsense",
            "dependencies": ["b", "a", "a"],
            "tool": {"other": {"when": "2024-01-02", "x": [1, 2.5, true, null]}},
        });
        for kind in [SpecKind::VpythonToml, SpecKind::Pep723] {
            assert_eq!(source(kind, text), Some(expected.clone()));
            assert_eq!(
                source(kind, ""),
                Some(json!({})),
                "an empty file is an empty table"
            );
            assert_eq!(source(kind, "x ="), None, "invalid TOML has no keys");
        }
    }

    #[test]
    fn protobuf_text_is_its_fields_in_the_order_of_the_file() {
        let text = "wheel < name: 'b' version: 'nonsense' match_tag < platform: 'win32' > match_tag < abi: 'none' python: '' > > \
                    verify_pep425_tag: [{python: 'cp38'}, {}] wheel: {name: 'a'} wheel {name: 'b' version: 'nonsense'} \
                    python_version: '4'";
        let tagged = json!([{"platform": "win32"}, {"python": "", "abi": "none"}]);
        let expected = json!({
            "python_version": "4",
            "wheel": [
                {"name": "b", "version": "nonsense", "match_tag": tagged, "not_match_tag": []},
                {"name": "a", "version": null, "match_tag": [], "not_match_tag": []},
                {"name": "b", "version": "nonsense", "match_tag": [], "not_match_tag": []},
            ],
            "verify_pep425_tag": [{"python": "cp38"}, {}],
        });
        assert_eq!(source(SpecKind::Luci, text), Some(expected));
        let nothing = json!({"python_version": null, "wheel": [], "verify_pep425_tag": []});
        assert_eq!(source(SpecKind::Luci, "# nothing"), Some(nothing));
        assert_eq!(source(SpecKind::Luci, "wheel <"), None);
        assert_eq!(source(SpecKind::None, ""), None);
    }

    #[test]
    fn requirements_are_their_lines() {
        let text = "# tools\nb==1 \\\n  --hash=nonsense # why\n\n-r ${OTHER}.txt\na\na\n";
        assert_eq!(
            source(SpecKind::Requirements, text),
            Some(json!([
                "b==1   --hash=nonsense",
                "-r ${OTHER}.txt",
                "a",
                "a"
            ]))
        );
    }
}
