//! What is to be done to an environment, as a value: decided first, then shown, then done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::fs;

/// What is to stand at a path in place of what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Replacement {
    /// A file of this content.
    Content(Vec<u8>),
    /// A link that says this.
    Link(PathBuf),
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// In which part of the environment, as in `first line`.
    pub part: &'static str,
    pub new: Replacement,
}

/// Something that cannot be mended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unmended {
    /// Relative to the environment.
    pub path: PathBuf,
    /// A clause for a person.
    pub why: String,
}

/// All that is to be done; paths are relative to the environment.
#[derive(Debug, Default)]
pub(super) struct Edits {
    pub changes: BTreeMap<PathBuf, Change>,
    /// The files whose content is known to be as it should be then, and whose rows of RECORD must
    /// say so.
    pub settled: BTreeSet<PathBuf>,
    pub unfixable: BTreeSet<Unmended>,
}

impl Edits {
    /// A file that has this content now, and shall have that one.
    pub fn record_place(&mut self, path: &Path, part: &'static str, before: &[u8], after: Vec<u8>) {
        self.settled.insert(path.to_path_buf());
        if after != before {
            self.changes.insert(
                path.to_path_buf(),
                Change {
                    part,
                    new: Replacement::Content(after),
                },
            );
        }
    }

    pub fn link(&mut self, path: &Path, part: &'static str, target: PathBuf) {
        self.changes.insert(
            path.to_path_buf(),
            Change {
                part,
                new: Replacement::Link(target),
            },
        );
    }

    pub fn cannot_mend(&mut self, path: &Path, why: impl Into<String>) {
        self.unfixable.insert(Unmended {
            path: path.to_path_buf(),
            why: why.into(),
        });
    }

    /// What a file will say: its new content, or what it says now.
    pub fn content(&self, environment: &Path, path: &Path) -> Result<Vec<u8>> {
        match self.changes.get(path).map(|change| &change.new) {
            Some(Replacement::Content(content)) => Ok(content.clone()),
            _ => fs::read(&environment.join(path)),
        }
    }

    /// Does it, each change in one step. What was done before a kill is not in the way of doing all
    /// of it again.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn apply(&self, environment: &Path) -> Result<()> {
        for (path, change) in &self.changes {
            let path = environment.join(path);
            match &change.new {
                Replacement::Content(content) => {
                    // Byte code of the old content would be taken for that of the new one where it
                    // is never held against it.
                    if path.extension().is_some_and(|extension| extension == "py") {
                        remove_byte_code(&path)?;
                    }
                    fs::rewrite(&path, content)?;
                }
                Replacement::Link(target) => fs::replace_link(target, &path)?,
            }
        }
        Ok(())
    }
}

fn remove_byte_code(source: &Path) -> Result<()> {
    let directory = source.with_file_name("__pycache__");
    let Some(stem) = source.file_stem().and_then(|stem| stem.to_str()) else {
        return Ok(());
    };
    for name in fs::list(&directory)?.unwrap_or_default() {
        let is_of_source = name
            .to_str()
            .and_then(|name| name.strip_prefix(stem))
            .is_some_and(|rest| rest.starts_with('.'));
        if is_of_source {
            fs::remove_file(&directory.join(name))?;
        }
    }
    Ok(())
}
