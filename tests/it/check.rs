//! `-vpython-tool check` names damage of every kind and repairs it from the wheels.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use expect_test::expect;

use crate::support::{Outcome, Python, Wheel, World};

fn world(python: &'static Python) -> (World, PathBuf) {
    let world = World::with_python(python);
    let wheel = Wheel::module("one", "1")
        .file("one_data.txt", "text")
        .entry_point("run", "one:VERSION");
    world.wheel(
        &wheel
            .script("shipped", "#!python\n")
            .data("data/share/one.cfg", "x")
            .data("headers/one.h", "x"),
    );
    world.wheel(&Wheel::module("two", "1"));
    world.write("vpython.toml", "dependencies = ['one', 'two']\n");
    let environment = world.install(["-c", ""]);
    (world, environment)
}

fn check(world: &World, words: &[&str]) -> Outcome {
    world
        .vpython(["-vpython-tool", "check"])
        .arguments(words)
        .run()
}

fn replace(path: &Path, content: &str) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, content).unwrap();
}

#[test]
fn an_environment_is_sound_after_its_build_and_after_its_use() {
    for python in Python::all() {
        let (world, _) = world(python);
        world.vpython(["-c", "import one, two"]).run().prints("");
        check(&world, &[]).prints(expect![[r#"
            1 environment and 2 unpacked wheels: all files are intact
        "#]]);
    }
}

#[test]
fn damage_of_every_kind_is_named_and_repaired() {
    let (world, environment) = world(Python::any());
    let site = format!("lib/python3.{}/site-packages", world.python.minor);
    replace(&environment.join(&site).join("one.py"), "changed");
    replace(&environment.join(&site).join("one-1.dist-info/RECORD"), "");
    std::fs::remove_file(environment.join(&site).join("one_data.txt")).unwrap();
    std::fs::remove_file(environment.join("bin/python")).unwrap();
    std::os::unix::fs::symlink("/bin/true", environment.join("bin/python")).unwrap();
    std::fs::write(environment.join(&site).join("new.py"), "").unwrap();
    std::fs::write(
        environment
            .join(&site)
            .join("__pycache__/new.cpython-311.pyc"),
        "",
    )
    .unwrap();
    let shown = |words| check(&world, words).replacing(&site, "[SITE]");
    shown(&[]).expect(
        1,
        expect![[r#"
            changed  [WORLD]/root/v1/envs/[KEY]/bin/python
            foreign  [WORLD]/root/v1/envs/[KEY]/[SITE]/__pycache__/new.cpython-311.pyc
            foreign  [WORLD]/root/v1/envs/[KEY]/[SITE]/new.py
            changed  [WORLD]/root/v1/envs/[KEY]/[SITE]/one-1.dist-info/RECORD
            changed  [WORLD]/root/v1/envs/[KEY]/[SITE]/one.py
            missing  [WORLD]/root/v1/envs/[KEY]/[SITE]/one_data.txt
            1 environment and 2 unpacked wheels: 6 files damaged
        "#]],
        "",
    );
    shown(&["--repair"]).expect(
        0,
        expect![[r#"
            changed  [WORLD]/root/v1/envs/[KEY]/bin/python
            foreign  [WORLD]/root/v1/envs/[KEY]/[SITE]/__pycache__/new.cpython-311.pyc
            foreign  [WORLD]/root/v1/envs/[KEY]/[SITE]/new.py
            changed  [WORLD]/root/v1/envs/[KEY]/[SITE]/one-1.dist-info/RECORD
            changed  [WORLD]/root/v1/envs/[KEY]/[SITE]/one.py
            missing  [WORLD]/root/v1/envs/[KEY]/[SITE]/one_data.txt
            1 environment and 2 unpacked wheels: 6 files damaged
            [WORLD]/root/v1/envs/[KEY]: removed; vpython rebuilds it when it is needed
            [WORLD]/root/v1/envs/[KEY]
        "#]],
        "",
    );
    check(&world, &["--all"]).prints(expect![[r#"
        1 environment and 2 unpacked wheels: all files are intact
    "#]]);
}

#[test]
fn a_program_in_a_repaired_environment_finds_modules_not_yet_imported() {
    for words in [&["--repair", "--all"][..], &["--repair", "-c", ""]] {
        let (world, environment) = world(Python::any());
        let program = "import sys; print('up', flush=True); sys.stdin.read(); import two";
        let mut child = world
            .vpython(["-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        replace(
            &environment.join(format!(
                "lib/python3.{}/site-packages/one.py",
                world.python.minor
            )),
            "VERSION = 'changed'",
        );
        let outcome = check(&world, words);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let said = "[WORLD]/root/v1/envs/[KEY]: in use by a program; the next launch rebuilds it\n";
        assert!(outcome.stdout.contains(said), "{outcome}");
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success(), "it can still import");
        assert_eq!(
            world
                .vpython(["-c", "import one; print(one.VERSION)"])
                .run()
                .stdout,
            "1\n"
        );
        check(&world, &["--all"]).prints(expect![[r#"
            1 environment and 2 unpacked wheels: all files are intact
        "#]]);
    }
}

#[test]
fn a_damaged_wheel_makes_its_environments_damaged() {
    let (world, _) = world(Python::any());
    world.write(
        "other/vpython.toml",
        "dependencies = ['two']\n[tool.vpython]\nwheels = ['../wheels']\n",
    );
    world.write("other/tool.py", "import two; print(two.VERSION)");
    world.install(["other/tool.py"]);
    let wheels: Vec<PathBuf> = std::fs::read_dir(world.store("wheels"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    // Only one of the two environments uses the damaged wheel.
    let of_one = wheels
        .iter()
        .find(|path| path.join("site/one.py").exists())
        .unwrap();
    replace(&of_one.join("site/one_data.txt"), "tixt");
    let name = of_one.file_name().unwrap().to_str().unwrap();
    let outcome = check(&world, &["--all", "--repair"]);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_eq!(
        lines[0],
        format!("changed  [WORLD]/root/v1/wheels/{name}/site/one_data.txt")
    );
    assert_eq!(
        lines[1],
        "2 environments and 2 unpacked wheels: 1 file damaged"
    );
    assert_eq!(
        lines[2],
        "[WORLD]/root/v1/envs/[KEY]: removed; vpython rebuilds it when it is needed"
    );
    assert_eq!(
        (lines.len(), world.environments().len(), of_one.exists()),
        (4, 1, false),
        "{outcome}"
    );
    // Both environments work, and the damaged one is rebuilt.
    world.vpython(["other/tool.py"]).run().prints("1\n");
    world
        .vpython(["-c", "import one; print(one.VERSION)"])
        .run()
        .prints("1\n");
    check(&world, &["--all"]).prints(expect![[r#"
        2 environments and 2 unpacked wheels: all files are intact
    "#]]);
}

#[test]
fn a_missing_environment_cannot_be_checked() {
    let world = World::new();
    let outcome = check(&world, &["-c", ""]);
    // The key depends on the interpreter.
    let key = outcome.stderr.split('`').nth(1).unwrap().to_owned();
    assert_eq!(key.len(), 40, "{outcome}");
    outcome.replacing(&key, "[KEY]").refuses(
        125,
        expect![[r#"
            vpython: error: there is no environment `[KEY]` yet
              hint: `-vpython-tool install` builds it
        "#]],
    );
    check(&world, &["--all"]).prints(expect![[r#"
        0 environments and 0 unpacked wheels: all files are intact
    "#]]);
}
