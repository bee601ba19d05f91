//! The inputs of a lock file, as recorded under `[tool.vpython]`, and the changes to the spec since
//! then.
//!
//! Requirements are compared after parsing: their order and white space make no difference.

use std::collections::BTreeMap;

use pep508_rs::PackageName;
use serde::Deserialize;

use crate::spec::{
    Dependencies, Located, Location, Requested, Requirements, Spec, SpecText, parse_requirement,
};

/// The parts of a spec that determine its lock file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Basis {
    /// The name of the spec's file.
    pub spec: Option<String>,
    /// The Python versions that satisfy the spec.
    pub requires_python: Option<String>,
    /// The requirements, sorted.
    pub dependencies: Vec<String>,
    /// The constraints, sorted.
    pub constraints: Vec<String>,
    /// The target platforms in addition to the one that the lock file was made on, sorted.
    pub platforms: Vec<String>,
    /// Whether the dependencies of wheels are ignored.
    pub no_deps: bool,
    /// Whether pre-releases are candidates even if no specifier names one.
    pub pre_releases: bool,
}

impl Basis {
    /// Returns the inputs of a spec with these requirements.
    #[must_use]
    pub fn of(text: &SpecText, spec: &Spec, requirements: &Requirements) -> Self {
        // A new field must be recorded, or be ignored explicitly.
        let Requirements {
            asked,
            constraints,
            dependencies,
            pre_releases,
            hashes_required: _,
            preferred: _,
        } = requirements;
        let mut platforms: Vec<String> = spec
            .platforms
            .iter()
            .map(|platform| platform.value.name.clone())
            .collect();
        platforms.sort();
        platforms.dedup();
        Self {
            spec: text
                .origin
                .file
                .as_ref()
                .and_then(|file| Some(file.file_name()?.to_str()?.to_owned())),
            requires_python: spec
                .requires_python
                .as_ref()
                .map(|range| range.value.written.clone()),
            dependencies: texts(asked).into_keys().collect(),
            constraints: texts(constraints).into_keys().collect(),
            platforms,
            no_deps: *dependencies == Dependencies::Ignored,
            pre_releases: *pre_releases,
        }
    }

    /// Returns the changes to the spec since its lock file was made, one sentence each.
    #[must_use]
    pub fn changes(
        &self,
        text: &SpecText,
        spec: &Spec,
        requirements: &Requirements,
    ) -> Vec<String> {
        let now = Self::of(text, spec, requirements);
        let mut changes = Vec::new();
        // The file name and the Python versions.
        if let Some(name) = self.spec.as_ref().filter(|_| self.spec != now.spec) {
            changes.push(format!("it is the lock file of `{name}`"));
        }
        if self.requires_python != now.requires_python {
            let place = spec.requires_python.as_ref().map(|range| &range.place);
            changes.push(change(
                "requires-python",
                self.requires_python.as_deref(),
                now.requires_python.as_deref(),
                place,
            ));
        }
        // If the spec ignores digests, ignore the recorded ones as well.
        let before = |texts: &[String]| -> Vec<String> {
            let bare = |text: &String| text.split(" --hash").next().unwrap_or_default().to_owned();
            if spec.unlocked {
                texts.iter().map(bare).collect()
            } else {
                texts.to_vec()
            }
        };
        changes.extend(changed_requirements(
            &before(&self.dependencies),
            &requirements.asked,
            "",
        ));
        changes.extend(changed_requirements(
            &before(&self.constraints),
            &requirements.constraints,
            "the constraint ",
        ));
        // The platforms and the switches.
        let gone = self
            .platforms
            .iter()
            .filter(|name| !now.platforms.contains(name));
        changes.extend(gone.map(|name| format!("the platform `{name}` was removed")));
        let new = spec
            .platforms
            .iter()
            .filter(|platform| !self.platforms.contains(&platform.value.name));
        changes.extend(new.map(|platform| {
            format!(
                "the platform `{}` was added ({})",
                platform.value.name, platform.place
            )
        }));
        let switches = [
            ("no-deps", self.no_deps, now.no_deps),
            ("pre-releases", self.pre_releases, now.pre_releases),
        ];
        let other = switches
            .into_iter()
            .filter(|(_, before, now)| before != now);
        changes
            .extend(other.map(|(key, before, now)| format!("`{key}` is {now}, and was {before}")));
        changes
    }
}

/// Returns the requirements in normalized form, with their locations.
fn texts(asked: &[Located<Requested>]) -> BTreeMap<String, &Located<Requested>> {
    asked
        .iter()
        .map(|asked| (text(&asked.value), asked))
        .collect()
}

fn text(asked: &Requested) -> String {
    let hashes: Vec<String> = asked
        .hashes
        .iter()
        .map(|hash| format!(" --hash=sha256:{hash}"))
        .collect();
    format!("{}{}", asked.requirement, hashes.concat())
}

/// Describes the added, removed and changed requirements. If one requirement on a project is gone
/// and another one is new, that counts as a change.
fn changed_requirements(before: &[String], now: &[Located<Requested>], lead: &str) -> Vec<String> {
    let now = texts(now);
    // The new requirements by project.
    let mut new: BTreeMap<Option<PackageName>, Vec<(&String, &Location)>> = BTreeMap::new();
    for (text, asked) in now.iter().filter(|(text, _)| !before.contains(text)) {
        new.entry(Some(asked.value.requirement.name.clone()))
            .or_default()
            .push((text, &asked.place));
    }
    // Pair each removed requirement with a new one on the same project.
    let mut changes = Vec::new();
    for gone in before.iter().filter(|text| !now.contains_key(*text)) {
        let name = gone
            .split(" --hash")
            .next()
            .and_then(|text| parse_requirement(text).ok())
            .map(|gone| gone.name);
        match new
            .get_mut(&name)
            .filter(|new| !new.is_empty())
            .map(|new| new.remove(0))
        {
            Some((text, place)) => changes.push(format!("{lead}`{text}` was `{gone}` ({place})")),
            None => changes.push(format!("{lead}`{gone}` was removed")),
        }
    }
    // The remaining new requirements were added.
    let added = new
        .into_values()
        .flatten()
        .map(|(text, place)| format!("{lead}`{text}` was added ({place})"));
    changes.into_iter().chain(added).collect()
}

fn change(key: &str, before: Option<&str>, now: Option<&str>, place: Option<&Location>) -> String {
    let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
    match (before, now) {
        (Some(before), Some(now)) => format!("`{key}` is `{now}`, and was `{before}`{place}"),
        (None, Some(now)) => format!("`{key}` was added: `{now}`{place}"),
        (Some(before), None) => format!("`{key}` was removed; it was `{before}`"),
        (None, None) => format!("`{key}` has changed"),
    }
}
