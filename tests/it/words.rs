//! Checks that the sources and the documentation do not use a few turns of phrase that make an
//! English reader stumble. `CONTRIBUTING.md` describes how to write a message.
//!
//! The check reads sources up to their unit tests, comments and strings alike. It also finds a turn
//! that a line break divides.

use std::ops::Range;
use std::path::Path;

/// The banned turns, in lower case, each with its replacement.
const BANNED: [(&str, &str); 8] = [
    ("is no ", "\"is not a\""),
    ("anew", "\"again\", or \"rebuilds\""),
    (" stands", "\"is\", \"is in\" or \"represents\""),
    ("by the way", "\"also\""),
    (" told ", "the name of who reports what to whom"),
    (" wish", "\"requirement\""),
    ("whoever", "the name of the actor"),
    ("folder", "\"directory\""),
];

/// The exceptions: the turn, the text around it that is permitted, and the reason.
const PERMITTED: [(&str, &str, &str); 5] = [
    ("is no ", "there is no ", "standard English"),
    ("is no ", "is no longer", "standard English"),
    ("is no ", "is no larger than", "standard English"),
    ("folder", "rename = \"folder\"", "a key of a file format"),
    (
        "folder",
        "said *folder*",
        "the changelog names the old word",
    ),
];

/// The exceptions in single files: the path, the text that is permitted, and the reason.
const PERMITTED_IN: [(&str, &str, &str); 1] = [(
    "src/spec/pylock/write.rs",
    "when it is made anew.",
    "the first line of each lock file, which a new text would change",
)];

/// The documents to check, in addition to `docs/*.md`.
const DOCUMENTS: [&str; 4] = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
];

/// Returns the banned turns in a file, each as `path:line: turn`, in the order of the lines.
fn problems(path: &str, text: &str) -> Vec<String> {
    let is_source = Path::new(path).extension().is_some_and(|it| it == "rs");
    let text = match text.split_once("#[cfg(test)]\nmod tests {") {
        Some((code, _)) if is_source => code,
        _ => text,
    };
    let (prose, starts) = prose_of(text);
    let mut found = Vec::new();
    for (turn, instead) in BANNED {
        for (start, _) in prose.match_indices(turn) {
            if is_permitted(path, &prose, turn, start) {
                continue;
            }
            // A turn may begin with the space before its first word, which is on the line before.
            let word = start + turn.len() - turn.trim_start().len();
            let line = starts.partition_point(|start| *start <= word);
            let turn = turn.trim();
            found.push((line, format!("{path}:{line}: `{turn}`: write {instead}")));
        }
    }
    found.sort();
    found.into_iter().map(|(_, problem)| problem).collect()
}

/// Returns the text in lower case on one line, without the markers of comments and of continued
/// strings, and the offset in it at which each line begins.
fn prose_of(text: &str) -> (String, Vec<usize>) {
    let mut prose = String::from(" ");
    let mut starts = Vec::new();
    for line in text.lines() {
        let line = line.trim().trim_start_matches(['/', '!']).trim_start();
        starts.push(prose.len());
        prose.push_str(line.trim_end_matches('\\').trim_end());
        prose.push(' ');
    }
    // Only ASCII letters, so that the offsets stay valid.
    prose.make_ascii_lowercase();
    (prose, starts)
}

/// Checks whether the turn at `start` is part of a longer text that is permitted.
fn is_permitted(path: &str, prose: &str, turn: &str, start: usize) -> bool {
    let turn_range = start..start + turn.len();
    let everywhere = PERMITTED
        .iter()
        .filter(|(of, _, _)| *of == turn)
        .map(|(_, text, _)| *text);
    let here = PERMITTED_IN
        .iter()
        .filter(|(file, _, _)| *file == path)
        .map(|(_, text, _)| *text);
    everywhere
        .chain(here)
        .any(|text| occurs_around(prose, text, &turn_range))
}

/// Checks whether an occurrence of `text` in `prose` covers a range.
fn occurs_around(prose: &str, text: &str, range: &Range<usize>) -> bool {
    prose
        .match_indices(text)
        .any(|(start, _)| start <= range.start && range.end <= start + text.len())
}

/// Returns the files below a directory with this extension, by their paths in the repository.
fn files_below(directory: &str, extension: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    walkdir::WalkDir::new(root.join(directory))
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.path().extension().is_some_and(|it| it == extension))
        .map(|entry| {
            let path = entry.path().strip_prefix(root).unwrap();
            path.to_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn banned_turns_do_not_come_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = files_below("src", "rs");
    assert!(paths.len() > 30, "only {} sources were found", paths.len());
    paths.extend(DOCUMENTS.map(str::to_owned));
    paths.extend(files_below("docs", "md"));
    let found: Vec<String> = paths
        .iter()
        .flat_map(|path| problems(path, &std::fs::read_to_string(root.join(path)).unwrap()))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_planted_turn_is_found_with_its_line() {
    #[rustfmt::skip]
    let rows: [(&str, &str, &[&str]); 12] = [
        ("a.md", "one\nIt is no wheel.", &["a.md:2: `is no`"]),
        ("a.md", "It is made anew.", &["a.md:1: `anew`"]),
        ("a.md", "Where it stands.", &["a.md:1: `stands`"]),
        ("a.md", "By the way, it is pruned.", &["a.md:1: `by the way`"]),
        ("a.md", "pip is told that.", &["a.md:1: `told`"]),
        ("a.md", "The wishes of a spec.", &["a.md:1: `wish`"]),
        ("a.md", "Whoever builds it.", &["a.md:1: `whoever`"]),
        ("a.md", "A folder of wheels.", &["a.md:1: `folder`"]),
        ("src/a.rs", "/// pruned by\n/// the way\nfn f() {}", &["src/a.rs:1: `by the way`"]),
        ("src/a.rs", "f(\"it is \\\n   no wheel\")", &["src/a.rs:1: `is no`"]),
        ("src/a.rs", "// é\n// anew\n//! A folder", &["src/a.rs:2: `anew`", "src/a.rs:3: `folder`"]),
        ("src/b.rs", "# Lost when it is made anew.", &["src/b.rs:1: `anew`"]),
    ];
    for (path, text, expected) in rows {
        let found = problems(path, text);
        let without_advice: Vec<&str> = found
            .iter()
            .map(|problem| problem.split(": write ").next().unwrap())
            .collect();
        assert_eq!(without_advice, expected, "{path}: {text}");
    }
}

#[test]
fn standard_english_and_reasoned_exceptions_are_permitted() {
    #[rustfmt::skip]
    let rows = [
        ("a.md", "There is no wheel, and there\nis no other; it is no longer needed."),
        ("a.md", "Messages say *directory* where they said *folder*."),
        ("a.md", "It stood; a stool; retold; by the other way."),
        ("src/a.rs", "#[serde(rename = \"folder\")]"),
        ("src/a.rs", "// fine\n#[cfg(test)]\nmod tests { // a folder that stands\n}"),
        ("src/spec/pylock/write.rs", "# Changes by hand are lost when it is made anew."),
    ];
    for (path, text) in rows {
        assert_eq!(problems(path, text), [""; 0], "{path}: {text}");
    }
}
