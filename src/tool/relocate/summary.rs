//! Prints what was changed, or would be: as lines, or as JSON.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::edits::Edits;
use super::environment::Environment;
use super::prefixes::{self, Prefixes};
use crate::invocation::Relocate;
use crate::report;

/// Incremented when the meaning of the output changes.
const VERSION: u32 = 1;

/// The output of `--json`.
#[derive(Serialize)]
struct Summary {
    version: u32,
    /// The current path of the environment.
    environment: String,
    /// The path that it will have.
    to: String,
    /// The old prefixes.
    from: Vec<String>,
    /// Its new interpreter.
    python: Option<String>,
    dry_run: bool,
    changes: Vec<Changed>,
    #[serde(rename = "unmended")]
    unfixable: Vec<Unfixable>,
}

#[derive(Serialize)]
struct Changed {
    path: String,
    part: &'static str,
}

#[derive(Serialize)]
struct Unfixable {
    path: String,
    why: String,
}

/// Prints the summary. Without `--json`, warns of what cannot be fixed.
///
/// # Errors
/// Returns an error if standard output cannot be written.
pub(super) fn print(
    options: &Relocate,
    environment: &Environment,
    prefixes: &Prefixes,
    python: Option<&Path>,
    edits: &Edits,
) -> Result<()> {
    let shown = |path: &Path| path.display().to_string();
    let summary = Summary {
        version: VERSION,
        environment: shown(&environment.path),
        to: shown(&prefixes::path(prefixes.to())),
        from: prefixes
            .old()
            .iter()
            .map(|prefix| shown(&prefixes::path(prefix)))
            .collect(),
        python: python.map(shown),
        dry_run: options.dry_run,
        changes: edits
            .changes
            .iter()
            .map(|(path, change)| Changed {
                path: shown(path),
                part: change.part,
            })
            .collect(),
        unfixable: edits
            .unfixable
            .iter()
            .map(|one| Unfixable {
                path: shown(&one.path),
                why: one.why.clone(),
            })
            .collect(),
    };
    // JSON contains the files that cannot be fixed; the text form warns of them.
    if options.json {
        return report::print((serde_json::to_string_pretty(&summary)? + "\n").as_bytes());
    }
    report::print(summary.text().as_bytes())?;
    for Unfixable { path, why } in &summary.unfixable {
        report::warning(&format!("cannot fix `{path}`: {why}"));
    }
    Ok(())
}

impl Summary {
    fn text(&self) -> String {
        let lines: Vec<String> = self
            .changes
            .iter()
            .map(|Changed { path, part }| format!("{path}: {part}\n"))
            .collect();
        let count = match self.changes.len() {
            0 => {
                return format!(
                    "nothing to change: the environment is set up for `{}`\n",
                    self.to
                );
            }
            1 => "1 file".to_owned(),
            count => format!("{count} files"),
        };
        let done = if self.dry_run {
            "would be changed"
        } else {
            "changed"
        };
        format!(
            "{}{count} {done}: the environment is set up for `{}`\n",
            lines.concat(),
            self.to
        )
    }
}
