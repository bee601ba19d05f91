//! `-vpython-tool upgrade`: specs of LUCI's form are written in the native one, each file in one step, and only where both come to the
//! same plan.

mod files;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pep440_rs::VersionSpecifiers;

use crate::fs;
use crate::invocation::{Invocation, Upgrade};
use crate::plan::{self, Key, Plan, PlannedWheel};
use crate::process::Process;
use crate::report::{self, Failure};
use crate::spec::upgrade::{Legacy, Native};
use crate::spec::{PythonDefault, SpecText};
use crate::store::Store;
use files::Candidate;

/// The exit code where `--check` finds something to do.
const WOULD_CHANGE: i32 = 1;

/// Upgrades the files that the words name, and those in the folders that they name; without words, those in the current directory.
/// What fails is said, and keeps nothing else from being upgraded. Gives the exit code.
///
/// # Errors
/// A path that is not there; standard output cannot be written.
pub fn run(options: &Upgrade, words: &[OsString], invocation: &Invocation, process: &Process) -> Result<i32> {
    let paths: Vec<PathBuf> = words.iter().map(PathBuf::from).collect();
    let store = Store::open(invocation, process)?;
    store.prepare()?;
    let upgrader = Upgrader { options, invocation, process, memo: store.memo_folder() };
    let (mut changes, mut failure) = (0, None);
    for candidate in files::find(&paths, process)? {
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
    Ok(failure.unwrap_or(if options.check && changes > 0 { WOULD_CHANGE } else { 0 }))
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
            return if candidate.is_named { Err(nothing_in(candidate).into()) } else { Ok(None) };
        };
        let native = self.proven(&legacy)?;
        let is_to_be_written = legacy.is_to_be_written(&native)?;
        let target = target_title(candidate, &legacy);
        if self.options.check {
            return Ok(Some(format!("{}: would be written to {target}", candidate.title)));
        }
        if is_to_be_written {
            let mode = fs::metadata(if fs::exists(&legacy.target) { &legacy.target } else { &legacy.path })?;
            fs::replace(&legacy.target, &native.content, mode.map_or(0o644, |metadata| fs::mode(&metadata)))?;
        }
        // From here on the new form counts, or both do and mean the same.
        let is_own_file = legacy.path != legacy.target;
        if is_own_file && !self.options.keep_legacy {
            fs::remove_file(&legacy.path)?;
        }
        let kept = if is_own_file && self.options.keep_legacy { ", and kept" } else { "" };
        Ok(Some(format!("{}: written to {target}{kept}", candidate.title)))
    }

    /// The native form that comes to the same plan: with public versions where they do, else with the very builds of the plan.
    fn proven(&self, legacy: &Legacy) -> Result<Native> {
        let before = self.plan(&legacy.text).with_context(|| format!("cannot upgrade `{}`", legacy.path.display()))?;
        let python = self.default_python(legacy, &before)?;
        let native = legacy.to_native(&BTreeMap::new(), python.as_ref())?;
        if self.plan(&native.text).is_ok_and(|after| Key::of(&after) == Key::of(&before)) {
            return self.proven_elsewhere(legacy, native, &before);
        }
        let exact = before.wheels.iter().map(|wheel| (wheel.name.clone(), wheel.version.clone())).collect();
        let native = legacy.to_native(&exact, python.as_ref())?;
        let after = self.plan(&native.text)?;
        if Key::of(&after) != Key::of(&before) {
            return Err(another_plan(legacy, &before, &after).into());
        }
        self.proven_elsewhere(legacy, native, &before)
    }

    /// The version that the name of the program gives a spec that names none: the native form must say it, which is read alike by all names.
    fn default_python(&self, legacy: &Legacy, plan: &Plan) -> Result<Option<VersionSpecifiers>> {
        let [major, minor, _] = plan.interpreter.release;
        match legacy.text.parse(self.process)?.python_default {
            PythonDefault::First => Ok(None),
            // Where there is no 2.7, the first that is found was taken.
            PythonDefault::Two if major != 2 => Ok(None),
            PythonDefault::Two | PythonDefault::Three => Ok(Some(format!("=={major}.{minor}.*").parse()?)),
        }
    }

    /// The native form, if it wants the same on each platform that the spec names, where nobody may have the wheels.
    fn proven_elsewhere(&self, legacy: &Legacy, native: Native, here: &Plan) -> Result<Native> {
        let (before, after) = (legacy.text.parse(self.process)?, native.text.parse(self.process)?);
        for target in before.targets()? {
            let system = here.interpreter.on(&target.value);
            let (wanted, got) = (plan::pins(&before, &system), plan::pins(&after, &system));
            if let Some((project, _)) = wanted.symmetric_difference(&got).next() {
                let what = format!(
                    "cannot upgrade `{}`: its native form would make another environment elsewhere",
                    legacy.path.display()
                );
                let why = format!("`{project}` is wanted on {} by only one of the two ({})", system.title(), target.place);
                return Err(Failure::new(what).because(why).into());
            }
        }
        Ok(native)
    }

    fn plan(&self, text: &SpecText) -> Result<Plan> {
        let mut own_words = vec![OsString::from("--vpython-spec=")];
        own_words[0].push(text.origin.file.as_deref().unwrap_or(Path::new("")));
        let invocation = Invocation { own_words, ..self.invocation.clone() };
        let (plan, _) = plan::make(&text.parse(self.process)?, &invocation, self.process, &self.memo)?;
        Ok(plan)
    }
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
    let folder = Path::new(&candidate.title).parent().unwrap_or(Path::new(""));
    folder.join(legacy.target.file_name().unwrap_or_default()).display().to_string()
}

/// Why a file is left as it is: what the new form would change.
fn another_plan(legacy: &Legacy, before: &Plan, after: &Plan) -> Failure {
    let missing = |from: &Plan, of: &Plan| -> Vec<String> {
        let has = |digest| of.wheels.iter().any(|wheel| wheel.sha256 == digest);
        from.wheels.iter().filter(|wheel| !has(wheel.sha256)).map(PlannedWheel::file_name).collect()
    };
    let gone = missing(before, after).into_iter().map(|file| format!("`{file}` would be missing"));
    let new = missing(after, before).into_iter().map(|file| format!("`{file}` would be there"));
    Failure::new(format!("cannot upgrade `{}`: its native form would make another environment", legacy.path.display()))
        .because_of(gone.chain(new))
}
