//! The pruning of the store after a build, and the limits that it shares with `-vpython-tool prune`.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use bytesize::ByteSize;

use crate::invocation::Invocation;
use crate::process::{Process, variable};
use crate::report::{self, Failure};
use crate::store::{Act, Limits, Pruned, Store, Usage};

/// The default age at which an unused environment is removed.
const OLDER_THAN: Duration = Duration::from_hours(30 * 24);
/// The maximum time that a launch spends on pruning.
const TIME: Duration = Duration::from_millis(500);

/// Prunes opportunistically, at most once a day and for at most half a second. A failure is only a
/// warning; the launch continues.
pub(super) fn run(store: &Store, invocation: &Invocation, process: &Process) {
    if !store.is_prune_due() {
        return;
    }
    // The size of the store is measured only if it is limited.
    let prune = || {
        let max_size = max_cache(invocation, process)?;
        // The launches of other users leave no trace in a store that they share, so the age of an
        // environment means nothing there, unless its owner has set a limit.
        let is_limited = max_size.is_some() || invocation.conf.prune_older_than.is_some();
        if store.is_readable_by_others() && !is_limited {
            return Ok(Pruned::default());
        }
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
                keeps_answers: true,
            },
            &usage,
            Act::Remove,
        )?;
        // A prune that ran out of time continues after the next build.
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

/// Returns the age at which an unused environment is removed if the command line does not set it.
#[must_use]
pub fn older_than(invocation: &Invocation) -> Duration {
    invocation
        .conf
        .prune_older_than
        .as_ref()
        .map_or(OLDER_THAN, |age| age.value)
}

/// Returns the maximum size of the store if the command line does not set it: the value of
/// `VPYTHON_MAX_CACHE`, or else of `vpython.conf`.
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
            "`{}` is `{text}`, which is not a size",
            variable::MAX_CACHE
        ))
        .hint("write a number with a unit, such as `10GiB`")
        .into()),
    }
}
