//! `-vpython-local-venv`: a link `.venv` beside the spec that leads to the environment, where
//! editors look for one.
//!
//! It is looked at by each launch with the flag, and written only where it is to say something
//! else. An environment that somebody else keeps there is left alone.

use std::path::Path;

use anyhow::{Context, Result};

use crate::fs;
use crate::invocation::Invocation;
use crate::plan::Key;
use crate::report::Failure;
use crate::spec::SpecText;

const NAME: &str = ".venv";

/// Makes `.venv` next to the file of `spec` a link to `environment`. Without a file, warns.
///
/// # Errors
/// Something of that name is there that vpython has not made; it cannot be written.
pub(super) fn keep(spec: &SpecText, environment: &Path, invocation: &Invocation) -> Result<()> {
    let Some(spec) = spec.origin.file_on_disk() else {
        invocation
            .warn([&"there is no spec for `-vpython-local-venv` to put a link beside".to_owned()]);
        return Ok(());
    };
    let link = spec.with_file_name(NAME);
    if let Some(found) = fs::link_metadata(&link)? {
        let target = found
            .is_symlink()
            .then(|| fs::read_link(&link))
            .transpose()?;
        match target {
            Some(target) if target == environment => return Ok(()),
            Some(target) if Key::names_bin_directory(&target.join("bin")) => {}
            target => {
                let what = target.map_or("it is no link".to_owned(), |target| {
                    format!("it is a link to `{}`", target.display())
                });
                let failure = Failure::new(format!(
                    "cannot keep `{}` for `-vpython-local-venv`",
                    link.display()
                ))
                .because(what);
                return Err(failure.hint("remove it, or leave the flag out").into());
            }
        }
    }
    fs::replace_link(environment, &link)
        .with_context(|| format!("cannot keep `{}` for `-vpython-local-venv`", link.display()))
}
