//! The edits to an environment as a value: planned first, then printed, then applied.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::fs;

/// The replacement for the file or link at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Replacement {
    /// A file with this content.
    Content(Vec<u8>),
    /// A link with this target.
    Link(PathBuf),
}

/// A single edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The part of the environment that it belongs to, for example `first line`.
    pub part: &'static str,
    pub new: Replacement,
}

/// A file that relocate cannot fix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unfixable {
    /// Relative to the environment.
    pub path: PathBuf,
    /// The reason, as a clause for a message.
    pub why: String,
}

/// All edits. Paths are relative to the environment.
#[derive(Debug, Default)]
pub(super) struct Edits {
    pub changes: BTreeMap<PathBuf, Change>,
    /// The files whose final content is known; their rows in RECORD must match it.
    pub final_files: BTreeSet<PathBuf>,
    pub unfixable: BTreeSet<Unfixable>,
}

impl Edits {
    /// Records the content that a file has and the content that it should have.
    pub fn set_content(&mut self, path: &Path, part: &'static str, before: &[u8], after: Vec<u8>) {
        self.final_files.insert(path.to_path_buf());
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

    pub fn mark_unfixable(&mut self, path: &Path, why: impl Into<String>) {
        self.unfixable.insert(Unfixable {
            path: path.to_path_buf(),
            why: why.into(),
        });
    }

    /// Drops the edits of files outside the environment, which a linked directory leads to.
    ///
    /// # Errors
    /// The target of a directory cannot be resolved.
    pub fn confine(&mut self, environment: &Path) -> Result<()> {
        let inside = fs::canonicalize(environment)?;
        for path in self.changes.keys().cloned().collect::<Vec<_>>() {
            let directory = environment
                .join(&path)
                .parent()
                .map_or_else(|| environment.to_path_buf(), Path::to_path_buf);
            let real = fs::canonicalize(&directory)?;
            if !real.starts_with(&inside) {
                self.changes.remove(&path);
                self.mark_unfixable(
                    &path,
                    format!("it is in `{}`, outside the environment", real.display()),
                );
            }
        }
        Ok(())
    }

    /// Returns the content that a file will have: the planned one, or else the current one.
    pub fn content(&self, environment: &Path, path: &Path) -> Result<Vec<u8>> {
        match self.changes.get(path).map(|change| &change.new) {
            Some(Replacement::Content(content)) => Ok(content.clone()),
            _ => fs::read(&environment.join(path)),
        }
    }

    /// Applies all edits, each atomically. After an interruption they can all be applied again.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn apply(&self, environment: &Path) -> Result<()> {
        for (path, change) in &self.changes {
            let path = environment.join(path);
            match &change.new {
                Replacement::Content(content) => {
                    // Byte code that is never validated against its source would hide the new
                    // content.
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
    if !fs::link_metadata(&directory)?.is_some_and(|found| found.is_dir()) {
        return Ok(());
    }
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
