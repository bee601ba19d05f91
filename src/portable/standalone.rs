//! The additions to an environment outside the store: `--include` and `--with-python`, for all
//! tools that accept them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::Result;

use super::include::{self, Included};
use super::interpreter_copy;
use crate::build::{self, Ahead, BuiltWheel, Compile, Sharing, Unpacked};
use crate::fs::Digest;
use crate::invocation::{Additions, Invocation};
use crate::launch::{self, Decided, Log};
use crate::oci::RegistryReference;
use crate::plan::{self, Plan};
use crate::process::Process;
use crate::remote::Client;
use crate::remote::registry::Registry;
use crate::report::{self, Failure};
use crate::spec::Spec;
use crate::store::{Store, WheelsKept};

/// The resolved environment of a command line, to be built outside the store.
pub struct Standalone<'a> {
    /// The resolved plan of the environment.
    pub plan: Plan,
    spec: Spec,
    store: Store,
    invocation: &'a Invocation,
    process: &'a Process,
    /// The client for registries, created when it is first needed.
    client: OnceLock<Arc<Client>>,
    /// Keeps a concurrent prune from removing unpacked wheels.
    _kept: WheelsKept,
}

impl<'a> Standalone<'a> {
    /// Resolves the environment of a command line.
    ///
    /// # Errors
    /// The spec is invalid, or cannot be satisfied here.
    pub fn decide(invocation: &'a Invocation, process: &'a Process) -> Result<Self> {
        let store = Store::open(invocation, process)?;
        let text = launch::find_spec(invocation, process)?;
        let decided = launch::decide(&text, &store, invocation, process, &mut Log(invocation));
        let Decided { spec, plan, .. } = match decided {
            Ok(decided) if decided.plan.unavailable.is_none() => decided,
            // Where the wheels are not at hand, take the environment that a warm launch would use.
            missing => launch::recalled(&text, &store, invocation, process).map_or(missing, Ok)?,
        };
        let kept = store.keep_wheels()?;
        Ok(Self {
            plan,
            spec,
            store,
            invocation,
            process,
            client: OnceLock::new(),
            _kept: kept,
        })
    }

    /// Adds pip to the environment, unless the environment has it already.
    ///
    /// # Errors
    /// No wheel of pip was found.
    pub fn add_pip(&mut self) -> Result<()> {
        let memo = self.store.memo_directory();
        plan::add_pip(&mut self.plan, &self.spec, self.invocation, &memo)
    }

    /// Returns the wheels with the byte code for the interpreter, in the plan's order.
    ///
    /// # Errors
    /// A wheel cannot be fetched, unpacked or compiled.
    pub fn built_wheels(&self) -> Result<Vec<BuiltWheel>> {
        let wheels = self.wheels()?;
        build::built_wheels(&self.plan, wheels, &self.store, self.process)
    }

    /// Fetches and unpacks the wheels that the store does not have, and compiles each as soon as it is
    /// unpacked.
    fn wheels(&self) -> Result<Unpacked> {
        let memo = self.store.memo_directory();
        let connect = || plan::connect(&self.spec, self.invocation, self.process, &memo);
        let trusted = build::Trusted::of(&self.spec, self.invocation);
        let interpreter = &self.plan.interpreter;
        Ahead::during(interpreter, &self.store, self.process, |ahead| {
            let compile = ahead.map_or(Compile::Nothing, Compile::Wheels);
            let fetched = build::fetch(&self.plan, &self.store, trusted, compile, connect)?;
            self.invocation.warn(&fetched.warnings);
            build::unpack_wheels(&self.plan, &self.store, fetched, compile)
        })
    }

    /// Returns the root of the store that the environment is built from.
    pub fn store_root(&self) -> &Path {
        self.store.root()
    }

    /// Returns the client of a repository.
    ///
    /// # Errors
    /// The network may not be used, or a setting is invalid.
    pub(super) fn registry(&self, reference: &RegistryReference) -> Result<Registry> {
        if let Some(client) = self.client.get() {
            return Registry::new(client, reference);
        }
        let client = plan::registry_client(self.invocation, self.process)?;
        Registry::new(self.client.get_or_init(|| client), reference)
    }

    /// Builds the environment in an empty directory.
    fn build(&self, sharing: Sharing, staged: &Path) -> Result<()> {
        let wheels = self.wheels()?;
        self.invocation.warn(&build::standalone(
            &self.plan,
            &wheels,
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

/// The additions to an environment, checked before anything is built.
#[derive(Debug)]
pub(super) struct StandaloneRequest {
    included: Vec<Included>,
    /// True if the interpreter is copied into the environment.
    pub with_python: bool,
}

impl StandaloneRequest {
    /// Checks the additions to the environment at `product`, and warns of what the environment will
    /// lack.
    ///
    /// # Errors
    /// Returns an error if a directory cannot be included or the interpreter cannot be copied.
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

    /// Returns the names of the included directories, each with a digest of its state.
    pub fn states(&self) -> Vec<(String, Digest)> {
        self.included
            .iter()
            .map(|included| (included.name().to_owned(), included.state()))
            .collect()
    }

    /// Returns the path of the interpreter for the environment's manifest: `executable`, or the
    /// path of the copy relative to the environment.
    pub fn interpreter(&self, executable: &Path) -> PathBuf {
        if self.with_python {
            interpreter_copy::binary_path(executable)
        } else {
            executable.to_path_buf()
        }
    }

    /// Builds the environment with its additions in the empty directory `staged`.
    ///
    /// # Errors
    /// Returns an error if the environment cannot be built, if two additions have the same path, or
    /// if the interpreter cannot be copied.
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

    /// Compiles the included sources to byte code, for environments whose sources no longer change.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn compile(&self, environment: &Standalone, staged: &Path) -> Result<()> {
        if self.included.is_empty() {
            Ok(())
        } else {
            environment.compile(&staged.join(include::DIRECTORY))
        }
    }
}

/// Handles `system-site-packages`: packages installed for the interpreter are not part of the
/// environment. Warns of them, or returns an error if the interpreter is copied without them.
fn check_system_packages(with_python: bool, interpreter: &Path) -> Result<()> {
    let interpreter = interpreter.display();
    if with_python {
        let failure = Failure::new(format!("cannot copy `{interpreter}` into the environment"));
        let failure = failure.because(
            "the spec sets `system-site-packages = true`, but a copy has no installed packages",
        );
        return Err(failure
            .hint("remove `system-site-packages` or `--with-python`")
            .into());
    }
    report::warning(&format!(
        "the environment depends on the packages installed for `{interpreter}` (`system-site-packages`), which it does not contain"
    ));
    Ok(())
}

/// Warns of each import root of the spec that is not included. vpython passes these roots to a
/// program; the environment's own python does not know them.
fn warn_of_roots(python_path: &[PathBuf], included: &[Included]) {
    for root in python_path
        .iter()
        .filter(|root| !included.iter().any(|included| included.contains(root)))
    {
        let root = root.display();
        report::warning(&format!(
            "`{root}` from `python-path` is not in the environment; add it with `--include {root}`"
        ));
    }
}
