//! Built wheels: pushed with their byte code, pinned by a lock, and used in place of unpacking and
//! compiling.

use std::path::{Path, PathBuf};

use expect_test::expect;

use crate::support::{Launch, Outcome, Python, Wheel, World, files};

/// A world with a script that requires two wheels, which the layout `layout` has with their byte
/// code, and nothing else. The lock of the script pins them.
fn world() -> World {
    let world = World::new();
    let wheel = Wheel::new("a", "1")
        .file(
            "a/__init__.py",
            "VERSION = 1\ndef main():\n    print('a', 1)\n",
        )
        .file("a/deep/er.py", "x = 1\n")
        .file_with_mode("a/tool.sh", "#!/bin/sh\n", 0o755)
        .entry_point("run-a", "a:main")
        .script("shipped", "#!python\nimport a; a.main()\n");
    world.wheel(&wheel);
    world.wheel(&Wheel::module("b", "2"));
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a', 'b']\n# ///\nimport a, b\nprint(a.VERSION, b.VERSION)\n",
    );
    let push = world.vpython(["-vpython-tool", "push", "--built", "oci:layout", "tool.py"]);
    let push = push.run();
    assert_eq!(push.code, Some(0), "{push}");
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    let lock = [
        "-vpython-wheels",
        "oci:layout",
        "-vpython-tool",
        "lock",
        "--built",
        "tool.py",
    ];
    let lock = world.vpython(lock).run();
    assert_eq!(lock.code, Some(0), "{lock}");
    world
}

/// A tool in a new store, with a log.
fn tool<'a>(world: &'a World, store: &str, words: &[&str]) -> Launch<'a> {
    world
        .vpython([
            "-vpython-log-level",
            "debug",
            "-vpython-wheels",
            "oci:layout",
        ])
        .arguments(words)
        .env("VPYTHON_VIRTUALENV_ROOT", world.outside(store))
}

/// Installs in a new store.
fn installed(world: &World, store: &str) -> Outcome {
    let outcome = tool(world, store, &["-vpython-tool", "install", "tool.py"]).run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome
}

/// Checks that a store works, and that its wheels are those of another one.
fn is_like(world: &World, store: &str, other: &Path) {
    let wheels = |store: &Path| files(&store.join("v1/wheels"));
    assert_eq!(wheels(&world.outside(store)), wheels(other));
    let run = tool(world, store, &["tool.py"]).run();
    assert_eq!((run.code, &*run.stdout), (Some(0), "1 2\n"), "{run}");
    let check = tool(world, store, &["-vpython-tool", "check", "tool.py"]).run();
    assert_eq!(check.code, Some(0), "{check}");
}

/// The blob of the built wheel of a project.
fn layer(world: &World, project: &str) -> PathBuf {
    let blobs = world.path("layout/blobs/sha256");
    let index = std::fs::read_to_string(world.path("layout/index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let name =
        |digest: &serde_json::Value| blobs.join(&digest.as_str().unwrap()["sha256:".len()..]);
    let manifest = std::fs::read_to_string(name(&index["manifests"][0]["digest"])).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    let found = layers.iter().find(|layer| {
        let title = layer["annotations"]["org.opencontainers.image.title"]
            .as_str()
            .unwrap();
        layer["annotations"]["vpython.python"].is_string()
            && title.starts_with(&format!("{project}-"))
    });
    name(&found.unwrap()["digest"])
}

#[test]
fn built_wheels_of_a_lock_are_neither_unpacked_nor_compiled() {
    let world = world();
    let outcome = installed(&world, "second");
    for work in ["unpacking the wheel", "compiling the wheel"] {
        assert!(!outcome.stderr.contains(work), "{outcome}");
    }
    is_like(&world, "second", &world.outside("root"));
    // Without the pins, each wheel is unpacked and compiled, with the same result.
    let lock = world.path("pylock.tool.toml");
    let text = std::fs::read_to_string(&lock).unwrap();
    let (unpinned, _) = text.split_once("\n[tool.vpython.built]").unwrap();
    std::fs::write(&lock, unpinned).unwrap();
    let outcome = installed(&world, "third");
    assert!(outcome.stderr.contains("compiling the wheel"), "{outcome}");
    is_like(&world, "third", &world.outside("root"));
}

#[test]
fn a_lock_keeps_its_pins() {
    let world = world();
    let check = |words: &[&str]| {
        let words = [
            &["-vpython-wheels", "oci:layout", "-vpython-tool", "lock"],
            words,
        ]
        .concat();
        world.vpython(words).run()
    };
    for words in [
        &["--check", "tool.py"][..],
        &["--check", "--built", "tool.py"],
    ] {
        check(words).prints("pylock.tool.toml is up to date\n");
    }
    // A wheel that goes takes its pin along.
    world.write("tool.py", "# /// script\n# dependencies = ['a']\n# ///\n");
    assert_eq!(check(&["tool.py"]).code, Some(0));
    let text = std::fs::read_to_string(world.path("pylock.tool.toml")).unwrap();
    let (_, pins) = text.split_once("[tool.vpython.built]\n").unwrap();
    assert_eq!(pins.lines().count(), 1, "{pins}");
}

#[test]
fn a_lock_without_built_wheels_at_hand_is_warned_of() {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1"));
    world.write("tool.py", "# /// script\n# dependencies = ['a']\n# ///\n");
    let lock = world
        .vpython(["-vpython-tool", "lock", "--built", "tool.py"])
        .run();
    lock.expect(0, "pylock.tool.toml: written\n  + a 1\n", expect![[r#"
        vpython: warning: no image layout or registry among the wheelhouses has built wheels; `push --built` puts them into one
    "#]]);
}

#[test]
fn a_damaged_built_wheel_is_passed_over() {
    let world = world();
    let layer = layer(&world, "a");
    let good = std::fs::read(&layer).unwrap();
    let root = world.outside("root");
    let mut changed = good.clone();
    changed[good.len() / 2] ^= 1;
    for (number, bytes) in [&changed[..], &good[..good.len() / 2], b"", b"text"]
        .iter()
        .enumerate()
    {
        std::fs::write(&layer, bytes).unwrap();
        let store = format!("damaged-{number}");
        let outcome = installed(&world, &store);
        let name = layer.file_name().unwrap().to_str().unwrap();
        let warning = format!(
            "vpython: warning: cannot use the built wheel `[WORLD]/work/layout/blobs/sha256/{name}`: "
        );
        assert!(
            outcome.stderr.contains(&warning)
                && outcome
                    .stderr
                    .contains("; `a-1-py3-none-any.whl` is unpacked instead\n"),
            "{outcome}"
        );
        is_like(&world, &store, &root);
    }
    // One that is missing is not worth a word.
    std::fs::remove_file(&layer).unwrap();
    let outcome = installed(&world, "missing");
    assert!(!outcome.stderr.contains("warning"), "{outcome}");
    is_like(&world, "missing", &root);
}

#[test]
fn a_built_wheel_of_another_project_or_python_is_passed_over() {
    let world = world();
    let lock = world.path("pylock.tool.toml");
    let text = std::fs::read_to_string(&lock).unwrap();
    let digest = |project: &str| {
        let layer = layer(&world, project);
        layer.file_name().unwrap().to_str().unwrap().to_owned()
    };
    let (of_a, of_b) = (digest("a"), digest("b"));
    // The pin of `a` names the archive of `b`.
    std::fs::write(&lock, text.replace(&of_a, &of_b)).unwrap();
    let outcome = installed(&world, "second");
    assert!(
        outcome
            .stderr
            .contains(": it contains `b`; `a-1-py3-none-any.whl` is unpacked instead"),
        "{outcome}"
    );
    is_like(&world, "second", &world.outside("root"));
    std::fs::write(&lock, &text).unwrap();
    let Some(other) = Python::other().filter(|python| python.minor >= 7) else {
        return;
    };
    std::fs::write(
        &lock,
        text.replace(&format!("3.{}.*", world.python.minor), "3.*"),
    )
    .unwrap();
    let words = [
        "-vpython-interpreter",
        other.path.to_str().unwrap(),
        "-vpython-tool",
        "install",
        "tool.py",
    ];
    let outcome = tool(&world, "other", &words).run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(outcome.stderr.contains("compiling the wheel"), "{outcome}");
}
