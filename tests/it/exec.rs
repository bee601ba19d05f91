//! `-vpython-tool exec` runs scripts of the environment as its python would.

use expect_test::expect;

use crate::support::{Launch, Wheel, World, has_strace};

const SAY: &str = "import os, sys\n\ndef main():\n    print(os.path.basename(sys.argv[0]), *sys.argv[1:], sys.flags.no_user_site, sep='|')\n    sys.exit(7)\n";

fn world() -> World {
    let world = World::new();
    let program = Wheel::new("program", "1")
        .file("program.py", SAY)
        .entry_point("say", "program:main")
        .entry_point("said", "program:main");
    let program = program.script(
        "shipped",
        "#!python\nimport sys\nprint('shipped', *sys.argv[1:], sys.flags.no_user_site)\n",
    );
    world.wheel(&program.script(
        "shell",
        "#!/bin/sh\nprintf '%s\\n' \"shell $* $(basename \"$VIRTUAL_ENV\" | wc -c) $PYTHONHOME\"\n",
    ));
    world.write(
        "vpython.toml",
        "dependencies = ['program']\n[tool.vpython]\npython-path = ['lib']\n",
    );
    world.write("lib/first.py", "");
    world
}

fn exec<'a>(world: &'a World, words: &[&str]) -> Launch<'a> {
    world.vpython(["-vpython-tool", "exec"]).arguments(words)
}

#[test]
fn scripts_of_every_kind_run_with_their_arguments() {
    let world = world();
    exec(&world, &["say", "-c", "a b", "--json"])
        .run()
        .expect(7, "say|-c|a b|--json|1\n", "");
    exec(&world, &["shipped", "x"])
        .run()
        .prints("shipped x 1\n");
    exec(&world, &["shell", "x"])
        .env("PYTHONHOME", "/nowhere")
        .run()
        .prints("shell x 41 \n");
    exec(
        &world,
        &["python", "-c", "import first, program; print('python')"],
    )
    .run()
    .prints("python\n");
}

#[test]
fn the_spec_is_that_of_the_current_directory_or_a_named_one() {
    let world = world();
    world.write("deep/er/say", "print('no script')\n");
    exec(&world, &["say"])
        .within(world.path("deep/er"))
        .run()
        .expect(7, "say|1\n", "");
    world.write("other.toml", "");
    world
        .vpython(["-vpython-spec=other.toml", "-vpython-tool", "exec", "say"])
        .run()
        .refuses(
            127,
            expect![[r#"
                vpython: error: the environment has no script `say`
                  hint: no wheel in the environment installs scripts
            "#]],
        );
}

#[test]
fn an_unknown_script_is_an_error_with_the_list_of_those_there_are() {
    let world = world();
    for (name, message) in [
        (
            "shel",
            expect![[r#"
                vpython: error: the environment has no script `shel`
                  hint: did you mean `shell`? the available scripts are `said`, `say`, `shell`, `shipped`
            "#]],
        ),
        (
            "ruff",
            expect![[r#"
                vpython: error: the environment has no script `ruff`
                  hint: the available scripts are `said`, `say`, `shell`, `shipped`
            "#]],
        ),
        (
            "../bin/say",
            expect![[r#"
                vpython: error: the environment has no script `../bin/say`
                  hint: the available scripts are `said`, `say`, `shell`, `shipped`
            "#]],
        ),
        (
            "..",
            expect![[r#"
                vpython: error: the environment has no script `..`
                  hint: the available scripts are `said`, `say`, `shell`, `shipped`
            "#]],
        ),
    ] {
        exec(&world, &[name]).run().refuses(127, message);
    }
    exec(&world, &[]).run().refuses(
        125,
        expect![[r#"
            vpython: error: `-vpython-tool exec` needs the name of a script
              hint: the available scripts are `said`, `say`, `shell`, `shipped`
        "#]],
    );
}

#[test]
fn a_warm_run_starts_no_shell() {
    let world = world();
    if !has_strace() {
        return;
    }
    exec(&world, &["say"]).run();
    let trace = world.outside("trace");
    let words = [
        "-f",
        "-qq",
        "-e",
        "trace=execve,clone,fork,vfork,clone3",
        "-o",
        trace.to_str().unwrap(),
        env!("CARGO_BIN_EXE_vpython"),
    ];
    let outcome = world
        .program("/usr/bin/env", ["strace"])
        .arguments(words)
        .arguments(["-vpython-tool", "exec", "say"])
        .run();
    assert_eq!(outcome.code, Some(7), "{outcome}");
    let calls = std::fs::read_to_string(trace).unwrap();
    assert_eq!(
        calls
            .lines()
            .filter(|line| line.contains("execve("))
            .count(),
        2,
        "{calls}"
    );
}
