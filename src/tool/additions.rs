//! What goes with an environment that leaves the store: `--include` and `--with-python`, for all
//! tools that take them.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::include::{self, Included};
use super::interpreter_copy;
use crate::build::{self, Sharing};
use crate::fs::Digest;
use crate::invocation::{Additions, Invocation};
use crate::launch::{self, Decided};
use crate::plan::{self, Plan};
use crate::process::Process;
use crate::report::{self, Failure};
use crate::spec::Spec;
use crate::store::{Store, WheelsKept};

/// An environment that is built outside of the store, decided but not yet built.
pub(super) struct Standalone<'a> {
    /// The interpreter and the wheels.
    pub plan: Plan,
    spec: Spec,
    store: Store,
    invocation: &'a Invocation,
    process: &'a Process,
    /// Unpacked wheels stay in the store while this is built from them.
    _kept: WheelsKept,
}

impl<'a> Standalone<'a> {
    /// Decides on the environment of a command line.
    ///
    /// # Errors
    /// The spec is invalid, or cannot be satisfied here.
    pub fn decide(invocation: &'a Invocation, process: &'a Process) -> Result<Self> {
        let store = Store::open(invocation, process)?;
        let text = launch::find_spec(invocation, process)?;
        let Decided { spec, plan, .. } = launch::decide(&text, &store, invocation, process)?;
        let kept = store.keep_wheels()?;
        Ok(Self {
            plan,
            spec,
            store,
            invocation,
            process,
            _kept: kept,
        })
    }

    /// Adds pip to the environment, unless it is in it.
    ///
    /// # Errors
    /// There is no wheel of pip.
    pub fn add_pip(&mut self) -> Result<()> {
        let memo = self.store.memo_directory();
        plan::add_pip(&mut self.plan, &self.spec, self.invocation, &memo)
    }

    /// The root of the store that the environment is built from.
    pub fn store_root(&self) -> &Path {
        self.store.root()
    }

    /// Builds the environment in an empty directory.
    fn build(&self, sharing: Sharing, staged: &Path) -> Result<()> {
        self.invocation.warn(&build::standalone(
            &self.plan,
            &self.store,
            sharing,
            self.process,
            staged,
        )?);
        Ok(())
    }

    /// Compiles the byte code of all sources in a directory.
    fn compile(&self, directory: &Path) -> Result<()> {
        build::compile_directory(&self.plan.interpreter, directory, self.process)
    }
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
    pub fn pack(options: &Additions, product: &Path, environment: &Standalone) -> Result<Self> {
        let included = Included::find(&options.include, product, environment.process)?;
        if !environment.plan.system_packages.are_hidden() {
            check_system_packages(
                options.with_python,
                &environment.plan.interpreter.executable,
            )?;
        }
        warn_of_roots(&environment.spec.python_path, &included);
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
    pub fn build(&self, environment: &Standalone, sharing: Sharing, staged: &Path) -> Result<()> {
        environment.build(sharing, staged)?;
        include::put(
            &self.included,
            staged,
            &environment.plan.interpreter.site_packages,
        )?;
        if self.with_python {
            interpreter_copy::add(staged, &environment.plan.interpreter, |directory| {
                environment.compile(directory)
            })?;
        }
        Ok(())
    }

    /// Makes byte code of what is included, where nobody is to change the sources any more.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn compile(&self, environment: &Standalone, staged: &Path) -> Result<()> {
        if self.included.is_empty() {
            Ok(())
        } else {
            environment.compile(&staged.join(include::DIRECTORY))
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
