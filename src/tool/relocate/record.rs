//! Updates RECORD: the rows of files with a known final content get its digest and size, and no
//! other row is changed.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file>

use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::edits::Edits;
use super::environment::Environment;
use super::prefixes::{Prefixes, path};
use crate::fs;

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
            let record = site.join(&name).join("RECORD");
            if Path::new(&name)
                .extension()
                .is_some_and(|extension| extension == "dist-info")
                && fs::look_for_file(&environment.path.join(&record))?
            {
                let before = fs::read_text(&environment.path.join(&record), fs::limits::LIST)?;
                let mut after = Vec::with_capacity(before.len());
                for row in before.split_inclusive(|byte| *byte == b'\n') {
                    after.extend(
                        fixed(row, site, environment, prefixes, edits)?
                            .unwrap_or_else(|| row.to_vec()),
                    );
                }
                edits.set_content(&record, "digests", &before, after);
            }
        }
    }
    Ok(())
}

/// Returns the new row; `None` if it is unchanged.
fn fixed(
    row: &[u8],
    site: &Path,
    environment: &Environment,
    prefixes: &Prefixes,
    edits: &Edits,
) -> Result<Option<Vec<u8>>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(row);
    let Some(Ok(columns)) = reader.byte_records().next() else {
        return Ok(None);
    };
    let (Some(name), Some(digest)) = (columns.get(0), columns.get(1)) else {
        return Ok(None);
    };
    // A path in the environment is relative to site-packages, or absolute.
    let absolute = name
        .starts_with(b"/")
        .then(|| prefixes.moved(name))
        .flatten();
    let inside = match &absolute {
        Some(new) => path(new.get(prefixes.to().len() + 1..).unwrap_or_default()),
        None => normalized(&site.join(path(name))),
    };
    let is_final = edits.final_files.contains(&inside) && !digest.is_empty();
    if !is_final && absolute.as_deref().is_none_or(|new| new == name) {
        return Ok(None);
    }
    let (mut digest, mut length) = (digest.to_vec(), columns.get(2).unwrap_or_default().to_vec());
    if is_final {
        let content = edits.content(&environment.path, &inside)?;
        digest = format!(
            "sha256={}",
            URL_SAFE_NO_PAD.encode(Sha256::digest(&content))
        )
        .into_bytes();
        length = content.len().to_string().into_bytes();
    }
    let new = [absolute.as_deref().unwrap_or(name), &digest, &length];
    // A row that is correct keeps its formatting.
    if new.iter().zip(columns.iter()).all(|(new, old)| *new == old) {
        return Ok(None);
    }
    let newline = if row.ends_with(b"\r\n") {
        csv::Terminator::CRLF
    } else {
        csv::Terminator::Any(b'\n')
    };
    let mut writer = csv::WriterBuilder::new()
        .terminator(newline)
        .from_writer(Vec::new());
    writer.write_record(new)?;
    Ok(Some(
        writer
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?,
    ))
}

/// Resolves `..`: the names in a RECORD may lead up from site-packages, and no link of the
/// environment is on that path.
fn normalized(path: &Path) -> PathBuf {
    let mut normalized = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(normalized.pop()),
            component => normalized.push(component),
        }
    }
    normalized
}
