//! `install`: an environment is built ahead of its launches, and all is said of it that no launch
//! repeats.

use std::time::Instant;

use anyhow::Result;

use super::{Ready, prepare};
use crate::invocation::Invocation;
use crate::process::Process;
use crate::spec::{self, Packages};
use crate::store::Store;
use crate::{build, plan, tool};

/// Builds the environment, puts byte code into it, and says where it is and what it came to.
pub(super) fn run(invocation: &Invocation, process: &Process) -> Result<i32> {
    let started = Instant::now();
    let Ready {
        entry,
        is_built,
        remarks,
        ..
    } = prepare(invocation, process)?;
    let store = Store::open(invocation, process)?;
    invocation.warn(&remarks.map_or_else(|| remarks_again(&store, invocation, process), Ok)?);
    if !is_built {
        invocation.warn(&build::warnings(&entry.path, &store));
    }
    let is_compiled = build::add_byte_code(&entry, &store, process)?;
    let took = (is_built || is_compiled).then(|| started.elapsed());
    if invocation.is_throw_away {
        invocation.warn([&format!(
            "the store is a throw-away one: `{}` is removed now",
            entry.path.display()
        )]);
    }
    let code = tool::install::run(&entry.path)?;
    invocation.notice(|| tool::install::summary(&entry.path, took));
    Ok(code)
}

/// What `install` says where the environment is that of an earlier launch, which has not said it.
fn remarks_again(store: &Store, invocation: &Invocation, process: &Process) -> Result<Vec<String>> {
    let spec = spec::find(invocation, process)?.parse(process)?;
    // What there is to say of a list of wheels, the plan tells.
    if !matches!(spec.packages, Packages::Listed(_)) {
        return Ok(spec.unchecked_digests());
    }
    let (_, mut evidence) = plan::make(&spec, invocation, process, &store.memo_directory())?;
    Ok(tool::install::remarks(&mut evidence, invocation))
}
