//! What of an environment would not be at home elsewhere: ELF files with a run path that leads
//! somewhere else, and files that name a place of this machine. All of it is told; run paths can be
//! mended.
//!
//! Two things are as they have to be, and are not told of: that an environment names its
//! interpreter, where that stays behind, and what a build of python says of itself, where it comes
//! along.

mod place;
mod record;
mod run_path;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::elf::{Elf, Precedence};
use super::interpreter_copy;
use super::pack_manifest::Member;
use crate::fs;
use crate::plan::Facts;
use crate::report;
use place::{Form, Places};
use run_path::Ground;

/// What an environment is held against.
pub(super) struct Surroundings<'a> {
    /// Where it is built.
    pub staged: &'a Path,
    /// Where it will stand, where that is known.
    pub prefix: Option<&'a Path>,
    /// Directories that other machines do not have: the store, the user's home, the current
    /// directory.
    pub private: Vec<&'a Path>,
    /// The interpreter that it was built for.
    pub interpreter: &'a Facts,
    /// Whether that comes along.
    pub with_python: bool,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Audit {
    run_paths: Vec<RunPath>,
    /// Files that name a place of this machine, and what they name.
    named: Vec<(PathBuf, String)>,
}

/// A run path that does not work wherever the environment is.
#[derive(Debug, PartialEq, Eq)]
struct RunPath {
    file: PathBuf,
    /// What is wrong with it, a part of a sentence each.
    faults: Vec<String>,
    old: String,
    /// What it would be if it was mended.
    new: Vec<String>,
}

impl Audit {
    /// Looks through all that is to leave the machine.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn of(members: &[Member], surroundings: &Surroundings) -> Result<Self> {
        let (ground, places) = (
            surroundings.ground(),
            [false, true].map(|pythons| surroundings.places(pythons)),
        );
        let found: Vec<(Option<RunPath>, Option<(PathBuf, String)>)> = members
            .par_iter()
            .map(|member| {
                let path = Path::new(member.path());
                let content = match member {
                    Member::Directory { .. } => return Ok((None, None)),
                    Member::Link { target, .. } => target.clone().into_bytes(),
                    Member::File { .. } => fs::read(&surroundings.staged.join(path))?,
                };
                let places =
                    &places[usize::from(surroundings.with_python && interpreter_copy::holds(path))];
                let named = places.find(&content, Form::of(path, &content));
                Ok((
                    RunPath::look(path, content, &ground),
                    named.map(|named| (path.to_path_buf(), named)),
                ))
            })
            .collect::<Result<_>>()?;
        let (run_paths, named): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        Ok(Self {
            run_paths: run_paths.into_iter().flatten().collect(),
            named: named.into_iter().flatten().collect(),
        })
    }

    /// Mends the run paths that can be, says so, and leaves those that cannot. Whether any was.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn mend(&mut self, members: &[Member], staged: &Path) -> Result<bool> {
        let mut mended = Vec::new();
        for run_path in std::mem::take(&mut self.run_paths) {
            match run_path.mend(staged)? {
                Some(left) => self.run_paths.push(left),
                None => mended.push(run_path.file),
            }
        }
        if !mended.is_empty() {
            for record in members
                .iter()
                .map(|member| Path::new(member.path()))
                .filter(|path| record::is_one(path))
            {
                record::settle(staged, record, &mended)?;
            }
        }
        Ok(!mended.is_empty())
    }

    /// Warns of all that was found.
    pub fn tell(&self) {
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

    /// Whether there are run paths that could be mended.
    pub fn can_be_mended(&self) -> bool {
        self.run_paths.iter().any(RunPath::can_be_mended)
    }
}

impl RunPath {
    /// Looks at a file of the environment; none where there is nothing wrong with it.
    fn look(file: &Path, content: Vec<u8>, ground: &Ground) -> Option<Self> {
        let elf = Elf::parse(content)?;
        let entries = elf.run_path()?;
        let directory = file.parent()?;
        let faults = run_path::faults(&entries, directory);
        let new = ground.mended(&entries, directory);
        (!faults.is_empty()).then(|| Self {
            file: file.to_path_buf(),
            faults,
            old: entries.join(":"),
            new,
        })
    }

    fn can_be_mended(&self) -> bool {
        self.new.join(":") != self.old
    }

    /// Mends the file, which may be one that others have too: theirs stays. What is left to be
    /// told, if it cannot be mended.
    fn mend(&self, staged: &Path) -> Result<Option<Self>> {
        let left = |faults: Vec<String>| Self {
            file: self.file.clone(),
            faults,
            old: self.old.clone(),
            new: self.new.clone(),
        };
        if !self.can_be_mended() {
            return Ok(Some(left(self.faults.clone())));
        }
        let path = staged.join(&self.file);
        let elf = Elf::parse(fs::read(&path)?).context("it is no ELF file any more")?;
        match elf.with_run_path(&self.new, Precedence::Same) {
            Ok(content) => fs::rewrite(&path, &content)?,
            Err(error) => {
                let faults = self
                    .faults
                    .iter()
                    .cloned()
                    .chain([format!("cannot be mended: {error:#}")])
                    .collect();
                return Ok(Some(left(faults)));
            }
        }
        let (file, old, new) = (self.file.display(), &self.old, self.new.join(":"));
        report::notice(&format!(
            "the run path of `{file}` was `{old}` and is `{new}`"
        ));
        Ok(None)
    }
}

impl Surroundings<'_> {
    fn base(&self) -> Option<&Path> {
        self.interpreter.executable.parent()?.parent()
    }

    /// Where a run path may lead.
    fn ground(&self) -> Ground<'_> {
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
                // Of these an environment has the libraries where they are in the base.
                inside.push((base.to_path_buf(), PathBuf::new()));
            }
        }
        Ground {
            directory: self.staged,
            inside,
        }
    }

    /// What files must not name; `pythons` are those of the interpreter's copy, which name where
    /// they were built.
    fn places(&self, pythons: bool) -> Places {
        let named = |wanted: bool| self.base().filter(|_| wanted);
        let stays = !self.with_python;
        let private = self.private.iter().copied().chain([self.staged]);
        Places::new(
            private.chain(named(!stays && !pythons)),
            named(stays || pythons),
        )
    }
}
