//! The identity of a platform in markers: its system and its machine. They distinguish the packages
//! of a lock.

use std::collections::BTreeSet;

use super::PlatformPlan;
use crate::interpreter::Facts;
use crate::spec::{Located, Location, Marker};

/// The values of `sys_platform` and `platform_machine`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    system: String,
    machine: String,
}

impl Identity {
    /// Returns the identity of a platform.
    pub fn of(target: &Facts) -> Self {
        let markers = &target.markers;
        Self {
            system: markers.sys_platform().to_owned(),
            machine: markers.platform_machine().to_owned(),
        }
    }

    /// Returns a marker for the selected parts: the system, the machine, or both.
    fn comparison(&self, parts: [bool; 2]) -> String {
        let system = format!("sys_platform == '{}'", self.system);
        let machine = format!("platform_machine == '{}'", self.machine);
        let comparisons = [system, machine]
            .into_iter()
            .zip(parts)
            .filter(|(_, is_selected)| *is_selected)
            .map(|(comparison, _)| comparison);
        comparisons.collect::<Vec<_>>().join(" and ")
    }
}

/// Returns the environments that a lock for these platforms supports.
pub(super) fn environments(plans: &[PlatformPlan], place: &Location) -> Vec<Located<Marker>> {
    let identities: BTreeSet<Identity> = plans
        .iter()
        .map(|plan| Identity::of(&plan.target))
        .collect();
    let written = identities.iter().map(|identity| {
        format!(
            "{} and implementation_name == 'cpython'",
            identity.comparison([true; 2])
        )
    });
    written
        .map(|written| Located {
            value: marker(written),
            place: place.clone(),
        })
        .collect()
}

/// Returns the shortest marker that holds for the platforms that require a package and for no
/// others; `None` if there are no others.
pub(super) fn distinguishing_marker(
    wanted: &BTreeSet<Identity>,
    all: &BTreeSet<Identity>,
) -> Option<Marker> {
    let others: BTreeSet<&Identity> = all.difference(wanted).collect();
    if others.is_empty() {
        return None;
    }
    let texts = |identities: &mut dyn Iterator<Item = &Identity>, parts| -> BTreeSet<String> {
        identities
            .map(|identity| identity.comparison(parts))
            .collect()
    };
    let written = [[true, false], [false, true], [true, true]]
        .into_iter()
        .find_map(|parts| {
            let texts_of_wanted = texts(&mut wanted.iter(), parts);
            let is_enough = texts_of_wanted.is_disjoint(&texts(&mut others.iter().copied(), parts));
            is_enough.then(|| texts_of_wanted.into_iter().collect::<Vec<_>>().join(" or "))
        })?;
    Some(marker(written))
}

/// Parses a marker of names and versions that need no quoting.
fn marker(written: String) -> Marker {
    // A marker that cannot be parsed would hold everywhere; a test covers those written here.
    Marker {
        tree: written.parse().unwrap_or_default(),
        written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identities(texts: &[&str]) -> BTreeSet<Identity> {
        let identity = |text: &&str| {
            let (system, machine) = text.split_once(' ').unwrap();
            Identity {
                system: system.into(),
                machine: machine.into(),
            }
        };
        texts.iter().map(identity).collect()
    }

    #[test]
    fn a_marker_is_as_short_as_possible() {
        let all = identities(&[
            "linux x86_64",
            "linux aarch64",
            "darwin arm64",
            "win32 AMD64",
        ]);
        #[rustfmt::skip]
        let rows: &[(&[&str], Option<&str>)] = &[
            (&["linux x86_64", "linux aarch64", "darwin arm64", "win32 AMD64"], None),
            (&["win32 AMD64"], Some("sys_platform == 'win32'")),
            (&["linux x86_64", "linux aarch64"], Some("sys_platform == 'linux'")),
            (&["linux x86_64"], Some("platform_machine == 'x86_64'")),
            (&["linux x86_64", "darwin arm64"], Some("platform_machine == 'arm64' or platform_machine == 'x86_64'")),
        ];
        for (wanted, expected) in rows {
            let marker = distinguishing_marker(&identities(wanted), &all);
            assert_eq!(
                marker.as_ref().map(|marker| &*marker.written),
                *expected,
                "{wanted:?}"
            );
            assert!(
                marker.is_none_or(|marker| !marker.tree.is_true()),
                "{wanted:?}"
            );
        }
        let all = identities(&["linux x86_64", "linux aarch64", "darwin x86_64"]);
        let marker = distinguishing_marker(&identities(&["linux x86_64"]), &all).unwrap();
        assert_eq!(
            marker.written,
            "sys_platform == 'linux' and platform_machine == 'x86_64'"
        );
    }
}
