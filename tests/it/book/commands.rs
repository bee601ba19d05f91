//! The commands of the documents, run as a reader would type them.
//!
//! A comment before a block says what it is: `file: NAME` is a file of the reader's, in the project's directory; `run` are
//! commands, each after a prompt, with their output; `not run: …` says why commands are not run here. Each block with
//! another mark has a test of its own.

use super::{Block, Page, blocks, pages};
use crate::support::{Listed, PackageIndex, Python, VPYTHON, Wheel, World};

/// The marks of the blocks with a test of their own.
const TESTED: [&str; 13] = [
    "activated",
    "command: first-run",
    "command: tests",
    "compiled",
    "conf",
    "explained",
    "exported",
    "hermetic",
    "locked",
    "packed",
    "relocated",
    "upgraded",
    "verified",
];

/// The reader's directories in the documents.
const PROJECT: &str = "/home/me/project";
const STORE: &str = "/home/me/.cache/vpython-root.1000";

/// Separates the output of commands.
const SEPARATOR: char = '\u{1}';

/// Wheels with the names and versions that the documents show.
fn index() -> PackageIndex {
    let rich = "def print(text):\n    import builtins\n    builtins.print(text.replace('[bold]', '').replace('[/bold]', ''))\n";
    let version = "def main():\n    print('Pygments version 2.21.0, (c) 2006-present by Georg Brandl, Matthäus Chajdas and contributors.')\n";
    let wheels = [
        Wheel::new("rich", "15.0.0")
            .requires("markdown-it-py>=2.2.0")
            .requires("pygments>=2.13.0")
            .file("rich.py", rich),
        Wheel::module("markdown_it_py", "4.3.0").requires("mdurl~=0.1"),
        Wheel::module("mdurl", "0.1.2"),
        Wheel::new("pygments", "2.21.0")
            .file("pygments.py", version)
            .entry_point("pygmentize", "pygments:main"),
        Wheel::new("requests", "2.32.3").file("requests.py", "__version__ = '2.32.3'\n"),
        Wheel::new("six", "1.17.0")
            .tag("py2.py3-none-any")
            .file("six.py", "__version__ = '1.17.0'\n"),
    ];
    PackageIndex::start(wheels.iter().map(Listed::wheel).collect())
}

/// Splits a block into commands and what each prints.
fn commands(block: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        let prompt = line
            .split_once("$ ")
            .filter(|(before, _)| before.is_empty() || before.starts_with('('));
        if let Some((_, command)) = prompt {
            found.push((command.to_owned(), String::new()));
        } else {
            let (_, output) = found.last_mut().expect("a block begins with a command");
            *output += line;
            output.push('\n');
        }
    }
    found
}

/// Replaces what differs between machines: keys, numbers of files and durations.
fn normalized(text: &str) -> String {
    let line = |line: &str| {
        let line = match line.split_once(" files, ") {
            Some((start, _)) if start.starts_with("vpython: ") => {
                start.rsplit_once(' ').unwrap().0.to_owned() + " [N] files"
            }
            _ => line.to_owned(),
        };
        let Some((start, rest)) = line.split_once("/envs/") else {
            return line;
        };
        let end = rest.trim_start_matches(|it: char| it.is_ascii_hexdigit());
        format!("{start}/envs/[KEY]{end}")
    };
    text.trim_end()
        .lines()
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Checks whether the lines are those of the pattern, in which a line `…` is any number of lines.
fn matches(pattern: &[&str], lines: &[&str]) -> bool {
    match pattern.split_first() {
        None => lines.is_empty(),
        Some((&"…", rest)) => (0..=lines.len()).any(|count| matches(rest, &lines[count..])),
        Some((first, rest)) => lines.first() == Some(first) && matches(rest, &lines[1..]),
    }
}

/// Runs the commands of a block in one shell, and returns the output of each, and whether it succeeded.
fn outputs(
    world: &World,
    index: &PackageIndex,
    commands: &[(String, String)],
) -> Vec<(String, bool)> {
    let script: Vec<String> = commands
        .iter()
        .map(|(command, _)| format!("{command}\nprintf '\\001%d\\001' $?\n"))
        .collect();
    let outcome = world
        .program(
            "/bin/sh",
            ["-c", &format!("exec 2>&1\n{}", script.concat())],
        )
        .env("PIP_INDEX_URL", index.url())
        .env("PIP_RETRIES", "0")
        .run();
    let project = world.path("");
    let text = outcome
        .raw_stdout
        .replace(world.outside("root").to_str().unwrap(), STORE)
        .replace(project.to_str().unwrap().trim_end_matches('/'), PROJECT);
    let parts: Vec<&str> = text.split(SEPARATOR).collect();
    let pairs = parts.chunks_exact(2);
    pairs
        .map(|pair| (normalized(pair[0]), pair[1] == "0"))
        .collect()
}

/// Returns the program that a block begins with, if this machine does not have it.
fn missing<'a>(world: &World, commands: &'a [(String, String)]) -> Option<&'a str> {
    let (command, _) = commands.first()?;
    let program = command.split(' ').find(|word| !word.contains('='))?;
    let look = world.program("/bin/sh", ["-c", "command -v \"$0\"", program]);
    (look.run().code != Some(0)).then_some(program)
}

/// Compares the output of a block of commands with the page.
fn run_block(page: &Page, block: &Block, world: &World, index: &PackageIndex) {
    let commands = commands(&block.text);
    if let Some(program) = missing(world, &commands) {
        return not_tested!("{}:{}: there is no `{program}`", page.path, block.line);
    }
    let outputs = outputs(world, index, &commands);
    assert_eq!(
        outputs.len(),
        commands.len(),
        "{}:{}",
        page.path,
        block.line
    );
    for ((command, expected), (output, succeeded)) in commands.iter().zip(outputs) {
        let expected = normalized(expected);
        let pattern: Vec<&str> = expected.lines().collect();
        let lines: Vec<&str> = output.lines().collect();
        let fails = ["error: ", "No module named"]
            .iter()
            .any(|text| expected.contains(text));
        assert!(
            matches(&pattern, &lines) && succeeded != fails,
            "{}:{}: `{command}`, {}\n--- expected\n{expected}\n--- but\n{output}\n---",
            page.path,
            block.line,
            if succeeded {
                "which succeeded"
            } else {
                "which failed"
            },
        );
    }
}

/// Runs the marked blocks of a page in a world of its own, and returns how many there are.
fn run(page: &Page) -> usize {
    let blocks = blocks(&page.text);
    let count = blocks
        .iter()
        .filter(|block| block.mark == Some("run"))
        .count();
    if count > 0 {
        let (world, index) = (World::new(), index());
        std::os::unix::fs::symlink(VPYTHON, world.outside("bin/vpython")).unwrap();
        for block in &blocks {
            if let Some(name) = block.mark.and_then(|mark| mark.strip_prefix("file: ")) {
                world.write(name, &block.text);
            } else if block.mark == Some("run") {
                run_block(page, block, &world, &index);
            }
        }
    }
    count
}

#[test]
fn marked_commands_print_what_the_page_says() {
    if Python::any().minor < 8 {
        return not_tested!("there is no CPython from 3.8 on");
    }
    let count: usize = pages().iter().map(run).sum();
    assert!(count >= 17, "only {count} blocks were found");
}

#[test]
fn each_block_of_commands_is_run_or_says_why_not() {
    for page in pages() {
        for block in blocks(&page.text) {
            let is_known = match block.mark {
                None => block.kind != "console",
                Some("run") => block.kind == "console",
                Some(mark) => {
                    TESTED.contains(&mark)
                        || ["file: ", "help: ", "not run: "]
                            .iter()
                            .any(|start| mark.starts_with(start))
                }
            };
            assert!(
                is_known,
                "{}:{}: mark this block with `run`, or with `not run:` and the reason",
                page.path, block.line
            );
        }
    }
}

#[test]
fn output_is_compared_line_by_line() {
    let block = "$ a 'b'\n1\n$ c\n(env) $ d\n2\n3\n";
    let expected = [("a 'b'", "1\n"), ("c", ""), ("d", "2\n3\n")];
    let expected = expected.map(|(command, output)| (command.to_owned(), output.to_owned()));
    assert_eq!(commands(block), expected);
    #[rustfmt::skip]
    let rows: [(&[&str], &[&str], bool); 6] = [
        (&["a"], &["a"], true),
        (&["a"], &["b"], false),
        (&["a"], &["a", "b"], false),
        (&["a", "…"], &["a", "b", "c"], true),
        (&["…", "c"], &["a", "b", "c"], true),
        (&["…", "d"], &["a", "b", "c"], false),
    ];
    for (pattern, lines, expected) in rows {
        assert_eq!(matches(pattern, lines), expected, "{pattern:?} {lines:?}");
    }
    let text = "/root/v1/envs/3b8c/bin\nvpython: 1 wheel, 15 files, 0.4 s\n";
    assert_eq!(
        normalized(text),
        "/root/v1/envs/[KEY]/bin\nvpython: 1 wheel, [N] files"
    );
}
