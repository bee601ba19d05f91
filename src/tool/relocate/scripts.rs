//! `bin` and `pyvenv.cfg`: scripts, activation, configuration.

use std::path::{Path, PathBuf};

use anyhow::Result;
use memchr::memmem;

use super::edits::Edits;
use super::environment::Environment;
use super::prefixes::{self, Prefixes};
use super::quoting::Language;
use super::shebang::{self, Beginning};
use crate::fs;

/// How `setup.py develop` marks a script that runs one of the project's.
const DEVELOPED: &[u8] = b"# EASY-INSTALL-DEV-SCRIPT";

/// Decides about each file in `bin`.
///
/// # Errors
/// One cannot be read.
pub(super) fn plan_edits(
    environment: &Environment,
    places: &Prefixes,
    work: &mut Edits,
) -> Result<()> {
    for file in environment.programs()? {
        let path = Path::new("bin").join(file.file_name().unwrap_or_default());
        let content = fs::read(&file)?;
        if let Some(language) = activation(&path) {
            work.record_place(
                &path,
                "activation",
                &content,
                language.rewrite(&content, places),
            );
        } else if let Some(beginning) = Beginning::parse(&content) {
            mend_script(environment, places, &path, &content, beginning, work);
        } else if shebang::is_for_shell(&content) {
            work.record_place(
                &path,
                "shell script",
                &content,
                Language::Posix.rewrite(&content, places),
            );
        }
    }
    Ok(())
}

/// Each value of `pyvenv.cfg` that names a place, as it stands there: without quotes.
pub(super) fn configuration(text: &[u8], places: &Prefixes) -> Vec<u8> {
    places.replace(text, <[u8]>::to_vec)
}

/// A script for python, which starts with the interpreter of the environment.
fn mend_script(
    environment: &Environment,
    places: &Prefixes,
    path: &Path,
    content: &[u8],
    mut beginning: Beginning,
    work: &mut Edits,
) {
    let Some(interpreter) = places.moved(&beginning.interpreter) else {
        // One of the system's is the script's own choice.
        let named = prefixes::path(&beginning.interpreter);
        if !fs::exists(&named) {
            work.cannot_mend(
                path,
                format!("its interpreter `{}` is not there", named.display()),
            );
        }
        return;
    };
    let present = present(environment, places, &interpreter);
    if !fs::exists(&present) && fs::link_metadata(&present).is_ok_and(|metadata| metadata.is_none())
    {
        work.cannot_mend(
            path,
            format!(
                "it wants the interpreter `{}`, which is not there",
                present.display()
            ),
        );
    }
    let is_right = interpreter == beginning.interpreter && beginning.starts;
    beginning.interpreter = interpreter;
    if memmem::find(&beginning.rest, DEVELOPED).is_some() {
        beginning.rest = Language::Python.rewrite(&beginning.rest, places);
    }
    // A beginning that works stays as it was written.
    let new = if is_right {
        content.to_vec()
    } else {
        beginning.render()
    };
    work.record_place(path, "first line", content, new);
}

/// Where a path that will stand in the environment stands now.
pub(super) fn present(environment: &Environment, places: &Prefixes, path: &[u8]) -> PathBuf {
    match path.strip_prefix(places.to()) {
        Some([]) => environment.path.clone(),
        Some(rest) if rest.starts_with(b"/") => environment.path.join(prefixes::path(&rest[1..])),
        _ => prefixes::path(path),
    }
}

/// The language of an activation script, by its name.
pub(super) fn activation(path: &Path) -> Option<Language> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let (stem, extension) = name.split_once('.').unwrap_or((&name, ""));
    matches!(stem, "activate" | "deactivate" | "activate_this" | "pydoc").then_some(())?;
    Some(match extension {
        "" if stem == "activate" => Language::Posix,
        "sh" | "bash" | "zsh" => Language::Posix,
        "csh" => Language::Csh,
        "fish" => Language::Fish,
        "ps1" => Language::PowerShell,
        "bat" => Language::Batch,
        "nu" => Language::Nu,
        "xsh" | "py" => Language::Python,
        _ => return None,
    })
}
