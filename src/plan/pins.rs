//! The versions that a spec requires on a system, independent of the available wheels: used to
//! compare two specs without their wheels.

use std::collections::BTreeSet;

use pep440_rs::{Operator, Version};
use pep508_rs::{PackageName, VersionOrUrl};

use super::resolve::listed;
use crate::interpreter::{Facts, Tags};
use crate::spec::{Packages, Requirement, Spec};

/// Returns the projects that a spec requires on a system, each with its version if only one is
/// allowed. Local versions are ignored.
#[must_use]
pub fn pins(spec: &Spec, system: &Facts) -> BTreeSet<(PackageName, Option<Version>)> {
    match &spec.packages {
        Packages::Listed(wheels) => {
            let tags = Tags::of(system);
            let wanted = wheels
                .iter()
                .map(|wheel| &wheel.value)
                .filter(|wheel| listed::is_wanted(wheel, &tags));
            wanted
                .map(|wheel| {
                    (
                        wheel.project.clone(),
                        Some(wheel.wanted.clone().without_local()),
                    )
                })
                .collect()
        }
        Packages::Required(requirements) => {
            let asked = requirements
                .asked
                .iter()
                .map(|asked| &asked.value.requirement);
            // Requirements whose marker does not hold there are ignored.
            let wanted = asked.filter(|requirement| {
                crate::spec::holds(&requirement.marker, &system.markers, &[])
            });
            wanted
                .map(|requirement| (requirement.name.clone(), pinned(requirement)))
                .collect()
        }
        Packages::Locked(lock) => {
            let wanted = lock
                .packages
                .iter()
                .map(|package| &package.value)
                .filter(|package| package.is_wanted(&system.markers));
            wanted
                .map(|package| {
                    (
                        package.name.clone(),
                        package.version.clone().map(Version::without_local),
                    )
                })
                .collect()
        }
    }
}

fn pinned(requirement: &Requirement) -> Option<Version> {
    let Some(VersionOrUrl::VersionSpecifier(specifiers)) = &requirement.version_or_url else {
        return None;
    };
    let exact = specifiers
        .iter()
        .find(|specifier| matches!(specifier.operator(), Operator::Equal | Operator::ExactEqual));
    exact.map(|specifier| specifier.version().clone().without_local())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::tests::facts;
    use crate::invocation::Invocation;
    use crate::process::Process;
    use crate::spec::upgrade::{Legacy, Planned};

    #[test]
    fn a_spec_and_its_native_form_require_the_same_if_their_conditions_agree() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".vpython3");
        let wheel = |name: &str, tags: &str| {
            format!("wheel < name: '{name}' version: 'version:1.chromium.2' {tags} >\n")
        };
        let text = wheel("a", "")
            + &wheel("b", "match_tag <platform: 'win_amd64'>")
            + &wheel("c", "not_match_tag <abi: 'cp39'>");
        crate::fs::write_new(&path, text.as_bytes(), 0o644).unwrap();
        let legacy = Legacy::read(&path).unwrap().unwrap();
        let native = legacy.to_native(&Planned::default()).unwrap();
        let process = Process::default();
        let invocation = Invocation::read(&process).unwrap();
        let parse = |text: &crate::spec::SpecText| text.parse(&invocation, &process).unwrap();
        let (before, after) = (parse(&legacy.text), parse(&native.text));
        for (release, expected) in [([3, 11, 7], vec!["a", "c"]), ([3, 9, 1], vec!["a"])] {
            let wanted = pins(&before, &facts(release));
            assert_eq!(wanted, pins(&after, &facts(release)));
            assert_eq!(
                wanted
                    .into_iter()
                    .map(|(name, _)| name.to_string())
                    .collect::<Vec<_>>(),
                expected
            );
        }
    }
}
