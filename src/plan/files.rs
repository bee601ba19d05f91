//! The wheel files of a spec as they are in its wheelhouses: what `push` copies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::resolve::locked;
use super::verify::systems;
use super::wheelhouse::Wheelhouse;
use super::{Evidence, PlannedWheel, choose_wheels, find_interpreter};
use crate::fs::Digest;
use crate::interpreter::Facts;
use crate::invocation::Invocation;
use crate::process::Process;
use crate::report::progress;
use crate::spec::{Lock, Packages, Spec};
use crate::wheel::WheelName;

/// A wheel file on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelOnDisk {
    /// The wheel's name, which may differ from that of the file.
    pub file_name: String,
    /// The file.
    pub path: PathBuf,
    /// Its digest.
    pub sha256: Digest,
}

/// Returns the wheel files that a spec uses here and on each of its platforms, by their digests. Of
/// a lock that includes the files for other platforms, as far as they are on disk. `memo` is the
/// directory for cached facts.
///
/// # Errors
/// No interpreter satisfies the spec, or a wheel that it uses is missing.
pub fn on_disk(
    spec: &Spec,
    invocation: &Invocation,
    process: &Process,
    memo: &Path,
) -> Result<BTreeMap<Digest, WheelOnDisk>> {
    if spec.wants_no_wheels() {
        return Ok(BTreeMap::new());
    }
    let targets = spec.targets()?;
    let mut evidence = Evidence::default();
    let here = find_interpreter(invocation, spec, process, Some(memo), &mut evidence)?;
    progress::phase("choosing the wheels");
    let systems = systems(here, &targets);
    if let Packages::Locked(lock) = &spec.packages {
        let mut wheelhouse = Wheelhouse::open(spec, invocation, memo, &mut evidence)?;
        let found = of_lock(lock, &systems, &mut wheelhouse)?;
        wheelhouse.remember();
        return Ok(found);
    }
    let mut found = BTreeMap::new();
    for (title, facts) in &systems {
        let (wheels, _) = choose_wheels(spec, facts, invocation, memo, &mut evidence)
            .with_context(|| format!("the wheels for {title} are not complete"))?;
        found.extend(wheels.iter().map(of_plan));
    }
    Ok(found)
}

fn of_plan(wheel: &PlannedWheel) -> (Digest, WheelOnDisk) {
    let on_disk = WheelOnDisk {
        file_name: wheel.file_name(),
        path: wheel.path.clone(),
        sha256: wheel.sha256,
    };
    (wheel.sha256, on_disk)
}

/// Returns the files of a lock. Those that a system uses must be there.
fn of_lock(
    lock: &Lock,
    systems: &[(String, Facts)],
    wheelhouse: &mut Wheelhouse,
) -> Result<BTreeMap<Digest, WheelOnDisk>> {
    for (title, facts) in systems {
        let unavailable = locked::to_fetch(lock, facts, wheelhouse)?.refusal;
        unavailable
            .map_or(Ok(()), Err)
            .with_context(|| format!("the wheels for {title} are not complete"))?;
    }
    let mut found = BTreeMap::new();
    let wheels = lock.packages.iter();
    for locked in wheels.flat_map(|package| &package.value.wheels) {
        let locked = &locked.value;
        let Ok(name) = WheelName::parse(&locked.file_name) else {
            continue;
        };
        let named = wheelhouse.named(&name);
        let digests = wheelhouse.digests(&named)?;
        let position = digests.iter().position(|digest| *digest == locked.sha256);
        let Some(position) = position else { continue };
        let on_disk = WheelOnDisk {
            file_name: locked.file_name.clone(),
            path: wheelhouse.path(&named[position]),
            sha256: locked.sha256,
        };
        found.insert(locked.sha256, on_disk);
    }
    Ok(found)
}
