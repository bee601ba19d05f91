//! The interpreter of a launch, if the command line or the spec names an image: its copy in the
//! store takes the place of the image.

use std::borrow::Cow;

use anyhow::Result;

use crate::build::{self, WantedPython};
use crate::invocation::Invocation;
use crate::process::Process;
use crate::spec::Spec;
use crate::store::Store;

/// Returns the command line with the copy of the interpreter, which is made if the store and the
/// shared roots lack it. Without an image, that is the command line as it is.
///
/// # Errors
/// The interpreter cannot be copied from its image.
pub fn with_interpreter<'i>(
    spec: &Spec,
    store: &Store,
    invocation: &'i Invocation,
    process: &Process,
) -> Result<Cow<'i, Invocation>> {
    copied(spec, store, invocation, process, spec.may_fetch(invocation))
}

/// Like [`with_interpreter`], for a tool that uses the network by itself.
///
/// # Errors
/// Those of [`with_interpreter`].
pub fn with_fetched_interpreter<'i>(
    spec: &Spec,
    store: &Store,
    invocation: &'i Invocation,
    process: &Process,
) -> Result<Cow<'i, Invocation>> {
    copied(spec, store, invocation, process, true)
}

fn copied<'i>(
    spec: &Spec,
    store: &Store,
    invocation: &'i Invocation,
    process: &Process,
    may_fetch: bool,
) -> Result<Cow<'i, Invocation>> {
    // An interpreter that the caller names replaces the spec's.
    let of_caller = invocation.interpreter_image.as_ref();
    let of_spec = || Some(&spec.interpreter.as_ref()?.value);
    let is_named = invocation.interpreter.is_some();
    let Some(image) = of_caller.or_else(|| of_spec().filter(|_| !is_named)) else {
        return Ok(Cow::Borrowed(invocation));
    };
    let wanted = WantedPython { image, may_fetch };
    let python = build::python(&wanted, store, invocation, process)?;
    Ok(Cow::Owned(Invocation {
        interpreter: Some(python.executable()),
        interpreter_image: Some(image.clone()),
        ..invocation.clone()
    }))
}
