//! What is said when no wheel fits: who asks for what, each file and why it was not taken, and what to try.

use pep508_rs::PackageName;

use super::super::wheelhouse::Wheelhouse;
use super::{Demand, Facts};
use crate::report::{Failure, shell_word};

/// A project that has no wheel for all that is asked of it.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// The project.
    pub project: PackageName,
    /// All that is asked of it.
    pub demands: Vec<Demand>,
    /// Each of its wheel files and why it was not taken, a sentence each, sorted.
    pub rejected: Vec<String>,
}

impl Refusal {
    /// The whole error.
    pub fn explain(self, interpreter: &Facts, wheelhouse: &Wheelhouse) -> Failure {
        let folders: Vec<String> = wheelhouse.folders().map(|folder| format!("`{}`", folder.display())).collect();
        let hint = self.hint(interpreter, wheelhouse);
        let place = match &folders[..] {
            [] => String::new(),
            folders => format!(" in {}", folders.join(", ")),
        };
        let failure = match &self.demands[..] {
            [demand] => Failure::new(format!("no wheel{place} fits `{}` ({})", demand.title(), demand.asker)),
            demands => {
                let asked = demands.iter().map(|demand| format!("`{}` is {}", demand.title(), demand.asker));
                Failure::new(format!("no wheel{place} fits all that is asked of `{}`", self.project)).because_of(asked)
            }
        };
        let nothing = match (self.rejected.is_empty(), folders.is_empty()) {
            (true, true) => Some("no folder of wheels is named, and there is no `wheels` beside the spec".to_owned()),
            (true, false) => Some(format!("there is no wheel of `{}`", self.project)),
            _ => None,
        };
        failure.because_of(nothing).because_of(self.rejected).hint(hint)
    }

    fn hint(&self, interpreter: &Facts, wheelhouse: &Wheelhouse) -> String {
        let Some(folder) = wheelhouse.folders().next() else {
            return "name a folder of wheels: `wheels = [\"…\"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`"
                .to_owned();
        };
        let [_, minor, _] = interpreter.release;
        let admitted = wheelhouse.wheels(&self.project).iter().filter(|wheel| {
            let version = &wheel.name.version;
            self.demands.iter().all(|demand| demand.admits(version))
        });
        let other_minor =
            admitted.flat_map(|wheel| wheel.name.cpython_minors()).filter(|other| *other != u64::from(minor)).max();
        match other_minor {
            Some(other) if !self.rejected.is_empty() => {
                format!("add a cp3{minor} wheel to `{}`, or set `requires-python = \"==3.{other}.*\"`", folder.display())
            }
            _ => {
                let asked: Vec<String> = self.demands.iter().map(|demand| format!("'{}'", demand.title())).collect();
                let [python, folder] = [&interpreter.executable, folder].map(|path| shell_word(&path.to_string_lossy()));
                format!("fetch one: `{python} -m pip download --only-binary=:all: -d {folder} {}`", asked.join(" "))
            }
        }
    }
}
