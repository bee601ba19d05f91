//! pip as a part of an environment: from the directories of wheels, else from what the interpreter
//! brings for `ensurepip`.

use std::path::Path;

use anyhow::Result;

use super::{Evidence, Facts, Plan, PlannedWheel, choose_wheels};
use crate::fs;
use crate::invocation::Invocation;
use crate::report::Failure;
use crate::spec::{Located, Location, Packages, Requested, Requirements, Spec, parse_requirement};

const PIP: &str = "pip";

/// Adds pip to the plan of a spec, unless it is there. `memo` is the store's directory for facts
/// that can be found again.
///
/// # Errors
/// There is no wheel of pip that fits the interpreter.
pub fn add_pip(plan: &mut Plan, spec: &Spec, invocation: &Invocation, memo: &Path) -> Result<()> {
    let is_there = |wheel: &PlannedWheel| wheel.name.as_ref() == PIP;
    if plan.wheels.iter().any(is_there) {
        return Ok(());
    }
    let wheel = choose(spec, &plan.interpreter, invocation, memo)?
        .ok_or_else(|| no_pip(&plan.interpreter))?;
    plan.wheels.push(wheel);
    plan.wheels.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(())
}

/// The highest pip that fits, where a seed may come from; none where none does. It requires
/// nothing, so that it never stands in the way of other wheels.
fn choose(
    spec: &Spec,
    interpreter: &Facts,
    invocation: &Invocation,
    memo: &Path,
) -> Result<Option<PlannedWheel>> {
    let requirement = parse_requirement(PIP).map_err(Failure::new)?;
    // No error names the command line, which asks for it.
    let place = Location {
        file: None,
        line: 1,
        column: 1,
    };
    let asked = vec![Located {
        value: Requested {
            requirement,
            hashes: Vec::new(),
        },
        place,
    }];
    let packages = Packages::Required(Requirements {
        asked,
        ..Requirements::default()
    });
    let spec = Spec {
        packages,
        seed: true,
        ..spec.clone()
    };
    let chosen = choose_wheels(
        &spec,
        interpreter,
        invocation,
        memo,
        &mut Evidence::default(),
    );
    Ok(fs::ok_if_hidden(chosen)?
        .and_then(|(wheels, _)| wheels.into_iter().find(|wheel| wheel.name.as_ref() == PIP)))
}

fn no_pip(interpreter: &Facts) -> Failure {
    let title = format!("`{}`", interpreter.executable.display());
    let directories: Vec<String> = interpreter
        .bundled
        .iter()
        .map(|path| format!("`{}`", path.display()))
        .collect();
    Failure::new("no wheel of pip for `--with-pip`")
        .because(format!(
            "there is none for {} in the directories of wheels",
            interpreter.title()
        ))
        .because(format!(
            "{title} brings none in {}",
            directories.join(" or ")
        ))
        .hint(
            "put one into a directory of wheels, or install the system's package `python3-pip-whl`",
        )
}
