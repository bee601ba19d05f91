//! What was done, or would be: as lines, and as JSON.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::edits::Edits;
use super::environment::Environment;
use super::prefixes::{self, Prefixes};
use crate::invocation::Relocate;
use crate::report;

/// Counted up when what is printed changes its meaning.
const VERSION: u32 = 1;

/// What `--json` prints.
#[derive(Serialize)]
struct Listing {
    version: u32,
    /// Where the environment is.
    environment: String,
    /// Where it will be.
    to: String,
    /// The places that it was known by.
    from: Vec<String>,
    /// Its new interpreter.
    python: Option<String>,
    dry_run: bool,
    changes: Vec<Changed>,
    unfixable: Vec<Unmended>,
}

#[derive(Serialize)]
struct Changed {
    path: String,
    part: &'static str,
}

#[derive(Serialize)]
struct Unmended {
    path: String,
    why: String,
}

/// Prints it: what cannot be mended as warnings, where it is not JSON.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn print(
    options: &Relocate,
    environment: &Environment,
    places: &Prefixes,
    python: Option<&Path>,
    work: &Edits,
) -> Result<()> {
    let shown = |path: &Path| path.display().to_string();
    let listing = Listing {
        version: VERSION,
        environment: shown(&environment.path),
        to: shown(&prefixes::path(places.to())),
        from: places
            .old()
            .iter()
            .map(|place| shown(&prefixes::path(place)))
            .collect(),
        python: python.map(shown),
        dry_run: options.dry_run,
        changes: work
            .changes
            .iter()
            .map(|(path, change)| Changed {
                path: shown(path),
                part: change.part,
            })
            .collect(),
        unfixable: work
            .unfixable
            .iter()
            .map(|one| Unmended {
                path: shown(&one.path),
                why: one.why.clone(),
            })
            .collect(),
    };
    if options.json {
        return report::print((serde_json::to_string_pretty(&listing)? + "\n").as_bytes());
    }
    report::print(listing.text().as_bytes())?;
    for Unmended { path, why } in &listing.unfixable {
        report::warning(&format!("`{path}` cannot be mended: {why}"));
    }
    Ok(())
}

impl Listing {
    fn text(&self) -> String {
        let lines: Vec<String> = self
            .changes
            .iter()
            .map(|Changed { path, part }| format!("{path}: {part}\n"))
            .collect();
        let count = match self.changes.len() {
            0 => {
                return format!(
                    "nothing to change: the environment is made for `{}`\n",
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
            "{}{count} {done}: the environment is made for `{}`\n",
            lines.concat(),
            self.to
        )
    }
}
