//! What markers tell of a platform: its system and its machine. That is what packages of a lock are
//! kept apart by.

use std::collections::BTreeSet;

use super::Answer;
use crate::plan::Facts;
use crate::spec::{Located, Location, Marker};

/// A system and a machine, as `sys_platform` and `platform_machine` say them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    system: String,
    machine: String,
}

impl Identity {
    /// That of a platform.
    pub fn of(target: &Facts) -> Self {
        let markers = &target.markers;
        Self {
            system: markers.sys_platform().to_owned(),
            machine: markers.platform_machine().to_owned(),
        }
    }

    /// What of it is asked for: the system, the machine, or both.
    fn comparison(&self, asks: [bool; 2]) -> String {
        let system = format!("sys_platform == '{}'", self.system);
        let machine = format!("platform_machine == '{}'", self.machine);
        let parts = [system, machine]
            .into_iter()
            .zip(asks)
            .filter(|(_, asks)| *asks)
            .map(|(part, _)| part);
        parts.collect::<Vec<_>>().join(" and ")
    }
}

/// The interpreters that a lock for these platforms is for.
pub(super) fn environments(answers: &[Answer], place: &Location) -> Vec<Located<Marker>> {
    let identities: BTreeSet<Identity> = answers
        .iter()
        .map(|answer| Identity::of(&answer.target))
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

/// The shortest marker that tells those where a package is wanted from the others; none where there
/// are no others.
pub(super) fn tell_apart(wanted: &BTreeSet<Identity>, all: &BTreeSet<Identity>) -> Option<Marker> {
    let others: BTreeSet<&Identity> = all.difference(wanted).collect();
    if others.is_empty() {
        return None;
    }
    let texts = |identities: &mut dyn Iterator<Item = &Identity>, asks| -> BTreeSet<String> {
        identities
            .map(|identity| identity.comparison(asks))
            .collect()
    };
    let written = [[true, false], [false, true], [true, true]]
        .into_iter()
        .find_map(|asks| {
            let texts_of_wanted = texts(&mut wanted.iter(), asks);
            let is_enough = texts_of_wanted.is_disjoint(&texts(&mut others.iter().copied(), asks));
            is_enough.then(|| texts_of_wanted.into_iter().collect::<Vec<_>>().join(" or "))
        })?;
    Some(marker(written))
}

/// A marker of names and versions of the system's own, which need no quoting.
fn marker(written: String) -> Marker {
    // What cannot be understood is wanted everywhere; a test reads what is written.
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
    fn a_marker_asks_for_no_more_than_it_must() {
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
            let marker = tell_apart(&identities(wanted), &all);
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
        let marker = tell_apart(&identities(&["linux x86_64"]), &all).unwrap();
        assert_eq!(
            marker.written,
            "sys_platform == 'linux' and platform_machine == 'x86_64'"
        );
    }
}
