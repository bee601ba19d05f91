//! The explanation as text, for a reader: what is run, where its spec was looked for, what that asks for, and what it comes to.

use std::path::Path;

use pep508_rs::PackageName;

use super::{Explanation, Outlook, json, searched};
use crate::fs::Stamped;
use crate::invocation::Target;
use crate::plan::{Asker, PlannedWheel};
use crate::report;
use crate::spec::{Packages, Source, SpecKind, SpecText};

/// The column in which values begin.
const MARGIN: usize = 14;
/// The column at which a list goes on in the next line.
const WIDTH: usize = 110;
/// As much of a digest as tells wheels apart.
const DIGEST: usize = 16;

/// The whole text.
pub(super) fn render(explanation: &Explanation) -> String {
    let mut page = Page::default();
    page.row("program", [program(&explanation.target)]);
    page.row("looked at", table(&searched::summary(&explanation.searched)));
    page.gap();
    if let Some(text) = &explanation.text {
        add_spec(&mut page, text, explanation);
    }
    page.gap();
    add_interpreter(&mut page, explanation);
    page.gap();
    page.row("wheels", wheels(&explanation.wheels, explanation.text.as_ref()));
    page.row("not here", wrapped(&not_here(explanation)));
    page.gap();
    if let Some(environment) = &explanation.environment {
        page.row("key", [environment.key.to_string()]);
        page.row("entry", [environment.path.display().to_string()]);
    }
    page.row("launch", outlook(explanation));
    page.0
}

/// What a command line runs.
fn program(target: &Target) -> String {
    match target {
        Target::Script(path) if path.as_os_str().is_empty() => "the current directory".to_owned(),
        Target::Script(path) => path.display().to_string(),
        Target::Command(_) => "the text of -c".to_owned(),
        Target::Module(name) => format!("module {}", name.display()),
        Target::Stdin => "standard input".to_owned(),
        Target::None => "an interactive python, or standard input".to_owned(),
        Target::Information => "none: python speaks of itself".to_owned(),
    }
}

fn add_spec(page: &mut Page, text: &SpecText, explanation: &Explanation) {
    let title = match (&text.origin.file, text.kind) {
        (_, SpecKind::None) => "none: an environment with no packages".to_owned(),
        (Some(file), kind) => format!("{}, line {} ({})", file.display(), text.line(), kind.name()),
        (None, kind) => format!("the text of -c, line {} ({})", text.line(), kind.name()),
    };
    page.row("spec", [title]);
    let Some(spec) = &explanation.spec else { return };
    let range = spec.requires_python.as_ref().map(|range| range.value.specifiers.to_string());
    page.row("python", range);
    page.row("requirements", wrapped(&json::requirements(&spec.packages)));
    let files = spec.sources.iter().filter_map(|source| match source {
        Source::File(Stamped { path, stamp: Some(_) }) => Some(path.display().to_string()),
        _ => None,
    });
    page.row("read with it", files);
    page.row("python-path", spec.python_path.iter().map(|root| root.display().to_string()));
}

fn add_interpreter(page: &mut Page, explanation: &Explanation) {
    let interpreter = &explanation.interpreter;
    if let Outlook::Bypassed(Some(python)) = &explanation.outlook {
        page.row("interpreter", [python.display().to_string()]);
    }
    if let Some(facts) = &interpreter.facts {
        let mut lines = vec![format!("{}, {}", facts.executable.display(), facts.title())];
        let by = json::found_by(interpreter).unwrap_or_default();
        let taken = interpreter.choice.taken.as_ref();
        lines.extend(taken.map(|taken| format!("by {by}, as {}", taken.path.display())));
        page.row("interpreter", lines);
    }
    let range = explanation.spec.as_ref().and_then(|spec| spec.requires_python.as_ref());
    // Where the range stands was said of the spec.
    let place = range.map(|range| format!(" ({})", range.place)).unwrap_or_default();
    let passed_over = interpreter.choice.passed_over.iter();
    let rows =
        passed_over.map(|one| [one.path.display().to_string(), one.why.strip_suffix(&place).unwrap_or(&one.why).to_owned()]);
    page.row("passed over", table(&rows.collect::<Vec<_>>()));
}

/// What the spec asks for elsewhere only, by markers and tags.
fn not_here(explanation: &Explanation) -> Vec<String> {
    let (Some(spec), Some(_)) = (&explanation.spec, &explanation.environment) else { return Vec::new() };
    let is_here = |name: &PackageName| explanation.wheels.iter().any(|wheel| wheel.name == *name);
    let names: Vec<&PackageName> = match &spec.packages {
        Packages::Required(requirements) => requirements.asked.iter().map(|asked| &asked.value.requirement.name).collect(),
        Packages::Listed(wheels) => wheels.iter().map(|wheel| &wheel.value.project).collect(),
        Packages::Locked(lock) => lock.packages.iter().map(|package| &package.value.name).collect(),
    };
    names.into_iter().filter(|name| !is_here(name)).map(ToString::to_string).collect()
}

/// The wheels, folder by folder.
fn wheels(wheels: &[PlannedWheel], text: Option<&SpecText>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut folders: Vec<&Path> = wheels.iter().filter_map(|wheel| wheel.path.parent()).collect();
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        lines.push(format!("in {}", folder.display()));
        let inside = wheels.iter().filter(|wheel| wheel.path.parent() == Some(folder));
        let rows = inside.map(|wheel| {
            let digest = wheel.sha256.to_string();
            let title = format!("  {} {}", wheel.name, wheel.version);
            // Names of files may be long, and so come last.
            [title, askers(wheel, text), format!("sha256 {}", &digest[..DIGEST]), wheel.file_name()]
        });
        lines.extend(table(&rows.collect::<Vec<_>>()));
    }
    lines
}

/// Who asks for a wheel: the first, and how many others.
fn askers(wheel: &PlannedWheel, text: Option<&SpecText>) -> String {
    match &wheel.required_by[..] {
        [] => String::new(),
        [one] => format!("for {}", asker(one, text)),
        [first, others @ ..] => format!("for {} and {} more", asker(first, text), others.len()),
    }
}

/// One who asks; the spec's own file needs no name.
fn asker(asker: &Asker, text: Option<&SpecText>) -> String {
    match asker {
        Asker::Spec(place) if text.is_some_and(|text| text.origin.file == place.file) => format!("line {}", place.line),
        other => json::asker(other),
    }
}

/// Which road the launch takes, and why; or what ends it.
fn outlook(explanation: &Explanation) -> Vec<String> {
    if let Some(error) = &explanation.error {
        return vec![format!("fails: {error}")];
    }
    let why = json::miss(&explanation.outlook).unwrap_or_default();
    match &explanation.outlook {
        Outlook::Hit => vec!["warm: nothing has changed since the last launch, and its environment stands".to_owned()],
        Outlook::Miss(clauses) => {
            let lead = |index| if index == 0 { "cold: " } else { "      " };
            clauses.iter().enumerate().map(|(index, clause)| format!("{}{clause}", lead(index))).collect()
        }
        Outlook::Unneeded | Outlook::Bypassed(_) => vec![format!("no environment: {why}")],
    }
}

/// Labelled rows, the labels in a column of their own.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Adds the lines of a row, the first behind its label; none where there are no lines.
    fn row(&mut self, label: &str, lines: impl IntoIterator<Item = String>) {
        for (index, line) in lines.into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let line = format!("{label:MARGIN$}{}\n", report::printable(&line));
            self.0.push_str(&line);
        }
    }

    /// Adds an empty line, unless there is one.
    fn gap(&mut self) {
        if !self.0.is_empty() && !self.0.ends_with("\n\n") {
            self.0.push('\n');
        }
    }
}

/// Rows with their columns under each other.
fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Items with commas between them, in as many lines as that takes.
fn wrapped(items: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some(line) if MARGIN + line.chars().count() + item.chars().count() + 3 <= WIDTH => {
                line.push_str(", ");
                line.push_str(item);
            }
            Some(line) => {
                line.push(',');
                lines.push(item.clone());
            }
            None => lines.push(item.clone()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [["é".to_owned(), "x".to_owned()], ["long".to_owned(), String::new()]];
        assert_eq!(table(&rows), ["é     x", "long"]);
        let mut page = Page::default();
        page.row("label", table(&rows));
        page.gap();
        page.gap();
        page.row("empty", Vec::new());
        assert_eq!(page.0, "label         é     x\n              long\n\n");
    }

    #[test]
    fn a_long_list_goes_on_in_the_next_line() {
        let item = "x".repeat(40);
        let line = format!("{item}, {item},");
        assert_eq!(wrapped(&[item.clone(), item.clone(), item.clone()]), [line, item.clone()]);
        assert_eq!(wrapped(std::slice::from_ref(&item)), [item]);
        assert_eq!(wrapped(&[]), [""; 0]);
    }
}
