//! What goes with an environment that leaves the store: `--include` and `--with-python`, for all
//! tools that take them.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::include::{self, Included};
use super::interpreter_copy;
use crate::fs::Digest;
use crate::invocation::Additions;
use crate::plan::Plan;
use crate::process::Process;
use crate::report::{self, Failure};

/// An environment that a command line asks for.
pub struct Wanted<'a> {
    /// What it is made of.
    pub plan: &'a Plan,
    /// The import roots of the spec, which are no part of it.
    pub python_path: &'a [PathBuf],
    /// Where the store is that it is made from.
    pub store: &'a Path,
    /// Fills an empty directory with it.
    pub build: &'a dyn Fn(&Path) -> Result<()>,
    /// Makes byte code of all sources in a directory.
    pub compile: &'a dyn Fn(&Path) -> Result<()>,
}

/// What goes with an environment, looked through before anything is built.
#[derive(Debug)]
pub(super) struct StandaloneRequest {
    included: Vec<Included>,
    /// Whether the interpreter comes along.
    pub with_python: bool,
}

impl StandaloneRequest {
    /// Looks through what is to go along with what is made at `product`, and says what stays
    /// behind.
    ///
    /// # Errors
    /// A directory cannot be included; the interpreter cannot come along.
    pub fn pack(
        options: &Additions,
        product: &Path,
        wanted: &Wanted,
        process: &Process,
    ) -> Result<Self> {
        let included = Included::find(&options.include, product, process)?;
        if !wanted.plan.system_packages.are_hidden() {
            check_system_packages(options.with_python, &wanted.plan.interpreter.executable)?;
        }
        warn_of_roots(wanted.python_path, &included);
        Ok(Self {
            included,
            with_python: options.with_python,
        })
    }

    /// The directories' names, and what tells one state of each from another.
    pub fn states(&self) -> Vec<(String, Digest)> {
        self.included
            .iter()
            .map(|included| (included.name().to_owned(), included.state()))
            .collect()
    }

    /// What the environment says of its interpreter, which is at this path here: its place in the
    /// environment, where it comes along.
    pub fn interpreter(&self, executable: &Path) -> PathBuf {
        if self.with_python {
            interpreter_copy::place(executable)
        } else {
            executable.to_path_buf()
        }
    }

    /// Builds the environment in the empty directory `staged`, and puts all into it.
    ///
    /// # Errors
    /// It cannot be built; two things want one place; the interpreter cannot be moved.
    pub fn build(&self, wanted: &Wanted, staged: &Path) -> Result<()> {
        (wanted.build)(staged)?;
        include::put(
            &self.included,
            staged,
            &wanted.plan.interpreter.site_packages,
        )?;
        if self.with_python {
            interpreter_copy::add(staged, &wanted.plan.interpreter, wanted.compile)?;
        }
        Ok(())
    }

    /// Makes byte code of what is included, where nobody is to change the sources any more.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn compile(&self, wanted: &Wanted, staged: &Path) -> Result<()> {
        if self.included.is_empty() {
            Ok(())
        } else {
            (wanted.compile)(&staged.join(include::DIRECTORY))
        }
    }
}

/// Packages of the interpreter's own are no part of the environment: that is told, or refused where
/// the interpreter goes along without them.
fn check_system_packages(with_python: bool, interpreter: &Path) -> Result<()> {
    let interpreter = interpreter.display();
    if with_python {
        let failure = Failure::new(format!("cannot take `{interpreter}` along"));
        let failure = failure.because(
            "the spec has `system-site-packages = true`, and a copy has no packages of its own",
        );
        return Err(failure.hint("leave out one of the two").into());
    }
    let packages =
        format!("the packages that are installed for `{interpreter}` (`system-site-packages`)");
    report::warning(&format!(
        "the environment depends on {packages}, which are not in it"
    ));
    Ok(())
}

/// The spec's own import roots reach a program through vpython, which is not there when an
/// environment's own python is called.
fn warn_of_roots(python_path: &[PathBuf], included: &[Included]) {
    for root in python_path
        .iter()
        .filter(|root| !included.iter().any(|included| included.holds(root)))
    {
        let root = root.display();
        report::warning(&format!(
            "`{root}` of `python-path` is not in the environment; `--include {root}` puts it there"
        ));
    }
}
