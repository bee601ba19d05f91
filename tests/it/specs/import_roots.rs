//! Import roots of a spec.

use std::os::unix::fs::symlink;

use crate::support::{Wheel, World, tree};

/// A script that prints its import path, as far as that is in the world.
const SHOW_PATH: &str = "import os, sys\nprint(*[entry for entry in sys.path if '/work/' in entry or entry == '/given'], sep='\\n')\n";

#[test]
fn import_roots_come_before_anything_else_on_the_path() {
    let world = World::new();
    world.write("lib/which.py", "VERSION = 'own'\n");
    world.write("given/which.py", "VERSION = 'given'\n");
    world.wheel(&Wheel::module("which", "1"));
    world.write(
        "vpython.toml",
        "dependencies = ['which']\n[tool.vpython]\npython-path = ['lib', 'more']\n",
    );
    world.write(
        "bin/tool.py",
        format!("{SHOW_PATH}import which\nprint(which.VERSION)\n"),
    );
    let roots = "[WORLD]/work/bin\n[WORLD]/work/lib\n[WORLD]/work/more\n";
    // The first launch is cold, the second is warm.
    for _ in 0..2 {
        world
            .vpython(["bin/tool.py"])
            .run()
            .prints(&format!("{roots}own\n"));
        let given = world.vpython(["bin/tool.py"]).env(
            "PYTHONPATH",
            format!("{}:/given", world.path("given").display()),
        );
        given
            .run()
            .prints(&format!("{roots}[WORLD]/work/given\n/given\nown\n"));
        // An empty variable counts as unset, and does not represent the current directory.
        let empty = world
            .vpython([world.path("bin/tool.py")])
            .env("PYTHONPATH", "")
            .within(world.path("given"));
        empty.run().prints(&format!("{roots}own\n"));
    }
}

#[test]
fn import_roots_of_a_block_are_relative_to_the_real_script() {
    let world = World::new();
    world.write("real/lib/own.py", "print('own')\n");
    world.write(
        "real/tool.py",
        format!("# /// script\n# [tool.vpython]\n# python-path = ['lib']\n# ///\n{SHOW_PATH}import own\n"),
    );
    symlink("real/tool.py", world.path("tool")).unwrap();
    world
        .vpython(["tool"])
        .run()
        .prints("[WORLD]/work/real\n[WORLD]/work/real/lib\nown\n");
    let elsewhere = world.vpython([world.path("tool")]).within("/").run();
    elsewhere.prints("[WORLD]/work/real\n[WORLD]/work/real/lib\nown\n");
}

#[test]
fn import_roots_are_no_part_of_the_environment() {
    let world = World::new();
    world.wheel(&Wheel::module("which", "1"));
    world.write("vpython.toml", "dependencies = ['which']\n");
    let environment = world.install(["-c", ""]);
    world.write(
        "vpython.toml",
        "dependencies = ['which']\n[tool.vpython]\npython-path = ['lib']\n",
    );
    assert_eq!(world.install(["-c", ""]), environment);
}

#[test]
fn moving_a_repository_builds_nothing() {
    let world = World::new();
    Wheel::module("which", "1").write_to(&world.path("here/wheels"));
    world.write("here/lib/own.py", "print('own')\n");
    world.write(
        "here/vpython.toml",
        "dependencies = ['which']\n[tool.vpython]\npython-path = ['lib']\n",
    );
    world.write(
        "here/bin/tool.py",
        format!("{SHOW_PATH}import own, which\n"),
    );
    let shown = |place: &str| format!("[WORLD]/work/{place}/bin\n[WORLD]/work/{place}/lib\nown\n");
    world
        .vpython(["here/bin/tool.py"])
        .run()
        .prints(&shown("here"));
    let built = || [tree(&world.store("envs")), tree(&world.store("wheels"))];
    let before = built();
    std::fs::create_dir(world.path("far")).unwrap();
    std::fs::rename(world.path("here"), world.path("far/away")).unwrap();
    for _ in 0..2 {
        world
            .vpython(["far/away/bin/tool.py"])
            .run()
            .prints(&shown("far/away"));
        assert_eq!(built(), before);
    }
    assert_eq!(world.environments().len(), 1);
}
