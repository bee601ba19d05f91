//! What `-vpython-log-level info` tells of a launch: what was decided and from what, in lines that
//! need no knowledge of the inside.

use std::path::Path;
use std::time::Duration;

use tracing::info;

use crate::plan::interpreter::{Source, Taken};
use crate::plan::{Evidence, Plan, PlannedWheel};
use crate::spec::{Spec, SpecKind, SpecText};

/// How many of the interpreters are named that will not do.
const NAMED: usize = 3;
/// How many wheels of a directory are named.
const NAMED_WHEELS: usize = 10;

/// Tells which spec was found.
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

/// Tells that the environment of the last launch is taken.
pub(super) fn of_hit(environment: &Path) {
    info!(
        "nothing has changed since the last launch: its environment is `{}`",
        environment.display()
    );
}

/// Tells why nothing of the last launch is taken; `why` is asked only where it is told.
pub(super) fn of_miss(why: impl FnOnce() -> String) {
    if tracing::enabled!(tracing::Level::INFO) {
        info!("deciding anew: {}", why());
    }
}

/// Tells which interpreter and which wheels were chosen.
pub(super) fn of_plan(plan: &Plan, spec: &Spec, evidence: &Evidence) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let passed_over = &evidence.choice.passed_over;
    for one in passed_over.iter().take(NAMED) {
        info!("passed over the interpreter {one}");
    }
    if passed_over.len() > NAMED {
        info!(
            "passed over {} more interpreters",
            passed_over.len() - NAMED
        );
    }
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

/// Tells which wheels come from where, a line for each directory.
fn of_wheels(wheels: &[PlannedWheel]) {
    let mut directories: Vec<&Path> = wheels
        .iter()
        .filter_map(|wheel| wheel.path.parent())
        .collect();
    directories.sort_unstable();
    directories.dedup();
    for directory in directories {
        let inside = wheels
            .iter()
            .filter(|wheel| wheel.path.parent() == Some(directory));
        let names: Vec<String> = inside
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

/// Tells where the environment is, and how long it took where it was built now.
pub(super) fn of_environment(environment: &Path, took: Option<Duration>) {
    let environment = environment.display();
    if let Some(took) = took {
        info!("built `{environment}` in {:.1} s", took.as_secs_f64());
    } else {
        info!("the environment `{environment}` stands already");
    }
}

/// Where an interpreter was found, in a clause.
fn found(taken: &Taken, plan: &Plan) -> String {
    let by = match taken.source {
        Source::Named => "named by the caller",
        Source::Bundle => "found beside vpython",
        Source::Path => "found on `PATH`",
        Source::Pyenv => "installed by pyenv",
        Source::Uv => "installed by uv",
    };
    let name = (taken.path != plan.interpreter.executable)
        .then(|| format!(" as `{}`", taken.path.display()));
    format!(", {by}{}", name.unwrap_or_default())
}
