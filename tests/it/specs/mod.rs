//! The search for the spec, and the messages about it.

mod blocks;
mod import_roots;

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use expect_test::expect;

use crate::support::{VPYTHON, Wheel, World};

/// A program that prints the version of the installed wheel, or `none`.
const PROGRAM: &str =
    "try:\n    import which\n    print(which.VERSION)\nexcept ImportError:\n    print('none')\n";

/// A world with the wheels of `which` 1 to 5, one for each location of a spec.
fn world() -> World {
    let world = World::new();
    for version in ["1", "2", "3", "4", "5"] {
        Wheel::module("which", version).write_to(&world.outside("house"));
    }
    world
}

/// The text of a spec that requires one of them.
fn spec(world: &World, version: u32) -> String {
    format!(
        "dependencies = ['which=={version}']\n[tool.vpython]\nwheels = ['{}']\n",
        world.outside("house").display()
    )
}

/// The same as a block of a script, with the program after it.
fn script(world: &World, version: u32) -> String {
    let lines = spec(world, version).trim_end().replace('\n', "\n# ");
    format!("# /// script\n# {lines}\n# ///\n{PROGRAM}")
}

#[test]
fn the_first_location_that_has_a_spec_is_used() {
    let world = world();
    let default = world.write("default.toml", spec(&world, 4));
    let explicit = world.write("explicit.toml", spec(&world, 5));
    let plain = world.write("a/b/plain.py", PROGRAM);
    let block = world.write("a/b/block.py", script(&world, 3));
    let launch = |words: &[&PathBuf]| {
        world
            .vpython(words)
            .env("VPYTHON_DEFAULT_SPEC", &default)
            .run()
    };
    launch(&[&plain]).prints("4\n");
    world.vpython([&plain]).run().prints("none\n");
    let relative = || {
        world
            .vpython([&plain])
            .env("VPYTHON_DEFAULT_SPEC", "default.toml")
            .run()
    };
    relative().prints("4\n");
    let nested = world.write("a/b/default.toml", spec(&world, 5));
    relative().prints("5\n");
    std::fs::remove_file(nested).unwrap();
    relative().prints("4\n");
    world.write("vpython.toml", spec(&world, 1));
    launch(&[&plain]).prints("1\n");
    world.write("a/vpython.toml", spec(&world, 2));
    launch(&[&plain]).prints("2\n");
    launch(&[&block]).prints("3\n");
    let flag = format!("-vpython-spec={}", explicit.display());
    world
        .vpython([&flag])
        .arguments([&block])
        .run()
        .prints("5\n");
    world
        .vpython(["-vpython-spec", "a/b/block.py"])
        .arguments([&plain])
        .run()
        .prints("3\n");
}

#[test]
fn the_walk_ends_after_the_spec_of_a_client_directory() {
    let world = world();
    world.write("vpython.toml", spec(&world, 1));
    let plain = world.write("a/b/plain.py", PROGRAM);
    world.write("a/.gclient", "");
    world.vpython([&plain]).run().prints("none\n");
    world.write("a/vpython.toml", spec(&world, 2));
    world.vpython([&plain]).run().prints("2\n");
}

#[test]
fn a_script_is_searched_for_at_its_real_path() {
    let world = world();
    let plain = world.write("real/plain.py", PROGRAM);
    let block = world.write("real/block.py", script(&world, 3));
    world.write("real/vpython.toml", spec(&world, 2));
    world.write("links/vpython.toml", spec(&world, 1));
    symlink(plain, world.path("links/plain")).unwrap();
    symlink(block, world.path("links/block")).unwrap();
    world.vpython(["links/plain"]).run().prints("2\n");
    world.vpython(["links/block"]).run().prints("3\n");
}

#[test]
fn without_a_script_the_walk_begins_in_the_current_directory() {
    let world = world();
    world.write("vpython.toml", spec(&world, 1));
    world.write("a/which_one.py", PROGRAM);
    let inside = world.path("a");
    world
        .vpython(["-c", PROGRAM])
        .within(&inside)
        .run()
        .prints("1\n");
    world
        .vpython(["-m", "which_one"])
        .within(&inside)
        .run()
        .prints("1\n");
    world
        .vpython(["-"])
        .within(&inside)
        .input(PROGRAM)
        .run()
        .prints("1\n");
}

#[test]
fn a_directory_is_a_program_with_a_main_file() {
    let world = world();
    world.write("app/__main__.py", script(&world, 3));
    world.write("app/vpython.toml", spec(&world, 1));
    world.vpython(["app"]).run().prints("3\n");
    world
        .vpython([""])
        .within(world.path("app"))
        .run()
        .prints("3\n");
}

#[test]
fn an_unknown_key_is_warned_of_on_every_launch() {
    let world = World::new();
    world.write(
        "vpython.toml",
        "dependancies = []\nzzz = 1\n[tool.vpython]\nwheel = []\n[tool.other]\nx = 1\n",
    );
    for _ in 0..2 {
        world.vpython(["-c", "print('ran')"]).run().expect(
            0,
            "ran\n",
            expect![[r#"
                vpython: warning: `[WORLD]/work/vpython.toml`, line 1: unknown key `dependancies` is ignored; did you mean `dependencies`?
                vpython: warning: `[WORLD]/work/vpython.toml`, line 2: unknown key `zzz` is ignored
                vpython: warning: `[WORLD]/work/vpython.toml`, line 4: unknown key `tool.vpython.wheel` is ignored; did you mean `tool.vpython.wheels`?
            "#]],
        );
    }
    world
        .vpython(["-vpython-log-level", "error", "-c", "print('ran')"])
        .run()
        .prints("ran\n");
}

#[test]
fn all_errors_of_a_spec_are_reported_at_once() {
    let world = World::new();
    world.write("vpython.toml", "requires-python = 3\ndependencies = ['a b', 7,\n  'x @ https://e.org/x.whl']\ntool = 'x'\n");
    world.vpython(["-c", ""]).run().refuses(
        125,
        expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/vpython.toml`
              caused by: `[WORLD]/work/vpython.toml`, line 1, column 19: `requires-python` must be a string, not an integer
              caused by: `[WORLD]/work/vpython.toml`, line 2, column 17: `a b` is not a valid requirement: Expected one of `@`, `(`, `<`, `=`, `>`, `~`, `!`, `;`, found `b`
              caused by: `[WORLD]/work/vpython.toml`, line 2, column 24: an item of dependencies must be a string, not an integer
              caused by: `[WORLD]/work/vpython.toml`, line 3, column 3: `x @ https://e.org/x.whl` does not end in the name of a wheel
              caused by: `[WORLD]/work/vpython.toml`, line 4, column 8: `tool` must be a table, not a string
        "#]],
    );
}

#[test]
fn a_named_file_that_is_not_a_spec_is_refused() {
    let world = World::new();
    world.write("plain.py", "");
    world
        .vpython(["-vpython-spec", "missing.toml", "-c", ""])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: cannot use the spec that `-vpython-spec` names
                  caused by: cannot open `[WORLD]/work/missing.toml`
                  caused by: No such file or directory (os error 2)
            "#]],
        );
    world.vpython(["-vpython-spec", "plain.py", "-c", ""]).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot use the spec that `-vpython-spec` names
              caused by: `[WORLD]/work/plain.py` is neither a `.toml`, `.vpython3` or `.txt` file nor a script with a `# /// script` or `[VPYTHON:BEGIN]` block
              hint: if it has the format of `vpython.toml`, rename it to `plain.py.toml`
        "#]],
    );
}

#[test]
fn paths_of_a_spec_are_relative_to_its_directory() {
    let world = World::new();
    Wheel::module("which", "7").write_to(&world.path("spec/third_party"));
    let text = "dependencies = ['which']\n[tool.vpython]\nwheels = ['third_party']\npython-path = ['lib', '../shared']\n";
    world.write("spec/vpython.toml", text);
    world.write("spec/lib/one.py", "");
    world.write("shared/two.py", "");
    world.write(
        "spec/deep/tool.py",
        "import os, sys, which, one, two\nprint(which.VERSION, os.environ['PYTHONPATH'])\n",
    );
    let tool = "spec/deep/tool.py";
    world
        .vpython([tool])
        .run()
        .prints("7 [WORLD]/work/spec/lib:[WORLD]/work/spec/../shared\n");
    let outcome = world.vpython([tool]).env("PYTHONPATH", "/given").run();
    outcome.prints("7 [WORLD]/work/spec/lib:[WORLD]/work/spec/../shared:/given\n");
}

#[test]
fn a_missing_directory_of_wheels_is_named_with_its_location() {
    let world = World::new();
    world.write(
        "vpython.toml",
        "dependencies = ['which']\n[tool.vpython]\nwheels = ['third_party']\n",
    );
    world.vpython(["-c", ""]).run().refuses(
        125,
        expect![[r#"
            vpython: error: the directory `[WORLD]/work/third_party` does not exist
              caused by: it comes from `[WORLD]/work/vpython.toml`, line 3
              hint: paths in a spec are relative to the spec's own directory; `vpython -vpython-tool fetch -c ''` creates and fills it
        "#]],
    );
}

#[test]
fn warnings_come_before_the_errors_that_they_may_explain() {
    let world = World::new();
    world.write(
        "vpython.toml",
        "dependencies = ['q']\n[tool.vpython]\nwheel = ['w']\n",
    );
    let outcome = world.vpython(["-c", ""]).run();
    outcome.refuses(125, expect![[r#"
        vpython: warning: `[WORLD]/work/vpython.toml`, line 3: unknown key `tool.vpython.wheel` is ignored; did you mean `tool.vpython.wheels`?
        vpython: error: no wheel fits `q` (required in `[WORLD]/work/vpython.toml`, line 1)
          caused by: no wheel directory is configured, and there is no `wheels` next to the spec
          hint: create and fill one: `vpython -vpython-tool fetch -c ''`, or fetch at launch: `-vpython-fetch`, or name a wheel directory: `wheels = ["…"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`
    "#]]);
}

#[test]
fn a_named_spec_may_be_a_pipe() {
    let world = World::new();
    world.wheel(&crate::support::Wheel::module("a", "1"));
    // Written in two pieces: the first is not complete.
    let line = format!(
        "mkfifo p.toml; (echo \"dependencies = ['a'\"; while ! grep -q 1 written; do :; done; echo ']') >p.toml & \
         (exec {} -vpython-spec p.toml -c 'import a; print(a.VERSION)') & echo 1 >written; wait",
        env!("CARGO_BIN_EXE_vpython")
    );
    world.write("written", "");
    world.program("/bin/sh", ["-c", &line]).run().prints("1\n");
}

#[test]
fn an_invalid_requirement_is_an_error_with_its_location() {
    let world = World::new();
    let text = "dependencies = [\n\"one_==1\",\n\"one[x-]\",\n\"one; '1' ~= os_name\",\n\"one; os_name == 'x' é\",\n]\n";
    world.write("vpython.toml", text);
    world.vpython(["-c", ""]).run().refuses(
        125,
        expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/vpython.toml`
              caused by: `[WORLD]/work/vpython.toml`, line 2, column 1: `one_==1` is not a valid requirement: Package name must end with an alphanumeric character, not '_'
              caused by: `[WORLD]/work/vpython.toml`, line 3, column 1: `one[x-]` is not a valid requirement: Extra name must end with an alphanumeric character, not '-'
              caused by: `[WORLD]/work/vpython.toml`, line 4, column 1: `one; '1' ~= os_name` is not a valid requirement: `~=` compares versions, but `os_name` is not a version
              caused by: `[WORLD]/work/vpython.toml`, line 5, column 1: `one; os_name == 'x' é` is not a valid requirement: Unexpected character '?', expected 'and', 'or' or end of input
        "#]],
    );
    world.write("vpython.toml", "dependencies = ['two']\n");
    world.wheel(&Wheel::module("two", "1").requires("one_>1"));
    world.vpython(["-c", ""]).run().refuses(
        125,
        expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `two` (required in `[WORLD]/work/vpython.toml`, line 1)
              caused by: `two-1-py3-none-any.whl` has an invalid `Requires-Dist`: `one_>1`
              hint: fetch one: `vpython -vpython-tool fetch -c ''`
        "#]],
    );
}

#[test]
fn a_script_whose_absolute_path_is_too_long_is_not_run_without_its_spec() {
    let world = World::new();
    // Python enters the directories one by one, and runs vpython in the last.
    let program = "\
import os, sys
for _ in range(21):
    os.mkdir('d' * 200)
    os.chdir('d' * 200)
with open('tool.py', 'w') as script:
    script.write('# /// script\\n# dependencies = [\"absent\"]\\n# ///\\n')
os.symlink('tool.py', 'link.py')
os.execv(sys.argv[1], sys.argv[1:])
";
    let mut number = 0;
    let mut run = |words: &[&str]| {
        number += 1;
        let directory = world.path(&format!("deep{number}"));
        std::fs::create_dir(&directory).unwrap();
        let python = world.program(&world.python.path, ["-c", program, VPYTHON]);
        let outcome = python.arguments(words).within(&directory).run();
        let length = (directory.as_os_str().len() + 21 * 201).to_string();
        let of_script = (directory.as_os_str().len() + 21 * 201 + "/tool.py".len()).to_string();
        outcome
            .replacing(&length, "[LENGTH]")
            .replacing(&of_script, "[LENGTH]")
    };
    run(&["tool.py"]).refuses(125, expect![[r#"
        vpython: error: cannot look for the spec of `tool.py`
          caused by: its absolute path has [LENGTH] bytes, and the system opens paths of at most 4095
          hint: move the script to a shorter path, or name a spec that has one with `-vpython-spec`
    "#]]);
    run(&["link.py"]).refuses(125, expect![[r#"
        vpython: error: cannot look for the spec of `link.py`
          caused by: its absolute path has [LENGTH] bytes, and the system opens paths of at most 4095
          hint: move the script to a shorter path, or name a spec that has one with `-vpython-spec`
    "#]]);
    run(&["-c", ""]).refuses(125, expect![[r#"
        vpython: error: cannot look for a spec in the current directory
          caused by: its path has [LENGTH] bytes, and the system opens paths of at most 4095
          hint: run it in a directory of a shorter path, or name a spec that has one with `-vpython-spec`
    "#]]);
    // A spec that is named is enough, and so is no program.
    let spec = world.write("requirements.txt", "");
    let spec = spec.to_str().unwrap();
    run(&["-vpython-spec", spec, "-c", "print(1)"]).prints("1\n");
    run(&["-vpython-spec", spec, "tool.py"]).prints("");
    assert_eq!(run(&["--version"]).code, Some(0));
}
