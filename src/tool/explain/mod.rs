//! `-vpython-tool explain`: explains which environment a launch of a command line uses on this
//! machine, and why. Builds nothing, waits for no lock, and creates no store.
//!
//! It runs the stages of a launch as its [`Recorder`], and keeps their results up to the first
//! error, which is part of the explanation. It cannot find errors that only a build can find, such
//! as a damaged wheel or a full disk.

mod graph;
mod json;
mod searched;
mod text;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::interpreter::{Facts, InterpreterChoice};
use crate::invocation::{Explain, Invocation, Setting, Target};
use crate::launch::{self, Decided, Recorder};
use crate::memo::{self, MemoName};
use crate::plan::{self, Evidence, Key, Plan, PlannedWheel, Seed};
use crate::process::{Process, variable};
use crate::report::{self, table};
use crate::spec::{self, Probe, SearchLog, Spec, SpecText};
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
            .plan
            .as_ref()
            .map_or_else(Vec::new, build::foreseen),
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
    plan: Option<Plan>,
    /// The seeds that the environment should have but that have no wheel.
    unseeded: Vec<Seed>,
    environment: Option<Environment>,
    outlook: Outlook,
    error: Option<anyhow::Error>,
}

/// An interpreter and how it was chosen.
#[derive(Debug, Default)]
struct Interpreter {
    choice: InterpreterChoice,
    /// The option or variable that names it, if any.
    named_by: Option<&'static str>,
}

impl Interpreter {
    /// Returns the facts of the selected interpreter, if one was selected.
    fn facts(&self) -> Option<&Facts> {
        self.choice.taken.as_ref().map(|taken| &taken.facts)
    }
}

/// The environment that the launch uses.
#[derive(Debug)]
struct Environment {
    key: Key,
    path: PathBuf,
    /// The shared root that it is in; `None` if it is in the store, or will be built there.
    shared_root: Option<PathBuf>,
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
            plan: None,
            unseeded: Vec::new(),
            environment: None,
            outlook,
            error: None,
        }
    }

    /// Returns the wheels of the environment; none if the explanation ends before it.
    fn wheels(&self) -> &[PlannedWheel] {
        self.plan.as_ref().map_or(&[], |plan| &plan.wheels)
    }

    /// Returns the path of the environment, which may not exist yet, or `None` if the explanation
    /// ends before it.
    fn environment(&self) -> Option<&Path> {
        self.environment
            .as_ref()
            .map(|environment| environment.path.as_path())
    }

    /// Returns how the interpreter was found, as one clause.
    fn how_found(&self) -> Option<String> {
        let by = json::found_by(&self.interpreter).unwrap_or_default();
        let InterpreterChoice { taken, image, .. } = &self.interpreter.choice;
        let Some(image) = image else {
            let taken = taken.as_ref()?;
            return Some(format!("by {by}, as {}", taken.path.display()));
        };
        let of_spec = self.spec.as_ref().and_then(|it| it.interpreter.as_ref());
        let by = match of_spec.filter(|_| self.interpreter.named_by.is_none()) {
            Some(image) => format!("the spec ({})", image.place),
            None => by.to_owned(),
        };
        Some(format!("by {by}, copied from {image}"))
    }

    /// Prints the explanation to standard output in the format that the options select, and returns
    /// the exit code.
    ///
    /// # Errors
    /// The error that would end the launch.
    pub fn print(self, options: &Explain) -> Result<i32> {
        let graph = Graph::of(self.wheels());
        let text = match options {
            Explain { json: true, .. } => json::render(&self)?,
            Explain {
                dot: false,
                tree: false,
                ..
            } => text::render(&self, table::width_of_output()),
            // The error says more than an empty list of wheels would.
            _ if self.wheels().is_empty() && self.error.is_some() => String::new(),
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
        self.warnings
            .extend(spec::unnamed(&text, "explain", invocation, process));
        // Recall the last launch, and resolve the spec in any case.
        let store = match Store::look(invocation, process) {
            Ok(store) => store,
            Err(error) => {
                // A launch ends here, but its interpreter does not depend on the store.
                if let Ok(spec) = text.parse(invocation, process) {
                    let _ = self.choose_interpreter(&spec, None, invocation, process);
                    self.spec = Some(spec);
                }
                return Err(error);
            }
        };
        let memo = MemoName::of_launch(&text, invocation, process);
        let known = launch::recall(&text, &store, &memo, invocation, process, self)
            .map(|(known, entry)| (known.key, entry));
        let decided = self.decide(&text, &store, invocation, process);
        let Some((key, entry)) = known else {
            return decided;
        };
        // A warm launch does not resolve the spec, so a different result is only a warning.
        match (decided, &self.environment) {
            (Err(error), _) => self.warnings.push(format!(
                "a cold launch would fail: {}",
                report::one_line(&error)
            )),
            (Ok(()), Some(now)) if now.key != key => {
                self.warnings.push(format!(
                    "a cold launch would use a different environment, `{}`",
                    now.path.display()
                ));
            }
            _ => {}
        }
        self.environment = Some(Environment {
            key,
            path: entry.path,
            shared_root: entry.shared_root.map(|root| root.path),
        });
        Ok(())
    }

    /// Resolves the spec as a cold launch does, and locates its environment.
    fn decide(
        &mut self,
        text: &SpecText,
        store: &Store,
        invocation: &Invocation,
        process: &Process,
    ) -> Result<()> {
        let decided = launch::decide(text, store, invocation, process, self)?;
        let key = Key::of(&decided.plan);
        if let Outlook::Miss(why) = &mut self.outlook {
            memo::add_environment_state(why, store, &key);
        }
        let shared_root = store.shared_root_with(&key).map(|root| root.path.clone());
        let path = store.place_of(&key);
        let exists = fs::exists(&path);
        self.environment = Some(Environment {
            key,
            path,
            shared_root,
        });
        // A launch uses an existing environment even if a wheel is missing by now.
        if exists {
            return Ok(());
        }
        build::check_availability(&decided.plan, store)
    }

    /// Records a launch in which python only prints information about itself. Falls back to any
    /// interpreter if the spec does not select one.
    fn follow_information(
        &mut self,
        text: Option<SpecText>,
        invocation: &Invocation,
        process: &Process,
    ) -> Result<()> {
        self.spec = text
            .as_ref()
            .and_then(|text| text.parse(invocation, process).ok());
        self.text = text;
        let store = Store::look(invocation, process).ok();
        let (spec, any) = (self.spec.clone().unwrap_or_default(), Spec::default());
        let mut choose =
            |spec: &Spec| self.choose_interpreter(spec, store.as_ref(), invocation, process);
        choose(&spec).or_else(|error| choose(&any).map_err(|_| error))
    }

    /// Records the interpreter of a spec.
    fn choose_interpreter(
        &mut self,
        spec: &Spec,
        store: Option<&Store>,
        invocation: &Invocation,
        process: &Process,
    ) -> Result<()> {
        let memo = store.map(Store::memo_directory);
        let mut evidence = Evidence::default();
        let here = match store {
            Some(store) => launch::with_interpreter(spec, store, invocation, process)?,
            None => Cow::Borrowed(invocation),
        };
        let invocation = &*here;
        let found =
            plan::find_interpreter(invocation, spec, process, memo.as_deref(), &mut evidence);
        self.chose_interpreter(&evidence.choice);
        found.map(drop)
    }
}

impl Recorder for Explanation {
    fn warn<'w>(&mut self, warnings: impl IntoIterator<Item = &'w String>) {
        self.warnings.extend(warnings.into_iter().cloned());
    }

    fn is_warm(&mut self, _: &Path) {
        self.outlook = Outlook::Hit;
    }

    fn is_cold(&mut self, why: impl FnOnce() -> String) {
        self.outlook = Outlook::Miss(vec![why()]);
    }

    fn parsed(&mut self, spec: &Spec) {
        self.spec = Some(spec.clone());
    }

    fn chose_interpreter(&mut self, choice: &InterpreterChoice) {
        self.interpreter.choice = choice.clone();
    }

    fn planned(&mut self, decided: &Decided) {
        self.warnings.extend_from_slice(&decided.evidence.remarks);
        self.unseeded.clone_from(&decided.evidence.unseeded);
        self.plan = Some(decided.plan.clone());
    }
}

/// Returns the flag or variable by which the caller names the interpreter. A flag overrides its
/// variable.
fn named_by(invocation: &Invocation, process: &Process) -> Option<&'static str> {
    if invocation.interpreter_image.is_some() {
        let mut words = invocation.own_words.iter();
        let flag = b"--vpython-interpreter";
        let is_flag = words.any(|word| word.as_encoded_bytes().starts_with(flag));
        return Some(if is_flag {
            "-vpython-interpreter"
        } else {
            variable::INTERPRETER
        });
    }
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
