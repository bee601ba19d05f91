//! LUCI's lock file of a native spec: `<file>.uv.lock` next to the file, in the form of
//! requirements, as `uv pip compile --universal --generate-hashes` writes it.
//!
//! Its pins apply as constraints: vpython installs the spec's requirements in the versions and with
//! the digests of the lock file. A lock file that no longer satisfies its spec would leave no
//! candidates, so this module reports a missing package as an error.

use anyhow::Result;

use super::{Reader, Role, find};
use crate::fs::{self, Stamped};
use crate::process::Process;
use crate::report::Failure;
use crate::spec::{Packages, Requirements, Source, Spec, SpecKind, SpecText, uv_lock};

/// Applies the lock file to the spec, if there is one. Its absence is recorded as a source, too.
///
/// # Errors
/// The lock file cannot be read, or does not cover a requirement of the spec.
pub(in crate::spec) fn bind(text: &SpecText, spec: Spec, process: &Process) -> Result<Spec> {
    let (Some(path), Packages::Required(requirements)) = (uv_lock::path(text), &spec.packages)
    else {
        return Ok(spec);
    };
    // Record the lock file as a source, whether it exists or not.
    let found = Stamped::look(&path);
    let mut warnings = spec.warnings;
    let is_there = found.stamp.is_some() && text.trusts_neighbour(&path, process, &mut warnings);
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
    // uv's own form is a full lock file, which applies only if there is no standard one.
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
    // `uv pip compile --emit-index-url` writes the indexes of the lock.
    if spec.indexes.is_empty() {
        spec.indexes = locked.indexes;
    }
    spec.sources.extend(locked.sources);
    let Packages::Required(locked) = locked.packages else {
        return Ok(spec);
    };
    // Each requirement of the spec must have a constraint in the lock file.
    let missing: Vec<String> = missing(&requirements, &locked).collect();
    if !missing.is_empty() {
        return Err(Failure::new(format!(
            "`{}` no longer matches {}",
            path.display(),
            text.title()
        ))
        .because_of(missing)
        .hint("rebuild it with `uv pip compile --universal --generate-hashes`, or remove it")
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

/// Returns the requirements of the spec that the lock file does not cover, one sentence each.
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
                "it has no `{}` (required in {})",
                requirement.name, asked.place
            )
        })
    })
}
