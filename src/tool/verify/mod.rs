//! `-vpython-tool verify`: checks whether there is a wheel for each requirement of a spec, on this
//! machine and on each platform that the spec names.
//!
//! The table goes to stdout, and the reasons for missing wheels go to stderr. The exit code is 0 or
//! 1.

mod table;

use std::borrow::Cow;

use anyhow::Result;

use crate::build;
use crate::invocation::Invocation;
use crate::launch;
use crate::plan::{self, Cell, Evidence, Plan, Verification};
use crate::process::Process;
use crate::report;
use crate::spec::{self, SpecKind};
use crate::store::Store;

/// Checks the available wheels against the spec of a command line, and prints the result. Returns
/// the exit code, which is 1 if a wheel is missing.
///
/// # Errors
/// The spec cannot be read, or its requirements cannot be checked at all; standard output cannot be
/// written.
pub fn run(invocation: &Invocation, process: &Process) -> Result<i32> {
    let text = spec::find(invocation, process)?;
    let spec = text.parse(invocation, process)?;
    // Without a store nothing is cached: no file can exist below `/dev/null`.
    let store = Store::look(invocation, process).ok();
    let memo = (store.as_ref()).map_or_else(|| "/dev/null".into(), Store::memo_directory);
    let here = match &store {
        Some(store) => launch::with_interpreter(&spec, store, invocation, process)?,
        None => Cow::Borrowed(invocation),
    };
    let invocation = &*here;
    if spec.may_fetch(invocation) {
        invocation.notice(|| {
            "`verify` reads the wheel directories only, whatever a launch may fetch; `explain` and `lock` read the indexes too"
                .to_owned()
        });
    }
    let verification = plan::verify(&spec, invocation, process, &memo)?;
    invocation.warn(
        text.warnings
            .iter()
            .chain(&spec.warnings)
            .chain(&verification.warnings),
    );
    let title = text.title();
    let code = print(
        (text.kind != SpecKind::None).then_some(title.as_str()),
        &verification,
        invocation,
    )?;
    // Complete the plan for this machine, and print the warnings of its build.
    let plan = verification.here.filter(|_| code == 0).map(|interpreter| {
        let chosen = plan::choose_wheels(
            &spec,
            &interpreter,
            invocation,
            &memo,
            &mut Evidence::default(),
        );
        let (strict, system_packages) = (spec.strict, spec.system_packages);
        chosen.map(|(wheels, unavailable)| Plan {
            interpreter,
            wheels,
            unavailable,
            strict,
            system_packages,
        })
    });
    if let Some(plan) = plan.transpose()? {
        invocation.warn(&build::foreseen(&plan));
    }
    Ok(code)
}

/// Prints the result of the check. `spec` is the title of the spec, or `None` if there is no spec.
fn print(spec: Option<&str>, verification: &Verification, invocation: &Invocation) -> Result<i32> {
    let Verification { columns, rows, .. } = verification;
    let text = match spec {
        None => "nothing to check: there is no spec\n".to_owned(),
        Some(spec) if rows.is_empty() => format!("nothing to check: {spec} requires no wheels\n"),
        Some(spec) => format!(
            "{}{}",
            table::render(columns, rows),
            closing_line(spec, verification, invocation)
        ),
    };
    report::print(report::printable_lines(&text).as_bytes())?;
    let refusals = columns.iter().filter_map(|column| column.refusal.as_ref());
    Ok(i32::from(
        refusals.inspect(|refusal| report::error(refusal)).count() > 0,
    ))
}

/// Returns the line that lists the seeds without a wheel, which the table does not show.
fn unseeded(verification: &Verification, invocation: &Invocation) -> Option<String> {
    let seeds: Vec<String> = verification
        .unseeded
        .iter()
        .map(ToString::to_string)
        .collect();
    (!seeds.is_empty()).then(|| {
        let how = match invocation.why_nothing_is_fetched() {
            Some(why) => format!("nothing can be fetched: {why}"),
            None => "`-vpython-tool fetch` downloads the missing wheels".to_owned(),
        };
        format!("not seeded: {} ({how})\n", seeds.join(", "))
    })
}

/// Returns the line after the table, which is empty if the check failed.
fn closing_line(spec: &str, verification: &Verification, invocation: &Invocation) -> String {
    let Verification { columns, rows, .. } = verification;
    if columns.iter().any(|column| column.refusal.is_some()) {
        return String::new();
    }
    if rows
        .iter()
        .flat_map(|row| &row.cells)
        .all(|cell| *cell == Cell::Unwanted)
    {
        return format!(
            "\nnothing to check: {spec} requires no wheels on any of these platforms\n"
        );
    }
    // The first column is this machine.
    let ok = match columns.len() - 1 {
        0 => "\nok here; the spec names no other platforms\n".to_owned(),
        1 => "\nok here and on 1 platform\n".to_owned(),
        platforms => format!("\nok here and on {platforms} platforms\n"),
    };
    ok + &unseeded(verification, invocation).unwrap_or_default()
}
