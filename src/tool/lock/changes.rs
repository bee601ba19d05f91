//! The description of a lock file's changes: first the changes in the spec, then those in the lock
//! file, one line each.

use std::collections::{BTreeMap, BTreeSet};

use pep508_rs::PackageName;

use super::sources;
use crate::fs::Digest;
use crate::spec::{Lock, Packages, Spec, SpecText};

/// Returns the changes from the existing lock file to the new one.
pub(super) fn between(
    before: Option<&(Lock, String)>,
    after: &Lock,
    text: &SpecText,
    spec: &Spec,
) -> Vec<String> {
    let Some((before, content)) = before else {
        return changed_packages(None, after);
    };
    // The reasons come before their effects on versions and files.
    let mut changes = of_spec(before, text, spec);
    if before.basis.is_none() {
        changes.push("it was created by another tool".to_owned());
    }
    if range(before) != range(after) {
        changes.push(format!(
            "python: {} becomes {}",
            range(before),
            range(after)
        ));
    }
    let packages = changed_packages(Some(before), after);
    let files = changed_files(before, after);
    let sources = sources::changes(before, after);
    changes.extend(packages.into_iter().chain(files).chain(sources));
    if before.built != after.built {
        let [old, new] = [before, after].map(|lock| {
            let layers: usize = lock.built.values().map(BTreeMap::len).sum();
            layers
        });
        changes.push(format!("built wheels: {new} are pinned, {old} were"));
    }
    if changes.is_empty() && *content != after.to_text() {
        changes.push("its formatting differs from what vpython writes".to_owned());
    }
    changes
}

/// Returns the changes in the spec since the lock file was created.
pub(super) fn of_spec(before: &Lock, text: &SpecText, spec: &Spec) -> Vec<String> {
    match (&before.basis, &spec.packages) {
        (Some(basis), Packages::Required(requirements)) => basis.changes(text, spec, requirements),
        _ => Vec::new(),
    }
}

fn range(lock: &Lock) -> &str {
    lock.requires_python
        .as_ref()
        .map_or("any", |range| &range.value.written)
}

/// Returns a line for each project that was added or removed, or whose version changed.
fn changed_packages(before: Option<&Lock>, after: &Lock) -> Vec<String> {
    let (old, new) = (before.map(versions).unwrap_or_default(), versions(after));
    let names: BTreeSet<&PackageName> = old.keys().chain(new.keys()).copied().collect();
    let change = |name: &PackageName| match (old.get(name), new.get(name)) {
        (None, Some(new)) => Some(format!("+ {name} {new}")),
        (Some(old), None) => Some(format!("- {name} {old}")),
        (Some(old), Some(new)) if old != new => Some(format!("{name}: {old} becomes {new}")),
        _ => None,
    };
    names.into_iter().filter_map(change).collect()
}

/// Returns the versions of each project.
fn versions(lock: &Lock) -> BTreeMap<&PackageName, String> {
    let mut versions: BTreeMap<&PackageName, Vec<String>> = BTreeMap::new();
    for package in &lock.packages {
        let version = package
            .value
            .version
            .as_ref()
            .map_or("without a version".to_owned(), ToString::to_string);
        versions
            .entry(&package.value.name)
            .or_default()
            .push(version);
    }
    versions
        .into_iter()
        .map(|(name, versions)| (name, versions.join(" and ")))
        .collect()
}

/// Returns a line for each file that was added or removed, or whose contents changed, among the
/// packages that keep their version.
fn changed_files(before: &Lock, after: &Lock) -> Vec<String> {
    let (old, new) = (files(before, after), files(after, before));
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let change = |name: &str| match (old.get(name), new.get(name)) {
        (None, Some(_)) => Some(format!("+ `{name}`")),
        (Some(_), None) => Some(format!("- `{name}`")),
        (Some(old), Some(new)) if old != new => Some(format!(
            "`{name}` has different contents: sha256 {old} becomes {new}"
        )),
        _ => None,
    };
    names.into_iter().filter_map(change).collect()
}

/// Returns the files of the packages that the other lock file has in the same version.
fn files<'a>(lock: &'a Lock, other: &Lock) -> BTreeMap<&'a str, Digest> {
    let stays = |name: &PackageName, version| {
        other
            .packages
            .iter()
            .any(|package| package.value.name == *name && package.value.version == version)
    };
    let packages = lock.packages.iter().map(|package| &package.value);
    let packages = packages.filter(|package| stays(&package.name, package.version.clone()));
    packages
        .flat_map(|package| &package.wheels)
        .map(|wheel| (&*wheel.value.file_name, wheel.value.sha256))
        .collect()
}
