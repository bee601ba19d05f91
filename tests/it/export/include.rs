//! `export --include`: the caller's own code in the environment.

use std::os::unix::fs::{MetadataExt, symlink};

use expect_test::expect;

use super::{export, inode, output_of, world};

#[test]
fn included_code_is_found_wherever_the_environment_is_moved() {
    let world = world();
    world.write("lib/mine/__init__.py", "import some\n");
    world.write("lib/mine/__pycache__/x.pyc", "");
    world.write("lib/.git/config", "");
    world.write("lib/venv/pyvenv.cfg", "");
    world.write_with_mode("lib/run", "#!/bin/sh\n", 0o755);
    symlink("mine", world.path("lib/also")).unwrap();
    export(&world, &["env", "--include", "lib", "tool.py"]).prints("[WORLD]/work/env\n");
    let before = inode(&world.path("env"));
    export(&world, &["env", "--include=lib/", "tool.py"]).prints("[WORLD]/work/env\n");
    assert_eq!(inode(&world.path("env")), before, "nothing has changed");
    world.write("lib/mine/more.py", "");
    export(&world, &["env", "--include=lib", "tool.py"]).prints("[WORLD]/work/env\n");
    std::fs::rename(world.path("env"), world.path("moved here")).unwrap();
    std::fs::rename(world.path("lib"), world.path("gone")).unwrap();
    let moved = world.path("moved here");
    let expected = format!("{}\n", moved.join("app/lib/mine/more.py").display());
    assert_eq!(
        output_of(&moved, "import mine.more, also; print(mine.more.__file__)"),
        expected
    );
    let left_out = ["mine/__pycache__/x.pyc", ".git", "venv"];
    assert!(
        left_out
            .iter()
            .all(|name| !moved.join("app/lib").join(name).exists())
    );
    assert!(std::fs::metadata(moved.join("app/lib/run")).unwrap().mode() & 0o111 == 0o111);
}

#[test]
fn what_cannot_be_included_is_refused() {
    let world = world();
    world.write("a/lib/x.py", "");
    world.write("b/lib/x.py", "");
    world.write("c/x.py", "");
    symlink("/etc", world.path("c/etc")).unwrap();
    export(
        &world,
        &["env", "--include=a/lib", "--include=b/lib", "tool.py"],
    )
    .refuses(125, expect![[r#"
        vpython: error: two directories named `lib` cannot both be included: `[WORLD]/work/a/lib`, `[WORLD]/work/b/lib`
    "#]]);
    export(&world, &["env", "--include", "c", "tool.py"]).refuses(
        125,
        expect![[r#"
            vpython: error: cannot include `c`
              caused by: the link `etc` points outside the directory
        "#]],
    );
    export(&world, &["env", "--include", "tool.py", "tool.py"]).refuses(
        125,
        expect![[r#"
            vpython: error: cannot include `tool.py`
              caused by: it is not a directory
        "#]],
    );
    let none = export(&world, &["env", "--include", "none", "tool.py"]);
    none.refuses(
        125,
        expect![[r#"
            vpython: error: cannot include `none`
              caused by: cannot resolve `[WORLD]/work/none`
              caused by: No such file or directory (os error 2)
        "#]],
    );
    assert!(!world.path("env").exists());
}

#[test]
fn import_roots_that_are_not_exported_are_named() {
    let world = world();
    world.write("lib/mine.py", "");
    world.write(
        "vpython.toml",
        "dependencies = ['some']\n[tool.vpython]\npython-path = ['lib']\n",
    );
    export(&world, &["env"]).expect(0, "[WORLD]/work/env\n", expect![[r#"
        vpython: warning: `[WORLD]/work/lib` from `python-path` is not in the environment; add it with `--include [WORLD]/work/lib`
    "#]]);
    export(&world, &["env", "--include", "lib"]).prints("[WORLD]/work/env\n");
}
