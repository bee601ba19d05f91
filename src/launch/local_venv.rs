//! `-vpython-local-venv`: maintains a link `.venv` next to the spec that points to the environment,
//! where editors look for one.
//!
//! Each launch with the flag checks the link and rewrites it only if its target changes. An
//! environment that vpython did not create is left alone.

use std::path::Path;

use anyhow::{Context, Result};

use crate::fs;
use crate::invocation::Invocation;
use crate::process::is_environment_bin;
use crate::report::Failure;
use crate::spec::SpecText;

const NAME: &str = ".venv";

/// Points `.venv` next to the file of the spec to `environment`. Warns if the spec has no file.
///
/// # Errors
/// The existing `.venv` was not created by vpython, or the link cannot be written.
pub(super) fn keep(spec: &SpecText, environment: &Path, invocation: &Invocation) -> Result<()> {
    let Some(spec) = spec.origin.file_on_disk() else {
        invocation.warn([
            &"`-vpython-local-venv` has no effect: there is no spec file to put the link next to"
                .to_owned(),
        ]);
        return Ok(());
    };
    let link = spec.with_file_name(NAME);
    if let Some(found) = fs::link_metadata(&link)? {
        let target = found
            .is_symlink()
            .then(|| fs::read_link(&link))
            .transpose()?;
        match target {
            // The common case: nothing changes, and nothing is written.
            Some(target) if target == environment => return Ok(()),
            // A link to an earlier environment of a store is replaced.
            Some(target) if is_environment_bin(&target.join("bin")) => {}
            target => {
                let what = target.map_or("it is not a link".to_owned(), |target| {
                    format!("it is a link to `{}`", target.display())
                });
                let failure = Failure::new(format!(
                    "cannot create `{}` for `-vpython-local-venv`",
                    link.display()
                ))
                .because(what);
                return Err(failure.hint("remove it, or leave the flag out").into());
            }
        }
    }
    fs::replace_link(environment, &link).with_context(|| {
        format!(
            "cannot create `{}` for `-vpython-local-venv`",
            link.display()
        )
    })
}
