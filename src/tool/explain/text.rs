//! The explanation as text for people: the program, the search for its spec, the requirements, and
//! the resulting environment.

use std::collections::HashSet;

use pep508_rs::PackageName;

use super::{Explanation, Outlook, json, searched};
use crate::fs::Stamped;
use crate::invocation::Target;
use crate::plan::{PlannedWheel, RequiredBy, by_directory};
use crate::report;
use crate::report::table::{self, Cell};
use crate::spec::{Packages, Source, Spec, SpecKind, SpecText};

/// The column of the values.
const MARGIN: usize = 14;
/// The column at which lists wrap if standard output is not a terminal.
const WIDTH: usize = 110;
/// The number of digits of a digest that distinguish wheels.
const DIGEST: usize = 16;

/// Renders the explanation, with tables and lists that fit a terminal of `width` columns. `width`
/// is `None` if standard output is not a terminal.
pub(super) fn render(explanation: &Explanation, width: Option<usize>) -> String {
    let mut page = Page {
        text: String::new(),
        width: width.map(|width| width.saturating_sub(MARGIN)),
    };
    // The program, the settings, and the search for the spec.
    page.row("program", [program(&explanation.target)]);
    if explanation.conf.is_some() {
        let settings = explanation.settings.iter();
        let rows = settings.map(|made| {
            vec![
                Cell::text(made.key),
                Cell::Paths(vec![made.value.clone()]),
                Cell::Text(format!("by {}", made.from)),
            ]
        });
        page.table("settings", &rows.collect::<Vec<_>>());
    }
    page.table("searched", &searched_places(explanation));
    page.gap();
    if let Some(text) = &explanation.text {
        add_spec(&mut page, text, explanation);
    }
    page.gap();
    add_interpreter(&mut page, explanation);
    page.gap();
    // The wheels, and the requirements and seeds without one.
    page.row(
        "wheels",
        wheels(explanation.wheels(), explanation.text.as_ref(), page.width),
    );
    page.list("not here", &not_here(explanation));
    page.list(
        "not seeded",
        &explanation
            .unseeded
            .iter()
            .map(|seed| seed.project.to_string())
            .collect::<Vec<_>>(),
    );
    page.gap();
    // The environment, and the path that the launch takes.
    if let Some(environment) = &explanation.environment {
        page.row("key", [environment.key.to_string()]);
        page.row("entry", [environment.path.display().to_string()]);
        let shared_root = environment.shared_root.as_ref();
        page.row(
            "shared root",
            shared_root.map(|root| root.display().to_string()),
        );
    }
    page.row("launch", outlook(explanation));
    page.text
}

/// Returns the places where the spec was searched, and what was found there.
fn searched_places(explanation: &Explanation) -> Vec<Vec<Cell>> {
    let rows = searched::summary(&explanation.searched).into_iter();
    rows.map(|[place, found]| vec![Cell::Paths(vec![place]), Cell::Text(found)])
        .collect()
}

/// Describes the target of a command line.
fn program(target: &Target) -> String {
    match target {
        Target::Script(path) if path.as_os_str().is_empty() => "the current directory".to_owned(),
        Target::Script(path) => path.display().to_string(),
        Target::Command(_) => "the text of -c".to_owned(),
        Target::Module(name) => format!("module {}", name.display()),
        Target::Stdin => "standard input".to_owned(),
        Target::None => "an interactive python, or standard input".to_owned(),
        Target::Information => "none: python only prints information about itself".to_owned(),
    }
}

/// Adds the spec and its contents.
fn add_spec(page: &mut Page, text: &SpecText, explanation: &Explanation) {
    let title = match (&text.origin.file, text.kind) {
        (_, SpecKind::None) => "none: an environment with no packages".to_owned(),
        (Some(file), kind) => format!("{}, line {} ({})", file.display(), text.line(), kind.name()),
        (None, kind) => format!("the text of -c, line {} ({})", text.line(), kind.name()),
    };
    page.row("spec", [title]);
    let Some(spec) = &explanation.spec else {
        return;
    };
    // The contents are known only if the spec can be parsed.
    let range = spec
        .requires_python
        .as_ref()
        .map(|range| range.value.specifiers.to_string());
    page.row("python", range);
    page.list("requirements", &json::requirements(&spec.packages));
    let files = spec.sources.iter().filter_map(|source| match source {
        Source::File(Stamped {
            path,
            stamp: Some(_),
        }) => Some(path.display().to_string()),
        _ => None,
    });
    page.row("also read", files);
    page.row(
        "python-path",
        spec.python_path
            .iter()
            .map(|root| root.display().to_string()),
    );
}

/// Adds the interpreter and the interpreters that were skipped.
fn add_interpreter(page: &mut Page, explanation: &Explanation) {
    let interpreter = &explanation.interpreter;
    if let Outlook::Bypassed(Some(python)) = &explanation.outlook {
        page.row("interpreter", [python.display().to_string()]);
    }
    // The interpreter, how it was found, and the versions that the search preferred.
    if let Some(facts) = interpreter.facts() {
        let mut lines = vec![format!("{}, {}", facts.executable.display(), facts.title())];
        lines.extend(explanation.how_found());
        if !interpreter.choice.defaults.is_empty() {
            lines.push(format!(
                "no version is specified; searched first for {}",
                interpreter.choice.defaults.join(", then ")
            ));
        }
        page.row("interpreter", lines);
    }
    let is_visible = |spec: &Spec| !spec.system_packages.are_hidden();
    if explanation.spec.as_ref().is_some_and(is_visible) {
        page.row(
            "system site",
            ["importable, after the wheels (system-site-packages)".to_owned()],
        );
    }
    // The interpreters that are not compatible, with the reasons.
    let range = explanation
        .spec
        .as_ref()
        .and_then(|spec| spec.requires_python.as_ref());
    // Omit the location of the range: the spec's part of the text names it.
    let place = range
        .map(|range| format!(" ({})", range.place))
        .unwrap_or_default();
    let passed_over = interpreter.choice.passed_over.iter();
    let rows = passed_over.map(|one| {
        let why = one.why.strip_suffix(&place).unwrap_or(&one.why);
        vec![
            Cell::Paths(vec![one.path.display().to_string()]),
            Cell::text(why),
        ]
    });
    page.table("skipped", &rows.collect::<Vec<_>>());
}

/// Returns the projects that the spec requires only on other platforms, by markers and tags.
fn not_here(explanation: &Explanation) -> Vec<String> {
    let (Some(spec), Some(_)) = (&explanation.spec, &explanation.environment) else {
        return Vec::new();
    };
    let here: HashSet<&PackageName> = explanation
        .wheels()
        .iter()
        .map(|wheel| &wheel.name)
        .collect();
    let names: Vec<&PackageName> = match &spec.packages {
        Packages::Required(requirements) => requirements
            .asked
            .iter()
            .map(|asked| &asked.value.requirement.name)
            .collect(),
        Packages::Listed(wheels) => wheels.iter().map(|wheel| &wheel.value.project).collect(),
        Packages::Locked(lock) => lock
            .packages
            .iter()
            .map(|package| &package.value.name)
            .collect(),
    };
    names
        .into_iter()
        .filter(|name| !here.contains(name))
        .map(ToString::to_string)
        .collect()
}

/// Returns the lines for the wheels, grouped by directory.
fn wheels(wheels: &[PlannedWheel], text: Option<&SpecText>, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    for (directory, inside) in by_directory(wheels) {
        lines.push(format!("in {}", directory.display()));
        let rows = inside.into_iter().map(|wheel| {
            let title = Cell::Text(format!("  {} {}", wheel.name, wheel.version));
            let digest = Cell::Digest(wheel.sha256.to_string()[..DIGEST].to_owned());
            // If the column is too narrow, the end of a file name is kept: its tags are in no other
            // column.
            vec![
                title,
                Cell::Text(required_by(wheel, text)),
                digest,
                Cell::Paths(vec![wheel.file_name()]),
            ]
        });
        lines.extend(drawn(&rows.collect::<Vec<_>>(), width));
    }
    lines
}

/// Describes what requires a wheel: the first source, and the number of others.
fn required_by(wheel: &PlannedWheel, text: Option<&SpecText>) -> String {
    let first = |first: &RequiredBy| match first {
        RequiredBy::Seed => required_by_title(first, text),
        _ => format!("for {}", required_by_title(first, text)),
    };
    match &wheel.required_by[..] {
        [] => String::new(),
        [one] => first(one),
        [one, others @ ..] => format!("{} and {} more", first(one), others.len()),
    }
}

/// Describes one source of a requirement, without the file name if it is the spec's own file.
fn required_by_title(required_by: &RequiredBy, text: Option<&SpecText>) -> String {
    match required_by {
        RequiredBy::Spec(place) if text.is_some_and(|text| text.origin.file == place.file) => {
            format!("line {}", place.line)
        }
        other => json::required_by_title(other),
    }
}

/// Describes which path the launch takes and why, or the error that ends it.
fn outlook(explanation: &Explanation) -> Vec<String> {
    if let Some(error) = &explanation.error {
        return vec![format!("fails: {error}")];
    }
    let why = json::miss(&explanation.outlook).unwrap_or_default();
    match &explanation.outlook {
        Outlook::Hit => vec![
            "warm: nothing has changed since the last launch, and its environment exists"
                .to_owned(),
        ],
        Outlook::Miss(clauses) => {
            let lead = |index| if index == 0 { "cold: " } else { "      " };
            clauses
                .iter()
                .enumerate()
                .map(|(index, clause)| format!("{}{clause}", lead(index)))
                .collect()
        }
        Outlook::Unneeded | Outlook::Bypassed(_) => vec![format!("no environment: {why}")],
    }
}

/// The text as rows with labels, which have their own column.
#[derive(Default)]
struct Page {
    text: String,
    /// The width of the values, or `None` if it is unlimited.
    width: Option<usize>,
}

impl Page {
    /// Adds a row. The label precedes the first line; a row without lines is omitted.
    fn row(&mut self, label: &str, lines: impl IntoIterator<Item = String>) {
        for (index, line) in lines.into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let line = format!("{label:MARGIN$}{}", report::printable(&line));
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// Adds a row whose lines are a table.
    fn table(&mut self, label: &str, rows: &[Vec<Cell>]) {
        self.row(label, drawn(rows, self.width));
    }

    /// Adds a row of items, separated by commas and wrapped.
    fn list(&mut self, label: &str, items: &[String]) {
        self.row(label, wrapped(items, self.width.unwrap_or(WIDTH - MARGIN)));
    }

    /// Adds an empty line, unless there is one.
    fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }
}

/// Returns the lines of a table.
fn drawn(rows: &[Vec<Cell>], width: Option<usize>) -> Vec<String> {
    table::draw(rows, width)
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Wraps items separated by commas into lines of at most `width` characters, unless an item is
/// longer.
fn wrapped(items: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            // Leave room for a comma after the item.
            Some(line) if line.chars().count() + item.chars().count() + 3 <= width => {
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
    fn rows_begin_after_their_labels() {
        let cells = |first: &str, second: &str| {
            vec![Cell::Paths(vec![first.to_owned()]), Cell::text(second)]
        };
        let mut page = Page {
            text: String::new(),
            width: Some(20),
        };
        page.table(
            "label",
            &[cells("/a/long/directory", "x"), cells("b", "yyyyyy")],
        );
        page.gap();
        page.gap();
        page.row("empty", Vec::new());
        page.list(
            "list",
            &["one".into(), "two".into(), "three four five six".into()],
        );
        let expected = "\
label         ...directory  x
              b             yyyyyy

list          one, two,
              three four five six
";
        assert_eq!(page.text, expected);
    }

    #[test]
    fn a_long_list_wraps() {
        let item = "x".repeat(40);
        let line = format!("{item}, {item},");
        assert_eq!(
            wrapped(&[item.clone(), item.clone(), item.clone()], 96),
            [line, item.clone()]
        );
        assert_eq!(wrapped(std::slice::from_ref(&item), 10), [item]);
        assert_eq!(wrapped(&[], 96), [""; 0]);
    }
}
