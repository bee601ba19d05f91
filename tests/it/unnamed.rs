//! A `requirements.txt` or `pyproject.toml` next to a program without a spec: vpython does not use
//! it, and warns that it does not.

use expect_test::expect;

use crate::support::{Outcome, World, has_strace};

fn tool(world: &World, tool: &str, words: &[&str]) -> Outcome {
    world
        .vpython(["-vpython-tool", tool])
        .arguments(words)
        .run()
}

#[test]
fn tools_warn_of_a_spec_that_is_not_named() {
    let world = World::new();
    world.write("tool.py", "print('ran')\n");
    world.write("sub/a b/tool.py", "print('ran')\n");
    world.write("requirements.txt", "a\n");
    for words in [&["tool.py"][..], &[], &["-m", "mod"]] {
        for _ in 0..2 {
            tool(&world, "install", words).installs(expect![[r#"
                vpython: warning: there is no spec; vpython uses `[WORLD]/work/requirements.txt` only if named: `-vpython-spec requirements.txt`, or `vpython -vpython-tool install requirements.txt`
            "#]]);
        }
        tool(&world, "explain", words).succeeds_with(expect![[r#"
            vpython: warning: there is no spec; vpython uses `[WORLD]/work/requirements.txt` only if named: `-vpython-spec requirements.txt`, or `vpython -vpython-tool explain requirements.txt`
        "#]]);
        tool(&world, "fetch", words).succeeds_with(expect![[r#"
            vpython: warning: there is no spec; vpython uses `[WORLD]/work/requirements.txt` only if named: `-vpython-spec requirements.txt`, or `vpython -vpython-tool fetch requirements.txt`
            vpython: nothing to fetch: all wheels that the spec requires are present
        "#]]);
    }
    tool(&world, "install", &["sub/a b/tool.py"]).installs("");
    world.write("sub/a b/pyproject.toml", "[project]\nname = 'x'\n");
    std::os::unix::fs::symlink(world.path("sub/a b/tool.py"), world.path("link.py")).unwrap();
    for script in ["sub/a b/tool.py", "link.py"] {
        tool(&world, "install", &[script]).installs(expect![[r#"
            vpython: warning: there is no spec; vpython uses `[WORLD]/work/sub/a b/pyproject.toml` only if named: `-vpython-spec 'sub/a b/pyproject.toml'`, or `vpython -vpython-tool install 'sub/a b/pyproject.toml'`
        "#]]);
    }
}

#[test]
fn two_unnamed_specs_share_one_warning() {
    let world = World::new();
    world.write("requirements.txt", "a\n");
    world.write("pyproject.toml", "[project]\nname = 'x'\n");
    tool(&world, "install", &[]).installs(
        expect![[r#"
            vpython: warning: there is no spec; vpython uses `[WORLD]/work/requirements.txt` and `[WORLD]/work/pyproject.toml` only if named: `-vpython-spec requirements.txt`, or `vpython -vpython-tool install requirements.txt`
        "#]],
    );
}

#[test]
fn there_is_no_warning_with_a_spec_or_without_a_project() {
    let world = World::new();
    world.write("pyproject.toml", "[tool.black]\nline-length = 100\n");
    tool(&world, "install", &[]).installs("");
    world.write("pyproject.toml", "this is not TOML\n");
    tool(&world, "install", &[]).installs("");
    world.write("requirements.txt", "a\n");
    world.write("vpython.toml", "");
    tool(&world, "install", &[]).installs("");
    tool(&world, "explain", &[]).succeeds_with("");
}

#[test]
fn a_cold_launch_only_logs_an_unnamed_spec_and_a_warm_one_does_not_look() {
    let world = World::new();
    world.write("requirements.txt", "a\n");
    world.write("tool.py", "print('ran')\n");
    let logged = world
        .vpython(["-vpython-log-level", "info", "tool.py"])
        .run();
    let remark = "there is no spec; vpython uses `[WORLD]/work/requirements.txt` only if named: ";
    assert_eq!(logged.stdout, "ran\n", "{logged}");
    assert_eq!(logged.stderr.matches(remark).count(), 1, "{logged}");
    world.vpython(["tool.py"]).run().prints("ran\n");
    world.vpython(["-c", "print('ran')"]).run().prints("ran\n");
    if !has_strace() {
        return;
    }
    let log = world.outside("log");
    let vpython = world.copy_vpython("warm/vpython");
    let traced = [
        "strace",
        "-f",
        "-o",
        log.to_str().unwrap(),
        vpython.to_str().unwrap(),
        "-vpython-log-level",
        "info",
    ];
    for _ in 0..2 {
        let outcome = world
            .program("/usr/bin/env", traced.into_iter().chain(["tool.py"]))
            .run();
        assert_eq!(outcome.stdout, "ran\n", "{outcome}");
    }
    let calls = std::fs::read_to_string(log).unwrap();
    assert!(
        calls.contains("tool.py") && !calls.contains("requirements.txt"),
        "{calls}"
    );
}
