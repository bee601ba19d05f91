//! LUCI's lock of a native spec: `<file>.uv.lock` beside the file, in the form of requirements, as
//! `uv pip compile --universal --generate-hashes` writes it.
//!
//! It binds as constraints do: what the spec asks for is taken in the versions and with the digests
//! of the lock. So a lock that no longer satisfies its spec leaves nothing to choose, and what it
//! lacks is an error here.

use anyhow::Result;

use super::{Reader, Role, find};
use crate::fs::{self, Stamped};
use crate::process::Process;
use crate::report::Failure;
use crate::spec::{Packages, Requirements, Source, Spec, SpecKind, SpecText, uv_lock};

/// The spec with its lock, where there is one. That there is none is a thing that it was read from
/// too.
///
/// # Errors
/// The lock cannot be read, or has nothing for something that the spec asks for.
pub(in crate::spec) fn bind(text: &SpecText, spec: Spec, process: &Process) -> Result<Spec> {
    let (Some(path), Packages::Required(requirements)) = (uv_lock::path(text), &spec.packages)
    else {
        return Ok(spec);
    };
    let found = Stamped::look(&path);
    let mut warnings = spec.warnings;
    let is_there = found.stamp.is_some() && text.counts_beside(&path, process, &mut warnings);
    let sources = [spec.sources, vec![Source::File(found)]].concat();
    let mut spec = Spec {
        sources,
        packages: Packages::default(),
        warnings,
        ..spec
    };
    let requirements = requirements.clone();
    if !is_there {
        return Ok(Spec {
            packages: Packages::Required(requirements),
            ..spec
        });
    }
    let lock = find::from_bytes(
        &path,
        SpecKind::Requirements,
        fs::read_text(&path, fs::limits::LOCK)?,
    )?;
    // uv's own form is a lock, which comes after that of all tools.
    if uv_lock::is_toml(&lock.content) {
        return Ok(Spec {
            packages: Packages::Required(requirements),
            uv_lock: Some(lock),
            ..spec
        });
    }
    let locked = Reader::read(&lock, Role::Constraints, process)?;
    spec.warnings.extend(locked.warnings);
    spec.wheelhouses.extend(locked.wheelhouses);
    spec.sources.extend(locked.sources);
    let Packages::Required(locked) = locked.packages else {
        return Ok(spec);
    };
    let missing: Vec<String> = missing(&requirements, &locked).collect();
    if !missing.is_empty() {
        return Err(Failure::new(format!(
            "`{}` no longer fits {}",
            path.display(),
            text.title()
        ))
        .because_of(missing)
        .hint("make it anew with `uv pip compile --universal --generate-hashes`, or remove it")
        .into());
    }
    let requirements = Requirements {
        constraints: [requirements.constraints, locked.constraints].concat(),
        hashes_required: requirements.hashes_required || locked.hashes_required,
        ..requirements
    };
    Ok(Spec {
        packages: Packages::Required(requirements),
        ..spec
    })
}

/// What a spec asks for and the lock has nothing for, a sentence each.
fn missing(requirements: &Requirements, locked: &Requirements) -> impl Iterator<Item = String> {
    let is_locked = |name| {
        locked
            .constraints
            .iter()
            .any(|locked| locked.value.requirement.name == name)
    };
    requirements.asked.iter().filter_map(move |asked| {
        let requirement = &asked.value.requirement;
        (!is_locked(requirement.name.clone())).then(|| {
            format!(
                "it has no `{}` (asked for in {})",
                requirement.name, asked.place
            )
        })
    })
}
