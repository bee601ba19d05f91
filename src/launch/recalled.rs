//! The plan of an environment that an earlier launch has built, from the memo of that launch: for
//! tools that need a plan where the wheels cannot be chosen again, because they came from a package
//! index that this run may not read.

use super::Decided;
use crate::fs;
use crate::interpreter::Facts;
use crate::invocation::Invocation;
use crate::memo::{Memo, MemoName};
use crate::plan::{self, Evidence, Key, Plan, PlannedWheel, RequiredBy, is_seed};
use crate::process::Process;
use crate::spec::{Located, Packages, Requested, SpecText, holds};
use crate::store::{InstalledWheel, MANIFEST, Manifest, Store};

/// Returns the spec and the plan of the environment that a launch would use without resolving
/// anything; none if it would resolve, or if neither the store nor a shared root has the unpacked
/// wheels.
#[must_use]
pub fn recalled(
    text: &SpecText,
    store: &Store,
    invocation: &Invocation,
    process: &Process,
) -> Option<Decided> {
    let spec = text.parse(invocation, process).ok()?;
    let name = MemoName::of_launch(text, invocation, process);
    let (memo, entry) = Memo::recall(store, &name, process).ok()?;
    let manifest: Manifest = fs::read_json(&entry.path.join(MANIFEST))?;
    let directory = store.memo_directory();
    let mut evidence = Evidence::default();
    let invocation = &*super::with_interpreter(&spec, store, invocation, process).ok()?;
    let interpreter =
        plan::find_interpreter(invocation, &spec, process, Some(&directory), &mut evidence).ok()?;
    let planned = |wheel: &InstalledWheel| {
        let own = store.unpacked_wheel(&wheel.sha256);
        let shared = store.shared_wheels(wheel.sha256);
        let unpacked = std::iter::once(own)
            .chain(shared)
            .find(|it| fs::exists(it))?;
        Some(PlannedWheel {
            name: wheel.name.parse().ok()?,
            version: wheel.version.parse().ok()?,
            path: unpacked.join(&wheel.file_name),
            in_layout: None,
            built: None,
            to_fetch: None,
            size: 0,
            sha256: wheel.sha256,
            required_by: required_by(&wheel.name, &spec.packages, &interpreter),
        })
    };
    let wheels = manifest.wheels.iter().map(planned);
    let plan = Plan {
        wheels: wheels.collect::<Option<_>>()?,
        interpreter,
        unavailable: None,
        strict: spec.strict || invocation.strict,
        system_packages: spec.system_packages,
    };
    (Key::of(&plan) == memo.key).then_some(Decided {
        spec,
        plan,
        evidence,
        connection: None,
        python_kept: None,
    })
}

/// Returns the origins of a wheel in the spec or its lock; none if only other wheels require it.
/// The key of the environment confirms them.
fn required_by(name: &str, packages: &Packages, interpreter: &Facts) -> Vec<RequiredBy> {
    let of_requirements = |asked: &[Located<Requested>]| -> Vec<RequiredBy> {
        let asked = asked.iter().filter(|asked| {
            let requirement = &asked.value.requirement;
            requirement.name.as_ref() == name
                && holds(&requirement.marker, &interpreter.markers, &[])
        });
        let places = asked.map(|asked| asked.place.clone());
        places.map(RequiredBy::Spec).collect()
    };
    match packages {
        Packages::Required(requirements) => of_requirements(&requirements.asked),
        Packages::Listed(wheels) => {
            let listed = wheels.iter().filter(|it| it.value.project.as_ref() == name);
            let places = listed.map(|wheel| RequiredBy::Spec(wheel.place.clone()));
            let listed: Vec<RequiredBy> = places.collect();
            if listed.is_empty() && is_seed(name) {
                vec![RequiredBy::Seed]
            } else {
                listed
            }
        }
        Packages::Locked(lock) => {
            if let Some(bound) = &lock.bound {
                return of_requirements(&bound.asked);
            }
            // A lock that is the spec itself.
            let locked = lock.packages.iter();
            let of_name = locked.filter(|it| it.value.name.as_ref() == name);
            let places = of_name.map(|package| package.place.clone());
            places.map(RequiredBy::Spec).collect()
        }
    }
}
