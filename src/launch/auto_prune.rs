//! The pruning of the store after a build, and the limits that it shares with `-vpython-tool prune`.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use bytesize::ByteSize;

use crate::invocation::Invocation;
use crate::process::{Process, variable};
use crate::report::{self, Failure};
use crate::store::{Act, Limits, Store, Usage};

/// The age at which an unused environment is removed by default.
const OLDER_THAN: Duration = Duration::from_hours(30 * 24);
/// The time that a launch spends on pruning at most.
const TIME: Duration = Duration::from_millis(500);

/// Prunes at most once a day and for at most half a second. A failure is a warning: the launch goes
/// on.
pub(super) fn run(store: &Store, invocation: &Invocation, process: &Process) {
    if !store.is_prune_due() {
        return;
    }
    let prune = || {
        let max_size = max_cache(invocation, process)?;
        let usage = if max_size.is_some() {
            store.usage()?
        } else {
            Usage::default()
        };
        let until = SystemTime::now() + TIME;
        let pruned = store.prune(
            &Limits {
                older_than: older_than(invocation),
                max_size,
                until: Some(until),
            },
            &usage,
            Act::Remove,
        )?;
        if SystemTime::now() < until {
            store.note_prune()?;
        }
        Ok::<_, anyhow::Error>(pruned)
    };
    match prune() {
        Ok(pruned) => {
            tracing::debug!(
                environments = pruned.environments.len(),
                wheels = pruned.wheels.len(),
                "pruned the store"
            );
        }
        Err(error) => report::warning(&format!(
            "cannot prune the store: {}",
            report::one_line(&error)
        )),
    }
}

/// The age at which an unused environment is removed, unless the command line says.
#[must_use]
pub fn older_than(invocation: &Invocation) -> Duration {
    invocation
        .conf
        .prune_older_than
        .as_ref()
        .map_or(OLDER_THAN, |age| age.value)
}

/// The size to which the store may grow, unless the command line says: `VPYTHON_MAX_CACHE`, else
/// `vpython.conf`. `None` is without limit.
///
/// # Errors
/// The variable is not a size.
pub fn max_cache(invocation: &Invocation, process: &Process) -> Result<Option<u64>> {
    let of_site = invocation
        .conf
        .prune_max_size
        .as_ref()
        .map(|size| size.value);
    let Some(text) = process.setting(variable::MAX_CACHE) else {
        return Ok(of_site);
    };
    let text = text.to_string_lossy();
    match text.parse::<ByteSize>() {
        Ok(size) => Ok(Some(size.as_u64())),
        Err(_) => Err(Failure::new(format!(
            "`{}` is `{text}`, which is no size",
            variable::MAX_CACHE
        ))
        .hint("write a number and its unit, as in `10GiB`")
        .into()),
    }
}
