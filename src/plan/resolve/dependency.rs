//! Requirements that apply on the interpreter, with their origins, and the versions that satisfy
//! them.

use std::rc::Rc;

use pep440_rs::{Operator, Version, VersionSpecifier};
use pep508_rs::{MarkerTree, PackageName, VersionOrUrl};

use crate::fs::Digest;
use crate::plan::RequiredBy;
use crate::spec::{Located, Requested, Requirement};

/// A requirement that applies on the interpreter, with its origin. Its parts are shared, because the
/// sets, walks and conflicts of the resolver each have their own list of requirements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dependency {
    /// The requirement. Its marker holds.
    pub requirement: Rc<Requirement>,
    /// The accepted digests; empty if any digest is accepted.
    pub hashes: Rc<[Digest]>,
    /// The origin.
    pub required_by: Rc<RequiredBy>,
    /// Whether this is a requirement or a constraint.
    pub role: Role,
}

/// The role of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It adds its project to the environment.
    Requirement,
    /// It applies only if something else requires its project.
    Constraint,
}

/// The rank of pre-releases that a dependency admits and does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PreReleases {
    /// They are chosen like final versions.
    Equal,
    /// They are chosen only if there is no final version.
    LastResort,
}

impl Dependency {
    /// Creates the dependency for a requirement of a spec.
    pub fn of(placed: &Located<Requested>, role: Role) -> Self {
        let Requested {
            requirement,
            hashes,
            url: _,
        } = placed.value.clone();
        Self {
            requirement: Rc::new(requirement),
            hashes: hashes.into(),
            required_by: Rc::new(RequiredBy::Spec(placed.place.clone())),
            role,
        }
    }

    /// Returns the required project.
    pub fn project(&self) -> &PackageName {
        &self.requirement.name
    }

    /// Returns the version specifiers.
    pub fn specifiers(&self) -> &[VersionSpecifier] {
        match &self.requirement.version_or_url {
            Some(VersionOrUrl::VersionSpecifier(specifiers)) => specifiers,
            _ => &[],
        }
    }

    /// Returns whether a version satisfies the specifiers. Whether pre-releases are allowed depends
    /// on all requirements together, and is not checked here.
    pub fn admits(&self, version: &Version) -> bool {
        self.specifiers()
            .iter()
            .all(|specifier| admits(specifier, version))
    }

    /// Returns whether a specifier names a pre-release, which allows pre-releases (PEP 440,
    /// "Handling of pre-releases").
    pub fn names_pre_release(&self) -> bool {
        self.specifiers().iter().any(|specifier| {
            let only_excludes = matches!(
                specifier.operator(),
                Operator::NotEqual | Operator::NotEqualStar
            );
            specifier.any_prerelease() && !only_excludes
        })
    }

    /// Returns whether the origin is the spec.
    pub fn is_from_spec(&self) -> bool {
        matches!(*self.required_by, RequiredBy::Spec(_))
    }

    /// Returns the requirement without its marker: `numpy==1.26.4`.
    pub fn title(&self) -> String {
        let mut bare = Requirement::clone(&self.requirement);
        bare.marker = MarkerTree::TRUE;
        bare.to_string()
    }
}

/// Returns whether a version satisfies a specifier (PEP 440, "Version specifiers"). In two cases
/// the library deviates from the specification.
fn admits(specifier: &VersionSpecifier, version: &Version) -> bool {
    match specifier.operator() {
        // "unless the specified version is itself a pre-release": `<2rc2` admits 2rc1.
        Operator::LessThan if specifier.any_prerelease() => {
            version.clone().without_local() < *specifier.version()
        }
        // The version is padded with zeros for the comparison: 1 is 1.0, which `==1.5.*` does not
        // admit.
        Operator::EqualStar | Operator::NotEqualStar => {
            let mut release = version.release().to_vec();
            release.resize(release.len().max(specifier.version().release().len()), 0);
            specifier.contains(&version.clone().with_release(release))
        }
        _ => specifier.contains(version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Location;

    fn dependency(text: &str) -> Dependency {
        let value = Requested {
            requirement: text.parse().unwrap(),
            hashes: Vec::new(),
            url: None,
        };
        Dependency::of(
            &Located {
                value,
                place: Location {
                    file: None,
                    line: 1,
                    column: 1,
                },
            },
            Role::Requirement,
        )
    }

    #[test]
    fn versions_are_admitted_as_the_specification_says() {
        let rows = [
            ("a", "1.0", true, "anything"),
            ("a==1.0", "1", true, "zeros at the end do not count"),
            (
                "a==1.0",
                "1.0+local",
                true,
                "a local version is its public one",
            ),
            ("a==1.0+local", "1.0", false, "but not the other way round"),
            (
                "a!=1.0",
                "1.0+local",
                false,
                "likewise where it is excluded",
            ),
            ("a<=1.0", "1.0+local", true, "likewise at a bound"),
            (
                "a>1.0",
                "1.0+local",
                false,
                "a local version is not a later one",
            ),
            ("a>1.0", "1.0.post1", false, "nor is a post-release"),
            ("a>1.0.post1", "1.0.post2", true, "unless one is named"),
            ("a<2", "2rc1", false, "nor is a pre-release an earlier one"),
            ("a<2rc2", "2rc1", true, "unless one is named"),
            ("a<2rc2", "2rc2", false, "itself excluded"),
            ("a==1.5.*", "1.5.3", true, "a prefix"),
            ("a==1.5.*", "1.5rc1", true, "a prefix with its pre-releases"),
            (
                "a==1.5.*",
                "1",
                false,
                "a version that is shorter than the prefix",
            ),
            (
                "a==1.0.*",
                "1",
                true,
                "a shorter version that has the prefix",
            ),
            (
                "a!=1.5.*",
                "1",
                true,
                "a shorter version that does not have the prefix",
            ),
            ("a~=1.4.2", "1.4.9", true, "a compatible release"),
            ("a~=1.4.2", "1.5", false, "an incompatible release"),
            ("a~=1.4", "1.9", true, "a compatible release of two parts"),
            (
                "a~=1.4",
                "2.0",
                false,
                "an incompatible release of two parts",
            ),
            ("a===1.0", "1.0", true, "the same text"),
            ("a===1.0", "1.0.0", false, "another text"),
            (
                "a===1.0",
                "1.0+local",
                false,
                "another text for a local version",
            ),
            ("a>=1!1", "2", false, "an epoch comes first"),
        ];
        for (requirement, version, expected, why) in rows {
            assert_eq!(
                dependency(requirement).admits(&version.parse().unwrap()),
                expected,
                "{requirement} of {version}: {why}"
            );
        }
    }

    #[test]
    fn excluding_a_pre_release_does_not_name_one() {
        let rows = [
            ("a>=1rc1", true),
            ("a==1.dev1", true),
            ("a<2rc1", true),
            ("a!=1rc1", false),
            ("a>=1,!=1.5rc1", false),
        ];
        for (requirement, expected) in rows {
            assert_eq!(
                dependency(requirement).names_pre_release(),
                expected,
                "{requirement}"
            );
        }
    }
}
