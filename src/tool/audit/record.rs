//! Updates RECORD after run paths were rewritten: the rows of the changed files get new digests,
//! and all other rows are kept.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file>

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::fs::{self, Digest};

/// Returns whether a file is the RECORD of an installed wheel.
pub(super) fn is_one(path: &Path) -> bool {
    path.ends_with("RECORD")
        && path
            .parent()
            .and_then(Path::extension)
            .is_some_and(|extension| extension == "dist-info")
}

/// Updates the RECORD at `record`, relative to the environment at `directory`, for the `fixed`
/// files.
///
/// # Errors
/// Returns an error if RECORD cannot be read or written.
pub(super) fn update(directory: &Path, record: &Path, fixed: &[PathBuf]) -> Result<()> {
    let path = directory.join(record);
    let site = record
        .parent()
        .and_then(Path::parent)
        .unwrap_or(Path::new(""));
    let before = fs::read_text(&path, fs::limits::LIST)?;
    let after = updated(&before, site, fixed, |file| fs::read(&directory.join(file)))
        .with_context(|| format!("cannot update `{}`", path.display()))?;
    if after == before {
        Ok(())
    } else {
        fs::rewrite(&path, &after)
    }
}

/// Returns the text of a RECORD in the directory `site`, with new rows for the changed files.
fn updated(
    text: &[u8],
    site: &Path,
    fixed: &[PathBuf],
    read: impl Fn(&Path) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    // Rows may have any number of fields, so that an odd RECORD is kept as it is.
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text);
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .flexible(true)
        .from_writer(Vec::with_capacity(text.len()));
    for row in reader.records() {
        let row = row?;
        // Names in RECORD are relative to site-packages, `fixed` to the environment.
        let file = normalized(&site.join(row.get(0).unwrap_or_default()));
        if fixed.contains(&file) {
            let content = read(&file)?;
            let digest = format!(
                "sha256={}",
                URL_SAFE_NO_PAD.encode(Digest::of(&content).as_bytes())
            );
            writer.write_record([
                row.get(0).unwrap_or_default(),
                &digest,
                &content.len().to_string(),
            ])?;
        } else {
            writer.write_record(&row)?;
        }
    }
    Ok(writer
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)?)
}

/// Resolves `..`: the names in a RECORD may lead up from site-packages.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_changed_files_are_rewritten_and_others_are_kept() {
        let text = "../../../bin/tool,sha256=old,1\n\"a,b.so\",sha256=old,1\nc.so,sha256=old,1\nx.dist-info/RECORD,,\n";
        let fixed = ["bin/tool", "lib/python3.11/site-packages/a,b.so"].map(PathBuf::from);
        let site = Path::new("lib/python3.11/site-packages");
        let after = updated(text.as_bytes(), site, &fixed, |_| Ok(b"abc".to_vec())).unwrap();
        let new = "sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3";
        let expected = format!(
            "../../../bin/tool,{new}\n\"a,b.so\",{new}\nc.so,sha256=old,1\nx.dist-info/RECORD,,\n"
        );
        assert_eq!(String::from_utf8(after).unwrap(), expected);
    }
}
