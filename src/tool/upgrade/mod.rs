//! `-vpython-tool upgrade`: converts LUCI specs to native specs. Each file is written atomically,
//! and only if both forms resolve to the same plan, or if neither can be resolved because wheels or
//! an interpreter are missing. With `--all`, updates the lock files of native specs instead.

mod files;
mod locks;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};
use pep440_rs::{Version, VersionSpecifiers};
use pep508_rs::PackageName;

use crate::fs;
use crate::interpreter::Facts;
use crate::invocation::{Invocation, Target, Upgrade};
use crate::launch;
use crate::plan::{self, Evidence, Outline, Plan, PlannedWheel, Seed};
use crate::process::Process;
use crate::report::{self, Failure};
use crate::spec::upgrade::{Legacy, Native, Planned};
use crate::spec::{PythonDefault, Spec, SpecText};
use crate::store::Store;
use files::Candidate;

/// The exit code if `--check` finds something to do.
const WOULD_CHANGE: i32 = 1;

/// Upgrades the files that the words name, and those in the directories that they name; without
/// words, those in the current directory. `--all` updates lock files instead, or in addition if
/// `--legacy` is given too. Reports each failure and continues with the other files. Returns the
/// exit code.
///
/// # Errors
/// A path does not exist; standard output cannot be written.
pub fn run(options: &Upgrade, invocation: &Invocation, process: &Process) -> Result<i32> {
    let is_to_convert = options.legacy || !options.all;
    let converted = if is_to_convert {
        convert(options, invocation, process)?
    } else {
        0
    };
    let locked = if options.all {
        locks::run(options, invocation, process)?
    } else {
        0
    };
    Ok(converted.max(locked))
}

/// Converts LUCI specs to native ones.
fn convert(options: &Upgrade, invocation: &Invocation, process: &Process) -> Result<i32> {
    let store = Store::open(invocation, process)?;
    let here = launch::with_interpreter(&Spec::default(), &store, invocation, process)?;
    let invocation = &*here;
    store.prepare()?;
    let upgrader = Upgrader {
        options,
        invocation,
        process,
        memo: store.memo_directory(),
    };
    let (mut changes, mut failure) = (0, None);
    // A failure in one file does not stop the others.
    for candidate in files::find(&invocation.words, process, files::may_be_legacy)? {
        match upgrader.upgrade(&candidate) {
            Ok(None) => {}
            Ok(Some(line)) => {
                changes += 1;
                report::print(format!("{line}\n").as_bytes())?;
            }
            Err(error) => {
                report::error(&error);
                failure = failure.or(Some(report::exit_code(&error)));
            }
        }
    }
    if changes == 0 && failure.is_none() {
        report::notice("there is no LUCI spec to upgrade here");
    }
    Ok(failure.unwrap_or(if options.check && changes > 0 {
        WOULD_CHANGE
    } else {
        0
    }))
}

struct Upgrader<'a> {
    options: &'a Upgrade,
    invocation: &'a Invocation,
    process: &'a Process,
    memo: PathBuf,
}

impl Upgrader<'_> {
    /// Upgrades one file, and returns a description of the change, or `None` if there is nothing to
    /// do.
    fn upgrade(&self, candidate: &Candidate) -> Result<Option<String>> {
        let Some(legacy) = Legacy::read(&candidate.path)? else {
            return if candidate.is_named {
                Err(nothing_in(candidate).into())
            } else {
                Ok(None)
            };
        };
        let native = self.native_with_same_plan(&legacy, &candidate.title)?;
        let is_to_be_written = legacy.is_to_be_written(&native)?;
        let target = target_title(candidate, &legacy);
        if self.options.check {
            return Ok(Some(format!(
                "{}: would be written to {target}",
                candidate.title
            )));
        }
        // Keep the mode of the file that is replaced, or of the LUCI spec.
        if is_to_be_written {
            let mode = fs::metadata(if fs::exists(&legacy.target) {
                &legacy.target
            } else {
                &legacy.path
            })?;
            fs::replace(
                &legacy.target,
                &native.content,
                mode.map_or(0o644, |metadata| fs::mode(&metadata)),
            )?;
        }
        // From here on the native form is in effect, or both forms are and have the same meaning.
        let is_own_file = legacy.path != legacy.target;
        if is_own_file && !self.options.keep_legacy {
            fs::remove_file(&legacy.path)?;
        }
        let kept = if is_own_file && self.options.keep_legacy {
            ", and kept"
        } else {
            ""
        };
        Ok(Some(format!(
            "{}: written to {target}{kept}",
            candidate.title
        )))
    }

    /// Returns the native form that resolves to the same plan: with public versions if these are
    /// enough, and otherwise with the exact local versions of the plan. If wheels or an interpreter
    /// are missing, the plans cannot be compared, and a notice says so.
    fn native_with_same_plan(&self, legacy: &Legacy, title: &str) -> Result<Native> {
        let context = || format!("cannot upgrade `{}`", legacy.path.display());
        let spec = legacy
            .text
            .parse(self.invocation, self.process)
            .with_context(context)?;
        let before = match self.plan(&legacy.text) {
            Ok(before) => before,
            Err(error) => {
                return self.native_without_plan(legacy, &spec, title, error.context(context()));
            }
        };
        // First try: the public versions.
        let outline = self.outline(&spec, &before.interpreter)?;
        let planned = Planned {
            python: default_python(&spec, before.interpreter.release)?,
            ..planned(&outline)
        };
        let native = legacy.to_native(&planned)?;
        if self
            .plan(&native.text)
            .is_ok_and(|after| is_equivalent(&before, &after))
        {
            return self.check_other_platforms(legacy, native, &planned, &before.interpreter);
        }
        // Second try: the exact versions of the wheels in the plan.
        let exact = before
            .wheels
            .iter()
            .map(|wheel| (wheel.name.clone(), wheel.version.clone()))
            .collect();
        let native = legacy.to_native(&Planned {
            exact,
            ..planned.clone()
        })?;
        let after = self.plan(&native.text)?;
        if !is_equivalent(&before, &after) {
            return Err(different_plan(legacy, &before, &after).into());
        }
        self.check_other_platforms(legacy, native, &planned, &before.interpreter)
    }

    /// Returns the native form of a spec that cannot be resolved here, from what is known about it.
    ///
    /// # Errors
    /// The reason why the spec has no plan is not a missing wheel or interpreter.
    fn native_without_plan(
        &self,
        legacy: &Legacy,
        spec: &Spec,
        title: &str,
        error: Error,
    ) -> Result<Native> {
        if fs::is_io_failure(&error) {
            return Err(error);
        }
        // With an interpreter, only missing wheels can be the reason for the missing plan.
        let memo = Some(&*self.memo);
        let interpreter = plan::find_interpreter(
            self.invocation,
            spec,
            self.process,
            memo,
            &mut Evidence::default(),
        );
        let (why, native) = if let Ok(interpreter) = interpreter {
            let outline = self.outline(spec, &interpreter)?;
            if !outline.lacks_wheels {
                return Err(error);
            }
            let planned = Planned {
                python: default_python(spec, interpreter.release)?,
                ..planned(&outline)
            };
            (
                "wheels are missing",
                self.check_other_platforms(
                    legacy,
                    legacy.to_native(&planned)?,
                    &planned,
                    &interpreter,
                )?,
            )
        } else {
            // Most interpreters include pip and setuptools.
            let seeds = Seed::all()
                .into_iter()
                .filter(|seed| spec.seed && seed.project.as_ref() != "wheel")
                .collect();
            let native = legacy.to_native(&planned(&Outline {
                seeds,
                ..Outline::default()
            }))?;
            ("no interpreter satisfies it", native)
        };
        report::notice(&format!(
            "{title}: the plans of both forms were not compared, because {why}"
        ));
        Ok(native)
    }

    fn outline(&self, spec: &Spec, interpreter: &Facts) -> Result<Outline> {
        plan::outline(spec, interpreter, self.invocation, &self.memo)
    }

    /// Returns the native form if it requires the same packages on each platform that the spec
    /// names. This check needs no wheels, because those for other platforms may be missing.
    fn check_other_platforms(
        &self,
        legacy: &Legacy,
        native: Native,
        planned: &Planned,
        here: &Facts,
    ) -> Result<Native> {
        let (before, after) = (
            legacy.text.parse(self.invocation, self.process)?,
            native.text.parse(self.invocation, self.process)?,
        );
        let is_added = |project: &PackageName, version: Option<&Version>| {
            planned.required.contains_key(project)
                || version.is_none() && plan::is_seed(project.as_ref())
        };
        for target in before.targets()? {
            let system = here.for_target(&target.value);
            // Compare the pins of both forms on this platform.
            let (wanted, mut got) = (plan::pins(&before, &system), plan::pins(&after, &system));
            // A LUCI spec does not list the packages that the conversion adds.
            got.retain(|pin| wanted.contains(pin) || !is_added(&pin.0, pin.1.as_ref()));
            // Then the packages that only the wheels' requirements add on this platform.
            let wanted_elsewhere = self.outline(&before, &system)?.required;
            let missing = wanted_elsewhere
                .keys()
                .find(|project| !planned.required.contains_key(*project));
            let differing = wanted
                .symmetric_difference(&got)
                .next()
                .map(|(project, _)| project);
            if let Some(project) = differing.or(missing) {
                let what = format!(
                    "cannot upgrade `{}`: `vpython.toml` would give a different environment on another platform",
                    legacy.path.display()
                );
                let why = format!(
                    "only one of the two forms requires `{project}` on {} ({})",
                    system.title(),
                    target.place
                );
                return Err(Failure::new(what).because(why).into());
            }
        }
        Ok(native)
    }

    fn plan(&self, text: &SpecText) -> Result<Plan> {
        let spec = text.origin.file.clone();
        let invocation = self.invocation.for_other(spec, Target::None);
        let made = plan::make(
            &text.parse(self.invocation, self.process)?,
            &invocation,
            self.process,
            &self.memo,
            &mut Evidence::default(),
        )?;
        Ok(made.plan)
    }
}

/// Returns the additions to the native form.
fn planned(outline: &Outline) -> Planned {
    let Outline {
        seeds, required, ..
    } = outline;
    Planned {
        exact: BTreeMap::new(),
        required: required.clone(),
        seeds: seeds.iter().map(ToString::to_string).collect(),
        python: None,
    }
}

/// Returns the Python versions to require if the spec names none and its default depends on the
/// program's name. The native form must name them, since its meaning does not depend on that name.
/// `release` is that of the interpreter that was found.
fn default_python(spec: &Spec, [major, minor, _]: [u32; 3]) -> Result<Option<VersionSpecifiers>> {
    match spec.python_default {
        PythonDefault::First => Ok(None),
        // Without a Python 2.7, the first interpreter found was used.
        PythonDefault::Two if major != 2 => Ok(None),
        PythonDefault::Two | PythonDefault::Three => {
            Ok(Some(format!("=={major}.{minor}.*").parse()?))
        }
    }
}

/// Checks whether two plans describe the same environment. Ignores what requires each wheel: a
/// native spec also names packages that a LUCI spec leaves to the requirements of its wheels.
fn is_equivalent(one: &Plan, other: &Plan) -> bool {
    let digests = |plan: &Plan| {
        plan.wheels
            .iter()
            .map(|wheel| wheel.sha256)
            .collect::<BTreeSet<_>>()
    };
    one.interpreter == other.interpreter && digests(one) == digests(other)
}

fn nothing_in(candidate: &Candidate) -> Failure {
    Failure::new(format!("`{}` has no LUCI spec", candidate.title))
        .because("it is not a `.vpython3` or `.vpython` file and has no `[VPYTHON:BEGIN]` block")
}

/// Returns the path of the file to write, as the caller would name it.
fn target_title(candidate: &Candidate, legacy: &Legacy) -> String {
    if legacy.path == legacy.target {
        return "a `# /// script` block in its place".to_owned();
    }
    let directory = Path::new(&candidate.title)
        .parent()
        .unwrap_or(Path::new(""));
    directory
        .join(legacy.target.file_name().unwrap_or_default())
        .display()
        .to_string()
}

/// Returns the error for a file that is left unchanged, with the changes that the native form would
/// cause.
fn different_plan(legacy: &Legacy, before: &Plan, after: &Plan) -> Failure {
    let missing = |from: &Plan, of: &Plan| -> Vec<String> {
        let there: BTreeSet<_> = of.wheels.iter().map(|wheel| wheel.sha256).collect();
        from.wheels
            .iter()
            .filter(|wheel| !there.contains(&wheel.sha256))
            .map(PlannedWheel::file_name)
            .collect()
    };
    let gone = missing(before, after)
        .into_iter()
        .map(|file| format!("`{file}` would be missing"));
    let new = missing(after, before)
        .into_iter()
        .map(|file| format!("`{file}` would be added"));
    Failure::new(format!(
        "cannot upgrade `{}`: `vpython.toml` would give a different environment",
        legacy.path.display()
    ))
    .because_of(gone.chain(new))
}
