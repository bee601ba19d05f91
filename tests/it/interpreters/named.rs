//! An interpreter that `-vpython-interpreter` names, as a file or by its version.

use std::os::unix::fs::symlink;

use expect_test::expect;

use super::{SHOW, wants};
use crate::support::{Fake, Python, World};

#[test]
fn a_named_interpreter_may_be_a_script_and_gets_the_arguments_last() {
    let world = World::new();
    let fake = Fake::new(&world, "3.11.99");
    let outcome = world
        .vpython(["-W", "", "x y.py", "z"])
        .env("VPYTHON_INTERPRETER", &fake.path)
        .env("PYTHONHOME", "/x")
        .run();
    outcome.prints(
        "<-s>\n<-W>\n<>\n<x y.py>\n<z>\nPATH=[WORLD]/root/v1/envs/[KEY]/bin:[WORLD]/bin:/usr/bin:/bin\nPYTHONNOUSERSITE=1\n\
         VIRTUAL_ENV=[WORLD]/root/v1/envs/[KEY]\n",
    );
}

#[test]
fn a_named_interpreter_that_does_not_fit_is_refused() {
    let world = World::new();
    wants(&world, ">=3.12");
    let fake = Fake::new(&world, "3.11.99");
    world.write("plain", "no program");
    world.write_with_mode(
        "failing",
        "#!/bin/sh\necho 'out of order' >&2\nexit 3\n",
        0o755,
    );
    let old = Fake::new(&world, "3.5.99");
    let vpython = env!("CARGO_BIN_EXE_vpython");
    let rows = [
        (
            world.path("missing"),
            127,
            expect![[r#"
                vpython: error: cannot use `[WORLD]/work/missing` as the interpreter
                  caused by: the file does not exist
            "#]],
        ),
        (
            world.path("plain"),
            126,
            expect![[r#"
                vpython: error: cannot use `[WORLD]/work/plain` as the interpreter
                  caused by: it is not executable
            "#]],
        ),
        (
            vpython.into(),
            126,
            expect![[r#"
                vpython: error: cannot use `[VPYTHON]` as the interpreter
                  caused by: it is vpython itself
            "#]],
        ),
        (
            fake.path,
            125,
            expect![[r#"
                vpython: error: cannot use `[WORLD]/fakes/3.11.99/python3` as the interpreter
                  caused by: it is CPython 3.11.99, but `requires-python` is `>=3.12` (`[WORLD]/work/vpython.toml`, line 1)
            "#]],
        ),
        (
            old.path,
            125,
            expect![[r#"
                vpython: error: cannot use `[WORLD]/fakes/3.5.99/python3` as the interpreter
                  caused by: it is CPython 3.5.99, but vpython supports CPython 2.7, and 3.6 and later
            "#]],
        ),
        (
            world.path("failing"),
            126,
            expect![[r#"
                vpython: error: cannot run the interpreter `[WORLD]/work/failing`
                  caused by: exit status: 3: out of order
                  hint: vpython supports CPython 2.7, and 3.6 and later
            "#]],
        ),
    ];
    for (path, code, message) in rows {
        world
            .vpython(["-c", "0"])
            .env("VPYTHON_INTERPRETER", path)
            .run()
            .replacing(vpython, "[VPYTHON]")
            .refuses(code, message);
    }
}

#[test]
fn a_version_may_be_named_instead_of_a_file() {
    let Some(other) = Python::other() else { return };
    let world = World::new();
    let named = format!("3.{}", other.minor);
    symlink(&other.path, world.outside(&format!("bin/python{named}"))).unwrap();
    for word in [
        named.clone(),
        format!("python{named}"),
        other.version.clone(),
    ] {
        for _ in 0..2 {
            world
                .vpython(["-vpython-interpreter", &word, "-c", SHOW])
                .run()
                .prints(&format!("{}\n", other.version));
        }
        let by_variable = world
            .vpython(["-c", SHOW])
            .env("VPYTHON_INTERPRETER", &word)
            .run();
        by_variable.prints(&format!("{}\n", other.version));
    }
    // As soon as a file of that name exists, the name means the file.
    symlink(&world.python.path, world.path(&named)).unwrap();
    world
        .vpython(["-vpython-interpreter", &named, "-c", SHOW])
        .run()
        .prints("[VERSION]\n");
    std::fs::remove_file(world.path(&named)).unwrap();
    std::fs::remove_file(world.outside(&format!("bin/python{named}"))).unwrap();
    world.pyenv(&[other, world.python]);
    let launch = world
        .vpython(["-vpython-interpreter", &named, "-c", SHOW])
        .env("PATH", world.outside("bin"));
    launch
        .env("PYENV_ROOT", world.outside("pyenv"))
        .run()
        .prints(&format!("{}\n", other.version));
}

#[test]
fn a_version_that_is_not_installed_is_reported_with_the_paths_searched() {
    let world = World::new();
    let vpython = world.copy_vpython("bundles/vpython");
    let launch = || {
        world
            .program(&vpython, ["-vpython-interpreter=3.99", "-c", SHOW])
            .env("PATH", world.outside("bin"))
    };
    launch().run().refuses(
        127,
        expect![[r#"
            vpython: error: no interpreter 3.99 found
              caused by: searched next to vpython (`[WORLD]/bundles`), on `PATH` (`[WORLD]/bin`), in pyenv (`[WORLD]/home/.pyenv/versions`), in uv (`[WORLD]/home/.local/share/uv/python`)
              caused by: `[WORLD]/bin/python3`: it is CPython [VERSION], but 3.99 is requested
              hint: install one on `PATH` or with pyenv or uv, or name one with `-vpython-interpreter`
        "#]],
    );
    wants(&world, ">=3.6");
    launch()
        .run()
        .refuses(127, expect![[r#"
            vpython: error: no interpreter 3.99 satisfies `requires-python = ">=3.6"` (`[WORLD]/work/vpython.toml`, line 1)
              caused by: searched next to vpython (`[WORLD]/bundles`), on `PATH` (`[WORLD]/bin`), in pyenv (`[WORLD]/home/.pyenv/versions`), in uv (`[WORLD]/home/.local/share/uv/python`)
              caused by: `[WORLD]/bin/python3`: it is CPython [VERSION], but 3.99 is requested
              hint: install one on `PATH` or with pyenv or uv, or name one with `-vpython-interpreter`
        "#]]);
}
