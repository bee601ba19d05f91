//! Wheels that a LUCI spec lists by name and exact version, with the conditions on each.

use pep440_rs::Version;
use pep508_rs::PackageName;

/// A wheel that a spec lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedWheel {
    /// The name, as the spec writes it.
    pub name: String,
    /// The version, as the spec writes it.
    pub version: String,
    /// The project that the name refers to.
    pub project: PackageName,
    /// The parsed version. If it is a local version, such as `1.14.5+chromium.7`, its public
    /// version may take its place.
    pub wanted: Version,
    /// The wheel is required only if all of these hold.
    pub conditions: Vec<Condition>,
    /// The wheel is required if one of these matches a tag of the interpreter; if there are none,
    /// it is required everywhere.
    pub match_tags: Vec<TagPattern>,
    /// The wheel is not required if one of these matches a tag of the interpreter.
    pub not_match_tags: Vec<TagPattern>,
}

/// A pattern for tags; a part that is `None` matches anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagPattern {
    /// For example `cp38`.
    pub python: Option<String>,
    /// For example `abi3`.
    pub abi: Option<String>,
    /// For example `manylinux1_x86_64`.
    pub platform: Option<String>,
}

impl TagPattern {
    /// Checks whether a tag matches. An empty pattern matches no tag.
    #[must_use]
    pub fn matches(&self, python: &str, abi: &str, platform: &str) -> bool {
        let parts = [
            (&self.python, python),
            (&self.abi, abi),
            (&self.platform, platform),
        ];
        let says_something = parts.iter().any(|(wanted, _)| wanted.is_some());
        says_something
            && parts
                .iter()
                .all(|(wanted, found)| wanted.as_deref().is_none_or(|wanted| wanted == *found))
    }
}

/// A condition in a wheel's name, such as `${os=linux,mac}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The variable that must have one of the values.
    pub variable: Variable,
    /// The accepted values.
    pub values: Vec<String>,
}

/// The variables that LUCI's vpython knows in wheel names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// `linux`, `mac` or `windows`.
    Os,
    /// For example `amd64`.
    Arch,
    /// For example `linux-amd64`.
    Platform,
    /// For example `cp311`.
    Python,
    /// For example `cp311`.
    Abi,
    /// For example `manylinux_2_17_x86_64`.
    TagPlatform,
    /// For example `cp311-cp311-manylinux_2_17_x86_64`.
    Tag,
    /// For example `linux-amd64_cp311_cp311`.
    VpythonPlatform,
}

impl Variable {
    /// All variables with their names.
    pub const ALL: [(&str, Self); 8] = [
        ("os", Self::Os),
        ("arch", Self::Arch),
        ("platform", Self::Platform),
        ("py_python", Self::Python),
        ("py_abi", Self::Abi),
        ("py_platform", Self::TagPlatform),
        ("py_tag", Self::Tag),
        ("vpython_platform", Self::VpythonPlatform),
    ];

    /// Returns the variable with that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, variable)| variable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_in_all_its_parts() {
        let pattern = |python: &str, abi: &str, platform: &str| {
            let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            TagPattern {
                python: part(python),
                abi: part(abi),
                platform: part(platform),
            }
        };
        let rows = [
            (pattern("", "", "linux_x86_64"), true, "one part"),
            (pattern("cp38", "cp38", "linux_x86_64"), true, "all parts"),
            (
                pattern("cp38", "abi3", "linux_x86_64"),
                false,
                "one part of three differs",
            ),
            (
                pattern("", "", "linux"),
                false,
                "a part of a part is another",
            ),
            (pattern("", "", ""), false, "nothing matches nothing"),
        ];
        for (pattern, expected, why) in rows {
            assert_eq!(
                pattern.matches("cp38", "cp38", "linux_x86_64"),
                expected,
                "{why}"
            );
        }
    }
}
