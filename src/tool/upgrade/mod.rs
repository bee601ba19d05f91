//! `-vpython-tool upgrade`: specs of LUCI's form are written in the native one, each file in one
//! step, and only where both come to the same plan, if there is any. With `--all`, locks of native
//! specs are made anew instead.

mod files;
mod locks;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};
use pep440_rs::{Version, VersionSpecifiers};
use pep508_rs::PackageName;

use crate::fs;
use crate::invocation::{Invocation, Upgrade};
use crate::plan::{self, Evidence, Facts, Outline, Plan, PlannedWheel, Seed, interpreter};
use crate::process::Process;
use crate::report::{self, Failure};
use crate::spec::upgrade::{Legacy, Native, Planned};
use crate::spec::{PythonDefault, Spec, SpecText};
use crate::store::Store;
use files::Candidate;

/// The exit code where `--check` finds something to do.
const WOULD_CHANGE: i32 = 1;

/// Upgrades the files that the words name, and those in the directories that they name; without
/// words, those in the current directory. With `--all`, makes locks anew instead, or besides where
/// `--legacy` is given too. What fails is said, and keeps nothing else from being upgraded. Gives
/// the exit code.
///
/// # Errors
/// A path that is not there; standard output cannot be written.
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

/// Writes specs of LUCI's form in the native one.
fn convert(options: &Upgrade, invocation: &Invocation, process: &Process) -> Result<i32> {
    let store = Store::open(invocation, process)?;
    store.prepare()?;
    let upgrader = Upgrader {
        options,
        invocation,
        process,
        memo: store.memo_directory(),
    };
    let (mut changes, mut failure) = (0, None);
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
        report::notice("no spec of LUCI's form is here to be upgraded");
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
    /// Upgrades one file, and says what was done; nothing where there is nothing to do.
    fn upgrade(&self, candidate: &Candidate) -> Result<Option<String>> {
        let Some(legacy) = Legacy::read(&candidate.path)? else {
            return if candidate.is_named {
                Err(nothing_in(candidate).into())
            } else {
                Ok(None)
            };
        };
        let native = self.proven(&legacy, &candidate.title)?;
        let is_to_be_written = legacy.is_to_be_written(&native)?;
        let target = target_title(candidate, &legacy);
        if self.options.check {
            return Ok(Some(format!(
                "{}: would be written to {target}",
                candidate.title
            )));
        }
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
        // From here on the new form counts, or both do and mean the same.
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

    /// The native form that comes to the same plan: with public versions where they do, else with
    /// the very builds of the plan. Where wheels or an interpreter are missing, plans cannot be
    /// compared; that is said.
    fn proven(&self, legacy: &Legacy, title: &str) -> Result<Native> {
        let context = || format!("cannot upgrade `{}`", legacy.path.display());
        let spec = legacy.text.parse(self.process).with_context(context)?;
        let before = match self.plan(&legacy.text) {
            Ok(before) => before,
            Err(error) => return self.unproven(legacy, &spec, title, error.context(context())),
        };
        let outline = self.outline(&spec, &before.interpreter)?;
        let planned = Planned {
            python: default_python(&spec, before.interpreter.release)?,
            ..planned(&outline)
        };
        let native = legacy.to_native(&planned)?;
        if self
            .plan(&native.text)
            .is_ok_and(|after| is_alike(&before, &after))
        {
            return self.proven_elsewhere(legacy, native, &planned, &before.interpreter);
        }
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
        if !is_alike(&before, &after) {
            return Err(another_plan(legacy, &before, &after).into());
        }
        self.proven_elsewhere(legacy, native, &planned, &before.interpreter)
    }

    /// The native form of a spec that has no plan here, by what can be told of it.
    ///
    /// # Errors
    /// That there is no plan is nothing that wheels or an interpreter would change.
    fn unproven(&self, legacy: &Legacy, spec: &Spec, title: &str, error: Error) -> Result<Native> {
        if fs::is_io_failure(&error) {
            return Err(error);
        }
        let memo = Some(&*self.memo);
        let interpreter = interpreter::find(
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
                self.proven_elsewhere(legacy, legacy.to_native(&planned)?, &planned, &interpreter)?,
            )
        } else {
            // Most interpreters bring these two.
            let seeds = Seed::all()
                .into_iter()
                .filter(|seed| spec.seed && seed.project.as_ref() != "wheel")
                .collect();
            let native = legacy.to_native(&planned(&Outline {
                seeds,
                ..Outline::default()
            }))?;
            ("there is no interpreter for it", native)
        };
        report::notice(&format!(
            "{title}: the plans of both forms were not compared, since {why}"
        ));
        Ok(native)
    }

    fn outline(&self, spec: &Spec, interpreter: &Facts) -> Result<Outline> {
        plan::outline(spec, interpreter, self.invocation, &self.memo)
    }

    /// The native form, if it wants the same on each platform that the spec names, where nobody may
    /// have the wheels.
    fn proven_elsewhere(
        &self,
        legacy: &Legacy,
        native: Native,
        planned: &Planned,
        here: &Facts,
    ) -> Result<Native> {
        let (before, after) = (
            legacy.text.parse(self.process)?,
            native.text.parse(self.process)?,
        );
        let is_added = |project: &PackageName, version: Option<&Version>| {
            planned.required.contains_key(project)
                || version.is_none() && plan::is_seed(project.as_ref())
        };
        for target in before.targets()? {
            let system = here.for_target(&target.value);
            let (wanted, mut got) = (plan::pins(&before, &system), plan::pins(&after, &system));
            // No list has these.
            got.retain(|pin| wanted.contains(pin) || !is_added(&pin.0, pin.1.as_ref()));
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
                    "cannot upgrade `{}`: its native form would make another environment elsewhere",
                    legacy.path.display()
                );
                let why = format!(
                    "`{project}` is wanted on {} by only one of the two ({})",
                    system.title(),
                    target.place
                );
                return Err(Failure::new(what).because(why).into());
            }
        }
        Ok(native)
    }

    fn plan(&self, text: &SpecText) -> Result<Plan> {
        let mut own_words = vec![OsString::from("--vpython-spec=")];
        own_words[0].push(text.origin.file.as_deref().unwrap_or(Path::new("")));
        let invocation = Invocation {
            own_words,
            ..self.invocation.clone()
        };
        let (plan, _) = plan::make(
            &text.parse(self.process)?,
            &invocation,
            self.process,
            &self.memo,
        )?;
        Ok(plan)
    }
}

/// What goes into the native form.
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

/// The versions to ask for where a spec names none, and its Python hangs on the name of the
/// program: the native form must say which, since it means the same by all names. `release` is that
/// of the interpreter that was found.
fn default_python(spec: &Spec, [major, minor, _]: [u32; 3]) -> Result<Option<VersionSpecifiers>> {
    match spec.python_default {
        PythonDefault::First => Ok(None),
        // Where there is no 2.7, the first that is found was taken.
        PythonDefault::Two if major != 2 => Ok(None),
        PythonDefault::Two | PythonDefault::Three => {
            Ok(Some(format!("=={major}.{minor}.*").parse()?))
        }
    }
}

/// Whether two plans are the same environment, but for what asks for each wheel: a native spec
/// names also what a list leaves to its wheels.
fn is_alike(one: &Plan, other: &Plan) -> bool {
    let digests = |plan: &Plan| {
        plan.wheels
            .iter()
            .map(|wheel| wheel.sha256)
            .collect::<BTreeSet<_>>()
    };
    one.interpreter == other.interpreter && digests(one) == digests(other)
}

fn nothing_in(candidate: &Candidate) -> Failure {
    Failure::new(format!("`{}` has no spec of LUCI's form", candidate.title))
        .because("it is no `.vpython3` or `.vpython` file, and has no `[VPYTHON:BEGIN]` block")
}

/// The file that is written, in the caller's words.
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

/// Why a file is left as it is: what the new form would change.
fn another_plan(legacy: &Legacy, before: &Plan, after: &Plan) -> Failure {
    let missing = |from: &Plan, of: &Plan| -> Vec<String> {
        let has = |digest| of.wheels.iter().any(|wheel| wheel.sha256 == digest);
        from.wheels
            .iter()
            .filter(|wheel| !has(wheel.sha256))
            .map(PlannedWheel::file_name)
            .collect()
    };
    let gone = missing(before, after)
        .into_iter()
        .map(|file| format!("`{file}` would be missing"));
    let new = missing(after, before)
        .into_iter()
        .map(|file| format!("`{file}` would be there"));
    Failure::new(format!(
        "cannot upgrade `{}`: its native form would make another environment",
        legacy.path.display()
    ))
    .because_of(gone.chain(new))
}
