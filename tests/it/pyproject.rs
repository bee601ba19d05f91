//! `pyproject.toml` as a named spec, and the selection of its extras and groups.

use expect_test::expect;

use crate::support::{Fake, Wheel, World};

const PROJECT: &str = "[project]\nname = 'x'\ndependencies = ['a']\n[project.optional-dependencies]\nCli = ['b']\n\
                       [dependency-groups]\ntest = ['c']\n";
const PROGRAM: &str =
    "import importlib.util\nprint([name for name in 'abc' if importlib.util.find_spec(name)])\n";

fn world() -> World {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.wheel(&Wheel::module(name, "1"));
    }
    world.write("pyproject.toml", PROJECT);
    world.write("plain.py", PROGRAM);
    world
}

#[test]
fn a_pyproject_that_is_named_is_a_spec() {
    let world = world();
    world
        .vpython(["-vpython-spec=pyproject.toml", "plain.py"])
        .run()
        .prints("['a']\n");
    world
        .vpython(["plain.py"])
        .env("VPYTHON_DEFAULT_SPEC", world.path("pyproject.toml"))
        .run()
        .prints("['a']\n");
    world.vpython(["plain.py"]).run().prints("[]\n");
    world.write(
        "pyproject.toml",
        "[tool.poetry.dependencies]\nwhich = '2'\n",
    );
    world
        .vpython(["-vpython-spec=pyproject.toml", "plain.py"])
        .run()
        .refuses(125, expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/pyproject.toml`
              caused by: `[WORLD]/work/pyproject.toml`, line 1, column 1: there is neither a `[project]` table nor `[dependency-groups]`, so its requirements are unknown
              hint: add `dependencies` to `[project]`, or select groups with `groups = ["..."]` in `[tool.vpython]`
        "#]]);
}

#[test]
fn extras_and_groups_are_chosen_on_the_command_line() {
    let world = world();
    let run = |flags: &[&str]| {
        world
            .vpython(["-vpython-spec=pyproject.toml"])
            .arguments(flags)
            .arguments(["plain.py"])
            .run()
    };
    for _ in 0..2 {
        run(&["-vpython-extra", "cli"]).prints("['a', 'b']\n");
        run(&["-vpython-group=test"]).prints("['a', 'c']\n");
        run(&[
            "-vpython-extra=CLI",
            "-vpython-group=test",
            "-vpython-group",
            "test",
        ])
        .prints("['a', 'b', 'c']\n");
        run(&[]).prints("['a']\n");
    }
    run(&["-vpython-extra=gui"]).refuses(125, expect![[r#"
        vpython: error: bad spec in `[WORLD]/work/pyproject.toml`
          caused by: `[WORLD]/work/pyproject.toml`, line 1, column 1: there is no `gui` in `[project.optional-dependencies]`, which has `Cli`
    "#]]);
}

#[test]
fn a_tool_takes_them_as_options_of_its_own() {
    let world = world();
    let fake = Fake::new(&world, "3.11.99");
    let tool = |words: &[&str]| {
        world
            .vpython(["-vpython-tool"])
            .arguments(words)
            .env("VPYTHON_INTERPRETER", &fake.path)
            .run()
    };
    let wheels = |words: &[&str]| {
        let outcome = tool(words);
        outcome.installs("");
        let manifest =
            std::fs::read(format!("{}/vpython.json", outcome.raw_stdout.trim_end())).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        manifest["wheels"].as_array().unwrap().len()
    };
    assert_eq!(
        wheels(&[
            "install",
            "pyproject.toml",
            "--extra",
            "cli",
            "--group=test"
        ]),
        3
    );
    assert_eq!(wheels(&["install", "--extra=cli", "pyproject.toml"]), 2);
    assert_eq!(wheels(&["install", "pyproject.toml"]), 1);
    // Arguments of a program are not options of vpython.
    world.write("vpython.toml", "dependencies = []\n");
    tool(&["install", "--extra", "cli", "plain.py"]).refuses(
        125,
        expect![[r#"
            vpython: error: `-vpython-extra` and `-vpython-group` require a `pyproject.toml`
              caused by: the spec is `[WORLD]/work/vpython.toml`
              hint: pass it with `-vpython-spec pyproject.toml`
        "#]],
    );
    let exec = world.vpython([
        "-vpython-tool",
        "exec",
        "python",
        "-c",
        "import sys; print(sys.argv[1:])",
        "--extra",
        "cli",
    ]);
    exec.run().prints("['--extra', 'cli']\n");
}
