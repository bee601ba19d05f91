//! Shared roots: stores that are looked into before anything is built, and never written.

mod calls;
mod images;
mod tools;
mod trust;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use expect_test::expect;
use nix::sys::stat::{Mode, umask};

use crate::support::{Launch, Outcome, Python, Wheel, World, tree};

/// An unprivileged user.
const OTHER_USER: u32 = 54_321;

const TOOL: &str = "# /// script\n# dependencies = ['a']\n# ///\nimport a, sys\nprint(a.VERSION)\nprint(sys.prefix)\n";

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Returns a world with wheels, and with `tool.py`, which prints the version of `a` and the path of
/// its environment. `shared` is a directory that others can read.
fn world() -> World {
    of(World::new())
}

fn of(world: World) -> World {
    for name in ["a", "b"] {
        world.wheel(&Wheel::module(name, "1"));
    }
    world.write("tool.py", TOOL);
    std::fs::create_dir(world.outside("shared")).unwrap();
    set_mode(&world.outside("shared"), 0o755);
    world
}

/// Installs the environment of `tool.py` into `shared`, and returns its path.
fn fill(world: &World) -> PathBuf {
    let outcome = world
        .vpython(["-vpython-tool", "install", "tool.py"])
        .env("VPYTHON_VIRTUALENV_ROOT", world.outside("shared"))
        .run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome.raw_stdout.trim_end().into()
}

/// vpython with `shared` as a shared root.
fn launch<'w>(world: &'w World, words: &[&str]) -> Launch<'w> {
    let launch = world.vpython(words);
    launch.env("VPYTHON_SHARED_ROOTS", world.outside("shared"))
}

fn run(world: &World) -> Outcome {
    launch(world, &["tool.py"]).run()
}

/// Checks that `install` found the environment in `shared`.
fn install_says_it_is_built(outcome: &Outcome) {
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(0), "[WORLD]/shared/v1/envs/[KEY]\n"),
        "{outcome}"
    );
    assert!(
        outcome.stderr.ends_with(" files, already built\n"),
        "{outcome}"
    );
    assert!(
        outcome.stderr.starts_with("vpython: 1 wheel, "),
        "{outcome}"
    );
}

const IN_SHARED: &str = "1\n[WORLD]/shared/v1/envs/[KEY]\n";
const IN_OWN: &str = "1\n[WORLD]/root/v1/envs/[KEY]\n";

#[test]
fn an_environment_is_used_where_it_is_and_nothing_is_written_there() {
    let world = world();
    let environment = fill(&world);
    let before = tree(&world.outside("shared"));
    // A cold launch, a warm one, and the tools that prepare an environment.
    for _ in 0..2 {
        run(&world).prints(IN_SHARED);
    }
    install_says_it_is_built(&launch(&world, &["-vpython-tool", "install", "tool.py"]).run());
    assert_eq!(tree(&world.outside("shared")), before);
    assert!(environment.exists());
    assert_eq!(world.leftovers(), [] as [PathBuf; 0], "nothing is built");
    // Without the variable, the memo of that launch does not count.
    world.vpython(["tool.py"]).run().prints(IN_OWN);
    run(&world).prints(IN_SHARED);
}

#[test]
fn the_own_store_comes_first_and_shared_roots_in_their_order() {
    let world = world();
    fill(&world);
    let shared = world.outside("shared");
    let other = world.outside("other");
    let copied = std::process::Command::new("cp")
        .args(["-a".as_ref(), shared.as_os_str(), other.as_os_str()])
        .status();
    assert!(copied.unwrap().success());
    let list = |roots: &[&Path]| {
        let roots = std::env::join_paths(roots).unwrap();
        let launch = world.vpython(["tool.py"]);
        launch.env("VPYTHON_SHARED_ROOTS", roots).run()
    };
    let missing = world.outside("missing");
    list(&[&missing, &other, &shared]).prints("1\n[WORLD]/other/v1/envs/[KEY]\n");
    list(&[&shared, &other]).prints(IN_SHARED);
    world.vpython(["tool.py"]).run().prints(IN_OWN);
    list(&[&other, &shared]).prints(IN_OWN);
    // A path relative to the current directory, with `..` in it.
    let launch = || {
        let launch = world.vpython(["tool.py"]);
        let launch = launch.env("VPYTHON_VIRTUALENV_ROOT", world.outside("fresh"));
        launch.env("VPYTHON_SHARED_ROOTS", "../shared").run()
    };
    launch().prints(IN_SHARED);
    launch().prints(IN_SHARED);
}

#[test]
fn without_its_shared_root_an_environment_is_built() {
    let world = world();
    let environment = fill(&world);
    run(&world).prints(IN_SHARED);
    std::fs::rename(world.outside("shared"), world.outside("unmounted")).unwrap();
    let explained = launch(&world, &["-vpython-tool", "explain", "tool.py"]).run();
    let why = "launch        cold: the shared root `[WORLD]/shared` no longer has the environment of the last launch\n              its environment is not built\n";
    let why = why.replace("\n              its", "\n                    its");
    assert!(explained.stdout.ends_with(&why), "{explained}");
    for _ in 0..2 {
        run(&world).prints(IN_OWN);
    }
    // Nor if only the entry is gone.
    std::fs::rename(world.outside("unmounted"), world.outside("shared")).unwrap();
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    run(&world).prints(IN_SHARED);
    std::fs::remove_dir_all(environment).unwrap();
    run(&world).prints(IN_OWN);
}

#[test]
fn an_environment_that_was_replaced_or_changed_is_noticed() {
    let world = world();
    let environment = fill(&world);
    run(&world).prints(IN_SHARED);
    // The owner builds it again.
    std::fs::remove_dir_all(&environment).unwrap();
    assert_eq!(fill(&world), environment);
    for _ in 0..2 {
        run(&world).prints(IN_SHARED);
    }
    // The owner installs something into it.
    let version = format!("lib/python3.{}/site-packages/extra.py", world.python.minor);
    std::fs::write(environment.join(version), "").unwrap();
    run(&world).expect(
        0,
        IN_OWN,
        expect![[r"
            vpython: warning: `[WORLD]/shared/v1/envs/[KEY]` in a shared root was changed after it was built, or copied without the times of its files; vpython does not use it
        "]],
    );
    run(&world).prints(IN_OWN);
}

#[test]
fn wheels_of_a_shared_root_are_used_instead_of_wheel_files() {
    let world = world();
    fill(&world);
    world.write("vpython.toml", "dependencies = ['a', 'b']\n");
    world.write(
        "both.py",
        "import a, b, sys\nprint(a.VERSION)\nprint(sys.prefix)\n",
    );
    let locked = world.vpython(["-vpython-tool", "lock", "both.py"]).run();
    assert_eq!(locked.code, Some(0), "{locked}");
    std::fs::remove_file(world.path("wheels/a-1-py3-none-any.whl")).unwrap();
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    let without = world.vpython(["both.py"]).run();
    assert_eq!(without.code, Some(125), "{without}");
    let explain = ["-vpython-tool", "explain", "both.py"];
    assert_eq!(world.vpython(explain).run().code, Some(125));
    assert_eq!(launch(&world, &explain).run().code, Some(0));
    let before = tree(&world.outside("shared"));
    for _ in 0..2 {
        launch(&world, &["both.py"]).run().prints(IN_OWN);
    }
    assert_eq!(tree(&world.outside("shared")), before);
    // From now on the own store has all of it.
    std::fs::rename(world.outside("shared"), world.outside("unmounted")).unwrap();
    let check = ["-vpython-tool", "check", "both.py"];
    launch(&world, &check)
        .run()
        .prints("1 environment and 2 unpacked wheels: all files are intact\n");
    let packed = ["-vpython-tool", "pack", "--output", "x.tar", "both.py"];
    assert_eq!(launch(&world, &packed).run().code, Some(0));
}

#[test]
fn a_damaged_wheel_of_a_shared_root_is_not_used() {
    let world = world();
    fill(&world);
    let wheels = std::fs::read_dir(world.outside("shared/v1/wheels")).unwrap();
    for wheel in wheels {
        let module = wheel.unwrap().path().join("site/a.py");
        std::fs::remove_file(&module).unwrap();
        std::fs::create_dir(&module).unwrap();
    }
    world.write("vpython.toml", "dependencies = ['a', 'b']\n");
    world.write(
        "both.py",
        "import a, b, sys\nprint(a.VERSION)\nprint(sys.prefix)\n",
    );
    launch(&world, &["both.py"]).run().prints(IN_OWN);
}

#[test]
fn a_directory_that_others_can_read_becomes_a_store_that_they_can_use() {
    let Some(python) = Python::all()
        .iter()
        .find(|python| python.path.starts_with("/usr"))
    else {
        not_tested!("no python can be run by other users than the superuser");
        return;
    };
    if !nix::unistd::geteuid().is_root() {
        not_tested!("only the superuser can become another user");
        return;
    }
    let world = of(World::with_python(python));
    for directory in ["", "work", "work/wheels", "bin", "home"] {
        set_mode(&world.outside(directory), 0o755);
    }
    set_mode(&world.outside("tmp"), 0o700);
    let program = world.copy_vpython("launcher");
    let before = umask(Mode::from_bits_truncate(0o077));
    fill(&world);
    umask(before);
    let modes = ["envs", "wheels", "locks", "memo", "tmp"].map(|directory| {
        let path = world.outside("shared/v1").join(directory);
        format!(
            "{:o}",
            path.metadata().unwrap().permissions().mode() & 0o7777
        )
    });
    assert_eq!(modes, ["755", "755", "700", "700", "700"]);
    let run = |words: &[&str], root: &str| {
        let launch = world.program(&program, words).user(OTHER_USER);
        let launch = launch.env("VPYTHON_SHARED_ROOTS", world.outside("shared"));
        launch
            .env("VPYTHON_VIRTUALENV_ROOT", world.outside(root))
            .run()
    };
    let before = tree(&world.outside("shared"));
    // A user whose home is writable, twice; the wheels, too.
    std::fs::create_dir(world.outside("their")).unwrap();
    std::os::unix::fs::chown(world.outside("their"), Some(OTHER_USER), None).unwrap();
    for _ in 0..2 {
        run(&["tool.py"], "their/root").prints(IN_SHARED);
    }
    world.write("both.txt", "a\nb\n");
    let both = [
        "-vpython-spec",
        "both.txt",
        "-c",
        "import sys; print(sys.prefix)",
    ];
    run(&both, "their/root").prints("[WORLD]/their/root/v1/envs/[KEY]\n");
    // A user who cannot write anywhere runs what is there, and nothing else.
    for _ in 0..2 {
        run(&["tool.py"], "home/root").prints(IN_SHARED);
    }
    let install = ["-vpython-tool", "install", "tool.py"];
    install_says_it_is_built(&run(&install, "home/root"));
    run(&both, "home/root").refuses(
        125,
        expect![[r#"
            vpython: error: cannot create the store `[WORLD]/home/root`
              caused by: cannot create directory `[WORLD]/home/root`
              caused by: Permission denied (os error 13)
              hint: `[WORLD]/home` belongs to user 0, but vpython runs as user 54321; name another directory with `-vpython-root` or `VPYTHON_VIRTUALENV_ROOT`
        "#]],
    );
    assert_eq!(tree(&world.outside("shared")), before);
    // A store that was private, whose root others can read now.
    set_mode(&world.outside("shared/v1"), 0o700);
    run(&["-vpython-tool", "list"], "their/other").expect(
        0,
        "0 environments in [WORLD]/their/other: 0 B\n",
        expect![[r#"
            vpython: warning: cannot use the shared root `[WORLD]/shared`: `[WORLD]/shared/v1` is not readable (mode 0700)
        "#]],
    );
    let warned = run(&["tool.py"], "their/other");
    warned.expect(0, "1\n[WORLD]/their/other/v1/envs/[KEY]\n", expect![[r#"
        vpython: warning: cannot use the shared root `[WORLD]/shared`: `[WORLD]/shared/v1` is not readable (mode 0700)
    "#]]);
    set_mode(&world.outside("shared/v1"), 0o755);
    set_mode(&world.outside("shared/v1/envs"), 0o700);
    let list = run(&["-vpython-tool", "list"], "their/third");
    assert_eq!(list.code, Some(0), "{list}");
}

#[test]
fn a_store_that_others_use_is_not_pruned_by_age_on_its_own() {
    let world = world();
    let environment = fill(&world);
    let manifest = std::fs::File::open(environment.join("vpython.json")).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH;
    let build = |name: &str| {
        manifest.set_modified(old).unwrap();
        let _ = std::fs::remove_file(world.outside("shared/v1/pruned"));
        world.write(name, "b\n");
        let install = ["-vpython-tool", "install", name];
        let launch = world.vpython(install);
        let launch = launch.env("VPYTHON_VIRTUALENV_ROOT", world.outside("shared"));
        assert_eq!(launch.run().code, Some(0));
    };
    build("b.txt");
    assert!(environment.exists());
    // Its owner may limit it.
    let prune = ["-vpython-tool", "prune", "--dry-run"];
    let launch = world.vpython(prune);
    let launch = launch.env("VPYTHON_VIRTUALENV_ROOT", world.outside("shared"));
    let key = environment
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert!(launch.run().stdout.starts_with(&key));
    // A store of one user is pruned.
    set_mode(&world.outside("shared/v1/envs"), 0o700);
    world.wheel(&Wheel::module("b", "2"));
    build("b.txt");
    assert!(!environment.exists());
}
