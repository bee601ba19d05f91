//! The log lines of a launch at `-vpython-log-level info`: each decision and its inputs, in terms
//! that require no knowledge of vpython's internals.

use std::path::Path;
use std::time::Duration;

use tracing::info;

use crate::interpreter::{Source, Taken};
use crate::plan::{Evidence, Plan, PlannedWheel, by_directory};
use crate::spec::{Spec, SpecKind, SpecText};

/// The maximum number of skipped interpreters to list.
const NAMED: usize = 3;
/// The maximum number of wheels to list for each directory.
const NAMED_WHEELS: usize = 10;

/// Logs which spec was found.
pub(super) fn of_spec(text: &SpecText) {
    if text.kind == SpecKind::None {
        info!("there is no spec: the environment has no packages");
    } else {
        info!(
            "the spec is {}, line {} ({})",
            text.title(),
            text.line(),
            text.kind.name()
        );
    }
}

/// Logs that the launch uses the environment of the last one.
pub(super) fn of_hit(environment: &Path) {
    info!(
        "nothing has changed since the last launch; using its environment `{}`",
        environment.display()
    );
}

/// Logs why the launch cannot use the result of the last one. Calls `why` only if the line is
/// logged.
pub(super) fn of_miss(why: impl FnOnce() -> String) {
    if tracing::enabled!(tracing::Level::INFO) {
        info!("cold launch: {}", why());
    }
}

/// Logs which interpreter and which wheels were chosen.
pub(super) fn of_plan(plan: &Plan, spec: &Spec, evidence: &Evidence) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    // The interpreters that were found first but are not compatible.
    let passed_over = &evidence.choice.passed_over;
    for one in passed_over.iter().take(NAMED) {
        info!("skipped the interpreter {one}");
    }
    if passed_over.len() > NAMED {
        info!("skipped {} more interpreters", passed_over.len() - NAMED);
    }
    // The chosen interpreter: where it was found, and the range that it satisfies.
    let taken = evidence
        .choice
        .taken
        .as_ref()
        .map(|taken| found(taken, plan))
        .unwrap_or_default();
    let range = spec
        .requires_python
        .as_ref()
        .map(|range| format!(", for `{}` ({})", range.value, range.place));
    let range = range.unwrap_or_default();
    let (interpreter, title) = (&plan.interpreter.executable, plan.interpreter.title());
    info!(
        "the interpreter is `{}`, {title}{taken}{range}",
        interpreter.display()
    );
    of_wheels(&plan.wheels);
}

/// Logs the source directory of the wheels, one line for each directory.
fn of_wheels(wheels: &[PlannedWheel]) {
    for (directory, inside) in by_directory(wheels) {
        let names: Vec<String> = inside
            .iter()
            .map(|wheel| format!("{} {}", wheel.name, wheel.version))
            .collect();
        let more = match names.len().saturating_sub(NAMED_WHEELS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let first = &names[..names.len().min(NAMED_WHEELS)];
        info!(
            "wheels from `{}`: {}{more}",
            directory.display(),
            first.join(", ")
        );
    }
}

/// Logs the path of the environment, and the build time if this launch built it.
pub(super) fn of_environment(environment: &Path, took: Option<Duration>) {
    let environment = environment.display();
    if let Some(took) = took {
        info!("built `{environment}` in {:.1} s", took.as_secs_f64());
    } else {
        info!("the environment `{environment}` is already built");
    }
}

/// Describes in a clause where an interpreter was found.
fn found(taken: &Taken, plan: &Plan) -> String {
    let by = match taken.source {
        Source::Named => "named by the caller",
        Source::Bundle => "found next to vpython",
        Source::Path => "found on `PATH`",
        Source::Pyenv => "installed by pyenv",
        Source::Uv => "installed by uv",
    };
    let name = (taken.path != plan.interpreter.executable)
        .then(|| format!(" as `{}`", taken.path.display()));
    format!(", {by}{}", name.unwrap_or_default())
}
