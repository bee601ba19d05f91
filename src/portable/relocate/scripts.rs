//! Edits for `bin` and `pyvenv.cfg`: scripts, activation, configuration.

use std::path::{Path, PathBuf};

use anyhow::Result;
use memchr::memmem;

use super::edits::Edits;
use super::environment::Environment;
use super::prefixes::{self, Prefixes};
use super::quoting::Language;
use super::shebang::{self, Script};
use crate::fs;

/// The mark that `setup.py develop` puts into a wrapper around a project's script.
const DEVELOPED: &[u8] = b"# EASY-INSTALL-DEV-SCRIPT";

/// Plans the edits for each file in `bin`.
///
/// # Errors
/// Returns an error if one cannot be read.
pub(super) fn plan_edits(
    environment: &Environment,
    prefixes: &Prefixes,
    edits: &mut Edits,
) -> Result<()> {
    for file in environment.programs()? {
        let path = Path::new("bin").join(file.file_name().unwrap_or_default());
        let content = fs::read(&file)?;
        // The name identifies activation scripts, the first line all other scripts.
        if let Some(language) = activation(&path) {
            edits.set_content(
                &path,
                "activation",
                &content,
                language.rewrite(&content, prefixes),
            );
        } else if let Some(script) = Script::parse(&content) {
            fix_script(environment, prefixes, &path, &content, script, edits);
        } else if shebang::is_for_shell(&content) {
            edits.set_content(
                &path,
                "shell script",
                &content,
                Language::Posix.rewrite(&content, prefixes),
            );
        }
    }
    Ok(())
}

/// Rewrites the values of `pyvenv.cfg`, which are not quoted.
pub(super) fn configuration(text: &[u8], prefixes: &Prefixes) -> Vec<u8> {
    prefixes.replace(text, <[u8]>::to_vec)
}

/// Plans the edit of a python script that starts with the environment's interpreter.
fn fix_script(
    environment: &Environment,
    prefixes: &Prefixes,
    path: &Path,
    content: &[u8],
    mut script: Script,
    edits: &mut Edits,
) {
    let Some(interpreter) = prefixes.moved(&script.interpreter) else {
        // The script runs another python on purpose.
        let named = prefixes::path(&script.interpreter);
        if !fs::exists(&named) {
            edits.mark_unfixable(
                path,
                format!("its interpreter `{}` does not exist", named.display()),
            );
        }
        return;
    };
    let current_path = current_path(environment, prefixes, &interpreter);
    if !fs::exists(&current_path)
        && fs::link_metadata(&current_path).is_ok_and(|metadata| metadata.is_none())
    {
        edits.mark_unfixable(
            path,
            format!(
                "its interpreter `{}` does not exist",
                current_path.display()
            ),
        );
    }
    let is_right = interpreter == script.interpreter && script.starts;
    script.interpreter = interpreter;
    if memmem::find(&script.rest, DEVELOPED).is_some() {
        script.rest = Language::Python.rewrite(&script.rest, prefixes);
    }
    // A first line that works keeps its formatting.
    let new = if is_right {
        content.to_vec()
    } else {
        script.render()
    };
    edits.set_content(path, "first line", content, new);
}

/// Returns the current path of a file, given the path that it will have.
pub(super) fn current_path(environment: &Environment, prefixes: &Prefixes, path: &[u8]) -> PathBuf {
    match path.strip_prefix(prefixes.to()) {
        Some([]) => environment.path.clone(),
        Some(rest) if rest.starts_with(b"/") => environment.path.join(prefixes::path(&rest[1..])),
        _ => prefixes::path(path),
    }
}

/// Returns the language of an activation script, by its name.
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
