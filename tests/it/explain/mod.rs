//! `-vpython-tool explain`: the spec, interpreter, wheels and environment of a command line, and
//! the reasons for them.

mod documents;
mod failures;
mod forms;
mod misses;
mod tree;

use serde_json::Value;

use crate::support::{Launch, Outcome, Wheel, World};

/// A world with the wheels of `a`, which requires `b`, and of `b`.
fn world() -> World {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1").requires("b>=1"));
    world.wheel(&Wheel::module("b", "2"));
    world
}

/// A script with a block that requires `a`.
fn script() -> String {
    "# /// script\n# requires-python = '>=3.6'\n# dependencies = ['a']\n# ///\nimport a\n"
        .to_owned()
}

/// A LUCI spec that lists some wheels twice, and some for other platforms.
const LISTED: &str = "\
wheel: < name: 'infra/python/wheels/b-py3' version: 'version:2' >
wheel: <
  name: 'infra/python/wheels/pywin/${vpython_platform}'
  version: 'version:300.chromium.1'
  match_tag: < platform: 'win_amd64' >
>
wheel: < name: 'infra/python/wheels/b-py3' version: 'version:2' >
verify_pep425_tag: [ { python: 'cp38', platform: 'win_amd64' } ]
python_version: '3'
# vpython: no-seed
";

fn explain<'a>(world: &'a World, words: &[&str]) -> Launch<'a> {
    world.vpython(["-vpython-tool", "explain"]).arguments(words)
}

/// The explanation as text, without the parts that differ between machines.
fn text(world: &World, outcome: &Outcome) -> String {
    squeezed(&outcome.stdout).replace(&platform(world), "[PLATFORM]")
}

/// The text with two spaces between its columns, and without digests.
fn squeezed(text: &str) -> String {
    let mut squeezed = String::new();
    for line in text.lines() {
        let columns: Vec<&str> = line
            .split("  ")
            .map(str::trim)
            .filter(|column| !column.is_empty())
            .collect();
        let indentation = if line.starts_with(' ') { "  " } else { "" };
        let line = columns.join("  ");
        let words: Vec<&str> = line
            .split(' ')
            .map(|word| if is_digest(word) { "[DIGEST]" } else { word })
            .collect();
        squeezed.push_str(&[indentation, &words.join(" "), "\n"].concat());
    }
    squeezed
}

/// Checks whether a word is a key, or the beginning of a wheel's digest.
fn is_digest(word: &str) -> bool {
    matches!(word.len(), 16 | 40) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The output of `sysconfig.get_platform()`, as in `linux x86_64`.
fn platform(world: &World) -> String {
    let words = [
        "-I",
        "-S",
        "-c",
        "import sysconfig; print(sysconfig.get_platform().replace('-', ' ', 1), end='')",
    ];
    world.program(&world.python.path, words).run().stdout
}

/// The explanation as JSON, redacted.
fn explained(launch: Launch<'_>, code: i32) -> Value {
    let outcome = launch.run();
    assert_eq!(outcome.code, Some(code), "{outcome}");
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

fn as_json(world: &World, words: &[&str]) -> Value {
    explained(
        world
            .vpython(["-vpython-tool", "explain", "--json"])
            .arguments(words),
        0,
    )
}

#[test]
fn the_documented_example_is_what_is_printed() {
    let world = World::new();
    world.wheel(&Wheel::module("certifi", "2023.7.22"));
    world.wheel(&Wheel::module("requests", "2.31.0").requires("certifi>=2017.4.17"));
    let dependencies =
        "dependencies = ['requests>=2.31', \"pywin32==306; sys_platform == 'win32'\"]";
    world.write(
        "vpython.toml",
        format!("requires-python = '>=3.6'\n{dependencies}\n"),
    );
    world.write("bin/tool.py", "");
    world.install(["bin/tool.py"]);
    world.wheel(&Wheel::module("other", "1"));
    let page = include_str!("../../../docs/explain.md");
    let (_, rest) = page
        .split_once("<!-- explained -->\n```text\n$ vpython -vpython-tool explain bin/tool.py\n")
        .unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let (entry, key) = (
        "/home/me/.cache/vpython-root.1000/v1/envs/",
        example.rsplit("/envs/").next().unwrap(),
    );
    let mut text = text(&world, &explain(&world, &["bin/tool.py"]).run());
    let places = [
        (
            "[WORLD]/root/v1/envs/[KEY]",
            &*format!("{entry}{}", &key[..40]),
        ),
        ("[WORLD]/work", "/src"),
        ("[WORLD]/bin", "/usr/bin"),
        ("[PYTHON]", "/usr/bin/python3.11"),
        ("[VERSION]", "3.11.7"),
        ("[PLATFORM]", "linux x86_64"),
    ];
    for (here, there) in places {
        text = text.replace(here, there);
    }
    let expected = squeezed(example);
    assert!(text == expected, "expected:\n{expected}\nbut:\n{text}");
}
