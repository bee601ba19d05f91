//! `vpython.conf`: the settings of a site, next to the program or named by `VPYTHON_CONF`.

mod explain;

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::support::{Launch, Python, Wheel, World};

const PROGRAM: &str =
    "# /// script\n# dependencies = ['which']\n# ///\nimport which\nprint(which.VERSION)\n";

/// A world with its own copy of the program in `site`, and a script that requires `which`.
fn world() -> World {
    let world = World::new();
    std::fs::create_dir(world.outside("site")).unwrap();
    let program = world.outside("site/vpython");
    if std::fs::hard_link(crate::support::VPYTHON, &program).is_err() {
        world.copy_vpython("site/vpython");
    }
    world.write("tool.py", PROGRAM);
    world
}

/// Writes the file next to the program.
fn set(world: &World, text: &str) {
    std::fs::write(world.outside("site/vpython.conf"), text).unwrap();
}

fn house(world: &World, directory: &str, version: u32) {
    Wheel::module("which", &version.to_string()).write_to(&world.outside(directory));
}

/// The program in `site`, which searches for its file as any installed program does.
fn launch<'w>(world: &'w World, words: &[&str]) -> Launch<'w> {
    world
        .program(world.outside("site/vpython"), words)
        .without("VPYTHON_CONF")
}

#[test]
fn the_file_next_to_the_program_sets_what_flags_and_variables_do_not() {
    let world = world();
    house(&world, "house", 1);
    house(&world, "other", 2);
    let text = "root = '../store.{uid}'\nwheels = ['../house']\ndefault-spec = 'default.toml'\n";
    set(&world, text);
    std::fs::write(
        world.outside("site/default.toml"),
        "dependencies = ['which']\n",
    )
    .unwrap();
    let run = |words: &[&str]| launch(&world, words).without("VPYTHON_VIRTUALENV_ROOT");
    for _ in 0..2 {
        run(&["tool.py"]).run().prints("1\n");
    }
    let user = nix::unistd::geteuid();
    assert!(
        world.outside(&format!("store.{user}/v1/envs")).exists() && !world.outside("root").exists()
    );
    run(&["-c", "import which; print(which.VERSION)"])
        .run()
        .prints("1\n");
    let spec = world.write("none.toml", "");
    let other = run(&["-c", "import which"])
        .env("VPYTHON_DEFAULT_SPEC", &spec)
        .run();
    assert!(
        other.stderr.ends_with("No module named 'which'\n"),
        "{other}"
    );
    run(&["tool.py"])
        .env("VPYTHON_WHEELS", world.outside("other"))
        .run()
        .prints("2\n");
    run(&["-vpython-wheels", "../other", "tool.py"])
        .run()
        .prints("2\n");
    launch(&world, &["tool.py"]).run().prints("1\n");
    assert!(
        world.outside("root/v1/envs").exists(),
        "the variable overrides the file"
    );
    // A link in another directory leads to the same program.
    symlink("../site/vpython", world.outside("bin/linked")).unwrap();
    let linked = world
        .program(world.outside("bin/linked"), ["tool.py"])
        .without("VPYTHON_CONF");
    linked
        .without("VPYTHON_VIRTUALENV_ROOT")
        .run()
        .prints("1\n");
    // The old value of a changed setting no longer applies.
    set(&world, &text.replace("house", "other"));
    run(&["tool.py"]).run().prints("2\n");
    std::fs::remove_file(world.outside("site/vpython.conf")).unwrap();
    assert_eq!(
        launch(&world, &["tool.py"])
            .env("VPYTHON_CONF", "/dev/null")
            .run()
            .code,
        Some(125)
    );
}

#[test]
fn a_default_spec_that_cannot_be_read_names_the_line() {
    let world = world();
    set(&world, "\ndefault-spec = 'none.toml'\n");
    launch(&world, &["-c", ""]).run().refuses(125, expect![[r#"
        vpython: error: cannot use the spec that `default-spec` in `[WORLD]/site/vpython.conf`, line 2 names
          caused by: cannot open `[WORLD]/site/none.toml`
          caused by: No such file or directory (os error 2)
    "#]]);
}

#[test]
fn the_default_python_is_looked_for_first_and_a_change_is_noticed() {
    let Some(other) = Python::other() else { return };
    let world = world();
    world.pyenv(&[other]);
    let (any, minor) = (world.python.minor, other.minor);
    world.write("tool.py", "import sys\nprint(sys.version_info[1])\n");
    world.write(
        "asks.py",
        format!("# /// script\n# requires-python = '==3.{any}.*'\n# ///\nimport sys\nprint(sys.version_info[1])\n"),
    );
    let run = |words: &[&str]| {
        let launch = launch(&world, words)
            .env("PATH", world.outside("bin"))
            .env("PYENV_ROOT", world.outside("pyenv"));
        let outcome = launch.run();
        assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
        outcome.raw_stdout.trim_end().to_owned()
    };
    assert_eq!(run(&["tool.py"]), any.to_string());
    set(
        &world,
        &format!("[python]\nvpython = ['3.99', '3.{minor}']\nvpython3 = '3.{any}'\n"),
    );
    for _ in 0..2 {
        assert_eq!(run(&["tool.py"]), minor.to_string());
        assert_eq!(run(&["asks.py"]), any.to_string(), "the spec names one");
        assert_eq!(
            run(&["-vpython-interpreter", &format!("3.{any}"), "tool.py"]),
            any.to_string(),
            "the caller names one"
        );
    }
    set(&world, "[python]\nvpython = '3.99'\n");
    assert_eq!(
        run(&["tool.py"]),
        any.to_string(),
        "where there is none, the same as without the setting"
    );
    let explain = launch(&world, &["-vpython-tool", "explain", "--json", "tool.py"]).run();
    let explanation: Value = serde_json::from_str(&explain.stdout).unwrap();
    assert_eq!(explanation["interpreter"]["defaults"], json!(["3.99"]));
}

#[test]
fn wheels_next_to_the_program_are_the_last_wheelhouse() {
    let world = world();
    let tool = |version: u32| {
        launch(&world, &["tool.py"])
            .run()
            .prints(&format!("{version}\n"));
    };
    house(&world, "site/wheels", 1);
    tool(1);
    tool(1);
    house(&world, "site/wheels", 2);
    tool(2);
    // The same file in another directory takes precedence.
    Wheel::new("which", "2")
        .file("which.py", "VERSION = 'first'\n")
        .write_to(&world.path("wheels"));
    launch(&world, &["tool.py"]).run().prints("first\n");
    std::fs::remove_dir_all(world.path("wheels")).unwrap();
    tool(2);
    // A flag replaces the wheels of the site, but not those of the program.
    std::fs::create_dir(world.path("none")).unwrap();
    launch(&world, &["-vpython-wheels", "none", "tool.py"])
        .run()
        .prints("2\n");
    // `fetch` fills the directory of the spec.
    launch(&world, &["-vpython-tool", "fetch", "--build", "tool.py"])
        .run()
        .expect(
            0,
            "",
            expect![[r#"
                vpython: nothing to fetch: all wheels that the spec requires are present
            "#]],
        );
    assert!(!world.outside("site/wheels/nothing").exists());
}

#[test]
fn the_site_may_forbid_fetch_and_pass_options_to_pip() {
    let world = world();
    set(&world, "[fetch]\nallow = false\n");
    launch(&world, &["-vpython-tool", "fetch", "--build", "tool.py"])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: `-vpython-tool fetch` is disabled here
                  caused by: `fetch.allow` is false in `[WORLD]/site/vpython.conf`, line 2
            "#]],
        );
    set(
        &world,
        "[fetch]\nindex-url = 'file:///of-site'\npip-options = ['--no-index', '--of-site']\n",
    );
    let fetch = || {
        launch(
            &world,
            &[
                "-vpython-tool",
                "fetch",
                "--build",
                "tool.py",
                "--",
                "--of-caller",
            ],
        )
    };
    let outcome = fetch().run();
    assert!(
        outcome.stderr.contains("--no-index --of-site --of-caller"),
        "{outcome}"
    );
    // A stub for pip prints its arguments.
    let pip = "import os, sys\nif 'wheel' in sys.argv:\n    sys.exit('index ' + os.environ.get('PIP_INDEX_URL', 'none'))\n";
    world.write("pip/__main__.py", pip);
    world.write("pip/__init__.py", "");
    let pip_gets = |launch: Launch<'_>, index: &str| {
        let outcome = launch.env("PYTHONPATH", world.path("")).run();
        assert!(
            outcome.stderr.contains(&format!("\nindex {index}\n")),
            "{outcome}"
        );
    };
    pip_gets(fetch(), "file:///of-site");
    pip_gets(
        fetch().env("PIP_INDEX_URL", "file:///of-caller"),
        "file:///of-caller",
    );
}

#[test]
fn the_site_may_set_the_text_of_the_bypass() {
    let world = world();
    set(&world, "bypass = 'as we say'\n");
    let python = "import sys; print(sys.prefix == sys.base_prefix)";
    launch(&world, &["-c", python])
        .env("VPYTHON_BYPASS", "as we say")
        .run()
        .prints("True\n");
    let luci = "manually managed python not supported by chrome operations";
    launch(&world, &["-c", python])
        .env("VPYTHON_BYPASS", luci)
        .run()
        .expect(0, "False\n", expect![[r#"
            vpython: warning: `VPYTHON_BYPASS` is ignored: it is `manually managed python not supported by chrome operations`, not `as we say`
        "#]]);
}

#[test]
fn the_site_says_what_prune_removes() {
    let world = world();
    world.install(["-c", ""]);
    let count = |words: &[&str]| {
        let outcome = launch(&world, &["-vpython-tool", "prune", "--dry-run"])
            .arguments(words)
            .run();
        outcome.stdout.contains("would remove 1 environment")
    };
    assert!(!count(&[]));
    set(&world, "[prune]\nolder-than = '0s'\n");
    assert!(count(&[]) && !count(&["--older-than", "1h"]));
    set(&world, "[prune]\nmax-size = '1B'\n");
    assert!(count(&[]) && !count(&["--max-size", "1GiB"]));
    let by_variable = launch(&world, &["-vpython-tool", "prune", "--dry-run"])
        .env("VPYTHON_MAX_CACHE", "1GiB")
        .run();
    assert!(
        by_variable.stdout.contains("would remove 0 environments"),
        "{by_variable}"
    );
}

#[test]
fn a_file_that_another_user_can_write_to_is_skipped() {
    if Path::new("/etc/vpython.conf").exists() {
        not_tested!(
            "this machine has an `/etc/vpython.conf`, which is used if the other file is not"
        );
        return;
    }
    let world = world();
    house(&world, "site/wheels", 1);
    set(&world, "root = 3\n");
    let passed_over = |warning: Expect| {
        launch(&world, &["tool.py"]).run().expect(0, "1\n", warning);
    };
    let mode = |path: &str, mode| {
        std::fs::set_permissions(world.outside(path), Permissions::from_mode(mode)).unwrap();
    };
    mode("site/vpython.conf", 0o666);
    passed_over(expect![[r#"
        vpython: warning: `[WORLD]/site/vpython.conf` is ignored: every user can write to it
    "#]]);
    mode("site/vpython.conf", 0o644);
    mode("site", 0o777);
    passed_over(expect![[r#"
        vpython: warning: `[WORLD]/site/vpython.conf` is ignored: every user can write to `[WORLD]/site`
    "#]]);
    mode("site", 0o755);
    std::fs::remove_file(world.outside("site/vpython.conf")).unwrap();
    std::fs::create_dir(world.outside("site/vpython.conf")).unwrap();
    passed_over(expect![[r#"
        vpython: warning: `[WORLD]/site/vpython.conf` is ignored: not a regular file
    "#]]);
    std::fs::remove_dir(world.outside("site/vpython.conf")).unwrap();
    nix::unistd::mkfifo(
        &world.outside("site/vpython.conf"),
        nix::sys::stat::Mode::S_IRWXU,
    )
    .unwrap();
    passed_over(expect![[r#"
        vpython: warning: `[WORLD]/site/vpython.conf` is ignored: not a regular file
    "#]]);
    if !nix::unistd::geteuid().is_root() {
        not_tested!("only the superuser can give a file to another user");
        return;
    }
    std::fs::remove_file(world.outside("site/vpython.conf")).unwrap();
    set(&world, "root = 3\n");
    std::os::unix::fs::chown(world.outside("site/vpython.conf"), Some(65534), None).unwrap();
    passed_over(expect![[r#"
        vpython: warning: `[WORLD]/site/vpython.conf` is ignored: it belongs to user 65534
    "#]]);
}
