//! The tables of `verify` and `list`: no wider than the terminal, and of any width otherwise.

use std::io::Read;
use std::process::Stdio;

use expect_test::expect;

use crate::support::{Fake, Launch, Wheel, World};

/// The output of a launch to a terminal of this many columns on standard output.
fn shown(world: &World, columns: u16, launch: Launch<'_>) -> String {
    let size = nix::pty::Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let terminal = nix::pty::openpty(Some(&size), None).unwrap();
    let mut child = launch
        .stdout(Stdio::from(terminal.slave.try_clone().unwrap()))
        .spawn();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(terminal.slave);
    let mut shown = Vec::new();
    // Reading fails with an error when the other side is closed.
    let _ = std::fs::File::from(terminal.master).read_to_end(&mut shown);
    world.redact(&String::from_utf8(shown).unwrap().replace("\r\n", "\n"))
}

#[test]
fn verify_names_as_many_requirers_as_the_terminal_has_room_for() {
    let world = World::new();
    let names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"];
    let platforms = ["manylinux_2_17_x86_64", "macosx_11_0_arm64", "win_amd64"];
    world.write(
        "vpython.toml",
        format!(
            "dependencies = {names:?}\n[tool.vpython]\nplatforms = {:?}\n",
            &platforms[2..]
        ),
    );
    for name in names {
        world.wheel(&Wheel::module(name, "1").requires("typing-extensions"));
    }
    world.wheel(&Wheel::module("typing_extensions", "4.12.2"));
    let fake = Fake::new(&world, "3.11.42");
    let verify = || {
        world
            .vpython(["-vpython-tool", "verify"])
            .env("VPYTHON_INTERPRETER", &fake.path)
    };
    verify().run().prints(
        expect![[r#"
            requirement          required                                     here (3.11.42)  win_amd64
            alpha                line 1                                       1               1
            beta                 line 1                                       1               1
            gamma                line 1                                       1               1
            delta                line 1                                       1               1
            epsilon              line 1                                       1               1
            zeta                 line 1                                       1               1
              typing-extensions  by alpha, beta, delta, epsilon, gamma, zeta  4.12.2          4.12.2

            ok here and on 1 platform
        "#]],
    );
    let expected = "\
requirement          required                          here (3.11.42)  win_amd64
alpha                line 1                            1               1
beta                 line 1                            1               1
gamma                line 1                            1               1
delta                line 1                            1               1
epsilon              line 1                            1               1
zeta                 line 1                            1               1
  typing-extensions  by alpha, beta, delta and 3 more  4.12.2          4.12.2

ok here and on 1 platform
";
    assert_eq!(shown(&world, 80, verify()), expected);
    // If there are too many platforms, the remaining ones follow below.
    world.write(
        "vpython.toml",
        format!("dependencies = ['alpha', 'beta']\n[tool.vpython]\nplatforms = {platforms:?}\n"),
    );
    let expected = "\
requirement          required        here (3.11.42)  manylinux_2_17_x86_64
alpha                line 1          1               1
beta                 line 1          1               1
  typing-extensions  by alpha, beta  4.12.2          4.12.2

requirement          macosx_11_0_arm64  win_amd64
alpha                1                  1
beta                 1                  1
  typing-extensions  4.12.2             4.12.2

ok here and on 3 platforms
";
    assert_eq!(shown(&world, 80, verify()), expected);
}

#[test]
fn list_cuts_the_key_first_and_then_the_beginnings_of_paths() {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1"));
    let block = "# /// script\n# dependencies = ['a']\n# ///\n";
    for name in ["one.py", "two.py"] {
        world.write(name, block);
        world.install([name]);
    }
    let list = || world.vpython(["-vpython-tool", "list"]);
    let key = world.environments()[0]
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let whole = list().run().stdout;
    let rows: Vec<Vec<&str>> = whole.lines().map(columns).collect();
    assert_eq!(rows[0], ["used", "size", "shared", "spec", "python", "key"]);
    assert_eq!(
        (rows[1][0], rows[1][3], rows[1][5]),
        (
            "just now",
            "[WORLD]/work/one.py, [WORLD]/work/two.py",
            &*key
        )
    );
    assert_eq!((rows[2].len(), rows[3].len()), (0, 1), "{whole}");
    let cut = shown(&world, 80, list()).replace("[VERSION]", &world.python.version);
    let rows: Vec<Vec<&str>> = cut.lines().map(columns).collect();
    assert!(
        rows[1][3].starts_with("...") && rows[1][3].ends_with("one.py and 1 more"),
        "{cut}"
    );
    assert_eq!(rows[1][5], format!("{}...", &key[..7]), "{cut}");
    assert!(
        cut.lines().take(2).all(|line| line.chars().count() <= 80),
        "{cut}"
    );
}

/// Splits a line into columns, which two spaces separate.
fn columns(line: &str) -> Vec<&str> {
    line.split("  ")
        .map(str::trim)
        .filter(|column| !column.is_empty())
        .collect()
}

#[test]
fn explain_cuts_the_beginnings_of_paths_and_of_file_names() {
    let world = World::new();
    world.write("vpython.toml", "dependencies = ['requests']\n");
    world.write("source/of/a/tool/with/a/long/path/tool.py", "");
    world.wheel(&Wheel::module("requests", "2.31.0").requires("certifi"));
    world.wheel(&Wheel::module("certifi", "2023.7.22"));
    let fake = Fake::new(&world, "3.11.42");
    let explain = || {
        let words = [
            "-vpython-tool",
            "explain",
            "source/of/a/tool/with/a/long/path/tool.py",
        ];
        world.vpython(words).env("VPYTHON_INTERPRETER", &fake.path)
    };
    let shown = shown(&world, 80, explain());
    let rows: Vec<&str> = shown
        .lines()
        .filter(|line| line.contains("2.31.0") || line.contains("block"))
        .collect();
    // How much of a path is cut depends on the directory of the test.
    let ends = ["/tool.py  no block", "ny.whl", "ny.whl"];
    assert!(
        rows.iter()
            .zip(ends)
            .all(|(row, end)| row.contains("...") && row.ends_with(end)),
        "{shown}"
    );
    assert_eq!(rows.len(), ends.len(), "{shown}");
    assert!(
        shown
            .lines()
            .all(|line| line.chars().count() <= 80 || line.starts_with("entry")),
        "{shown}"
    );
}
