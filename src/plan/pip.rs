//! Adds pip to an environment: from the wheel directories, or else from the interpreter's
//! `ensurepip` wheels.

use std::path::Path;

use anyhow::Result;

use super::{Evidence, Plan, PlannedWheel, choose_wheels};
use crate::fs;
use crate::interpreter::Facts;
use crate::invocation::Invocation;
use crate::report::Failure;
use crate::spec::{Located, Location, Packages, Requested, Requirements, Spec, parse_requirement};

const PIP: &str = "pip";

/// Adds pip to the plan of a spec, unless the plan contains it. `memo` is the store's directory for
/// cached facts.
///
/// # Errors
/// No wheel of pip is compatible with the interpreter.
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

/// Returns the highest compatible pip from the sources of seeds; `None` if there is none. pip has
/// no dependencies, so it never conflicts with other wheels.
fn choose(
    spec: &Spec,
    interpreter: &Facts,
    invocation: &Invocation,
    memo: &Path,
) -> Result<Option<PlannedWheel>> {
    let requirement = parse_requirement(PIP).map_err(Failure::new)?;
    // The requirement comes from the command line; no error shows this location.
    let place = Location {
        file: None,
        line: 1,
        column: 1,
    };
    let asked = vec![Located {
        value: Requested {
            requirement,
            hashes: Vec::new(),
            url: None,
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
    Failure::new("cannot install pip for `--with-pip`")
        .because(format!(
            "no wheel of pip in the wheel directories is compatible with {}",
            interpreter.title()
        ))
        .because(format!(
            "{title} has no wheel of pip in {}",
            directories.join(" or ")
        ))
        .hint(
            "add a pip wheel to a wheel directory, or install the system package `python3-pip-whl`",
        )
}
