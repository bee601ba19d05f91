//! `-vpython-tool explain`: what a launch of a command line comes to here, and why. Nothing is
//! built, nothing is waited for, and no store is made.
//!
//! The same stages are asked that a launch asks, in the same order, and what they say is kept as
//! far as they get: an error ends the way, and is a part of the explanation. What only building can
//! find, such as a damaged wheel or a full disk, is not seen.

mod graph;
mod json;
mod searched;
mod text;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::invocation::{Explain, Invocation, Setting, Target};
use crate::launch::miss;
use crate::plan::interpreter::{self, InterpreterChoice};
use crate::plan::{self, Evidence, Facts, Key, Plan, PlannedWheel, Seed};
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

/// What a launch comes to, as far as it gets.
#[derive(Debug)]
pub struct Explanation {
    /// What the launch should know, a sentence each.
    pub warnings: Vec<String>,
    target: Target,
    /// The `vpython.conf` that counts.
    conf: Option<PathBuf>,
    settings: Vec<Setting>,
    searched: Vec<Probe>,
    text: Option<SpecText>,
    spec: Option<Spec>,
    interpreter: Interpreter,
    wheels: Vec<PlannedWheel>,
    /// The seeds that the environment is to have, and of which there is no wheel.
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
    /// The option or variable that names it, where one does.
    named_by: Option<&'static str>,
}

/// The environment that the launch gets.
#[derive(Debug)]
struct Environment {
    key: Key,
    path: PathBuf,
}

/// Which road the launch takes.
#[derive(Debug)]
enum Outlook {
    /// The warm one.
    Hit,
    /// The cold one, for these reasons, a clause each.
    Miss(Vec<String>),
    /// None: python only speaks of itself.
    Unneeded,
    /// None: this python is run as it is.
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

    /// Explains a launch in which vpython does nothing but run the next python on `PATH`.
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

    /// What would be built; none where the explanation does not get that far.
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

    /// Where the environment is or will be; none where the explanation does not get that far.
    #[must_use]
    pub fn environment(&self) -> Option<&Path> {
        self.environment
            .as_ref()
            .map(|environment| environment.path.as_path())
    }

    /// Prints the explanation on standard output in the form that the options ask for, and gives
    /// the exit code.
    ///
    /// # Errors
    /// The one that the launch would end with.
    pub fn print(self, options: &Explain) -> Result<i32> {
        let graph = Graph::of(&self.wheels);
        let text = match options {
            Explain { json: true, .. } => json::render(&self)?,
            Explain {
                dot: false,
                tree: false,
                ..
            } => text::render(&self, table::width_of_output()),
            // The error is told, and says more than that there are no wheels.
            _ if self.wheels.is_empty() && self.error.is_some() => String::new(),
            Explain { dot: true, .. } => graph.dot(),
            Explain { tree: true, .. } => graph.tree(),
        };
        report::print(text.as_bytes())?;
        self.error.map_or(Ok(0), Err)
    }

    /// Goes the way of a launch, and keeps what is found on it.
    fn follow(&mut self, invocation: &Invocation, process: &Process) -> Result<()> {
        let mut log = SearchLog::on();
        let text = spec::find_by(&mut log, invocation, process);
        self.searched = log.looks();
        if self.target == Target::Information {
            self.outlook = Outlook::Unneeded;
            return self.inform(text.ok(), invocation, process);
        }
        let text = self.text.insert(text?).clone();
        self.warnings.extend(text.warnings.iter().cloned());
        self.warnings
            .extend(spec::unnamed(&text, "explain", invocation, process));
        let store = Store::look(invocation, process);
        let known = store
            .as_ref()
            .ok()
            .and_then(|store| self.recall(store, &text, invocation, process));
        let decided = self.decide(&text, store.as_ref().ok(), invocation, process);
        // A launch opens the store before it reads the spec.
        store?;
        let Some(known) = known else { return decided };
        // Whatever would be decided now, the launch does not ask.
        match (decided, &self.environment) {
            (Err(error), _) => self.warnings.push(format!(
                "a cold launch would fail: {}",
                report::one_line(&error)
            )),
            (Ok(()), Some(now)) if now.key != known.key => {
                self.warnings.push(format!(
                    "a cold launch would use another environment, `{}`",
                    now.path.display()
                ));
            }
            _ => {}
        }
        self.environment = Some(known);
        Ok(())
    }

    /// The way of a launch in which python only speaks of itself. Any interpreter will do where the
    /// spec is of no use.
    fn inform(
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
            interpreter::find(invocation, spec, process, memo.as_deref(), &mut evidence)
        };
        let any = Spec::default();
        let facts =
            find(self.spec.as_ref().unwrap_or(&any)).or_else(|error| find(&any).map_err(|_| error));
        self.interpreter.choice = evidence.choice;
        self.interpreter.facts = Some(facts?);
        Ok(())
    }

    /// What the last launch like this came to, if this one would go by it; else notes why it would
    /// not.
    fn recall(
        &mut self,
        store: &Store,
        text: &SpecText,
        invocation: &Invocation,
        process: &Process,
    ) -> Option<Environment> {
        match miss::recall(store, text, invocation, process) {
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

    /// Decides as a cold launch does, up to the environment; without a store, up to the
    /// interpreter.
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
        let memo = store.map(Store::memo_directory);
        let mut evidence = Evidence::default();
        let facts = interpreter::find(invocation, spec, process, memo.as_deref(), &mut evidence);
        self.interpreter.choice = std::mem::take(&mut evidence.choice);
        let facts = self.interpreter.facts.insert(facts?).clone();
        let Some(store) = store else { return Ok(()) };
        let (wheels, unavailable) = plan::choose_wheels(
            spec,
            &facts,
            invocation,
            &store.memo_directory(),
            &mut evidence,
        )?;
        self.wheels.clone_from(&wheels);
        self.warnings.append(&mut evidence.warnings);
        self.warnings.append(&mut evidence.remarks);
        self.unseeded = evidence.unseeded;
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
            miss::add_standing(why, store, &key);
        }
        let environment = self.environment.insert(Environment {
            path: store.path_of(&key),
            key,
        });
        match unavailable {
            // What stands is used all the same.
            Some(failure) if !fs::exists(&environment.path) => Err(failure.into()),
            _ => Ok(()),
        }
    }
}

/// What names the interpreter, where the caller does. A flag beats its variable.
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
