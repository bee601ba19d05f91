//! The parts of a command line that reach python, and those that vpython consumes.

use std::ffi::{OsStr, OsString};
use std::io::{Cursor, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use expect_test::{Expect, expect};

use crate::support::World;

/// Prints the arguments of the program as bytes.
const ARGUMENTS: &str = "import os, sys\nprint([os.fsencode(word) for word in sys.argv])\n";

#[test]
fn arguments_reach_a_script_byte_for_byte() {
    let world = World::new();
    world.write("tool.py", ARGUMENTS);
    let odd = OsString::from_vec(b"\xff\xfe=\n".to_vec());
    let words: [&OsStr; 9] = [
        "tool.py",
        "",
        "--",
        "-x",
        "-vpython-root",
        "-h",
        "--",
        "a b'\"",
        "*",
    ]
    .map(OsStr::new);
    let outcome = world.vpython(words).arguments([&odd]).run();
    outcome.prints("[b'tool.py', b'', b'--', b'-x', b'-vpython-root', b'-h', b'--', b'a b\\'\"', b'*', b'\\xff\\xfe=\\n']\n");
}

#[test]
fn a_script_may_have_a_name_that_is_not_utf_8() {
    let world = World::new();
    let name = OsStr::from_bytes(b"\xe9\xff.py");
    std::fs::write(world.path("").join(name), ARGUMENTS).unwrap();
    world.vpython([name]).run().prints("[b'\\xe9\\xff.py']\n");
}

#[test]
fn each_form_of_a_command_line_finds_its_spec_and_its_program() {
    let world = World::new();
    let shows = "import sys\nprint(sys.argv, sys.prefix != sys.base_prefix)\n";
    for name in ["tool.py", "-x.py", "directory/__main__.py", "__main__.py"] {
        world.write(name, shows);
    }
    world.write("app.pyz", zip_application(shows));
    let cwd = world.path("").display().to_string();
    let cwd = world.redact(cwd.trim_end_matches('/'));
    #[rustfmt::skip]
    let rows: &[(&[&str], String)] = &[
        (&["tool.py", "a"], "['tool.py', 'a'] True".into()),
        (&["-uWerror", "tool.py"], "['tool.py'] True".into()),
        (&["-W", "", "tool.py"], "['tool.py'] True".into()),
        (&["--", "-x.py"], "['-x.py'] True".into()),
        (&["./-x.py", "--"], "['./-x.py', '--'] True".into()),
        (&["directory", "b"], "['directory', 'b'] True".into()),
        (&["app.pyz", "c"], "['app.pyz', 'c'] True".into()),
        (&["", "d"], "['', 'd'] True".into()),
        (&["-c", shows, "e"], "['-c', 'e'] True".into()),
        (&["-m", "tool", "f"], format!("['{cwd}/tool.py', 'f'] True")),
        (&["-BIm", "platform", "--terse"], String::new()),
    ];
    for (words, expected) in rows {
        let outcome = world.vpython(*words).run();
        assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
        if !expected.is_empty() {
            assert_eq!(outcome.stdout, format!("{expected}\n"), "{outcome}");
        }
    }
    world
        .vpython(["-", "g"])
        .input(shows)
        .run()
        .prints("['-', 'g'] True\n");
    world
        .vpython([""; 0])
        .input(shows)
        .run()
        .prints("[''] True\n");
}

#[test]
fn the_value_of_a_long_option_is_not_the_script() {
    let world = World::new();
    if world.python.minor < 7 {
        not_tested!("this python does not support --check-hash-based-pycs");
        return;
    }
    world.wheel(&crate::support::Wheel::module("greeting", "1.0"));
    world.write("x.py", "# /// script\n# dependencies = ['greeting']\n# ///\nimport greeting\nprint(greeting.VERSION)\n");
    world
        .vpython(["--check-hash-based-pycs", "always", "x.py"])
        .run()
        .prints("1.0\n");
}

#[test]
fn flags_of_vpython_are_accepted_in_all_forms_and_only_first() {
    let world = World::new();
    world.write("tool.py", ARGUMENTS);
    let root = world.outside("other-root");
    let root = root.to_str().unwrap();
    let forms: [Vec<String>; 4] = [
        vec!["-vpython-root".into(), root.into()],
        vec!["--vpython-root".into(), root.into()],
        vec![format!("-vpython-root={root}")],
        vec![format!("--vpython-root={root}")],
    ];
    for words in forms {
        let outcome = world
            .vpython(words)
            .arguments(["tool.py", "-vpython-root", "x"])
            .run();
        outcome.prints("[b'tool.py', b'-vpython-root', b'x']\n");
    }
    assert!(world.outside("other-root/v1/envs").is_dir());
    assert_eq!(
        world.environments(),
        [] as [std::path::PathBuf; 0],
        "the flag overrides the variable"
    );
}

#[test]
fn a_mistyped_flag_is_refused_with_a_suggestion() {
    let world = World::new();
    #[rustfmt::skip]
    let rows: [(&[&str], Expect); 5] = [
        (&["-vpython-toool", "install"], expect![[r#"
            vpython: error: unknown flag `-vpython-toool`
              hint: did you mean `-vpython-tool`?
        "#]]),
        (&["-vpython-xyzzy"], expect![[r#"
            vpython: error: unknown flag `-vpython-xyzzy`
              hint: `vpython -h` lists the flags; put flags for the program itself after its name
        "#]]),
        (&["-vpython-root"], expect![[r#"
            vpython: error: flag `-vpython-root` needs a value
        "#]]),
        (&["-vpython-tool", "instal"], expect![[r#"
            vpython: error: unknown tool `instal` for `-vpython-tool`
              hint: did you mean `-vpython-tool install`?
        "#]]),
        (&["-vpython-log-level", "loud"], expect![[r#"
            vpython: error: invalid value `loud` for `-vpython-log-level`
              hint: the values are: `error`, `warning`, `info`, `debug`
        "#]]),
    ];
    for (words, message) in rows {
        world.vpython(words).run().refuses(125, message);
    }
    assert!(!world.outside("root").exists(), "nothing was made");
}

#[test]
fn version_of_vpython_is_printed_alone_and_python_prints_its_own() {
    let world = World::new();
    let ours = format!("vpython {}\n", env!("CARGO_PKG_VERSION"));
    world.vpython(["-vpython-version"]).run().prints(&ours);
    world
        .vpython(["-vpython-version", "tool.py"])
        .run()
        .prints(&ours);
    for words in [&["--version"][..], &["-V"], &["-VV", "tool.py"]] {
        let python = world.program(&world.python.path, words).run();
        world.vpython(words).run().prints(&python.stdout);
    }
    assert_eq!(
        world.environments(),
        [] as [std::path::PathBuf; 0],
        "nothing was built"
    );
}

#[test]
fn help_prints_that_of_vpython_and_then_that_of_python() {
    let world = World::new();
    let python = world.program(&world.python.path, ["-h"]).run();
    for words in [&["-h"][..], &["--help"], &["-help", "tool.py"]] {
        let outcome = world.vpython(words).run();
        assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
        let (ours, theirs) = outcome.stdout.split_once("Interpreter help:\n\n").unwrap();
        assert!(
            ours.starts_with("Runs a Python program in exactly the environment that it requires."),
            "{ours}"
        );
        for flag in [
            "root",
            "spec",
            "tool",
            "interpreter",
            "wheels",
            "log-level",
            "trace",
            "version",
        ] {
            assert!(
                ours.contains(&format!("--vpython-{flag}")),
                "{flag}: {ours}"
            );
        }
        assert_eq!(
            without_usage_line(theirs),
            without_usage_line(&python.stdout)
        );
    }
    assert_eq!(
        world.environments(),
        [] as [std::path::PathBuf; 0],
        "nothing was built"
    );
}

/// Python prints `argv[0]` as its name in the first line of its help.
fn without_usage_line(help: &str) -> &str {
    help.split_once('\n').unwrap().1
}

/// A zip archive with a program in it, after a shebang line.
fn zip_application(main: &str) -> Vec<u8> {
    let mut bytes = b"#!/usr/bin/env vpython\n".to_vec();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("__main__.py", zip::write::SimpleFileOptions::DEFAULT)
        .unwrap();
    writer.write_all(main.as_bytes()).unwrap();
    bytes.extend(writer.finish().unwrap().into_inner());
    bytes
}

#[test]
fn python_help_and_version_work_with_a_broken_spec() {
    let world = World::new();
    for spec in ["dependencies = 7\n", "requires-python = '>=4'\n"] {
        world.write("vpython.toml", spec);
        world
            .vpython(["--version"])
            .run()
            .prints("Python [VERSION]\n");
    }
    world.write("vpython.toml", "");
    let outcome = world
        .vpython(["--version"])
        .env("VPYTHON_VIRTUALENV_ROOT", "/dev/null/root")
        .run();
    outcome.prints("Python [VERSION]\n");
}

#[test]
fn a_tool_needs_a_script_that_exists() {
    let world = World::new();
    world
        .vpython(["-vpython-tool", "install", "typo.py"])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: there is no script `typo.py`
            "#]],
        );
    assert_eq!(world.environments(), [] as [std::path::PathBuf; 0]);
}

#[test]
fn options_of_a_tool_are_accepted_after_its_script_too() {
    let world = World::new();
    world.write("x.py", "# /// script\n# dependencies = []\n# ///\n");
    let tool = |words: &[&str]| world.vpython(["-vpython-tool"]).arguments(words).run();
    let lock = tool(&["lock", "x.py", "--check"]);
    assert_eq!((lock.code, &*lock.stderr), (Some(1), ""), "{lock}");
    assert!(!world.path("pylock.x.toml").exists(), "nothing was written");
    let explained = tool(&["explain", "x.py", "--json"]);
    assert!(explained.stdout.starts_with('{'), "{explained}");
    tool(&["pack", "x.py", "--output", "x.tar"]);
    assert!(world.path("x.tar").is_file());
    tool(&["lock", "x.py", "--chekc"]).refuses(
        125,
        expect![[r#"
            vpython: error: `-vpython-tool lock` has no option `--chekc`
              hint: did you mean `--check`?
        "#]],
    );
    tool(&["install", "x.py", "--zzz"]).refuses(125, expect![[r#"
        vpython: error: `-vpython-tool install` has no option `--zzz`
          hint: `vpython -vpython-tool install --help` lists the options; put the script's options after `--`
    "#]]);
    assert_eq!(
        tool(&["install", "x.py", "--vpython-root", "elsewhere"]).stdout,
        "[WORLD]/work/elsewhere/v1/envs/[KEY]\n"
    );
    tool(&["install", "x.py", "-vpython-rot", "r"]).refuses(
        125,
        expect![[r#"
            vpython: error: unknown flag `-vpython-rot`
              hint: did you mean `-vpython-root`?
        "#]],
    );
    tool(&["install", "x.py", "--vpython-tool", "lock"]).refuses(
        125,
        expect![[r#"
            vpython: error: `-vpython-tool install` has no option `--vpython-tool`
              hint: name one tool at a time
        "#]],
    );
    tool(&["fetch", "x.py", "--no-binary"]).refuses(
        125,
        expect![[r#"
            vpython: error: `-vpython-tool fetch` has no option `--no-binary`
              hint: put pip's options after `--`
        "#]],
    );
    assert_eq!(
        tool(&["install", "x.py", "-x", "y", "--", "--zzz"]).code,
        Some(0)
    );
}

#[test]
fn the_tools_are_listed_if_none_is_named() {
    let world = World::new();
    let list = [
        "install      Build the environment of the command line, and print its path",
        "check        Hash the environment's files, and report those that have changed",
        "fetch        Download the wheels the spec needs into the first wheel directory",
        "verify       Check that there is a wheel for everything that the spec requires",
        "exec         Run a script of the environment, such as `ruff` or `pytest`",
        "explain      Explain which environment the command line gets, and why",
        "export       Create the environment at DIR, outside the store",
        "list         List the environments in the store",
        "pack         Write the environment as an archive, a package or a container image",
        "prune        Remove environments that have not been used for a long time",
        "push         Copy the wheels of specs into a registry or an image layout",
        "relocate     Rewrite the absolute paths of an environment that has moved",
        "lock         Write the spec's lock file: the exact wheels for all its platforms",
        "unpack       Create an environment from an archive or image of `pack`",
        "completions  Print shell completions for vpython",
        "man          Print vpython's manual page, or write one for each tool",
        "upgrade      Convert LUCI specs to `vpython.toml` and `# /// script` blocks",
    ];
    assert!(
        list.iter().all(|line| line.len() <= 80),
        "each fits a terminal"
    );
    let list = list.join("\n") + "\n";
    for words in [
        &["-vpython-tool"][..],
        &["-vpython-tool", "help"],
        &["-vpython-tool", "--help"],
        &["--vpython-tool=help"],
    ] {
        world.vpython(words).run().prints(&list);
    }
    let help = world.vpython(["-vpython-tool", "list", "--help"]).run();
    world
        .vpython(["-vpython-tool", "help", "list"])
        .run()
        .prints(&help.stdout);
}

#[test]
fn a_tool_takes_a_spec_in_place_of_a_script() {
    let world = World::new();
    world.wheel(&crate::support::Wheel::module("greeting", "1.0"));
    world.write("requirements.txt", "greeting\n");
    let installed = world
        .vpython(["-vpython-tool", "install", "requirements.txt"])
        .run();
    installed.installs("");
    let again = world
        .vpython([
            "-vpython-spec",
            "requirements.txt",
            "-vpython-tool",
            "install",
        ])
        .run();
    again.installs("");
    assert_eq!(again.raw_stdout, installed.raw_stdout);
    world
        .vpython(["-vpython-tool", "install", "none.toml"])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: cannot use the spec that `-vpython-spec` names
                  caused by: cannot open `[WORLD]/work/none.toml`
                  caused by: No such file or directory (os error 2)
            "#]],
        );
}
