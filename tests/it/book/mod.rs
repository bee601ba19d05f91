//! The documentation: its links lead somewhere, its commands print what it says, and what it repeats of the program
//! is what the program says.

mod commands;
mod links;
mod pictures;
mod program;

use std::path::{Path, PathBuf};

/// Documents outside `docs` that belong to the documentation.
const OTHERS: [&str; 5] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benches/peers/RESULTS.md",
];

/// A document.
struct Page {
    /// The path in the repository.
    path: String,
    text: String,
}

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
struct Block<'a> {
    /// The text of the comment on the line before it.
    mark: Option<&'a str>,
    /// The word after the opening fence.
    kind: &'a str,
    text: String,
    /// The line of the opening fence.
    line: usize,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Returns all documents, those of `docs` last.
fn pages() -> Vec<Page> {
    let mut paths: Vec<String> = OTHERS.map(str::to_owned).into();
    let mut docs: Vec<String> = std::fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|it| it == "md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    docs.sort();
    assert!(docs.len() > 20, "only {} pages were found", docs.len());
    paths.extend(docs);
    paths.into_iter().map(|path| page(&path)).collect()
}

/// Returns the document at a path in the repository.
fn page(path: &str) -> Page {
    Page {
        path: path.to_owned(),
        text: std::fs::read_to_string(root().join(path)).unwrap(),
    }
}

/// Returns the fenced blocks of a text.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    let mut before = "";
    while let Some((number, line)) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let content = lines
                .by_ref()
                .map(|(_, line)| line)
                .take_while(|line| *line != "```");
            found.push(Block {
                mark: before
                    .strip_prefix("<!-- ")
                    .and_then(|mark| mark.strip_suffix(" -->")),
                kind,
                text: content.fold(String::new(), |text, line| text + line + "\n"),
                line: number + 1,
            });
        }
        before = line;
    }
    found
}

/// Returns the lines outside fenced blocks, each with its number.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_inside = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let is_fence = line.starts_with("```");
        is_inside ^= is_fence;
        (!is_inside && !is_fence).then_some((number + 1, line))
    })
}

#[test]
fn blocks_are_found_with_their_marks() {
    let text = "a\n<!-- run -->\n```console\n$ b\nc\n```\n\n```toml\nd = 1\n```\n";
    let expected = [
        Block {
            mark: Some("run"),
            kind: "console",
            text: "$ b\nc\n".into(),
            line: 3,
        },
        Block {
            mark: None,
            kind: "toml",
            text: "d = 1\n".into(),
            line: 8,
        },
    ];
    assert_eq!(blocks(text), expected);
    let lines: Vec<usize> = prose(text).map(|(number, _)| number).collect();
    assert_eq!(lines, [1, 2, 7]);
}
