//! `VPYTHON_BYPASS` runs the next python on `PATH` unchanged.

use std::os::unix::fs::symlink;

use expect_test::expect;

use crate::support::{Launch, VPYTHON, World, write_with_mode};

const TEXT: &str = "manually managed python not supported by chrome operations";

/// Prints everything that vpython would have changed.
const SHOW: &str = "import os, sys\nprint(sys.argv, sorted(name for name in os.environ if name.startswith(('PYTHON', 'VIRTUAL'))), \
                    sys.prefix == sys.base_prefix)\n";

#[test]
fn with_the_exact_text_the_next_python_runs_untouched() {
    let world = World::new();
    world.write("vpython.toml", "this is not a spec\n");
    let outcome = world
        .vpython(["-c", SHOW, "a"])
        .env("VPYTHON_BYPASS", TEXT)
        .env("PYTHONUSERBASE", "/x")
        .run();
    outcome.prints("['-c', 'a'] ['PYTHONUSERBASE'] True\n");
    let outcome = world
        .vpython(["-vpython-tool", "install", "tool.py"])
        .env("VPYTHON_BYPASS", TEXT)
        .run();
    outcome.prints("");
    assert!(!world.outside("root").exists(), "no store was made");
}

#[test]
fn vpython_under_another_name_is_not_the_next_python() {
    let world = World::new();
    let directories = ["copy", "hard", "soft"].map(|name| world.outside(name));
    for directory in &directories {
        std::fs::create_dir(directory).unwrap();
    }
    let python = |index: usize| directories[index].join("python3");
    world.copy_vpython("copy/python3");
    // The target directory of Cargo may be on another file system, so the link points to a copy.
    std::fs::hard_link(python(0), python(1)).unwrap();
    symlink(env!("CARGO_BIN_EXE_vpython"), python(2)).unwrap();
    let directories: Vec<&str> = directories
        .iter()
        .map(|directory| directory.to_str().unwrap())
        .collect();
    let path = format!("{}:{}", directories.join(":"), world.search_path());
    let programs = ["hard/python3", "soft/python3"].map(|name| world.outside(name));
    for program in programs
        .iter()
        .map(|path| path.to_str().unwrap())
        .chain([env!("CARGO_BIN_EXE_vpython")])
    {
        let outcome = world
            .program(program, ["-c", SHOW])
            .env("PATH", &path)
            .env("VPYTHON_BYPASS", TEXT)
            .run();
        outcome.prints("['-c'] [] True\n");
    }
}

#[test]
fn the_bypass_runs_the_next_script_of_that_name_on_path() {
    let world = World::new();
    let bin = world.outside("programs");
    std::fs::create_dir(&bin).unwrap();
    write_with_mode(
        &bin.join("lint"),
        b"#!/bin/sh\necho lint \"$@\"; exit 3\n",
        0o755,
    );
    let exec = |words: &[&str]| {
        let path = format!("{}:{}", bin.display(), world.search_path());
        world
            .vpython(["-vpython-tool", "exec"])
            .arguments(words)
            .env("PATH", path)
            .env("VPYTHON_BYPASS", TEXT)
            .run()
    };
    exec(&["lint", "a b", "--x"]).expect(3, "lint a b --x\n", "");
    exec(&["lunt"]).refuses(
        127,
        expect![[r#"
            vpython: error: no program `lunt` on `PATH`
              caused by: `VPYTHON_BYPASS` is set
        "#]],
    );
    exec(&[]).refuses(
        125,
        expect![[r#"
            vpython: error: `-vpython-tool exec` needs the name of a script
        "#]],
    );
    assert!(!world.outside("root").exists(), "no store was made");
}

#[test]
fn a_wrapper_that_leads_back_to_vpython_ends_with_an_error() {
    let world = World::new();
    let bin = world.outside("programs");
    std::fs::create_dir(&bin).unwrap();
    let rows = [
        ("python3", "exec \"$LAUNCHER\" \"$@\"\n", &["-c", "0"][..]),
        ("python3", "\"$LAUNCHER\" \"$@\"\n", &["-c", "0"]),
        (
            "lint",
            "exec \"$LAUNCHER\" -vpython-tool exec lint \"$@\"\n",
            &["-vpython-tool", "exec", "lint"],
        ),
    ];
    for (name, line, words) in rows {
        let count = world.outside("count");
        let text = format!("#!/bin/sh\necho >> '{}'\n{line}", count.display());
        write_with_mode(&bin.join(name), text.as_bytes(), 0o755);
        let outcome = world
            .vpython(words)
            .env("LAUNCHER", VPYTHON)
            .env("PATH", format!("{}:{}", bin.display(), world.search_path()))
            .env("VPYTHON_BYPASS", TEXT)
            .run();
        let message = format!(
            "vpython: error: cannot run `[WORLD]/programs/{name}`, which may lead back to vpython\n  \
             caused by: `VPYTHON_BYPASS` is set, and each of 20 launches has started the next one\n  \
             hint: put another python first on `PATH`, or unset `VPYTHON_BYPASS`\n"
        );
        outcome.refuses(126, &message);
        assert_eq!(std::fs::read(&count).unwrap().len(), 20);
        std::fs::remove_file(&count).unwrap();
    }
}

#[test]
fn a_program_of_a_bypassed_launch_may_run_vpython() {
    let world = World::new();
    let nested = "import os, subprocess, sys\nprint(int(sys.argv[1]), flush=True)\nif sys.argv[1] != '9':\n    \
                  sys.exit(subprocess.call([os.environ['LAUNCHER'], __file__, str(int(sys.argv[1]) + 1)]))\n";
    world.write("nested.py", nested);
    world
        .vpython(["nested.py", "0"])
        .env("LAUNCHER", VPYTHON)
        .env("VPYTHON_BYPASS", TEXT)
        .run()
        .prints("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
}

#[test]
fn without_another_python_the_bypass_is_an_error() {
    let world = World::new();
    let path = world.outside("home");
    world
        .vpython(["-c", "0"])
        .env("VPYTHON_BYPASS", TEXT)
        .env("PATH", path)
        .run()
        .refuses(
            127,
            expect![[r#"
                vpython: error: no python on `PATH` other than vpython
                  caused by: `VPYTHON_BYPASS` is set
            "#]],
        );
}

#[test]
fn another_text_causes_a_warning_and_has_no_effect() {
    let world = World::new();
    let launch = |value: &str| -> Launch<'_> {
        world
            .vpython(["-c", "import sys; print(sys.prefix != sys.base_prefix)"])
            .env("VPYTHON_BYPASS", value)
    };
    launch("").run().prints("True\n");
    let warning = expect![[r#"
        vpython: warning: `VPYTHON_BYPASS` is ignored: it is `1`, not `manually managed python not supported by chrome operations`
    "#]];
    launch("1").run().expect(0, "True\n", &warning);
    launch("1").run().expect(0, "True\n", &warning);
}
