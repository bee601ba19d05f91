//! Parts of messages about errors in a text: the closest known name, and the type of a value.

use toml::de::DeValue;

/// Returns the closest of `names` to a mistyped `name`, if one is similar enough.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    names
        .into_iter()
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

/// Returns the type of a TOML value, with its article.
#[must_use]
pub fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_name_is_suggested() {
        let names = ["dependencies", "requires-python", "tool"];
        assert_eq!(nearest("dependancies", names), Some("dependencies"));
        assert_eq!(nearest("requires_python", names), Some("requires-python"));
        assert_eq!(nearest("colour", names), None);
    }
}
