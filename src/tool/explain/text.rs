//! The explanation as text, for a reader: what is run, where its spec was looked for, what that
//! asks for, and what it comes to.

use std::path::Path;

use pep508_rs::PackageName;

use super::{Explanation, Outlook, json, searched};
use crate::fs::Stamped;
use crate::invocation::Target;
use crate::plan::{PlannedWheel, RequiredBy};
use crate::report;
use crate::report::table::{self, Cell};
use crate::spec::{Packages, Source, Spec, SpecKind, SpecText};

/// The column in which values begin.
const MARGIN: usize = 14;
/// The column at which a list goes on in the next line where standard output is not a terminal.
const WIDTH: usize = 110;
/// As much of a digest as tells wheels apart.
const DIGEST: usize = 16;

/// The whole text, its tables and lists no wider than a terminal of `width` columns; none where
/// standard output is not a terminal.
pub(super) fn render(explanation: &Explanation, width: Option<usize>) -> String {
    let mut page = Page {
        text: String::new(),
        width: width.map(|width| width.saturating_sub(MARGIN)),
    };
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
    page.table("looked at", &looked_at(explanation));
    page.gap();
    if let Some(text) = &explanation.text {
        add_spec(&mut page, text, explanation);
    }
    page.gap();
    add_interpreter(&mut page, explanation);
    page.gap();
    page.row(
        "wheels",
        wheels(&explanation.wheels, explanation.text.as_ref(), page.width),
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
    if let Some(environment) = &explanation.environment {
        page.row("key", [environment.key.to_string()]);
        page.row("entry", [environment.path.display().to_string()]);
    }
    page.row("launch", outlook(explanation));
    page.text
}

/// Where the spec was looked for, and what was found there.
fn looked_at(explanation: &Explanation) -> Vec<Vec<Cell>> {
    let rows = searched::summary(&explanation.searched).into_iter();
    rows.map(|[place, found]| vec![Cell::Paths(vec![place]), Cell::Text(found)])
        .collect()
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
    let Some(spec) = &explanation.spec else {
        return;
    };
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
    page.row("read with it", files);
    page.row(
        "python-path",
        spec.python_path
            .iter()
            .map(|root| root.display().to_string()),
    );
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
        if !interpreter.choice.defaults.is_empty() {
            lines.push(format!(
                "no version is named; looked first for {}",
                interpreter.choice.defaults.join(", then ")
            ));
        }
        page.row("interpreter", lines);
    }
    let is_visible = |spec: &Spec| !spec.system_packages.are_hidden();
    if explanation.spec.as_ref().is_some_and(is_visible) {
        page.row(
            "its packages",
            ["can be imported, behind the wheels (system-site-packages)".to_owned()],
        );
    }
    let range = explanation
        .spec
        .as_ref()
        .and_then(|spec| spec.requires_python.as_ref());
    // Where the range stands was said of the spec.
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
    page.table("passed over", &rows.collect::<Vec<_>>());
}

/// What the spec asks for elsewhere only, by markers and tags.
fn not_here(explanation: &Explanation) -> Vec<String> {
    let (Some(spec), Some(_)) = (&explanation.spec, &explanation.environment) else {
        return Vec::new();
    };
    let is_here = |name: &PackageName| explanation.wheels.iter().any(|wheel| wheel.name == *name);
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
        .filter(|name| !is_here(name))
        .map(ToString::to_string)
        .collect()
}

/// The wheels, directory by directory.
fn wheels(wheels: &[PlannedWheel], text: Option<&SpecText>, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut directories: Vec<&Path> = wheels
        .iter()
        .filter_map(|wheel| wheel.path.parent())
        .collect();
    directories.sort_unstable();
    directories.dedup();
    for directory in directories {
        lines.push(format!("in {}", directory.display()));
        let inside = wheels
            .iter()
            .filter(|wheel| wheel.path.parent() == Some(directory));
        let rows = inside.map(|wheel| {
            let title = Cell::Text(format!("  {} {}", wheel.name, wheel.version));
            let digest = Cell::Digest(wheel.sha256.to_string()[..DIGEST].to_owned());
            // What a file name ends in, its tags, says what no other column does.
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

/// Who asks for a wheel: the first, and how many others.
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

/// One who asks; the spec's own file needs no name.
fn required_by_title(required_by: &RequiredBy, text: Option<&SpecText>) -> String {
    match required_by {
        RequiredBy::Spec(place) if text.is_some_and(|text| text.origin.file == place.file) => {
            format!("line {}", place.line)
        }
        other => json::required_by_title(other),
    }
}

/// Which road the launch takes, and why; or what ends it.
fn outlook(explanation: &Explanation) -> Vec<String> {
    if let Some(error) = &explanation.error {
        return vec![format!("fails: {error}")];
    }
    let why = json::miss(&explanation.outlook).unwrap_or_default();
    match &explanation.outlook {
        Outlook::Hit => vec![
            "warm: nothing has changed since the last launch, and its environment stands"
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

/// Labelled rows, the labels in a column of their own.
#[derive(Default)]
struct Page {
    text: String,
    /// How much room there is behind the labels; none where there is no end to it.
    width: Option<usize>,
}

impl Page {
    /// Adds the lines of a row, the first behind its label; none where there are no lines.
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

    /// Adds a row of items with commas between them, in as many lines as that takes.
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

/// The lines of a table.
fn drawn(rows: &[Vec<Cell>], width: Option<usize>) -> Vec<String> {
    table::draw(rows, width)
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Items with commas between them, in lines of `width` characters at most unless one item is
/// longer.
fn wrapped(items: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            // Behind the item there may be a comma.
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
    fn rows_begin_behind_their_labels() {
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
    fn a_long_list_goes_on_in_the_next_line() {
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
