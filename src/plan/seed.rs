//! The seeds: pip, setuptools and wheel, which LUCI's virtualenv installed into each environment,
//! and which no LUCI spec lists.

use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};
use pep508_rs::PackageName;

/// A project that LUCI's environments contain implicitly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// The project.
    pub project: PackageName,
    /// The accepted versions.
    specifiers: VersionSpecifiers,
}

/// The seeds with the versions that behave as in LUCI's environments: setuptools 82 and later has
/// no `pkg_resources`, and wheel 0.46 and later requires `packaging`.
const SEEDS: [(&str, &str); 3] = [("pip", ""), ("setuptools", "<82"), ("wheel", "<0.46")];

impl Seed {
    /// Returns all seeds, sorted by name.
    #[must_use]
    pub fn all() -> Vec<Self> {
        SEEDS
            .iter()
            .filter_map(|(name, range)| {
                Some(Self {
                    project: name.parse().ok()?,
                    specifiers: range.parse().ok()?,
                })
            })
            .collect()
    }

    /// Returns the seed of that name.
    #[must_use]
    pub fn named(project: &PackageName) -> Option<Self> {
        is_seed(project.as_ref())
            .then(|| {
                Self::all()
                    .into_iter()
                    .find(|seed| seed.project == *project)
            })
            .flatten()
    }

    /// Checks whether a version is accepted.
    #[must_use]
    pub fn admits(&self, version: &Version) -> bool {
        self.specifiers.contains(version)
    }
}

impl fmt::Display for Seed {
    /// Formats it as a requirement.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.project, self.specifiers)
    }
}

/// Checks whether a project of this normalised name is a seed.
#[must_use]
pub fn is_seed(name: &str) -> bool {
    SEEDS.iter().any(|(seed, _)| *seed == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_requirement() {
        let all: Vec<String> = Seed::all().iter().map(ToString::to_string).collect();
        assert_eq!(all, ["pip", "setuptools<82", "wheel<0.46"]);
    }

    #[test]
    fn versions_unlike_lucis_are_rejected() {
        let rows = [
            ("pip", "99", true),
            ("setuptools", "81.9", true),
            ("setuptools", "82", false),
            ("wheel", "0.46.1", false),
        ];
        for (name, version, expected) in rows {
            let seed = Seed::named(&name.parse().unwrap()).unwrap();
            assert_eq!(
                seed.admits(&version.parse().unwrap()),
                expected,
                "{name} {version}"
            );
        }
        assert_eq!(Seed::named(&"six".parse().unwrap()), None);
    }
}
