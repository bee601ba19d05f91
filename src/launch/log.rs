//! The log lines of a launch at `-vpython-log-level info`: each decision and its inputs, in terms
//! that require no knowledge of vpython's internals.

use std::path::Path;
use std::time::Duration;

use tracing::info;

use super::{Decided, Recorder};
use crate::interpreter::{InterpreterChoice, Source, Taken};
use crate::invocation::Invocation;
use crate::plan::{PlannedWheel, by_directory};
use crate::spec::{Spec, SpecKind, SpecText};

/// The maximum number of skipped interpreters to list.
const NAMED: usize = 3;
/// The maximum number of wheels to list for each directory.
const NAMED_WHEELS: usize = 10;

/// Logs the stages of a launch, and prints their warnings.
pub struct Log<'i>(pub &'i Invocation);

impl Recorder for Log<'_> {
    fn warn<'w>(&mut self, warnings: impl IntoIterator<Item = &'w String>) {
        self.0.warn(warnings);
    }

    fn is_warm(&mut self, environment: &Path) {
        info!(
            "nothing has changed since the last launch; using its environment `{}`",
            environment.display()
        );
    }

    /// Calls `why` only if the line is logged.
    fn is_cold(&mut self, why: impl FnOnce() -> String) {
        if tracing::enabled!(tracing::Level::INFO) {
            info!("cold launch: {}", why());
        }
    }

    fn parsed(&mut self, _: &Spec) {}

    /// Logs the interpreters that were found first but are not compatible.
    fn chose_interpreter(&mut self, choice: &InterpreterChoice) {
        for one in choice.passed_over.iter().take(NAMED) {
            info!("skipped the interpreter {one}");
        }
        let more = choice.passed_over.len().saturating_sub(NAMED);
        if more > 0 {
            info!("skipped {more} more interpreters");
        }
    }

    fn planned(&mut self, decided: &Decided) {
        if tracing::enabled!(tracing::Level::INFO) {
            interpreter(decided);
            wheels(&decided.plan.wheels);
        }
    }
}

impl Log<'_> {
    /// Logs which spec was found.
    pub(super) fn found(text: &SpecText) {
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

    /// Logs the path of the environment, and the build time if this launch built it.
    pub(super) fn prepared(environment: &Path, took: Option<Duration>) {
        let environment = environment.display();
        if let Some(took) = took {
            info!("built `{environment}` in {:.1} s", took.as_secs_f64());
        } else {
            info!("the environment `{environment}` is already built");
        }
    }
}

/// Logs the chosen interpreter: where it was found, and the range that it satisfies.
fn interpreter(decided: &Decided) {
    let Decided {
        spec,
        plan,
        evidence,
        connection: _,
        python_kept: _,
    } = decided;
    let taken = evidence
        .choice
        .taken
        .as_ref()
        .map(found)
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
}

/// Logs the source directory of the wheels, one line for each directory.
fn wheels(wheels: &[PlannedWheel]) {
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

/// Describes in a clause where an interpreter was found.
fn found(taken: &Taken) -> String {
    let by = match taken.source {
        Source::Named => "named by the caller",
        Source::Image => "copied from an image",
        Source::Bundle => "found next to vpython",
        Source::Path => "found on `PATH`",
        Source::Pyenv => "installed by pyenv",
        Source::Uv => "installed by uv",
    };
    let name =
        (taken.path != taken.facts.executable).then(|| format!(" as `{}`", taken.path.display()));
    format!(", {by}{}", name.unwrap_or_default())
}
