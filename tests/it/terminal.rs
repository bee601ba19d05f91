//! External text on a terminal cannot control it. A pipe gets the same text byte for byte.

use std::io::Read;
use std::process::Stdio;

use crate::support::{Wheel, World};

/// A name that turns the following text red on a terminal.
const RED: &str = "red\u{1b}[31m";

/// A world whose store, spec, wheels and script have such a name.
fn world() -> World {
    let world = World::new();
    Wheel::module("a", "1").write_to(&world.path(&format!("{RED}/wheels")));
    world.write(&format!("{RED}/vpython.toml"), "dependencies = ['a']\n");
    world.write(&format!("{RED}/tool.py"), "import a\nprint(a.VERSION)\n");
    world
}

/// The output of a tool to a terminal.
fn shown(world: &World, words: &[String]) -> String {
    let size = nix::pty::Winsize {
        ws_row: 24,
        ws_col: 400,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let terminal = nix::pty::openpty(Some(&size), None).unwrap();
    let [output, error] = [(); 2].map(|()| Stdio::from(terminal.slave.try_clone().unwrap()));
    let launch = world
        .vpython(["-vpython-tool"])
        .arguments(words)
        .env("VPYTHON_VIRTUALENV_ROOT", world.outside(RED));
    let launch = launch.env("NO_COLOR", "1").env("TERM", "dumb");
    let mut child = launch.stdout(output).stderr(error).spawn();
    drop(terminal.slave);
    let mut shown = Vec::new();
    // Reading fails with an error when the other side is closed.
    let _ = std::fs::File::from(terminal.master).read_to_end(&mut shown);
    child.wait().unwrap();
    String::from_utf8_lossy(&shown).replace("\r\n", "\n")
}

#[test]
fn no_tool_writes_the_escapes_of_a_name_to_a_terminal() {
    let world = world();
    let (script, environment) = (format!("{RED}/tool.py"), format!("env{RED}"));
    let tools: [&[&str]; 12] = [
        &["install", &script],
        &["export", &environment, &script],
        &["explain", &script],
        &["explain", "--json", &script],
        &["verify", &script],
        &["check", &script],
        &["list"],
        &["list", "--json"],
        &["lock", &script],
        &["upgrade", RED],
        &["pack", "--output", "red\u{1b}[31m.tar", &script],
        &["prune", "--all"],
    ];
    for words in tools {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let shown = shown(&world, &words);
        // The progress line of a build moves the cursor with its own escapes.
        assert!(!shown.contains("\u{1b}[31m"), "{words:?} writes {shown:?}");
        assert!(!shown.is_empty() || words[0] == "pack", "{words:?}");
    }
}

#[test]
fn a_pipe_gets_paths_byte_for_byte() {
    let world = world();
    let script = format!("{RED}/tool.py");
    let root = world.outside(RED);
    let run = |words: &[&str]| {
        let outcome = world
            .vpython(["-vpython-tool"])
            .arguments(words)
            .env("VPYTHON_VIRTUALENV_ROOT", &root)
            .run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        outcome.raw_stdout
    };
    assert!(run(&["install", &script]).starts_with(&format!("{}/v1/envs/", root.display())));
    let environment = format!("env{RED}");
    assert_eq!(
        run(&["export", &environment, &script]),
        format!("{}\n", world.path(&environment).display())
    );
}
