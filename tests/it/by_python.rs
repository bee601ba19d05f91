//! Byte code that python has written into an environment, next to what `install` has compiled.

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};

use crate::support::{Python, Wheel, World};

const SOUND: Expect = expect![[r#"
    1 environment and 1 unpacked wheel: all files are intact
"#]];

fn world(python: &'static Python) -> World {
    let world = World::with_python(python);
    world.wheel(
        &Wheel::new("some", "1")
            .file("some/__init__.py", "")
            .file("some/one.py", "VERSION = '1'\n"),
    );
    world.write("vpython.toml", "dependencies = ['some']\n");
    world.write("tool.py", "from some import one\nprint(one.VERSION)\n");
    world
}

/// The byte code of `some.one` in an environment.
fn byte_code(environment: &Path) -> PathBuf {
    let files = walkdir::WalkDir::new(environment)
        .into_iter()
        .map(|entry| entry.unwrap().into_path());
    let mut files = files.filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("one.") && path.extension().is_some_and(|extension| extension == "pyc")
    });
    files.next().expect("python has written some")
}

#[test]
fn a_repair_restores_a_file_that_python_truncated_on_a_full_disk() {
    for python in Python::all() {
        let world = world(python);
        world.vpython(["tool.py"]).run().prints("1\n");
        let path = byte_code(&world.environments()[0]);
        let content = std::fs::read(&path).unwrap();
        std::fs::write(&path, &content[..content.len() - 5]).unwrap();
        let outcome = world.vpython(["tool.py"]).run();
        assert!(
            outcome.code == Some(1) && outcome.stderr.contains("Error"),
            "{}: {outcome}",
            python.version
        );
        world
            .vpython(["-vpython-tool", "check", "tool.py"])
            .run()
            .prints(SOUND);
        world
            .vpython(["-vpython-tool", "check", "--repair", "tool.py"])
            .run()
            .prints(SOUND);
        assert!(!path.exists());
        world.vpython(["tool.py"]).run().prints("1\n");
        world
            .vpython(["-vpython-tool", "check", "tool.py"])
            .run()
            .prints(SOUND);
    }
}

#[test]
fn byte_code_that_install_has_made_is_checked_by_its_digest_and_kept() {
    let world = world(Python::any());
    let environment = world.install(["tool.py"]);
    let path = byte_code(&environment);
    world.vpython(["-O", "tool.py"]).run().prints("1\n");
    world
        .vpython(["-vpython-tool", "check", "--repair", "tool.py"])
        .run()
        .prints(SOUND);
    assert!(path.exists());
    let optimised = path.with_file_name(
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .replace(".pyc", ".opt-1.pyc"),
    );
    assert!(!optimised.exists(), "that was python's");
    for is_removed in [true, false] {
        world.install(["tool.py"]);
        std::fs::remove_file(&path).unwrap();
        if !is_removed {
            std::fs::write(&path, "something else").unwrap();
        }
        let path = world.redact(path.to_str().unwrap());
        let outcome = world.vpython(["-vpython-tool", "check", "tool.py"]).run();
        let report = if is_removed {
            expect![[r#"
                missing  [PATH]
                1 environment and 1 unpacked wheel: 1 file damaged
            "#]]
        } else {
            expect![[r#"
                changed  [PATH]
                1 environment and 1 unpacked wheel: 1 file damaged
            "#]]
        };
        outcome.replacing(&path, "[PATH]").expect(1, report, "");
        let outcome = world
            .vpython(["-vpython-tool", "check", "--repair", "tool.py"])
            .run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
    }
    world.install(["tool.py"]);
    world
        .vpython(["-vpython-tool", "check", "tool.py"])
        .run()
        .prints(SOUND);
}

#[test]
fn a_source_that_cannot_be_read_is_an_error_and_not_left_out() {
    let world = world(Python::any());
    world.vpython(["tool.py"]).run().prints("1\n");
    let wheel = std::fs::read_dir(world.store("wheels"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::remove_file(wheel.join("site/some/one.py")).unwrap();
    let outcome = world.vpython(["-vpython-tool", "install", "tool.py"]).run();
    let source = format!("{}/site/some/one.py", world.redact(wheel.to_str().unwrap()));
    outcome.replacing(&source, "[SOURCE]").refuses(
        125,
        expect![[r#"
            vpython: error: cannot compile the modules in `[WORLD]/root/v1/envs/[KEY]`
              caused by: cannot read `[SOURCE]`
              caused by: [Errno 2] No such file or directory: '[SOURCE]'
              hint: `-vpython-tool check --all --repair` repairs damage in the store
        "#]],
    );
    let outcome = world
        .vpython(["-vpython-tool", "check", "--all", "--repair"])
        .run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let environment = world.install(["tool.py"]);
    assert!(byte_code(&environment).exists());
}

#[test]
fn byte_code_truncated_by_a_power_cut_is_not_damage_and_is_replaced() {
    let world = world(Python::any());
    let environment = world.install(["tool.py"]);
    let wheel = std::fs::read_dir(world.store("wheels"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let list = wheel.join(format!("byte-code-3.{}/byte-code.json", world.python.minor));
    // The list was renamed but its data was not written; no byte code was linked.
    std::fs::remove_file(environment.join("vpython.compiled")).unwrap();
    std::fs::remove_file(byte_code(&environment)).unwrap();
    std::fs::remove_file(&list).unwrap();
    std::fs::write(&list, "").unwrap();
    world
        .vpython(["-vpython-tool", "check", "--all"])
        .run()
        .prints(SOUND);
    let outcome = world.vpython(["-vpython-tool", "install", "tool.py"]).run();
    assert!(
        outcome.code == Some(0) && outcome.stderr.contains("; vpython rebuilds it\n"),
        "{outcome}"
    );
    world
        .vpython(["-vpython-tool", "check", "--all"])
        .run()
        .prints(SOUND);
    assert!(byte_code(&environment).exists());
}
