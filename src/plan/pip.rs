//! pip as a part of an environment: from the directories of wheels, else from what the interpreter brings for `ensurepip`.

use std::path::Path;

use anyhow::Result;

use super::{Evidence, Facts, Plan, PlannedWheel, choose_wheels};
use crate::fs;
use crate::invocation::{Invocation, Wheels};
use crate::report::Failure;
use crate::spec::{Asked, Packages, Place, Placed, Requirements, Spec, parse_requirement};

const PIP: &str = "pip";

/// Adds pip to the plan of a spec, unless it is there. `memo` is the store's directory for facts that can be found again.
///
/// # Errors
/// There is no wheel of pip that fits the interpreter.
pub fn add_pip(plan: &mut Plan, spec: &Spec, invocation: &Invocation, memo: &Path) -> Result<()> {
    let is_there = |wheel: &PlannedWheel| wheel.name.as_ref() == PIP;
    if plan.wheels.iter().any(is_there) {
        return Ok(());
    }
    let found = match in_wheelhouses(spec, &plan.interpreter, invocation, memo)? {
        Some(wheel) => Some(wheel),
        None => bundled(&plan.interpreter, invocation, memo)?,
    };
    let wheel = found.ok_or_else(|| no_pip(&plan.interpreter))?;
    plan.wheels.push(wheel);
    plan.wheels.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(())
}

/// The wheel of pip in the directories of the spec and the caller.
fn in_wheelhouses(spec: &Spec, interpreter: &Facts, invocation: &Invocation, memo: &Path) -> Result<Option<PlannedWheel>> {
    choose(&Spec { packages: asking()?, ..spec.clone() }, interpreter, invocation, memo)
}

/// The wheel of pip that the interpreter brings.
fn bundled(interpreter: &Facts, invocation: &Invocation, memo: &Path) -> Result<Option<PlannedWheel>> {
    let there = interpreter.bundled.iter().filter(|directory| fs::exists(directory));
    let wheelhouses = there.map(|directory| Placed { value: directory.clone(), place: place() }).collect();
    let spec = Spec { packages: asking()?, wheelhouses, ..Spec::default() };
    choose(&spec, interpreter, &Invocation { wheels: Wheels::default(), ..invocation.clone() }, memo)
}

/// The highest pip that fits; none where none does. It requires nothing, so that it never stands in the way of other wheels.
fn choose(spec: &Spec, interpreter: &Facts, invocation: &Invocation, memo: &Path) -> Result<Option<PlannedWheel>> {
    let chosen = choose_wheels(spec, interpreter, invocation, memo, &mut Evidence::default());
    Ok(fs::visible(chosen)?.and_then(|(wheels, _)| wheels.into_iter().find(|wheel| wheel.name.as_ref() == PIP)))
}

fn asking() -> Result<Packages> {
    let requirement = parse_requirement(PIP).map_err(Failure::new)?;
    let asked = vec![Placed { value: Asked { requirement, hashes: Vec::new() }, place: place() }];
    Ok(Packages::Required(Requirements { asked, ..Requirements::default() }))
}

/// The command line, which no error names.
fn place() -> Place {
    Place { file: None, line: 1, column: 1 }
}

fn no_pip(interpreter: &Facts) -> Failure {
    let title = format!("`{}`", interpreter.executable.display());
    let directories: Vec<String> = interpreter.bundled.iter().map(|path| format!("`{}`", path.display())).collect();
    Failure::new("no wheel of pip for `--with-pip`")
        .because(format!("there is none for {} in the directories of wheels", interpreter.title()))
        .because(format!("{title} brings none in {}", directories.join(" or ")))
        .hint("put one into a directory of wheels, or install the system's package `python3-pip-whl`")
}
