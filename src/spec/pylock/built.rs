//! The built wheels that a lock file pins: for each wheel, the archive with its files and byte code,
//! by python. A launch may use one in place of unpacking and compiling the wheel; the environment is
//! the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::fs::Digest;

/// Built wheels: the digest of the archive, by the digest of the wheel and the version of python,
/// such as `3.11`.
pub type BuiltPins = BTreeMap<Digest, BTreeMap<String, Digest>>;

/// Reads pins from TOML, where digests have the form `sha256:` and 64 digits.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BuiltPins, D::Error> {
    let written = BTreeMap::<Written, BTreeMap<String, Written>>::deserialize(deserializer)?;
    let of_wheel = |(wheel, layers): (Written, BTreeMap<String, Written>)| {
        let layers = layers.into_iter().map(|(python, layer)| (python, layer.0));
        (wheel.0, layers.collect())
    };
    Ok(written.into_iter().map(of_wheel).collect())
}

/// A digest as TOML has it.
#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Written(Digest);

impl TryFrom<String> for Written {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix("sha256:");
        let digest = digits.and_then(|digits| digits.parse().ok());
        digest
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a digest such as `sha256:` and 64 digits"))
    }
}

/// Returns the text of the pins in a lock file; empty if there are none.
pub(super) fn to_text(pins: &BuiltPins) -> String {
    if pins.is_empty() {
        return String::new();
    }
    let mut text = "\n[tool.vpython.built]\n".to_owned();
    for (wheel, layers) in pins {
        let layers: Vec<String> = layers
            .iter()
            .map(|(python, layer)| format!("\"{python}\" = \"sha256:{layer}\""))
            .collect();
        let layers = layers.join(", ");
        text.extend([format!("\"sha256:{wheel}\" = {{{layers}}}\n")]);
    }
    text
}
