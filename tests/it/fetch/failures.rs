//! A `fetch` that fails, as a whole or for some of the wheels.

use expect_test::{Expect, expect};

use super::{came, fetch, launch, module, world};
use crate::support::{Fake, World};

#[test]
fn a_failed_fetch_is_an_error_and_leaves_nothing() {
    let Some(world) = world(&[]) else { return };
    world.write("vpython.toml", "dependencies = ['a>1']\n");
    let outcome = fetch(&world, &[]);
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(125), ""),
        "{outcome}"
    );
    assert!(
        outcome
            .stderr
            .contains("\nvpython: error: pip cannot fetch a>1\n  caused by: `[PYTHON] "),
        "{outcome}"
    );
    assert!(
        outcome
            .stderr
            .ends_with("\n  hint: pip's own output is above; words after `--` are passed to pip\n"),
        "{outcome}"
    );
    assert!(
        std::fs::read_dir(world.path("wheels"))
            .unwrap()
            .next()
            .is_none()
    );
}

#[test]
fn available_wheels_are_fetched_and_the_others_are_listed() {
    let Some(world) = world(&[
        module("a", "1"),
        module("b", "1").tag("py3-none-win_amd64"),
        module("d", "1"),
    ]) else {
        return;
    };
    world.write(
        "vpython.toml",
        "dependencies = ['a', 'b; sys_platform == \"win32\"', 'c>1', 'd']\n[tool.vpython]\nplatforms = ['win_amd64']\n",
    );
    let outcome = fetch(&world, &[]);
    let came = "[WORLD]/work/wheels/a-1-py3-none-any.whl\n[WORLD]/work/wheels/d-1-py3-none-any.whl\n\
                [WORLD]/work/wheels/b-1-py3-none-win_amd64.whl\n";
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(1), came),
        "{outcome}"
    );
    let end = "\nvpython: error: pip cannot fetch all of the missing wheels\n  caused by: c>1 (here ([VERSION]))\n  caused by: c>1 \
               (win_amd64)\n  hint: pip's own output is above; words after `--` are passed to pip\n";
    assert!(outcome.stderr.ends_with(end), "{outcome}");
    let outcome = fetch(&world, &[]);
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(125), ""),
        "{outcome}"
    );
}

#[test]
fn an_interpreter_without_pip_is_reported() {
    let world = World::new();
    let fake = Fake::new(&world, "3.11.42");
    let answer = fake.path.with_file_name("answer.json");
    fake.rewrite(format!("#!/bin/sh\n[ \"$1\" = -I ] && cat {}\n", answer.display()).as_bytes());
    world.write("vpython.toml", "dependencies = ['a']\n");
    world
        .vpython(["-vpython-tool", "fetch", "--build"])
        .env("VPYTHON_INTERPRETER", &fake.path)
        .run()
        .refuses(125, expect![[r#"
            vpython: fetching into `[WORLD]/work/wheels`: a (here (3.11.42))
            vpython: error: the interpreter `[WORLD]/fakes/3.11.42/python3` has no pip to fetch wheels with
              hint: install pip (`[WORLD]/fakes/3.11.42/python3 -m ensurepip`, or the system's package `python3-pip`), or name another interpreter with `-vpython-interpreter`
        "#]]);
}

#[test]
fn a_file_that_is_not_a_wheel_is_reported_and_replaced() {
    let Some(world) = world(&[module("a", "1")]) else {
        return;
    };
    let whole = module("a", "1").bytes();
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    let rows: [(&[u8], Expect); 4] = [
        (
            pointer,
            expect![[r#"
                vpython: error: no wheel in `[WORLD]/work/wheels` fits `a` (required in `[WORLD]/work/vpython.toml`, line 1)
                  caused by: `a-1-py3-none-any.whl` is a Git LFS pointer, not a wheel
                  hint: `git lfs pull` fetches the file
            "#]],
        ),
        (
            b"<!DOCTYPE html>\n",
            expect![[r#"
                vpython: error: no wheel in `[WORLD]/work/wheels` fits `a` (required in `[WORLD]/work/vpython.toml`, line 1)
                  caused by: `a-1-py3-none-any.whl` is an HTML page, not a wheel
                  hint: fetch one: `vpython -vpython-tool fetch`
            "#]],
        ),
        (
            b"",
            expect![[r#"
                vpython: error: no wheel in `[WORLD]/work/wheels` fits `a` (required in `[WORLD]/work/vpython.toml`, line 1)
                  caused by: `a-1-py3-none-any.whl` is an empty file, not a wheel
                  hint: fetch one: `vpython -vpython-tool fetch`
            "#]],
        ),
        (
            &whole[..whole.len() - 30],
            expect![[r#"
                vpython: error: no wheel in `[WORLD]/work/wheels` fits `a` (required in `[WORLD]/work/vpython.toml`, line 1)
                  caused by: `a-1-py3-none-any.whl` is a truncated zip archive, perhaps from an interrupted download
                  hint: fetch one: `vpython -vpython-tool fetch`
            "#]],
        ),
    ];
    world.write("vpython.toml", "dependencies = ['a']\n");
    for (content, message) in rows {
        let file = world.write("wheels/a-1-py3-none-any.whl", content);
        launch(&world, &["-vpython-tool", "install"])
            .run()
            .refuses(125, message);
        assert_eq!(
            came(&world, "wheels", &fetch(&world, &[])),
            ["a-1-py3-none-any.whl"]
        );
        assert_eq!(std::fs::read(file).unwrap(), whole);
    }
    // The same for a list of wheels.
    let file = world.write("wheels/a-1-py3-none-any.whl", pointer);
    world.write("x.vpython3", "# vpython: no-seed\nwheel: < name: \"infra/python/wheels/a-py3\" version: \"version:1\" >\n");
    launch(&world, &["-vpython-spec=x.vpython3", "-vpython-tool", "install"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `a==1` (listed in `[WORLD]/work/x.vpython3`, line 2 as `infra/python/wheels/a-py3` `version:1`)
              caused by: `a-1-py3-none-any.whl` is a Git LFS pointer, not a wheel
              hint: `git lfs pull` fetches the file
        "#]],
    );
    let outcome = launch(
        &world,
        &[
            "-vpython-spec=x.vpython3",
            "-vpython-tool",
            "fetch",
            "--build",
        ],
    )
    .run();
    assert_eq!(came(&world, "wheels", &outcome), ["a-1-py3-none-any.whl"]);
    assert_eq!(std::fs::read(&file).unwrap(), whole);
    // The same for a lock.
    launch(&world, &["-vpython-tool", "lock"]).run();
    std::fs::write(&file, pointer).unwrap();
    let outcome = launch(&world, &["-vpython-tool", "install"]).run();
    outcome.refuses(125, expect![[r#"
        vpython: error: cannot satisfy the lock file `[WORLD]/work/pylock.vpython.toml`
          caused by: `[WORLD]/work/wheels/a-1-py3-none-any.whl` is a Git LFS pointer, not a wheel (`[WORLD]/work/pylock.vpython.toml`, line 15)
          hint: `git lfs pull` fetches the file
    "#]]);
}
