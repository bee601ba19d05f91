//! `-vpython-tool unpack`: an archive of `pack` becomes a complete environment, or nothing.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use expect_test::expect;

use crate::support::{Outcome, Python, Wheel, World, files};

/// A world with archives of each format: `env.tar`, `env.tar.gz`, `env.tar.zst` and `env.zip`.
fn world(forms: &[&str]) -> World {
    let world = World::new();
    world.wheel(&Wheel::module("some", "1").entry_point("run-some", "some:main"));
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['some']\n# ///\n",
    );
    for form in forms {
        pack(&world, &format!("env.{form}"), &[]);
    }
    world
}

fn pack(world: &World, output: &str, words: &[&str]) {
    let launch = world
        .vpython(["-vpython-tool", "pack", "--output", output])
        .arguments(words);
    let outcome = launch.arguments(["tool.py"]).run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
}

fn unpack(world: &World, words: &[&str]) -> Outcome {
    world
        .vpython(["-vpython-tool", "unpack"])
        .arguments(words)
        .run()
}

fn inode(path: &Path) -> u64 {
    std::fs::symlink_metadata(path).unwrap().ino()
}

/// The output of the module of an environment when its python imports it.
fn version(world: &World, environment: &str) -> Outcome {
    let python = world.path(environment).join("bin/python");
    world
        .program(
            python.to_str().unwrap(),
            ["-c", "import some; print(some.VERSION)"],
        )
        .run()
}

#[test]
fn each_archive_format_unpacks_without_the_store() {
    let forms = ["tar", "tar.gz", "tar.zst", "zip"];
    let world = world(&forms);
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    for form in forms {
        let (file, place) = (format!("env.{form}"), format!("deep/{form}"));
        unpack(&world, &[&file, &place]).prints(&format!("[WORLD]/work/{place}\n"));
        version(&world, &place).prints("1\n");
    }
    assert!(!world.outside("root").exists(), "the store is not needed");
}

#[test]
fn a_complete_environment_is_kept_and_an_incomplete_one_is_rebuilt() {
    let world = world(&["tar"]);
    unpack(&world, &["env.tar", "env"]).prints("[WORLD]/work/env\n");
    let before = inode(&world.path("env"));
    unpack(&world, &["env.tar", "env"]).prints("[WORLD]/work/env\n");
    assert_eq!(inode(&world.path("env")), before);
    std::fs::remove_file(world.path("env/bin/run-some")).unwrap();
    unpack(&world, &["env.tar", "env"]).prints("[WORLD]/work/env\n");
    assert!(inode(&world.path("env")) != before && world.path("env/bin/run-some").exists());
}

#[test]
fn another_version_replaces_the_old_one_and_the_link_is_updated() {
    let world = world(&["tar"]);
    unpack(&world, &["env.tar", "app/1", "--link", "current"]).prints("[WORLD]/work/app/1\n");
    world.wheel(&Wheel::module("some", "2"));
    pack(&world, "two.zip", &[]);
    unpack(&world, &["--link", "current", "two.zip", "app/2"]).prints("[WORLD]/work/app/2\n");
    assert_eq!(
        std::fs::read_link(world.path("app/current")).unwrap(),
        Path::new("2")
    );
    version(&world, "app/current").prints("2\n");
    unpack(&world, &["two.zip", "app/1", "--link", "./here"]).prints("[WORLD]/work/app/1\n");
    assert_eq!(
        std::fs::read_link(world.path("here")).unwrap(),
        world.path("app/1")
    );
    version(&world, "here").prints("2\n");
    assert_eq!(
        std::fs::read_dir(world.path("app")).unwrap().count(),
        3,
        "nothing is left"
    );
    unpack(&world, &["two.zip", "app/1", "--link", "new/here"]).prints("[WORLD]/work/app/1\n");
    version(&world, "new/here").prints("2\n");
}

#[test]
fn a_damaged_archive_leaves_the_old_version_live() {
    let world = world(&["tar", "tar.gz", "zip"]);
    unpack(&world, &["env.tar", "env", "--link", "current"]).prints("[WORLD]/work/env\n");
    world.wheel(&Wheel::module("some", "2").file("some_data.txt", "x".repeat(5000)));
    pack(&world, "two.tar", &[]);
    let mut bytes = std::fs::read(world.path("two.tar")).unwrap();
    let place = bytes
        .windows(100)
        .position(|window| window.iter().all(|byte| *byte == b'x'))
        .unwrap();
    bytes[place] = b'y';
    world.write("flipped.tar", &bytes);
    let flipped = unpack(&world, &["flipped.tar", "env", "--link", "current"]);
    assert!(
        flipped
            .stderr
            .starts_with("vpython: error: cannot unpack `[WORLD]/work/flipped.tar`\n  caused by: "),
        "{flipped}"
    );
    assert!(
        flipped
            .stderr
            .contains("some_data.txt` differs from what was packed: its digest is `"),
        "{flipped}"
    );
    for (name, length) in [
        ("two.tar", bytes.len() / 2),
        ("env.tar.gz", 300),
        ("env.zip", 300),
    ] {
        let content = std::fs::read(world.path(name)).unwrap();
        world.write("cut", &content[..length]);
        assert_eq!(unpack(&world, &["cut", "env"]).code, Some(125), "{name}");
    }
    version(&world, "env").prints("1\n");
    version(&world, "current").prints("1\n");
    assert!(!world.path(".env.vpython-new").exists());
}

#[test]
fn what_is_left_of_a_removed_environment_is_replaced() {
    // An environment that cannot be renamed is removed in place, these two files last.
    for left in ["vpython-pack.json", "vpython-unpack.json"] {
        let world = world(&["tar"]);
        unpack(&world, &["env.tar", "env"]).prints("[WORLD]/work/env\n");
        let whole = files(&world.path("env"));
        let file = world.path("env").join(left);
        let content = std::fs::read(&file).unwrap();
        std::fs::remove_dir_all(world.path("env")).unwrap();
        world.write(&format!("env/{left}"), content);
        unpack(&world, &["env.tar", "env"]).prints("[WORLD]/work/env\n");
        assert_eq!(files(&world.path("env")), whole, "{left}");
    }
}

#[test]
fn a_directory_that_vpython_has_not_unpacked_is_left_alone() {
    let world = world(&["tar"]);
    world.write("own/file", "");
    world.write("taken", "");
    let message = expect![[r#"
        vpython: error: cannot unpack to `[WORLD]/work/own`
          caused by: vpython did not unpack it
          hint: choose another directory, or remove this one
    "#]];
    unpack(&world, &["env.tar", "own"]).refuses(125, &message);
    unpack(&world, &["env.tar", "env", "--link", "taken"]).refuses(
        125,
        expect![[r#"
            vpython: error: cannot create the link `[WORLD]/work/taken`
              caused by: the name is already in use
        "#]],
    );
    for name in ["./env/current", "none/../env/current"] {
        unpack(&world, &["env.tar", "env", "--link", name]).refuses(
            125,
            expect![[r#"
                vpython: error: cannot create the link `[WORLD]/work/env/current`
                  caused by: it would be inside the environment
            "#]],
        );
    }
    assert!(
        !world.path("env").exists(),
        "the error comes before any change"
    );
    let message = expect![[r#"
        vpython: error: `-vpython-tool unpack` takes an archive and a destination directory
          hint: for example: `vpython -vpython-tool unpack env.tar.gz /opt/app/env`
    "#]];
    for words in [
        &[][..],
        &["env.tar"],
        &["env.tar", "a", "b"],
        &["env.tar", ""],
    ] {
        unpack(&world, words).refuses(125, &message);
    }
    world.write("note", "text");
    unpack(&world, &["note", "env"]).refuses(
        125,
        expect![[r#"
            vpython: error: cannot unpack `[WORLD]/work/note`
              caused by: it is not a tar or zip archive
        "#]],
    );
}

#[test]
fn a_missing_interpreter_can_be_replaced_by_another_of_its_version() {
    let world = world(&[]);
    let python = world.outside("python/bin/python3");
    std::fs::create_dir_all(python.parent().unwrap()).unwrap();
    // A stub that is later removed.
    std::fs::copy(&world.python.path, &python).unwrap();
    symlink(
        world.python.path.parent().unwrap().with_file_name("lib"),
        world.outside("python/lib"),
    )
    .unwrap();
    let launch = world.vpython(["-vpython-interpreter"]).arguments([&python]);
    let outcome = launch
        .arguments(["-vpython-tool", "pack", "--output", "env.tar", "tool.py"])
        .run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    std::fs::remove_dir_all(world.outside("python")).unwrap();
    let minor = world.python.minor;
    unpack(&world, &["env.tar", "env"])
        .replacing(&format!("3.{minor}"), "3.[MINOR]")
        .refuses(125, expect![[r#"
            vpython: error: the environment requires `[WORLD]/python/bin/python3`, which does not exist
              hint: name another CPython 3.[MINOR] with `--python PATH`
        "#]]);
    let real = world.python.path.to_str().unwrap();
    unpack(&world, &["env.tar", "env", "--python", real]).prints("[WORLD]/work/env\n");
    version(&world, "env").prints("1\n");
    let before = inode(&world.path("env"));
    unpack(&world, &["env.tar", "env", "--python", real]).prints("[WORLD]/work/env\n");
    assert_eq!(inode(&world.path("env")), before, "nothing has changed");
    let Some(other) = Python::other() else { return };
    let refused = unpack(
        &world,
        &["env.tar", "env", "--python", other.path.to_str().unwrap()],
    );
    assert!(
        refused.stderr.starts_with(&format!(
            "vpython: error: the environment requires CPython 3.{minor}\n"
        )),
        "{refused}"
    );
}

#[test]
fn an_environment_with_its_interpreter_can_be_settled() {
    let world = world(&["tar"]);
    pack(&world, "whole.tar.zst", &["--with-python"]);
    let message = expect![[r#"
        vpython: error: the archive contains no interpreter; `--settle` does not apply
          hint: pack the environment with `--with-python`
    "#]];
    unpack(&world, &["env.tar", "env", "--settle"]).refuses(125, &message);
    let python = world.python.path.to_str().unwrap();
    unpack(&world, &["whole.tar.zst", "env", "--python", python]).refuses(
        125,
        expect![[r#"
            vpython: error: the archive contains its own interpreter; `--python` does not apply
        "#]],
    );
    unpack(&world, &["whole.tar.zst", "env", "--settle"]).prints("[WORLD]/work/env\n");
    version(&world, "env").prints("1\n");
    let nested = world
        .program(
            world.path("env/bin/python").to_str().unwrap(),
            ["-m", "venv", "--without-pip", "nested"],
        )
        .run();
    nested.prints("");
    let base = world
        .program(
            world.path("nested/bin/python").to_str().unwrap(),
            ["-c", "import sys; print(sys.base_prefix)"],
        )
        .run();
    base.prints("[WORLD]/work/env/python\n");
    let before = inode(&world.path("env"));
    unpack(&world, &["whole.tar.zst", "env", "--settle"]).prints("[WORLD]/work/env\n");
    assert_eq!(inode(&world.path("env")), before, "nothing has changed");
}
