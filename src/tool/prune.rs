//! `-vpython-tool prune`: what was not used for long is removed from the store, and after a build a
//! little of it by the way.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use bytesize::ByteSize;

use crate::invocation::{Invocation, Prune};
use crate::process::{Process, variable};
use crate::report::{self, Failure};
use crate::store::{Act, Limits, Pruned, Store, Stored, Usage, Use};

/// For how long an environment stays unused when nobody says anything else.
const OLDER_THAN: Duration = Duration::from_hours(30 * 24);
/// For how long a launch prunes by the way.
const BY_THE_WAY: Duration = Duration::from_millis(500);

/// Prunes, and says what went. Gives the exit code.
///
/// # Errors
/// The store cannot be read or written; a bad `VPYTHON_MAX_CACHE`.
pub fn run(options: &Prune, invocation: &Invocation, process: &Process) -> Result<i32> {
    let store = Store::look(invocation, process)?;
    if store.exists() {
        store.prepare()?;
    }
    let max_size = match options.max_size {
        Some(size) => Some(size.as_u64()),
        None => max_cache(invocation, process)?,
    };
    let older_than = if options.all {
        Duration::ZERO
    } else {
        options.older_than.unwrap_or_else(|| older_than(invocation))
    };
    let limits = Limits {
        older_than,
        max_size,
        until: None,
    };
    let act = if options.dry_run {
        Act::Pretend
    } else {
        Act::Remove
    };
    let usage = store.usage()?;
    let pruned = if store.exists() {
        store.prune(&limits, &usage, act)?
    } else {
        Pruned::default()
    };
    report::print(said(&pruned, &usage, act).as_bytes())?;
    Ok(0)
}

/// After a build, at most once a day and for at most half a second: whatever goes wrong, the launch
/// goes on.
pub fn by_the_way(store: &Store, invocation: &Invocation, process: &Process) {
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
        let until = SystemTime::now() + BY_THE_WAY;
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

/// For how long an environment may stay unused, where the command line does not say.
fn older_than(invocation: &Invocation) -> Duration {
    invocation
        .conf
        .prune_older_than
        .as_ref()
        .map_or(OLDER_THAN, |age| age.value)
}

/// How large the store may grow, where the command line does not say: the variable, or else
/// `vpython.conf` does.
fn max_cache(invocation: &Invocation, process: &Process) -> Result<Option<u64>> {
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

const STAYS_UNKNOWN: &str =
    ": stays, since the file system has no locks, and a program may run in it";

/// What went, a line each, and the sum.
fn said(pruned: &Pruned, usage: &Usage, act: Act) -> String {
    let now = SystemTime::now();
    let mut lines = String::new();
    let mut line = |stored: &Stored, why: &str| {
        let days = stored.age(now).as_secs() / (24 * 60 * 60);
        let _ = writeln!(
            lines,
            "{}  {}, unused for {days} days{why}",
            stored.manifest.key,
            stored.manifest.title()
        );
    };
    pruned
        .environments
        .iter()
        .for_each(|stored| line(stored, ""));
    for (stored, found) in &pruned.staying {
        line(
            stored,
            if *found == Use::Unknown {
                STAYS_UNKNOWN
            } else {
                ": stays, since a program runs in it"
            },
        );
    }
    match pruned.building {
        Use::Free => {}
        Use::InUse => lines += "unpacked wheels stay, since somebody builds\n",
        Use::Unknown => {
            lines +=
                "unpacked wheels stay, since the file system has no locks, and somebody may build\n"
        }
    }
    let own = pruned
        .environments
        .iter()
        .filter_map(|stored| usage.entries.get(stored.manifest.key.as_str()));
    let wheels = pruned
        .wheels
        .iter()
        .filter_map(|digest| usage.wheels.get(digest));
    let freed = own.map(|space| space.own).sum::<u64>() + wheels.sum::<u64>();
    let verb = if act == Act::Remove {
        "removed"
    } else {
        "would remove"
    };
    let count =
        |count: usize, name: &str| format!("{count} {name}{}", if count == 1 { "" } else { "s" });
    lines
        + &format!(
            "{verb} {}, {} and {} of builds and launches: {}\n",
            count(pruned.environments.len(), "environment"),
            count(pruned.wheels.len(), "unpacked wheel"),
            count(pruned.rubbish.len(), "leftover"),
            ByteSize::b(freed)
        )
}
