//! Updates RECORD: the rows of files with a known final content get its digest and size, and no
//! other row is changed.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file>

use std::path::Path;

use anyhow::Result;

use super::edits::Edits;
use super::environment::Environment;
use super::prefixes::{Prefixes, path};
use crate::fs;
use crate::wheel::record::{self, Columns};

/// Plans the edits for each RECORD. Must be called after all other edits are planned.
///
/// # Errors
/// Returns an error if a RECORD cannot be read.
pub(super) fn plan_edits(
    environment: &Environment,
    prefixes: &Prefixes,
    edits: &mut Edits,
) -> Result<()> {
    for site in &environment.sites {
        for name in fs::list(&environment.path.join(site))?.unwrap_or_default() {
            let path = site.join(&name).join("RECORD");
            if Path::new(&name)
                .extension()
                .is_some_and(|extension| extension == "dist-info")
                && fs::look_for_file(&environment.path.join(&path))?
            {
                let before = fs::read_text(&environment.path.join(&path), fs::limits::LIST)?;
                let after = record::rewrite(&before, |columns| {
                    fixed(columns, site, environment, prefixes, edits)
                })?;
                edits.set_content(&path, "digests", &before, after);
            }
        }
    }
    Ok(())
}

/// Returns the new columns of a row; `None` if it is unchanged.
fn fixed(
    columns: &Columns,
    site: &Path,
    environment: &Environment,
    prefixes: &Prefixes,
    edits: &Edits,
) -> Result<Option<Columns>> {
    let [name, digest, length] = columns;
    // A path in the environment is relative to site-packages, or absolute.
    let absolute = name
        .starts_with(b"/")
        .then(|| prefixes.moved(name))
        .flatten();
    let inside = match &absolute {
        Some(new) => path(new.get(prefixes.to().len() + 1..).unwrap_or_default()),
        None => record::path_in_environment(site, &path(name)),
    };
    let is_final = edits.final_files.contains(&inside) && !digest.is_empty();
    if !is_final && absolute.is_none() {
        return Ok(None);
    }
    let [digest, length] = if is_final {
        record::columns_of(&edits.content(&environment.path, &inside)?)
    } else {
        [digest.clone(), length.clone()]
    };
    Ok(Some([
        absolute.unwrap_or_else(|| name.clone()),
        digest,
        length,
    ]))
}
