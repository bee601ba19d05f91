//! `-vpython-tool prune`: removes environments and wheels from the store that were not used for a
//! long time.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use bytesize::ByteSize;

use crate::invocation::{Invocation, Prune};
use crate::launch::auto_prune;
use crate::process::Process;
use crate::report;
use crate::store::{Act, Limits, Pruned, Store, Stored, Usage, Use};

/// Prunes the store, and prints what was removed. Returns the exit code.
///
/// # Errors
/// The store cannot be read or written; `VPYTHON_MAX_CACHE` is not a size.
pub fn run(options: &Prune, invocation: &Invocation, process: &Process) -> Result<i32> {
    let store = Store::look(invocation, process)?;
    if store.exists() {
        store.prepare()?;
    }
    // The command line overrides the variable and `vpython.conf`.
    let max_size = match options.max_size {
        Some(size) => Some(size.as_u64()),
        None => auto_prune::max_cache(invocation, process)?,
    };
    let older_than = if options.all {
        Duration::ZERO
    } else {
        options
            .older_than
            .unwrap_or_else(|| auto_prune::older_than(invocation))
    };
    let limits = Limits {
        older_than,
        max_size,
        until: None,
        keeps_answers: !options.all,
    };
    let act = if options.dry_run {
        Act::Pretend
    } else {
        Act::Remove
    };
    // A store that does not exist is reported like an empty one.
    let usage = store.usage()?;
    let pruned = if store.exists() {
        store.prune(&limits, &usage, act)?
    } else {
        Pruned::default()
    };
    report::print(summary(&pruned, &usage, act).as_bytes())?;
    Ok(0)
}

const KEPT_UNKNOWN: &str =
    ": kept, because the file system has no locks and a program may be running in it";

/// Returns the report: a line for each environment, and the totals.
fn summary(pruned: &Pruned, usage: &Usage, act: Act) -> String {
    let now = SystemTime::now();
    // One line for each environment, removed or kept.
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
                KEPT_UNKNOWN
            } else {
                ": kept, because a program is running in it"
            },
        );
    }
    // A running build may need any unpacked wheel.
    match pruned.building {
        Use::Free => {}
        Use::Busy => lines += "unpacked wheels are kept, because a build is running\n",
        Use::Unknown => {
            lines += "unpacked wheels are kept, because the file system has no locks and a build may be running\n";
        }
    }
    // The freed space excludes files that environments share with unpacked wheels that are kept.
    let own = pruned
        .environments
        .iter()
        .filter_map(|stored| usage.entries.get(stored.manifest.key.as_str()));
    let wheels = pruned
        .wheels
        .iter()
        .filter_map(|digest| usage.wheels.get(digest));
    let pythons = pruned.pythons.iter();
    let pythons = pythons.filter_map(|digest| usage.pythons.get(digest));
    let (answers, of_answers) = pruned.answers;
    let (layers, of_layers) = pruned.layers;
    let freed = of_answers
        + of_layers
        + pythons.sum::<u64>()
        + own.map(|space| space.own).sum::<u64>()
        + wheels.sum::<u64>();
    let verb = if act == Act::Remove {
        "removed"
    } else {
        "would remove"
    };
    let count =
        |count: usize, name: &str| format!("{count} {name}{}", if count == 1 { "" } else { "s" });
    let and_of = |found: usize, name: &str, of: &str| {
        if found == 0 {
            String::new()
        } else {
            format!(", {} of {of}", count(found, name))
        }
    };
    lines
        + &format!(
            "{verb} {}, {}{}{}{} and {} of builds and launches: {}\n",
            count(pruned.environments.len(), "environment"),
            count(pruned.wheels.len(), "unpacked wheel"),
            if pruned.pythons.is_empty() {
                String::new()
            } else {
                format!(
                    ", {} from images",
                    count(pruned.pythons.len(), "interpreter")
                )
            },
            and_of(layers, "layer", "images"),
            and_of(answers, "cached answer", "package indexes"),
            count(pruned.garbage.len(), "leftover"),
            ByteSize::b(freed)
        )
}
