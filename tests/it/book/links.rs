//! Links, headings and the table of contents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::{Page, page, pages, prose, root};

/// The first parts of the paths that documents name in backticks.
const NAMED: [&str; 5] = [".ci/", "benches/", "packaging/", "tests/it/", "testdata/"];

/// Returns the targets of the links of a page, each with its line.
fn links(page: &Page) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(&page.text) {
        let line = without_code(line);
        for part in line.split("](").skip(1) {
            let target = part.split(')').next().unwrap_or_default();
            found.push((number, target.to_owned()));
        }
    }
    found
}

/// The line with its code spans emptied.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// The code spans of a line.
fn code(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Returns the anchors of a page: those of its headings, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut counts = BTreeMap::new();
    let mut found = BTreeSet::new();
    for (_, line) in prose(text) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let slug: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'))
            .map(|it| if it == ' ' { '-' } else { it })
            .collect();
        let count = counts.entry(slug.clone()).or_insert(0);
        found.insert(match *count {
            0 => slug,
            count => format!("{slug}-{count}"),
        });
        *count += 1;
    }
    found
}

/// Resolves `.` and `..` of a path in the repository.
fn normalized(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(parts.pop(), "{} leads outside", path.display()),
            part => parts.push(part),
        }
    }
    parts
}

/// Returns what is wrong with the links of a page.
fn problems(page: &Page) -> Vec<String> {
    let mut found = Vec::new();
    for (line, target) in links(page) {
        if target.starts_with("https://") {
            continue;
        }
        let mut complain =
            |what: &str| found.push(format!("{}:{line}: `{target}` {what}", page.path));
        let (file, fragment) = target.split_once('#').unwrap_or((&target, ""));
        let place = match file {
            "" => PathBuf::from(&page.path),
            file => normalized(&Path::new(&page.path).with_file_name("").join(file)),
        };
        if page.path.starts_with("docs/") && !place.starts_with("docs") {
            complain("leads out of the book");
        } else if !root().join(&place).is_file() {
            complain("does not exist");
        } else if !fragment.is_empty() {
            let text = if file.is_empty() {
                page.text.clone()
            } else {
                std::fs::read_to_string(root().join(&place)).unwrap()
            };
            if !anchors(&text).contains(fragment) {
                complain("names no heading");
            }
        }
    }
    found
}

#[test]
fn each_link_leads_to_a_file_and_a_heading() {
    let found: Vec<String> = pages().iter().flat_map(problems).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_broken_link_is_found() {
    #[rustfmt::skip]
    let rows = [
        ("docs/a.md", "[a](nothing.md)", "docs/a.md:1: `nothing.md` does not exist"),
        ("docs/a.md", "\n[a](locks.md#nothing)", "docs/a.md:2: `locks.md#nothing` names no heading"),
        ("docs/locks.md", "[a](#b)\n# c", "docs/locks.md:1: `#b` names no heading"),
        ("docs/a.md", "[a](../README.md)", "docs/a.md:1: `../README.md` leads out of the book"),
        ("README.md", "![a](docs/pictures/nothing.svg)", "README.md:1: `docs/pictures/nothing.svg` does not exist"),
        ("docs/site.md", "[a](#the-b) and [c](locks.md)\n## The `b`\n`[d](e)`", ""),
        ("docs/a.md", "```text\n[a](nothing.md)\n```\n[a](https://example.org/nothing)", ""),
    ];
    for (path, text, expected) in rows {
        let page = Page {
            path: path.into(),
            text: text.into(),
        };
        assert_eq!(problems(&page).join("\n"), expected, "{text}");
    }
}

#[test]
fn paths_in_backticks_exist() {
    for page in pages() {
        for (line, text) in prose(&page.text) {
            for word in code(text).filter_map(|span| span.split(' ').next()) {
                let is_named = NAMED.iter().any(|start| word.starts_with(start));
                assert!(
                    !is_named || root().join(word).exists(),
                    "{}:{line}: `{word}` does not exist",
                    page.path
                );
            }
        }
    }
}

#[test]
fn the_table_of_contents_has_each_page_once() {
    let mut listed: Vec<String> = links(&page("docs/SUMMARY.md"))
        .into_iter()
        .map(|(_, target)| format!("docs/{target}"))
        .collect();
    listed.sort();
    let mut expected: Vec<String> = pages().into_iter().map(|page| page.path).collect();
    expected.retain(|path| path.starts_with("docs/") && path != "docs/SUMMARY.md");
    assert_eq!(listed, expected);
}

#[test]
fn the_readme_is_short() {
    let lines = page("README.md").text.lines().count();
    assert!(
        lines <= 150,
        "README.md has {lines} lines; move text to `docs`"
    );
}
