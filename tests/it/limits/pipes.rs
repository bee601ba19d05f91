//! Input that is not a regular file: pipes, devices and open files.

use std::path::Path;

use expect_test::expect;

use super::{launch, world};

fn mkfifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
}

#[test]
fn a_file_that_is_not_regular_is_refused_without_waiting() {
    let world = world();
    mkfifo(&world.path("pipe.txt"));
    world.write("names.txt", "-r pipe.txt\n");
    world.write("v.toml", "dependencies = ['one']\n");
    mkfifo(&world.path("v.toml.uv.lock"));
    world.write("w.toml", "dependencies = ['one']\n");
    mkfifo(&world.path("pylock.w.toml"));
    let rows = [
        (
            "/dev/zero",
            expect![[r#"
                vpython: error: cannot use the spec that `-vpython-spec` names
                  caused by: cannot read `/dev/zero`
                  caused by: it is a device, and not a regular file
            "#]],
        ),
        (
            "names.txt",
            expect![[r#"
                vpython: error: bad spec in `[WORLD]/work/names.txt`
                  caused by: `[WORLD]/work/names.txt`, line 1: cannot read `[WORLD]/work/pipe.txt`: it is a named pipe, and not a regular file
            "#]],
        ),
        (
            "v.toml",
            expect![[r#"
                vpython: error: cannot read `[WORLD]/work/v.toml.uv.lock`
                  caused by: it is a named pipe, and not a regular file
            "#]],
        ),
    ];
    for (spec, message) in rows {
        launch(&world, spec).run().refuses(125, message);
    }
}

#[test]
fn a_wheel_that_is_a_pipe_is_skipped() {
    let world = world();
    mkfifo(&world.path("wheels/one-2.0-py3-none-any.whl"));
    world.write("r.txt", "one\n");
    launch(&world, "r.txt").run().prints("1.0\n");
    world.write("r.txt", "one==2.0\n");
    launch(&world, "r.txt").run().refuses(125, expect![[r#"
        vpython: error: no wheel in `[WORLD]/work/wheels` fits `one==2.0` (required in `[WORLD]/work/r.txt`, line 1)
          caused by: `one-1.0-py3-none-any.whl` is version 1.0, which does not satisfy `one==2.0`
          caused by: `one-2.0-py3-none-any.whl` cannot be used: cannot read `[WORLD]/work/wheels/one-2.0-py3-none-any.whl`: it is a named pipe, and not a regular file
          hint: fetch one: `vpython -vpython-spec=r.txt -vpython-tool fetch tool.py`, or loosen `one==2.0` in `[WORLD]/work/r.txt`, line 1
    "#]]);
}

#[test]
fn an_archive_that_is_a_pipe_is_refused() {
    let world = world();
    mkfifo(&world.path("a.tar"));
    world
        .vpython(["-vpython-tool", "unpack", "a.tar", "into"])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: cannot unpack `[WORLD]/work/a.tar`
                  caused by: cannot read `[WORLD]/work/a.tar`
                  caused by: it is a named pipe, and not a regular file
            "#]],
        );
}

#[test]
fn a_spec_that_the_process_was_given_as_an_open_file_is_read() {
    let world = world();
    // Relative paths in it would be relative to `/dev`.
    for spec in ["/dev/stdin", "/dev/fd/0"] {
        let words = [
            "-vpython-wheels",
            "wheels",
            "-vpython-spec",
            spec,
            "tool.py",
        ];
        world.vpython(words).input("one\n").run().prints("1.0\n");
    }
    let vpython = env!("CARGO_BIN_EXE_vpython");
    let substitution =
        format!("{vpython} -vpython-wheels wheels -vpython-spec <(echo one) tool.py");
    world
        .program("/bin/bash", ["-c", &substitution])
        .run()
        .prints("1.0\n");
    let endless = format!("yes one | {vpython} -vpython-spec /dev/stdin tool.py");
    world.program("/bin/sh", ["-c", &endless]).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot use the spec that `-vpython-spec` names
              caused by: cannot read `/dev/stdin`
              caused by: it is larger than the limit for a spec: 32 MiB
        "#]],
    );
}
