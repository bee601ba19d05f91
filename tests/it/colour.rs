//! Output to a terminal: colours, and help of the terminal's width.

use std::io::Read;
use std::process::Stdio;

use crate::support::World;

/// The stderr output to a terminal of a launch with a misspelt flag and these variables.
fn shown(world: &World, variables: &[(&str, &str)]) -> String {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let side = Stdio::from(terminal.slave.try_clone().unwrap());
    let launch = world
        .vpython(["-vpython-sepc"])
        .env("TERM", "xterm")
        .env("VPYTHON_BYPASS", "x");
    let launch = variables
        .iter()
        .fold(launch, |launch, (name, value)| launch.env(name, value));
    let mut child = launch.stderr(side).spawn();
    assert_eq!(child.wait().unwrap().code(), Some(125));
    drop(terminal.slave);
    let mut shown = Vec::new();
    // Reading fails with an error when the other side is closed.
    let _ = std::fs::File::from(terminal.master).read_to_end(&mut shown);
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

const PLAIN: &str =
    "vpython: error: unknown flag `-vpython-sepc`\n  hint: did you mean `-vpython-spec`?\n";
const COLOURED: &str = "vpython: \x1b[1m\x1b[31merror:\x1b[0m unknown flag `-vpython-sepc`\n  \
                        \x1b[1m\x1b[36mhint:\x1b[0m did you mean `-vpython-spec`?\n";

#[test]
fn messages_are_coloured_on_a_terminal_unless_switched_off() {
    let world = World::new();
    assert_eq!(shown(&world, &[]), COLOURED);
    assert_eq!(shown(&world, &[("NO_COLOR", "1")]), PLAIN);
    assert_eq!(
        shown(&world, &[("NO_COLOR", "")]),
        COLOURED,
        "an empty value counts as unset"
    );
    assert_eq!(shown(&world, &[("TERM", "dumb")]), PLAIN);
    assert_eq!(
        shown(&world, &[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")]),
        COLOURED
    );
    assert_eq!(
        shown(&world, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]),
        PLAIN
    );
}

#[test]
fn messages_are_plain_without_a_terminal() {
    let world = World::new();
    let launch = || world.vpython(["-vpython-sepc"]).env("TERM", "xterm");
    launch().run().refuses(125, PLAIN);
    launch().env("CLICOLOR", "1").run().refuses(125, PLAIN);
    launch()
        .env("CLICOLOR_FORCE", "1")
        .run()
        .refuses(125, COLOURED);
}

#[test]
fn help_is_as_wide_as_the_terminal() {
    let world = World::new();
    let width = |columns| {
        let size = nix::pty::Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let terminal = nix::pty::openpty(Some(&size), None).unwrap();
        let output = Stdio::from(terminal.slave.try_clone().unwrap());
        let mut child = world
            .vpython(["-vpython-tool", "prune", "--help"])
            .stdout(output)
            .spawn();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        drop(terminal.slave);
        let mut shown = Vec::new();
        let _ = std::fs::File::from(terminal.master).read_to_end(&mut shown);
        String::from_utf8(shown)
            .unwrap()
            .lines()
            .map(|line| line.trim_end().len())
            .max()
            .unwrap()
    };
    assert!((55..=64).contains(&width(64)));
    assert!(
        (85..=100).contains(&width(200)),
        "but no wider than a hundred columns"
    );
}
