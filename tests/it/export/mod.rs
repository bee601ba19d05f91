//! `-vpython-tool export` and `-vpython-local-venv`: environments at a path that the caller
//! chooses.

mod include;
mod local_venv;

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

use expect_test::expect;

use crate::support::{Outcome, VPYTHON, Wheel, World, start};

fn world() -> World {
    let world = World::new();
    world.wheel(
        &Wheel::new("some", "1")
            .file("some/__init__.py", "VERSION = '1'\n")
            .entry_point("run-some", "some:main"),
    );
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['some']\n# ///\nimport some; print(some.__file__)\n",
    );
    world
}

/// Exports with these arguments.
fn export(world: &World, words: &[&str]) -> Outcome {
    world
        .vpython(["-vpython-tool", "export"])
        .arguments(words)
        .run()
}

/// The output of an environment's python.
fn output_of(environment: &Path, text: &str) -> String {
    let mut command = Command::new(environment.join("bin/python"));
    let child = start(
        command
            .args(["-c", text])
            .env_clear()
            .stdout(std::process::Stdio::piped()),
    );
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

fn links(path: &Path) -> u64 {
    std::fs::symlink_metadata(path).unwrap().nlink()
}

fn inode(path: &Path) -> u64 {
    std::fs::symlink_metadata(path).unwrap().ino()
}

fn module(world: &World) -> String {
    format!(
        "lib/python3.{}/site-packages/some/__init__.py",
        world.python.minor
    )
}

#[test]
fn an_environment_is_exported_to_its_path_with_byte_code() {
    let world = world();
    export(&world, &["out/env", "tool.py"]).prints("[WORLD]/work/out/env\n");
    let environment = world.path("out/env");
    let text = "import some, sys; print(some.__file__); print(some.__cached__ and open(some.__cached__, 'rb').read()[4:8])";
    let unchecked = if world.python.minor < 7 {
        ""
    } else {
        "b'\\x01\\x00\\x00\\x00'\n"
    };
    let expected = format!(
        "{}\n{unchecked}",
        environment.join(module(&world)).display()
    );
    assert!(
        output_of(&environment, text).starts_with(&expected),
        "{}",
        output_of(&environment, text)
    );
    assert!(
        links(&environment.join(module(&world))) > 1,
        "it shares its files with the store"
    );
    assert!(
        world.environments().is_empty(),
        "the store has no separate environment for that"
    );
    assert_eq!(std::fs::read_dir(world.path("out")).unwrap().count(), 1);
}

#[test]
fn a_copy_outlives_the_store() {
    let world = world();
    export(&world, &["--copy", "env", "tool.py"]).prints("[WORLD]/work/env\n");
    let files = walkdir::WalkDir::new(world.path("env"))
        .into_iter()
        .map(Result::unwrap);
    let shared: Vec<_> = files
        .filter(|file| file.file_type().is_file() && links(file.path()) > 1)
        .collect();
    assert!(shared.is_empty(), "{shared:?}");
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    assert_eq!(
        output_of(&world.path("env"), "import some; print(some.VERSION)"),
        "1\n"
    );
}

#[test]
fn an_unchanged_environment_is_not_exported_again() {
    let world = world();
    for words in [&["env", "tool.py"][..], &["env", "--copy", "tool.py"]] {
        export(&world, words).prints("[WORLD]/work/env\n");
        let before = inode(&world.path("env"));
        export(&world, words).prints("[WORLD]/work/env\n");
        assert_eq!(inode(&world.path("env")), before, "{words:?}");
    }
    assert_eq!(
        links(&world.path("env").join(module(&world))),
        1,
        "the way it is made is part of the request"
    );
}

#[test]
fn a_changed_environment_replaces_the_old_one_as_a_whole() {
    let world = world();
    export(&world, &["env", "tool.py"]).prints("[WORLD]/work/env\n");
    std::fs::create_dir(world.path(".env.vpython-new")).unwrap();
    world.wheel(&Wheel::new("some", "2").file("some/__init__.py", "VERSION = '2'\n"));
    export(&world, &["env", "tool.py"]).prints("[WORLD]/work/env\n");
    assert_eq!(
        output_of(&world.path("env"), "import some; print(some.VERSION)"),
        "2\n"
    );
    assert!(!world.path("env/bin/run-some").exists() && !world.path(".env.vpython-new").exists());
}

#[test]
fn a_changed_or_incomplete_export_is_rebuilt() {
    let world = world();
    export(&world, &["env", "tool.py"]).prints("[WORLD]/work/env\n");
    std::fs::write(
        world
            .path("env")
            .join(module(&world))
            .parent()
            .unwrap()
            .with_file_name("mine.py"),
        "",
    )
    .unwrap();
    export(&world, &["env", "tool.py"]).expect(
        0,
        "[WORLD]/work/env\n",
        expect![[r#"
            vpython: warning: `[WORLD]/work/env` was modified after it was exported; vpython rebuilds it
        "#]],
    );
    std::fs::remove_file(world.path("env/pyvenv.cfg")).unwrap();
    export(&world, &["env", "tool.py"]).prints("[WORLD]/work/env\n");
    assert!(world.path("env/pyvenv.cfg").exists());
}

#[test]
fn a_directory_that_vpython_has_not_made_is_left_alone() {
    let world = world();
    world.write("own/file", "");
    world.write("file", "");
    symlink("own", world.path("link")).unwrap();
    std::fs::create_dir(world.path("empty")).unwrap();
    for (name, message) in [
        (
            "own",
            expect![[r#"
                vpython: error: cannot export to `[WORLD]/work/own`
                  caused by: vpython did not create it
                  hint: choose another directory, or remove this one
            "#]],
        ),
        (
            "file",
            expect![[r#"
                vpython: error: cannot export to `[WORLD]/work/file`
                  caused by: it is not a directory
                  hint: choose another directory, or remove this one
            "#]],
        ),
        (
            "link",
            expect![[r#"
                vpython: error: cannot export to `[WORLD]/work/link`
                  caused by: it is not a directory
                  hint: choose another directory, or remove this one
            "#]],
        ),
    ] {
        export(&world, &[name, "tool.py"]).refuses(125, message);
    }
    assert!(world.path("own/file").exists());
    export(&world, &["empty", "tool.py"]).prints("[WORLD]/work/empty\n");
}

#[test]
fn a_failure_leaves_the_old_one() {
    let world = world();
    export(&world, &["env", "tool.py"]).prints("[WORLD]/work/env\n");
    let before = inode(&world.path("env"));
    world.wheel(
        &Wheel::new("some", "2")
            .file("some/__init__.py", "")
            .file("../escape.py", ""),
    );
    assert_eq!(export(&world, &["env", "tool.py"]).code, Some(125));
    assert_eq!(inode(&world.path("env")), before);
    assert!(!world.path(".env.vpython-new").exists());
}

#[test]
fn the_command_line_is_read_strictly() {
    let world = world();
    let needs = expect![[r#"
        vpython: error: `-vpython-tool export` requires the directory to create
          hint: name it, as in `vpython -vpython-tool export env script.py`
    "#]];
    export(&world, &[]).refuses(125, &needs);
    export(&world, &[""]).refuses(125, &needs);
    export(&world, &["--", "env"]).refuses(125, &needs);
    let misspelt = expect![[r#"
        vpython: error: `-vpython-tool export` has no option `--cpoy`
          hint: did you mean `--copy`?
    "#]];
    export(&world, &["--cpoy", "env"]).refuses(125, &misspelt);
    export(&world, &["env", "--cpoy", "tool.py"]).refuses(125, &misspelt);
    export(&world, &["env", "none.py"]).refuses(
        125,
        expect![[r#"
            vpython: error: there is no script `none.py`
        "#]],
    );
    assert!(!world.path("env").exists());
}

#[test]
fn an_error_names_the_final_path_and_not_the_temporary_one() {
    let world = world();
    let name = "n".repeat(250);
    let outcome = export(&world, &[&name, "tool.py"]);
    outcome.replacing(&name, "[NAME]").refuses(
        125,
        expect![[r#"
            vpython: error: cannot create `[WORLD]/work/[NAME]`
              caused by: cannot create directory `[WORLD]/work/.[NAME].vpython-new`
              caused by: File name too long (os error 36)
        "#]],
    );
    export(&world, &["none/../env", "tool.py"]).prints("[WORLD]/work/env\n");
    assert!(!world.path("none").exists());
}

/// Runs the commands of a block of a document, each after `$`, and compares their output with the
/// lines between them.
fn runs_as_documented(world: &World, document: &str, mark: &str, places: &[(&str, &str)]) {
    let (_, rest) = document
        .split_once(&format!("<!-- {mark} -->\n```console\n"))
        .unwrap();
    let mut block = rest.split_once("```").unwrap().0.to_owned();
    for (documented, real) in places {
        block = block.replace(documented, real);
    }
    for part in block.strip_prefix("$ ").unwrap().split("\n$ ") {
        let (command, expected) = part.split_once('\n').unwrap_or((part, ""));
        let command = command
            .strip_prefix("vpython ")
            .map_or(command.to_owned(), |words| format!("{VPYTHON} {words}"));
        let outcome = world.program("/bin/sh", ["-c", &command]).run();
        let printed = outcome.raw_stdout.trim_end();
        assert!(
            outcome.code == Some(0) && (printed == expected.trim_end() || expected.is_empty()),
            "{outcome}\n{expected}"
        );
    }
}

#[test]
fn the_documented_example_is_correct() {
    let world = world();
    let here = world.path("");
    let here = here.to_str().unwrap().trim_end_matches('/');
    runs_as_documented(
        &world,
        include_str!("../../../docs/environments.md"),
        "exported",
        &[("/src/project", here)],
    );
    world.write("requirements.txt", "some==1\n");
    runs_as_documented(
        &world,
        include_str!("../../../docs/create-venv.md"),
        "exported",
        &[("/src/project", here)],
    );
    world.write(
        "src/main.py",
        "# /// script\n# dependencies = ['some']\n# [tool.vpython]\n# wheels = ['../wheels']\n# ///\nimport some\n",
    );
    let app = world.path("opt");
    runs_as_documented(
        &world,
        include_str!("../../../docs/hermetic-python.md"),
        "hermetic",
        &[("/opt/app", app.to_str().unwrap())],
    );
}
