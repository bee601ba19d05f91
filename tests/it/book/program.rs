//! What the documentation repeats of the program: the help of the tools, the names of flags and tools, and messages.

use super::{blocks, page, pages, prose, root};
use crate::support::World;

/// Returns the names of the tools, in the program's order.
fn tools(world: &World) -> Vec<String> {
    let list = world.vpython(["-vpython-tool", "help"]).run();
    let names = list.stdout.lines().map(|line| line.split(' ').next());
    names.map(|name| name.unwrap().to_owned()).collect()
}

/// Returns the page of the tools, with the help that the program prints in each block that is marked for it.
fn with_current_help(world: &World, text: &str) -> String {
    let mut result = text.to_owned();
    for block in blocks(text) {
        if let Some(tool) = block.mark.and_then(|mark| mark.strip_prefix("help: ")) {
            let help = world.vpython(["-vpython-tool", tool, "--help"]).run();
            assert_eq!(help.code, Some(0), "{help}");
            let opening = format!("<!-- help: {tool} -->\n```text\n");
            result = result.replace(
                &format!("{opening}{}", block.text),
                &format!("{opening}{}", help.stdout),
            );
        }
    }
    result
}

#[test]
fn the_page_of_the_tools_has_their_help() {
    let world = World::new();
    let text = page("docs/tools.md").text;
    let current = with_current_help(&world, &text);
    if std::env::var_os("VPYTHON_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(root().join("docs/tools.md"), &current).unwrap();
    } else {
        assert!(
            text == current,
            "docs/tools.md is out of date; VPYTHON_BLESS=1 writes it again"
        );
    }
    let marks = blocks(&current);
    let marks = marks.iter().filter_map(|block| block.mark);
    let mut shown: Vec<&str> = marks
        .filter_map(|mark| mark.strip_prefix("help: "))
        .collect();
    let mut expected = tools(&world);
    shown.sort_unstable();
    expected.sort();
    assert_eq!(shown, expected);
}

#[test]
fn the_readme_and_the_reference_name_everything() {
    let world = World::new();
    let readme = page("README.md").text;
    for tool in tools(&world) {
        assert!(readme.contains(&format!("`{tool}`")), "README.md: {tool}");
    }
    let help = world.vpython(["-h"]).run().stdout;
    let reference = page("docs/command-line.md").text;
    let flags = words(&help, "--vpython-").into_iter();
    for name in flags.chain(words(&help, "VPYTHON_")) {
        let name = name.trim_start_matches('-');
        assert!(reference.contains(name), "docs/command-line.md: {name}");
    }
}

#[test]
fn each_flag_and_tool_that_is_named_exists() {
    let world = World::new();
    let help = world.vpython(["-h"]).run().stdout;
    let mut flags = words(&help, "--vpython-");
    // A flag of LUCI's that the help does not list.
    flags.push("--vpython-keep-legacy".to_owned());
    let tools = tools(&world);
    for page in pages() {
        for flag in words(&page.text, "-vpython-") {
            assert!(flags.contains(&format!("-{flag}")), "{}: {flag}", page.path);
        }
        for rest in page.text.split("-vpython-tool ").skip(1) {
            let name: String = rest.chars().take_while(char::is_ascii_lowercase).collect();
            let is_placeholder = rest.starts_with("NAME");
            assert!(
                is_placeholder || name == "help" || tools.contains(&name),
                "{}: tool {name}",
                page.path
            );
        }
    }
}

/// Returns the words of a text that begin with `start`, each up to the first other character.
fn words(text: &str, start: &str) -> Vec<String> {
    let parts = text.match_indices(start).filter_map(|(at, _)| {
        let before = text[..at].chars().next_back();
        let is_word =
            !before.is_some_and(|it| it.is_alphanumeric() || matches!(it, '-' | '_' | '.'));
        is_word.then(|| &text[at..])
    });
    let word = |rest: &str| {
        let end = rest.find(|it: char| !(it.is_ascii_alphanumeric() || matches!(it, '-' | '_')));
        rest[..end.unwrap_or(rest.len())].to_owned()
    };
    parts
        .map(word)
        .filter(|word| word.len() > start.len())
        .collect()
}

#[test]
fn the_messages_of_the_troubleshooting_page_are_in_the_sources() {
    let mut sources = String::new();
    for entry in walkdir::WalkDir::new(root().join("src")) {
        let path = entry.unwrap().into_path();
        if path.extension().is_some_and(|it| it == "rs") {
            sources += &std::fs::read_to_string(path).unwrap();
        }
    }
    // A message may be continued on the next line.
    let lines: Vec<&str> = sources.split("\\\n").map(str::trim_start).collect();
    let sources = lines.concat();
    let text = page("docs/troubleshooting.md").text;
    let mut count = 0;
    for (line, heading) in prose(&text).filter(|(_, line)| line.starts_with("### ")) {
        // Those of python and of the system.
        if ["Error: ", "`No module", "`env: "]
            .iter()
            .any(|of| heading.contains(of))
        {
            continue;
        }
        let spans = heading.split('`').skip(1).step_by(2);
        for part in spans.flat_map(|span| span.split('…')) {
            count += 1;
            assert!(
                sources.contains(part.trim()),
                "docs/troubleshooting.md:{line}: no message has `{}`",
                part.trim()
            );
        }
    }
    assert!(count > 20, "only {count} parts of messages were found");
}
