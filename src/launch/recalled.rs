//! The plan of an environment that an earlier launch has built, from the memo of that launch: for
//! tools that need a plan where the wheels cannot be chosen again, because they came from a package
//! index that this run may not read.

use super::Decided;
use crate::fs;
use crate::invocation::Invocation;
use crate::memo::{Memo, MemoName};
use crate::plan::{self, Evidence, Key, Plan, PlannedWheel, RequiredBy};
use crate::process::Process;
use crate::spec::{Packages, SpecText, holds};
use crate::store::{InstalledWheel, MANIFEST, Manifest, Store};

/// Returns the spec and the plan of the environment that a launch would use without resolving
/// anything; none if it would resolve, or if the store no longer has the unpacked wheels.
#[must_use]
pub fn recalled(
    text: &SpecText,
    store: &Store,
    invocation: &Invocation,
    process: &Process,
) -> Option<Decided> {
    let spec = text.parse(process).ok()?;
    let name = MemoName::of_launch(text, invocation, process);
    let (memo, entry) = Memo::recall(store, &name, process).ok()?;
    let manifest: Manifest = fs::read_json(&entry.path.join(MANIFEST))?;
    let directory = store.memo_directory();
    let mut evidence = Evidence::default();
    let interpreter =
        plan::find_interpreter(invocation, &spec, process, Some(&directory), &mut evidence).ok()?;
    let of_spec = |wheel: &InstalledWheel| -> Vec<RequiredBy> {
        let Packages::Required(requirements) = &spec.packages else {
            return Vec::new();
        };
        let asked = requirements.asked.iter().filter(|asked| {
            let requirement = &asked.value.requirement;
            requirement.name.as_ref() == wheel.name
                && holds(&requirement.marker, &interpreter.markers, &[])
        });
        asked
            .map(|asked| RequiredBy::Spec(asked.place.clone()))
            .collect()
    };
    let planned = |wheel: &InstalledWheel| {
        let unpacked = store.unpacked_wheel(&wheel.sha256);
        Some(PlannedWheel {
            name: wheel.name.parse().ok()?,
            version: wheel.version.parse().ok()?,
            path: fs::exists(&unpacked).then(|| unpacked.join(&wheel.file_name))?,
            to_fetch: None,
            size: 0,
            sha256: wheel.sha256,
            required_by: of_spec(wheel),
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
    })
}
