//! `-vpython-tool relocate`: rewrites the absolute paths in an environment that another tool
//! created, and prints what was changed, or would be: as lines, or as JSON.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use crate::fs;
use crate::invocation::{Invocation, Relocate};
use crate::portable::relocate::{Relocated, relocate};
use crate::process::Process;
use crate::report::{self, Failure};

/// The exit code if something cannot be fixed.
const EXIT_UNFIXABLE: i32 = 1;

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

/// Relocates the environment that the command line names, prints what was changed, and returns the
/// exit code.
///
/// # Errors
/// Returns an error if there is no such environment, if the new interpreter does not fit it, or if
/// a file cannot be read or written.
pub fn run(
    options: &Relocate,
    words: &[OsString],
    invocation: &Invocation,
    process: &Process,
) -> Result<i32> {
    let relocated = relocate(named(words, process)?, options, invocation, process)?;
    print(options, &relocated)?;
    Ok(if relocated.unfixable.is_empty() {
        0
    } else {
        EXIT_UNFIXABLE
    })
}

/// Returns the path of the one environment that the command line names.
fn named(words: &[OsString], process: &Process) -> Result<PathBuf> {
    // Only a leading `--` is a separator.
    let words: Vec<&OsString> = words
        .iter()
        .enumerate()
        .filter(|(index, word)| *index > 0 || *word != "--")
        .map(|(_, word)| word)
        .collect();
    let [word] = words[..] else {
        let why = if words.is_empty() {
            "no environment is named".to_owned()
        } else {
            format!("{} environments are named", words.len())
        };
        let failure = Failure::new("`-vpython-tool relocate` takes one environment").because(why);
        return Err(failure
            .hint(format!(
                "`{} -vpython-tool relocate --help` lists the options",
                report::program()
            ))
            .into());
    };
    let path = process.absolute(Path::new(word));
    // `..` is resolved through links, as the kernel does.
    let is_plain = !path
        .components()
        .any(|component| component == Component::ParentDir);
    if is_plain {
        Ok(path)
    } else {
        fs::canonicalize(&path)
    }
}

/// Prints the summary. Without `--json`, warns of what cannot be fixed.
///
/// # Errors
/// Returns an error if standard output cannot be written.
fn print(options: &Relocate, relocated: &Relocated) -> Result<()> {
    let shown = |path: &PathBuf| path.display().to_string();
    let changes = relocated.changes.iter();
    let unfixable = relocated.unfixable.iter();
    let summary = Summary {
        version: VERSION,
        environment: shown(&relocated.environment),
        to: shown(&relocated.to),
        from: relocated.from.iter().map(shown).collect(),
        python: relocated.python.as_ref().map(shown),
        dry_run: options.dry_run,
        changes: changes
            .map(|(path, part)| Changed {
                path: shown(path),
                part,
            })
            .collect(),
        unfixable: unfixable
            .map(|(path, why)| Unfixable {
                path: shown(path),
                why: why.clone(),
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
