//! Choosing the wheels of a spec: in the wheel directories and, where the caller asked for that, on
//! the package indexes.

use std::path::Path;

use anyhow::Result;
use tracing::info_span;

use super::wheelhouse::Wheelhouse;
use super::{Evidence, PlannedWheel, connect, resolve};
use crate::interpreter::Facts;
use crate::invocation::Invocation;
use crate::process::Process;
use crate::report::{Failure, progress};
use crate::spec::{Packages, Spec};

/// Lists the wheel directories of a launch, with the evidence.
pub(super) fn list(
    spec: &Spec,
    invocation: &Invocation,
    memo: &Path,
) -> Result<(Wheelhouse, Evidence)> {
    let _listing = info_span!("list the wheels").entered();
    let mut evidence = Evidence::default();
    let wheelhouse = Wheelhouse::open(spec, invocation, memo, &mut evidence)?;
    Ok((wheelhouse, evidence))
}

/// Selects the wheels of a spec in its wheel directories, and returns the reason why they cannot be
/// installed, if any. No directory is read if the spec requires no wheels.
///
/// # Errors
/// A wheel directory does not exist, no set of wheels satisfies the spec, or a wheel cannot be
/// read.
pub fn choose_wheels(
    spec: &Spec,
    interpreter: &Facts,
    invocation: &Invocation,
    memo: &Path,
    evidence: &mut Evidence,
) -> Result<Wheels> {
    if spec.wants_no_wheels() {
        return Ok((Vec::new(), None));
    }
    progress::phase("choosing the wheels");
    let (mut wheelhouse, seen) = list(spec, invocation, memo)?;
    evidence.extend(seen);
    let wheels = choose_among(&mut wheelhouse, spec, interpreter, evidence)?;
    wheelhouse.remember();
    Ok(wheels)
}

/// The wheels of a spec, and the reason why they cannot be installed, if any.
pub type Wheels = (Vec<PlannedWheel>, Option<Failure>);

/// The caller for whose spec wheels are chosen.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// Its command line.
    pub invocation: &'a Invocation,
    /// Its environment variables and directories.
    pub process: &'a Process,
    /// The directory of its store for cached facts.
    pub memo: &'a Path,
}

/// Selects the wheels of a spec as a launch does: in the listed directories and, if these do not
/// suffice and the caller asked for that, on the package indexes.
pub(super) fn choose_or_fetch(
    mut wheelhouse: Wheelhouse,
    spec: &Spec,
    interpreter: &Facts,
    caller: Caller<'_>,
    evidence: &mut Evidence,
) -> Result<Wheels> {
    let Caller {
        invocation,
        process,
        memo,
    } = caller;
    progress::phase("choosing the wheels");
    if !spec.may_fetch(invocation) {
        let wheels = choose_among(&mut wheelhouse, spec, interpreter, evidence)?;
        wheelhouse.remember();
        return Ok(wheels);
    }
    // Nothing is said about an attempt that is repeated.
    let before = evidence.clone();
    let local = choose_among(&mut wheelhouse, spec, interpreter, evidence);
    let wheels = if let Ok((wheels, None)) = local {
        (wheels, None)
    } else {
        *evidence = before;
        let connection = connect(spec, invocation, process, memo)?;
        evidence
            .warnings
            .extend(connection.warnings.iter().cloned());
        connection.attach_to(&mut wheelhouse, memo, evidence)?;
        let wheels = choose_among(&mut wheelhouse, spec, interpreter, evidence)?;
        evidence.remarks.extend(wheelhouse.remarks_on_indexes());
        wheels
    };
    wheelhouse.remember();
    Ok(wheels)
}

fn choose_among(
    wheelhouse: &mut Wheelhouse,
    spec: &Spec,
    interpreter: &Facts,
    evidence: &mut Evidence,
) -> Result<Wheels> {
    let _choosing = info_span!("choose the wheels").entered();
    Ok(match &spec.packages {
        Packages::Required(requirements) => (
            resolve::resolve(requirements, interpreter, wheelhouse, evidence)?,
            None,
        ),
        Packages::Listed(wheels) => (
            resolve::listed::resolve(wheels, interpreter, wheelhouse, evidence)?,
            None,
        ),
        Packages::Locked(lock) => {
            resolve::locked::resolve(lock, interpreter, wheelhouse, evidence)?
        }
    })
}
