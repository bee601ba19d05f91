//! Finds what in an environment would not work on another machine: ELF files with a run path that
//! leads out of the environment, and files that name a path of this machine. vpython warns of all
//! of it, and can rewrite run paths.
//!
//! Two kinds of paths are expected and cause no warning: that of the interpreter, if it is not
//! copied, and those that python's build configuration records, if it is.

mod private_paths;
mod record;
mod run_path;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::elf::{Elf, Precedence};
use super::interpreter_copy;
use crate::fs;
use crate::interpreter::Facts;
use crate::packed::member::Member;
use crate::report;
use private_paths::{Form, PrivatePaths};
use run_path::PathMap;

/// The paths that an environment is checked against.
pub(super) struct AuditContext<'a> {
    /// The directory in which the environment is built.
    pub staged: &'a Path,
    /// The future install path, if it is known.
    pub prefix: Option<&'a Path>,
    /// Directories that other machines do not have: the store, the user's home, the current
    /// directory.
    pub private: Vec<&'a Path>,
    /// The interpreter for which the environment is built.
    pub interpreter: &'a Facts,
    /// True if the environment contains a copy of the interpreter.
    pub with_python: bool,
}

/// The origin of a file of the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The wheels, the included directories, and vpython.
    Packages,
    /// The copy of the interpreter.
    Interpreter,
}

/// The findings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Audit {
    run_paths: Vec<RunPath>,
    /// Files that name a path of this machine, each with that path.
    named: Vec<(PathBuf, String)>,
}

/// A run path that does not work at every location of the environment.
#[derive(Debug, PartialEq, Eq)]
struct RunPath {
    file: PathBuf,
    /// The faults, each a clause of a sentence.
    faults: Vec<String>,
    old: String,
    /// The run path that would replace it.
    new: Vec<String>,
}

impl Audit {
    /// Scans everything that is to leave the machine.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read.
    pub fn of(members: &[Member], context: &AuditContext) -> Result<Self> {
        let path_map = context.path_map();
        let of_packages = context.private_paths(Origin::Packages);
        let of_interpreter = context.private_paths(Origin::Interpreter);
        let found: Vec<(Option<RunPath>, Option<(PathBuf, String)>)> = members
            .par_iter()
            .map(|member| {
                // Links are checked like text files, by their target.
                let path = Path::new(member.path());
                let bytes = match member {
                    Member::Directory { .. } => return Ok((None, None)),
                    Member::Link { target, .. } => target.clone().into_bytes(),
                    Member::File { .. } => fs::read(&context.staged.join(path))?,
                };
                let is_pythons = context.with_python && interpreter_copy::contains(path);
                let private_paths = if is_pythons {
                    &of_interpreter
                } else {
                    &of_packages
                };
                let named = private_paths.find(&bytes, Form::of(path, &bytes));
                Ok((
                    RunPath::look(path, bytes, &path_map),
                    named.map(|named| (path.to_path_buf(), named)),
                ))
            })
            .collect::<Result<_>>()?;
        // `collect` keeps the order of the members, so the warnings are sorted.
        let (run_paths, named): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        Ok(Self {
            run_paths: run_paths.into_iter().flatten().collect(),
            named: named.into_iter().flatten().collect(),
        })
    }

    /// Rewrites and reports the run paths that can be fixed, and keeps the others as findings.
    /// Returns whether any run path was rewritten.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn fix(&mut self, members: &[Member], staged: &Path) -> Result<bool> {
        let mut fixed = Vec::new();
        for run_path in std::mem::take(&mut self.run_paths) {
            match run_path.fix(staged)? {
                Some(left) => self.run_paths.push(left),
                None => fixed.push(run_path.file),
            }
        }
        if !fixed.is_empty() {
            for record in members
                .iter()
                .map(|member| Path::new(member.path()))
                .filter(|path| record::is_one(path))
            {
                record::update(staged, record, &fixed)?;
            }
        }
        Ok(!fixed.is_empty())
    }

    /// Warns of all findings.
    pub fn warn(&self) {
        for RunPath { file, faults, .. } in &self.run_paths {
            report::warning(&format!(
                "the run path of `{}` {}",
                file.display(),
                faults.join("; ")
            ));
        }
        for (file, named) in &self.named {
            report::warning(&format!(
                "`{}` names `{named}`, which other machines may not have",
                file.display()
            ));
        }
    }

    /// Returns whether a run path can be fixed.
    pub fn is_fixable(&self) -> bool {
        self.run_paths.iter().any(RunPath::is_fixable)
    }
}

impl RunPath {
    /// Checks a file of the environment; `None` if its run path has no fault.
    fn look(file: &Path, content: Vec<u8>, path_map: &PathMap) -> Option<Self> {
        let elf = Elf::parse(content)?;
        let entries = elf.run_path()?;
        let directory = file.parent()?;
        let faults = run_path::faults(&entries, directory);
        let new = path_map.fixed(&entries, directory);
        (!faults.is_empty()).then(|| Self {
            file: file.to_path_buf(),
            faults,
            old: entries.join(":"),
            new,
        })
    }

    fn is_fixable(&self) -> bool {
        self.new.join(":") != self.old
    }

    /// Rewrites the file in the environment; other hard links to it keep the old content. Returns
    /// the finding that remains if the run path cannot be fixed.
    fn fix(&self, staged: &Path) -> Result<Option<Self>> {
        let left = |faults: Vec<String>| Self {
            file: self.file.clone(),
            faults,
            old: self.old.clone(),
            new: self.new.clone(),
        };
        // Nothing to drop or to make relative: the finding remains as it is.
        if !self.is_fixable() {
            return Ok(Some(left(self.faults.clone())));
        }
        let path = staged.join(&self.file);
        let elf = Elf::parse(fs::read(&path)?).context("it is not an ELF file any more")?;
        // A new run path that does not fit is a fault of its own.
        match elf.with_run_path(&self.new, Precedence::Same) {
            Ok(content) => fs::rewrite(&path, &content)?,
            Err(error) => {
                let faults = self
                    .faults
                    .iter()
                    .cloned()
                    .chain([format!("cannot be fixed: {error:#}")])
                    .collect();
                return Ok(Some(left(faults)));
            }
        }
        let (file, old, new) = (self.file.display(), &self.old, self.new.join(":"));
        report::notice(&format!(
            "changed the run path of `{file}` from `{old}` to `{new}`"
        ));
        Ok(None)
    }
}

impl AuditContext<'_> {
    fn base(&self) -> Option<&Path> {
        self.interpreter.executable.parent()?.parent()
    }

    /// The paths that a run path may lead to.
    fn path_map(&self) -> PathMap<'_> {
        let mut inside: Vec<(PathBuf, PathBuf)> = Vec::new();
        inside.extend(
            self.prefix
                .map(|prefix| (prefix.to_path_buf(), PathBuf::new())),
        );
        if let Some(base) = self.base() {
            if self.with_python {
                inside.push((base.to_path_buf(), interpreter_copy::DIRECTORY.into()));
            }
            if self.interpreter.is_python2() {
                // An environment of python 2 has these libraries at the same relative paths as the
                // base.
                inside.push((base.to_path_buf(), PathBuf::new()));
            }
        }
        PathMap {
            directory: self.staged,
            inside,
        }
    }

    /// The paths that files of this origin must not name. The interpreter's directory is one of them
    /// if the environment has a copy of it, except in the copied files, which name the directory in
    /// which they were built.
    fn private_paths(&self, origin: Origin) -> PrivatePaths {
        let is_base_private = self.with_python && origin == Origin::Packages;
        let base = |wanted: bool| self.base().filter(|_| wanted);
        let private = self.private.iter().copied().chain([self.staged]);
        PrivatePaths::new(private.chain(base(is_base_private)), base(!is_base_private))
    }
}
