//! Wheels that a spec lists by name and exact version, and where each is wanted: what LUCI's specs
//! ask for.

use pep440_rs::Version;
use pep508_rs::PackageName;

/// A wheel that a spec lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedWheel {
    /// Its name as the spec writes it.
    pub name: String,
    /// Its version as the spec writes it.
    pub version: String,
    /// The project that the name means.
    pub project: PackageName,
    /// The version that is meant. A local one, as in `1.14.5+chromium.7`, may be stood in for by
    /// its public version.
    pub wanted: Version,
    /// It is wanted where all of these hold.
    pub conditions: Vec<Condition>,
    /// It is wanted where one of these matches a tag of the interpreter; where there is none,
    /// everywhere.
    pub match_tags: Vec<TagPattern>,
    /// It is not wanted where one of these matches a tag of the interpreter.
    pub not_match_tags: Vec<TagPattern>,
}

/// What a tag must be; a part that is none may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagPattern {
    /// As in `cp38`.
    pub python: Option<String>,
    /// As in `abi3`.
    pub abi: Option<String>,
    /// As in `manylinux1_x86_64`.
    pub platform: Option<String>,
}

impl TagPattern {
    /// Whether a tag is what this says. Where it says nothing, no tag is.
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

/// A choice in a wheel's name, as in `${os=linux,mac}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What must have one of the values.
    pub variable: Variable,
    /// The values.
    pub values: Vec<String>,
}

/// What a wheel's name can depend on: the variables that LUCI's vpython knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// `linux`, `mac` or `windows`.
    Os,
    /// As in `amd64`.
    Arch,
    /// As in `linux-amd64`.
    Platform,
    /// As in `cp311`.
    Python,
    /// As in `cp311`.
    Abi,
    /// As in `manylinux_2_17_x86_64`.
    TagPlatform,
    /// As in `cp311-cp311-manylinux_2_17_x86_64`.
    Tag,
    /// As in `linux-amd64_cp311_cp311`.
    VpythonPlatform,
}

impl Variable {
    /// The variables by their names.
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

    /// The variable of that name.
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
    fn a_pattern_matches_in_all_that_it_says() {
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
