//! Choosing the wheels of a spec: in the wheel directories and, where the caller asked for that, on
//! the package indexes.

use std::path::Path;

use anyhow::Result;
use pep508_rs::PackageName;
use tracing::info_span;

use super::wheelhouse::Wheelhouse;
use super::{Connection, Evidence, PlannedWheel, Unavailable, connect, resolve};
use crate::interpreter::Facts;
use crate::invocation::Invocation;
use crate::process::Process;
use crate::report::progress;
use crate::spec::{Packages, Spec};

/// The wheel directories of a launch.
pub(super) struct Listed {
    wheelhouse: Wheelhouse,
    evidence: Evidence,
    /// The package indexes, if it is known that the directories do not suffice.
    connection: Option<Connection>,
}

/// Lists the wheel directories of a launch, while another thread finds the interpreter. If the
/// launch will need the package indexes whichever interpreter that is, it also requests the lists of
/// the projects, as long as `is_waiting` returns true.
pub(super) fn list_for_launch(
    spec: &Spec,
    caller: Caller<'_>,
    is_waiting: &(dyn Fn() -> bool + Sync),
) -> Result<Listed> {
    let Caller {
        invocation,
        process,
        memo,
    } = caller;
    let (wheelhouse, evidence) = list(spec, invocation, memo)?;
    let missing = missing(spec, &wheelhouse);
    let mut connection = None;
    if !missing.is_empty() && spec.may_fetch(invocation) {
        let opened = connect(spec, invocation, process, memo)?;
        info_span!("request the lists of projects")
            .in_scope(|| opened.request_lists(&missing, is_waiting));
        connection = Some(opened);
    }
    Ok(Listed {
        wheelhouse,
        evidence,
        connection,
    })
}

/// Returns the projects that the spec requires on each interpreter, and of which no directory has a
/// wheel.
fn missing(spec: &Spec, wheelhouse: &Wheelhouse) -> Vec<PackageName> {
    let Packages::Required(requirements) = &spec.packages else {
        return Vec::new();
    };
    let asked = requirements.asked.iter();
    let asked = asked.map(|asked| &asked.value.requirement);
    let missing = asked.filter(|requirement| {
        requirement.marker.is_true() && wheelhouse.wheels(&requirement.name).is_empty()
    });
    missing
        .map(|requirement| requirement.name.clone())
        .collect()
}

/// Lists wheel directories, with the evidence.
fn list(spec: &Spec, invocation: &Invocation, memo: &Path) -> Result<(Wheelhouse, Evidence)> {
    let _listing = info_span!("list the wheels").entered();
    let mut evidence = Evidence::default();
    let wheelhouse = Wheelhouse::open(spec, invocation, memo, &mut evidence)?;
    Ok((wheelhouse, evidence))
}

/// Selects the wheels of a spec in its wheel directories, and returns those without a file, if any.
/// No directory is read if the spec requires no wheels.
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

/// The wheels of a spec, and those of them without a file, if any.
pub type Wheels = (Vec<PlannedWheel>, Option<Unavailable>);

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
/// suffice and the caller asked for that, on the package indexes. Returns the connection to these if
/// they were used.
pub(super) fn choose_or_fetch(
    listed: Listed,
    spec: &Spec,
    interpreter: &Facts,
    caller: Caller<'_>,
    evidence: &mut Evidence,
) -> Result<(Wheels, Option<Connection>)> {
    let Caller {
        invocation,
        process,
        memo,
    } = caller;
    let Listed {
        mut wheelhouse,
        evidence: seen,
        connection,
    } = listed;
    evidence.extend(seen);
    progress::phase("choosing the wheels");
    let connection = if let Some(connection) = connection {
        connection
    } else {
        // Nothing is said about an attempt that is repeated.
        let before = evidence.clone();
        let local = choose_among(&mut wheelhouse, spec, interpreter, evidence);
        if matches!(local, Ok((_, None))) || !spec.may_fetch(invocation) {
            let wheels = local?;
            wheelhouse.remember();
            return Ok((wheels, None));
        }
        *evidence = before;
        connect(spec, invocation, process, memo)?
    };
    evidence.passing.extend(connection.warnings.iter().cloned());
    connection.attach_to(&mut wheelhouse, memo, evidence)?;
    let of_registries = if connection.attach_registries(&mut wheelhouse)? {
        choose_without_indexes(&mut wheelhouse, spec, interpreter, evidence)
    } else {
        None
    };
    let wheels = match of_registries {
        Some(wheels) => wheels,
        None => choose_among(&mut wheelhouse, spec, interpreter, evidence)?,
    };
    evidence.remarks.extend(wheelhouse.remarks_on_indexes());
    wheelhouse.remember();
    Ok((wheels, Some(connection)))
}

/// Selects the wheels of a spec in its directories and registries, if these suffice: then no package
/// index is asked.
fn choose_without_indexes(
    wheelhouse: &mut Wheelhouse,
    spec: &Spec,
    interpreter: &Facts,
    evidence: &mut Evidence,
) -> Option<Wheels> {
    let before = evidence.clone();
    wheelhouse.ask_indexes(false);
    let chosen = choose_among(wheelhouse, spec, interpreter, evidence);
    wheelhouse.ask_indexes(true);
    let chosen = chosen.ok().filter(|(_, unavailable)| unavailable.is_none());
    if chosen.is_none() {
        // Nothing is said about an attempt that is repeated.
        *evidence = before;
    }
    chosen
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
