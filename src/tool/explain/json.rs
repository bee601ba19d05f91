//! The explanation as JSON, for programs. `docs/explain.md` documents the format; an incompatible
//! change needs a new [`VERSION`].

use std::path::Path;

use anyhow::Result;
use pep508_rs::PackageName;
use serde::Serialize;

use super::graph::Graph;
use super::{Explanation, Interpreter, Outlook, searched};
use crate::interpreter::Source;
use crate::invocation;
use crate::plan::{PlannedWheel, RequiredBy};
use crate::process::variable;
use crate::report;
use crate::spec::{Location, Packages, SpecKind};

/// The version of the format. New fields do not change it; removing a field or changing its meaning
/// does.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document {
    version: u32,
    conf: Option<String>,
    settings: Vec<Setting>,
    searched: Vec<SearchedPlace>,
    spec: Option<Spec>,
    interpreter: Option<Chosen>,
    wheels: Vec<Wheel>,
    edges: Vec<Edge>,
    key: Option<String>,
    entry: Option<String>,
    shared_root: Option<String>,
    hit: bool,
    miss: Option<String>,
    error: Option<Error>,
}

#[derive(Serialize)]
struct Setting {
    key: &'static str,
    value: String,
    from: String,
}

#[derive(Serialize)]
struct SearchedPlace {
    place: String,
    found: Option<&'static str>,
}

#[derive(Serialize)]
struct Spec {
    kind: &'static str,
    file: Option<String>,
    line: Option<usize>,
    source: Option<serde_json::Value>,
    requires_python: Option<String>,
    requirements: Vec<String>,
    system_site_packages: bool,
}

#[derive(Serialize)]
struct Chosen {
    path: Option<String>,
    version: Option<String>,
    implementation: Option<String>,
    free_threaded: Option<bool>,
    found_by: Option<&'static str>,
    found_as: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    defaults: Vec<String>,
    passed_over: Vec<PassedOver>,
}

#[derive(Serialize)]
struct PassedOver {
    path: String,
    why: String,
}

#[derive(Serialize)]
struct Wheel {
    name: String,
    version: String,
    file: String,
    sha256: String,
    required_by: Vec<String>,
}

#[derive(Serialize)]
struct Edge {
    from: Option<String>,
    to: String,
}

#[derive(Serialize)]
struct Error {
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
}

/// Renders the document, with a newline at its end.
pub(super) fn render(explanation: &Explanation) -> Result<String> {
    Ok(serde_json::to_string_pretty(&document(explanation))? + "\n")
}

fn document(explanation: &Explanation) -> Document {
    let environment = explanation.environment.as_ref();
    Document {
        version: VERSION,
        conf: explanation.conf.as_deref().map(path),
        settings: explanation.settings.iter().map(setting).collect(),
        searched: explanation
            .searched
            .iter()
            .map(|probe| SearchedPlace {
                place: searched::place(probe),
                found: searched::found(probe),
            })
            .collect(),
        spec: spec(explanation),
        interpreter: interpreter(explanation),
        wheels: explanation.wheels().iter().map(wheel).collect(),
        edges: Graph::of(explanation.wheels())
            .edges()
            .into_iter()
            .map(|(from, to)| edge(from, to))
            .collect(),
        key: environment.map(|environment| environment.key.to_string()),
        entry: environment.map(|environment| path(&environment.path)),
        shared_root: environment
            .and_then(|environment| environment.shared_root.as_deref())
            .map(path),
        hit: matches!(explanation.outlook, Outlook::Hit),
        miss: miss(&explanation.outlook),
        error: explanation.error.as_ref().map(error),
    }
}

fn spec(explanation: &Explanation) -> Option<Spec> {
    let text = explanation.text.as_ref()?;
    let meaning = explanation.spec.as_ref();
    let requires_python = meaning.and_then(|spec| spec.requires_python.as_ref());
    Some(Spec {
        kind: text.kind.name(),
        file: text.origin.file.as_deref().map(path),
        line: (text.kind != SpecKind::None).then(|| text.line()),
        source: text.source(),
        requires_python: requires_python.map(|range| range.value.specifiers.to_string()),
        requirements: meaning
            .map(|spec| requirements(&spec.packages))
            .unwrap_or_default(),
        system_site_packages: meaning.is_some_and(|spec| !spec.system_packages.are_hidden()),
    })
}

/// Returns the requirements in PEP 508 form, in the spec's order.
pub(super) fn requirements(packages: &Packages) -> Vec<String> {
    match packages {
        Packages::Required(requirements) => requirements
            .asked
            .iter()
            .map(|asked| asked.value.requirement.to_string())
            .collect(),
        Packages::Listed(wheels) => wheels
            .iter()
            .map(|wheel| format!("{}=={}", wheel.value.project, wheel.value.wanted))
            .collect(),
        Packages::Locked(lock) => match &lock.bound {
            Some(bound) => bound
                .asked
                .iter()
                .map(|asked| asked.value.requirement.to_string())
                .collect(),
            None => lock
                .packages
                .iter()
                .map(|package| package.value.title())
                .collect(),
        },
    }
}

fn interpreter(explanation: &Explanation) -> Option<Chosen> {
    if let Outlook::Bypassed(python) = &explanation.outlook {
        let python = python.as_deref()?;
        return Some(Chosen {
            path: Some(path(python)),
            version: None,
            implementation: None,
            free_threaded: None,
            found_by: Some(variable::BYPASS),
            found_as: Some(path(python)),
            image: None,
            defaults: Vec::new(),
            passed_over: Vec::new(),
        });
    }
    let facts = explanation.interpreter.facts();
    let choice = &explanation.interpreter.choice;
    // Without a readable spec, a launch does not look for an interpreter.
    if explanation.spec.is_none() && facts.is_none() {
        return None;
    }
    let passed_over = choice.passed_over.iter();
    Some(Chosen {
        path: facts.map(|facts| path(&facts.executable)),
        version: facts.map(|facts| facts.version().to_string()),
        implementation: facts
            .map(|facts| facts.markers.platform_python_implementation().to_owned()),
        free_threaded: facts.map(|facts| facts.abi.free_threaded),
        found_by: found_by(&explanation.interpreter),
        found_as: choice.taken.as_ref().map(|taken| path(&taken.path)),
        image: choice.image.as_ref().map(ToString::to_string),
        defaults: choice.defaults.clone(),
        passed_over: passed_over
            .map(|one| PassedOver {
                path: path(&one.path),
                why: one.why.clone(),
            })
            .collect(),
    })
}

/// Returns the source of the interpreter.
pub(super) fn found_by(interpreter: &Interpreter) -> Option<&'static str> {
    Some(match interpreter.choice.taken.as_ref()?.source {
        Source::Named => interpreter.named_by?,
        Source::Image => interpreter.named_by.unwrap_or("spec"),
        Source::Bundle => "bundle",
        Source::Path => "PATH",
        Source::Pyenv => "pyenv",
        Source::Uv => "uv",
    })
}

fn setting(setting: &invocation::Setting) -> Setting {
    let invocation::Setting { key, value, from } = setting.clone();
    Setting { key, value, from }
}

fn wheel(wheel: &PlannedWheel) -> Wheel {
    Wheel {
        name: wheel.name.to_string(),
        version: wheel.version.to_string(),
        file: path(&wheel.path),
        sha256: wheel.sha256.to_string(),
        required_by: wheel.required_by.iter().map(required_by_title).collect(),
    }
}

fn edge(from: Option<&PackageName>, to: &PackageName) -> Edge {
    Edge {
        from: from.map(ToString::to_string),
        to: to.to_string(),
    }
}

/// Describes what requires a wheel: a location in a spec, or another wheel by name and version.
pub(super) fn required_by_title(required_by: &RequiredBy) -> String {
    match required_by {
        RequiredBy::Spec(Location {
            file: Some(file),
            line,
            ..
        })
        | RequiredBy::Lock(Location {
            file: Some(file),
            line,
            ..
        }) => {
            format!("{}, line {line}", file.display())
        }
        RequiredBy::Spec(Location {
            file: None, line, ..
        })
        | RequiredBy::Lock(Location {
            file: None, line, ..
        }) => {
            format!("the text of -c, line {line}")
        }
        RequiredBy::Seed => required_by.to_string(),
        RequiredBy::Wheel {
            project, version, ..
        } => format!("{project} {version}"),
    }
}

/// Returns the reason why the launch is cold, or why it needs no environment.
pub(super) fn miss(outlook: &Outlook) -> Option<String> {
    match outlook {
        Outlook::Hit => None,
        Outlook::Miss(why) if why.is_empty() => None,
        Outlook::Miss(why) => Some(why.join("; ")),
        Outlook::Unneeded => {
            Some("python only prints information about itself and needs no environment".to_owned())
        }
        Outlook::Bypassed(_) => Some(format!(
            "`{}` is set, so the next python on `PATH` runs without an environment",
            variable::BYPASS
        )),
    }
}

fn error(error: &anyhow::Error) -> Error {
    let (mut lines, hint) = report::parts(error);
    let causes = lines.split_off(lines.len().min(1));
    Error {
        message: lines.concat(),
        causes,
        hint: hint.map(str::to_owned),
    }
}

/// Converts a path to text, with replacement characters for bytes that are not UTF-8.
fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
