//! `install`: an environment is built ahead of its launches, and all is said of it that no launch repeats.

use std::time::Instant;

use anyhow::Result;

use super::{Ready, prepare};
use crate::invocation::Invocation;
use crate::process::Process;
use crate::spec::{self, SpecKind};
use crate::store::Store;
use crate::{build, plan, tool};

/// Builds the environment, puts byte code into it, and says where it is and what it came to.
pub(super) fn run(invocation: &Invocation, process: &Process) -> Result<i32> {
    let started = Instant::now();
    let Ready { entry, is_built, remarks, .. } = prepare(invocation, process)?;
    let store = Store::open(invocation, process)?;
    invocation.warn(&remarks.map_or_else(|| remarks_again(&store, invocation, process), Ok)?);
    if !is_built {
        invocation.warn(&build::warnings(&entry.path, &store));
    }
    // Each time, and in no launch.
    invocation.warn(&spec::find(invocation, process)?.parse(process)?.unchecked_digests());
    let is_compiled = build::add_byte_code(&entry, &store, process)?;
    let took = (is_built || is_compiled).then(|| started.elapsed());
    if invocation.is_throw_away {
        invocation.warn([&format!("the store is a throw-away one: `{}` is removed now", entry.path.display())]);
    }
    let code = tool::install::run(&entry.path)?;
    invocation.notice(|| tool::install::summary(&entry.path, took));
    Ok(code)
}

/// What `install` says of a list of wheels, where the environment is that of an earlier launch, which has not said it.
fn remarks_again(store: &Store, invocation: &Invocation, process: &Process) -> Result<Vec<String>> {
    let text = spec::find(invocation, process)?;
    if text.kind != SpecKind::Luci {
        return Ok(Vec::new());
    }
    let (_, mut evidence) = plan::make(&text.parse(process)?, invocation, process, &store.memo_folder())?;
    Ok(tool::install::remarks(&mut evidence, invocation))
}
