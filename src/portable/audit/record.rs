//! Updates RECORD after run paths were rewritten: the rows of the changed files get new digests,
//! and all other rows are kept.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file>

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::fs;
use crate::wheel::record;

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
    record::rewrite(text, |[name, _, _]| {
        // Names in RECORD are relative to site-packages, `fixed` to the environment.
        let file = record::path_in_environment(site, Path::new(OsStr::from_bytes(name)));
        if !fixed.contains(&file) {
            return Ok(None);
        }
        let [digest, length] = record::columns_of(&read(&file)?);
        Ok(Some([name.clone(), digest, length]))
    })
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
