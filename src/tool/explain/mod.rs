//! `-vpython-tool explain`: explains which environment a launch of a command line uses on this
//! machine, and why. Builds nothing, waits for no lock, and creates no store.
//!
//! It runs the same stages as a launch, in the same order, and records their results up to the
//! first error, which is part of the explanation. It cannot find errors that only a build can find,
//! such as a damaged wheel or a full disk.

mod graph;
mod json;
mod searched;
mod text;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::interpreter::{Facts, InterpreterChoice};
use crate::invocation::{Explain, Invocation, Setting, Target};
use crate::memo;
use crate::plan::{self, Evidence, Key, Plan, PlannedWheel, Seed};
use crate::process::{Process, variable};
use crate::report::{self, table};
use crate::spec::{self, Probe, SearchLog, Spec, SpecText, SystemPackages};
use crate::store::Store;
use crate::{build, fs};
use graph::Graph;

/// Explains a launch. Returns the exit code.
///
/// # Errors
/// The one that the launch would end with; standard output cannot be written.
pub fn run(options: &Explain, invocation: &Invocation, process: &Process) -> Result<i32> {
    let explanation = Explanation::of_launch(invocation, process);
    invocation.warn(&explanation.warnings);
    invocation.warn(&warnings_of_wheels(&explanation, invocation, process));
    explanation.print(options)
}

/// Returns what the build of an environment has said about its wheels, or will say as far as that is
/// known before.
fn warnings_of_wheels(
    explanation: &Explanation,
    invocation: &Invocation,
    process: &Process,
) -> Vec<String> {
    match (explanation.environment(), Store::look(invocation, process)) {
        (Some(path), Ok(store)) if fs::exists(path) => build::warnings(path, &store),
        _ => explanation
            .plan()
            .map_or_else(Vec::new, |plan| build::foreseen(&plan)),
    }
}

/// The results of a launch's stages, up to the first error.
#[derive(Debug)]
pub struct Explanation {
    /// The warnings, one sentence each.
    pub warnings: Vec<String>,
    target: Target,
    /// The `vpython.conf` that is in effect.
    conf: Option<PathBuf>,
    settings: Vec<Setting>,
    searched: Vec<Probe>,
    text: Option<SpecText>,
    spec: Option<Spec>,
    interpreter: Interpreter,
    wheels: Vec<PlannedWheel>,
    /// The seeds that the environment should have but that have no wheel.
    unseeded: Vec<Seed>,
    environment: Option<Environment>,
    outlook: Outlook,
    error: Option<anyhow::Error>,
}

/// An interpreter and how it was chosen.
#[derive(Debug, Default)]
struct Interpreter {
    facts: Option<Facts>,
    choice: InterpreterChoice,
    /// The option or variable that names it, if any.
    named_by: Option<&'static str>,
}

/// The environment that the launch uses.
#[derive(Debug)]
struct Environment {
    key: Key,
    path: PathBuf,
}

/// The path that the launch takes.
#[derive(Debug)]
enum Outlook {
    /// The warm path.
    Hit,
    /// The cold path, for these reasons, one clause each.
    Miss(Vec<String>),
    /// No environment is needed: python only prints information about itself.
    Unneeded,
    /// vpython is bypassed: this python runs without an environment.
    Bypassed(Option<PathBuf>),
}

impl Explanation {
    /// Explains a launch.
    #[must_use]
    pub fn of_launch(invocation: &Invocation, process: &Process) -> Self {
        let mut explanation = Self::new(invocation, process, Outlook::Miss(Vec::new()));
        explanation.interpreter.named_by = named_by(invocation, process);
        explanation.error = explanation.follow(invocation, process).err();
        explanation
    }

    /// Explains a bypassed launch, in which vpython only runs the next python on `PATH`.
    #[must_use]
    pub fn of_bypass(invocation: &Invocation, process: &Process, python: Result<PathBuf>) -> Self {
        let (python, error) = match python {
            Ok(python) => (Some(python), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            error,
            ..Self::new(invocation, process, Outlook::Bypassed(python))
        }
    }

    fn new(invocation: &Invocation, process: &Process, outlook: Outlook) -> Self {
        Self {
            warnings: Vec::new(),
            target: invocation.target.clone(),
            conf: invocation.conf.file.clone(),
            settings: invocation.settings(process),
            searched: Vec::new(),
            text: None,
            spec: None,
            interpreter: Interpreter::default(),
            wheels: Vec::new(),
            unseeded: Vec::new(),
            environment: None,
            outlook,
            error: None,
        }
    }

    /// Returns the plan of the environment, or `None` if the explanation ends before it.
    #[must_use]
    pub fn plan(&self) -> Option<Plan> {
        let interpreter = self
            .environment
            .as_ref()
            .and(self.interpreter.facts.clone())?;
        let system_packages = SystemPackages::default();
        Some(Plan {
            interpreter,
            wheels: self.wheels.clone(),
            unavailable: None,
            strict: false,
            system_packages,
        })
    }

    /// Returns the path of the environment, which may not exist yet, or `None` if the explanation
    /// ends before it.
    #[must_use]
    pub fn environment(&self) -> Option<&Path> {
        self.environment
            .as_ref()
            .map(|environment| environment.path.as_path())
    }

    /// Prints the explanation to standard output in the format that the options select, and returns
    /// the exit code.
    ///
    /// # Errors
    /// The error that would end the launch.
    pub fn print(self, options: &Explain) -> Result<i32> {
        let graph = Graph::of(&self.wheels);
        let text = match options {
            Explain { json: true, .. } => json::render(&self)?,
            Explain {
                dot: false,
                tree: false,
                ..
            } => text::render(&self, table::width_of_output()),
            // The error says more than an empty list of wheels would.
            _ if self.wheels.is_empty() && self.error.is_some() => String::new(),
            Explain { dot: true, .. } => graph.dot(),
            Explain { tree: true, .. } => graph.tree(),
        };
        report::print(text.as_bytes())?;
        self.error.map_or(Ok(0), Err)
    }

    /// Runs the stages of a launch, and records their results.
    fn follow(&mut self, invocation: &Invocation, process: &Process) -> Result<()> {
        // Find the spec, and record each place that the search probes.
        let mut log = SearchLog::on();
        let text = spec::find_by(&mut log, invocation, process);
        self.searched = log.looks();
        if self.target == Target::Information {
            self.outlook = Outlook::Unneeded;
            return self.follow_information(text.ok(), invocation, process);
        }
        let text = self.text.insert(text?).clone();
        self.warnings.extend(text.warnings.iter().cloned());
        self.warnings
            .extend(spec::unnamed(&text, "explain", invocation, process));
        // Look up the memo of the last launch, and resolve the spec in any case.
        let store = Store::look(invocation, process);
        let known = store
            .as_ref()
            .ok()
            .and_then(|store| self.recall(store, &text, invocation, process));
        let decided = self.decide(&text, store.as_ref().ok(), invocation, process);
        // A launch opens the store before it reads the spec.
        store?;
        let Some(known) = known else { return decided };
        // A warm launch does not resolve the spec, so a different result is only a warning.
        match (decided, &self.environment) {
            (Err(error), _) => self.warnings.push(format!(
                "a cold launch would fail: {}",
                report::one_line(&error)
            )),
            (Ok(()), Some(now)) if now.key != known.key => {
                self.warnings.push(format!(
                    "a cold launch would use a different environment, `{}`",
                    now.path.display()
                ));
            }
            _ => {}
        }
        self.environment = Some(known);
        Ok(())
    }

    /// Records a launch in which python only prints information about itself. Falls back to any
    /// interpreter if the spec does not select one.
    fn follow_information(
        &mut self,
        text: Option<SpecText>,
        invocation: &Invocation,
        process: &Process,
    ) -> Result<()> {
        self.spec = text.as_ref().and_then(|text| text.parse(process).ok());
        self.text = text;
        let memo = Store::look(invocation, process)
            .ok()
            .map(|store| store.memo_directory());
        let mut evidence = Evidence::default();
        let mut find = |spec: &Spec| {
            plan::find_interpreter(invocation, spec, process, memo.as_deref(), &mut evidence)
        };
        let any = Spec::default();
        let facts =
            find(self.spec.as_ref().unwrap_or(&any)).or_else(|error| find(&any).map_err(|_| error));
        self.interpreter.choice = evidence.choice;
        self.interpreter.facts = Some(facts?);
        Ok(())
    }

    /// Returns the environment of the last launch with the same inputs if this launch would reuse
    /// it. Otherwise, records why it would not.
    fn recall(
        &mut self,
        store: &Store,
        text: &SpecText,
        invocation: &Invocation,
        process: &Process,
    ) -> Option<Environment> {
        match memo::reusable_environment(store, text, invocation, process) {
            Ok(key) => {
                self.outlook = Outlook::Hit;
                Some(Environment {
                    path: store.path_of(&key),
                    key,
                })
            }
            Err(why) => {
                self.outlook = Outlook::Miss(vec![why]);
                None
            }
        }
    }

    /// Resolves the spec as a cold launch does, up to the environment, or up to the interpreter if
    /// there is no store.
    fn decide(
        &mut self,
        text: &SpecText,
        store: Option<&Store>,
        invocation: &Invocation,
        process: &Process,
    ) -> Result<()> {
        let mut spec = text.parse(process)?;
        self.warnings.append(&mut spec.warnings);
        self.warnings.extend(spec.unchecked_digests());
        let spec = self.spec.insert(spec);
        // Choose the interpreter.
        let memo = store.map(Store::memo_directory);
        let mut evidence = Evidence::default();
        let facts =
            plan::find_interpreter(invocation, spec, process, memo.as_deref(), &mut evidence);
        self.interpreter.choice = std::mem::take(&mut evidence.choice);
        let facts = self.interpreter.facts.insert(facts?).clone();
        let Some(store) = store else { return Ok(()) };
        // Choose the wheels.
        let memo = store.memo_directory();
        let place = (invocation, process, memo.as_path());
        let (wheels, unavailable) = plan::choose_as_launch(spec, &facts, place, &mut evidence)?;
        self.wheels.clone_from(&wheels);
        self.warnings.append(&mut evidence.warnings);
        self.warnings.append(&mut evidence.remarks);
        self.unseeded = evidence.unseeded;
        // Compute the key, and check whether the environment exists.
        let strict = spec.strict || invocation.strict;
        let system_packages = spec.system_packages;
        let key = Key::of(&Plan {
            interpreter: facts,
            wheels,
            unavailable: None,
            strict,
            system_packages,
        });
        if let Outlook::Miss(why) = &mut self.outlook {
            memo::add_environment_state(why, store, &key);
        }
        let environment = self.environment.insert(Environment {
            path: store.path_of(&key),
            key,
        });
        match unavailable {
            // A launch uses an existing environment even if a wheel is missing by now.
            Some(failure) if !fs::exists(&environment.path) => Err(failure.into()),
            _ => Ok(()),
        }
    }
}

/// Returns the flag or variable by which the caller names the interpreter. A flag overrides its
/// variable.
fn named_by(invocation: &Invocation, process: &Process) -> Option<&'static str> {
    let named = invocation.interpreter.as_deref()?;
    let by_variable = process
        .setting(variable::INTERPRETER)
        .map(|value| process.absolute(value.as_ref()));
    Some(if by_variable == Some(process.absolute(named)) {
        variable::INTERPRETER
    } else {
        "-vpython-interpreter"
    })
}
