//! `-vpython-tool completions` and `-vpython-tool man`: the shell completions and the manual pages
//! of vpython.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result};

use crate::fs;
use crate::invocation;
use crate::process::Process;
use crate::report::{self, Failure};

/// Prints the completion script for a shell. Returns the exit code.
///
/// # Errors
/// The command line names no shell, or one without completions.
pub fn completions(words: &[OsString]) -> Result<i32> {
    let [shell] = words else {
        return Err(
            Failure::new("`-vpython-tool completions` needs the name of one shell")
                .hint(format!(
                    "name it, as in `{} -vpython-tool completions bash`",
                    report::program()
                ))
                .into(),
        );
    };
    report::print(invocation::completions(&shell.to_string_lossy())?.as_bytes())?;
    Ok(0)
}

/// Prints the manual page, or writes it and the pages of the tools into a directory. Returns the
/// exit code.
///
/// # Errors
/// The command line names more than one directory; a page cannot be written.
pub fn man(words: &[OsString], process: &Process) -> Result<i32> {
    let pages = invocation::manual()?;
    match words {
        [] => report::print(
            &pages
                .into_iter()
                .next()
                .map(|(_, text)| text)
                .unwrap_or_default(),
        )?,
        [directory] => {
            let directory = process.absolute(Path::new(directory));
            write(&pages, &directory).context("cannot write the manual pages")?;
        }
        _ => return Err(Failure::new("`-vpython-tool man` takes one directory").into()),
    }
    Ok(0)
}

fn write(pages: &[(String, Vec<u8>)], directory: &Path) -> Result<()> {
    fs::create_dir_all(directory, 0o755)?;
    pages
        .iter()
        .try_for_each(|(name, text)| fs::replace(&directory.join(name), text, 0o644))
}
