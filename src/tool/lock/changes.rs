//! What is said of a lock that changes: what is another in the spec, and then what is another in
//! the lock, a line each.

use std::collections::{BTreeMap, BTreeSet};

use pep508_rs::PackageName;

use crate::fs::Digest;
use crate::spec::{Lock, Packages, Spec, SpecText};

/// The changes from the lock that was there to the new one.
pub(super) fn between(
    before: Option<&(Lock, String)>,
    after: &Lock,
    text: &SpecText,
    spec: &Spec,
) -> Vec<String> {
    let Some((before, content)) = before else {
        return changed_packages(None, after);
    };
    let mut changes = of_spec(before, text, spec);
    if before.basis.is_none() {
        changes.push("it was made by another tool".to_owned());
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
    changes.extend(packages.into_iter().chain(files));
    if changes.is_empty() && *content != after.to_text() {
        changes.push("its text is not as it would be written".to_owned());
    }
    changes
}

/// What the spec says otherwise than it did when the lock was made.
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

/// Each project that comes, goes, or is there in another version.
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

/// The versions of each project.
fn versions(lock: &Lock) -> BTreeMap<&PackageName, String> {
    let mut versions: BTreeMap<&PackageName, Vec<String>> = BTreeMap::new();
    for package in &lock.packages {
        let version = package
            .value
            .version
            .as_ref()
            .map_or("of no version".to_owned(), ToString::to_string);
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

/// Each file of a version that stays which comes, goes, or has other bytes.
fn changed_files(before: &Lock, after: &Lock) -> Vec<String> {
    let (old, new) = (files(before, after), files(after, before));
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let change = |name: &str| match (old.get(name), new.get(name)) {
        (None, Some(_)) => Some(format!("+ `{name}`")),
        (Some(_), None) => Some(format!("- `{name}`")),
        (Some(old), Some(new)) if old != new => Some(format!(
            "`{name}` has other bytes: its sha256 was {old}, and is {new}"
        )),
        _ => None,
    };
    names.into_iter().filter_map(change).collect()
}

/// The files of the packages that another lock has in the same version.
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
