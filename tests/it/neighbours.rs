//! Other users of the machine: vpython does not use what they can write to, and does not follow
//! what they have created.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use expect_test::expect;

use crate::support::{Python, Wheel, World};

/// An unprivileged user, to whom the tests give files.
const OTHER_USER: u32 = 54_321;

/// Checks whether this user can give files away, and says so if not.
fn is_superuser() -> bool {
    let is_superuser = nix::unistd::geteuid().is_root();
    if !is_superuser {
        not_tested!("only the superuser can give a file to another user");
    }
    is_superuser
}

/// Returns a python that other users than the superuser can run, and says so if there is none.
fn python_of_all() -> Option<&'static Python> {
    let mut pythons = Python::all().iter();
    let python = pythons.find(|python| python.path.starts_with("/usr"));
    if python.is_none() {
        not_tested!("no python can be run by other users than the superuser");
    }
    python
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A launch without a spec, whose root is `shared/own/root`.
fn launch(world: &World) -> crate::support::Outcome {
    let root = world.outside("shared/own/root");
    world
        .vpython(["-c", "print(1)"])
        .env("VPYTHON_VIRTUALENV_ROOT", root)
        .run()
}

#[test]
fn a_path_through_a_directory_that_others_can_write_to_is_refused() {
    let world = World::new();
    let shared = world.outside("shared");
    std::fs::create_dir_all(shared.join("own")).unwrap();
    set_mode(&shared, 0o777);
    launch(&world).refuses(
        125,
        expect![[r#"
            vpython: error: cannot use `[WORLD]/shared/own/root` as the store
              caused by: `[WORLD]/shared` is writable by other users (mode 0777)
              hint: run `chmod go-w '[WORLD]/shared'`, or name another directory with `-vpython-root`
        "#]],
    );
    // In a directory such as `/tmp`, users cannot rename files of others.
    set_mode(&shared, 0o1777);
    launch(&world).prints("1\n");
}

#[test]
fn a_path_through_a_directory_of_another_user_is_refused() {
    if !is_superuser() {
        return;
    }
    let world = World::new();
    std::fs::create_dir_all(world.outside("shared/own")).unwrap();
    chown(world.outside("shared"), Some(OTHER_USER), None).unwrap();
    launch(&world).refuses(125, expect![[r#"
        vpython: error: cannot use `[WORLD]/shared/own/root` as the store
          caused by: `[WORLD]/shared` belongs to user 54321, but vpython runs as user 0
          hint: run `sudo -H`, so that `HOME` is the superuser's, or name another directory with `-vpython-root`
    "#]]);
}

#[test]
fn the_superuser_writes_nothing_into_the_home_of_another_user() {
    if !is_superuser() {
        return;
    }
    let world = World::new();
    let home = world.outside("home");
    chown(&home, Some(OTHER_USER), None).unwrap();
    world
        .vpython(["-c", "print(1)"])
        .without("VPYTHON_VIRTUALENV_ROOT")
        .run()
        .refuses(125, expect![[r#"
            vpython: error: cannot use `[WORLD]/home/.cache/vpython-root.0` as the store
              caused by: `[WORLD]/home` belongs to user 54321, but vpython runs as user 0
              hint: run `sudo -H`, so that `HOME` is the superuser's, or name another directory with `-vpython-root`
        "#]]);
    assert_eq!(
        std::fs::read_dir(&home).unwrap().count(),
        0,
        "nothing is left in the home"
    );
}

#[test]
fn with_an_unusable_home_the_store_is_in_the_temporary_directory() {
    let (true, Some(python)) = (is_superuser(), python_of_all()) else {
        return;
    };
    // One that cannot be entered, and one that cannot be written to.
    for mode in [0o700, 0o555] {
        let world = World::with_python(python);
        let program = world.copy_vpython("launcher");
        for (directory, mode) in [
            ("", 0o755),
            ("work", 0o755),
            ("bin", 0o755),
            ("home", mode),
            ("tmp", 0o1777),
        ] {
            set_mode(&world.outside(directory), mode);
        }
        let run = |words: &[&str]| {
            world
                .program(&program, words)
                .without("VPYTHON_VIRTUALENV_ROOT")
                .user(OTHER_USER)
                .run()
        };
        run(&["-c", "print(1)"]).expect(0, "1\n", expect![[r#"
            vpython: warning: using `[WORLD]/tmp/vpython-root.54321` as the store: cannot create the store `[WORLD]/home/.cache/vpython-root.54321`: cannot create directory `[WORLD]/home/.cache`: Permission denied (os error 13)
        "#]]);
        run(&["-c", "print(1)"]).prints("1\n");
        assert!(
            world
                .outside(&format!("tmp/vpython-root.{OTHER_USER}/v1/envs"))
                .exists()
        );
        // Tools that only read the store find the same one.
        let outcome = run(&["-vpython-tool", "explain", "-c", ""]);
        let entry = format!("entry         [WORLD]/tmp/vpython-root.{OTHER_USER}/v1/envs/[KEY]\n");
        assert!(
            outcome.code == Some(0) && outcome.stdout.contains(&entry),
            "{outcome}"
        );
    }
}

#[test]
fn the_target_of_a_link_in_the_path_of_the_root_is_checked() {
    let world = World::new();
    std::fs::create_dir_all(world.outside("open/own")).unwrap();
    std::fs::create_dir(world.outside("shared")).unwrap();
    symlink("../open/own", world.outside("shared/own")).unwrap();
    launch(&world).prints("1\n");
    std::fs::remove_dir_all(world.outside("open/own/root")).unwrap();
    set_mode(&world.outside("open"), 0o777);
    launch(&world).refuses(
        125,
        expect![[r#"
            vpython: error: cannot use `[WORLD]/shared/own/root` as the store
              caused by: `[WORLD]/open` is writable by other users (mode 0777)
              hint: run `chmod go-w '[WORLD]/open'`, or name another directory with `-vpython-root`
        "#]],
    );
}

#[test]
fn a_link_of_another_user_in_place_of_the_root_is_not_followed() {
    if !is_superuser() {
        return;
    }
    let world = World::new();
    std::fs::create_dir_all(world.outside("shared/own")).unwrap();
    std::fs::create_dir(world.outside("elsewhere")).unwrap();
    let root = world.outside("shared/own/root");
    symlink(world.outside("elsewhere"), &root).unwrap();
    launch(&world).prints("1\n");
    std::os::unix::fs::lchown(&root, Some(OTHER_USER), None).unwrap();
    launch(&world).refuses(
        125,
        expect![[r#"
            vpython: error: cannot use `[WORLD]/shared/own/root` as the store
              caused by: it belongs to user 54321, but vpython runs as user 0
              hint: name another directory with `-vpython-root` or `VPYTHON_VIRTUALENV_ROOT`
        "#]],
    );
}

#[test]
fn a_replaced_directory_of_the_store_is_refused() {
    for name in ["envs", "wheels", "locks", "memo", "tmp"] {
        let world = World::new();
        std::fs::create_dir_all(world.store("")).unwrap();
        std::fs::create_dir(world.outside("elsewhere")).unwrap();
        symlink(world.outside("elsewhere"), world.store(name)).unwrap();
        let outcome = world.vpython(["-c", ""]).run();
        let outcome = outcome.replacing(&format!("v1/{name}`"), "v1/[NAME]`");
        outcome.refuses(
            125,
            expect![[r#"
                vpython: error: `[WORLD]/root/v1/[NAME]` is not a directory
                  caused by: only vpython creates it, and never as a link
            "#]],
        );
        assert_eq!(
            std::fs::read_dir(world.outside("elsewhere"))
                .unwrap()
                .count(),
            0
        );
    }
}

#[test]
fn a_pipe_or_link_in_place_of_a_store_file_is_not_opened() {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1"));
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a\nprint(a.VERSION)\n",
    );
    for is_pipe in [true, false] {
        world.install(["tool.py"]);
        let manifest = world.environments()[0].join("vpython.json");
        let memos = std::fs::read_dir(world.store("memo"))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        for path in memos.chain([manifest]).filter(|path| path.is_file()) {
            let kept = world.outside("kept");
            std::fs::rename(&path, &kept).unwrap();
            if is_pipe {
                nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
            } else {
                symlink(&kept, &path).unwrap();
            }
        }
        let outcome = world.vpython(["tool.py"]).run();
        assert_eq!(
            (outcome.code, &*outcome.stdout),
            (Some(0), "1\n"),
            "{outcome}"
        );
        world.vpython(["tool.py"]).run().prints("1\n");
    }
}

#[test]
fn a_private_store_of_another_user_is_named_as_theirs() {
    let (true, Some(python)) = (is_superuser(), python_of_all()) else {
        return;
    };
    let world = World::with_python(python);
    let program = world.copy_vpython("launcher");
    for directory in ["", "work", "bin", "home", "tmp"] {
        set_mode(&world.outside(directory), 0o755);
    }
    let words = ["-c", "print(1)"];
    let run = || world.program(&program, words).user(OTHER_USER).run();
    // A store of the superuser, an empty directory for one, and one that has yet to be created.
    world.program(&program, words).run().prints("1\n");
    run().refuses(125, expect![[r#"
        vpython: error: cannot create directory `[WORLD]/root/v1`
          caused by: Permission denied (os error 13)
          hint: `[WORLD]/root` belongs to user 0, but vpython runs as user 54321; name another directory with `-vpython-root` or `VPYTHON_VIRTUALENV_ROOT`
    "#]]);
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    run().refuses(125, expect![[r#"
        vpython: error: cannot create the store `[WORLD]/root`
          caused by: cannot create directory `[WORLD]/root`
          caused by: Permission denied (os error 13)
          hint: `[WORLD]` belongs to user 0, but vpython runs as user 54321; name another directory with `-vpython-root` or `VPYTHON_VIRTUALENV_ROOT`
    "#]]);
    std::fs::create_dir(world.outside("root")).unwrap();
    set_mode(&world.outside("root"), 0o755);
    run().refuses(125, expect![[r#"
        vpython: error: cannot create directory `[WORLD]/root/v1`
          caused by: Permission denied (os error 13)
          hint: `[WORLD]/root` belongs to user 0, but vpython runs as user 54321; name another directory with `-vpython-root` or `VPYTHON_VIRTUALENV_ROOT`
    "#]]);
    // The user's own directory, in which `sudo` has made the store.
    chown(world.outside("root"), Some(OTHER_USER), None).unwrap();
    std::fs::create_dir(world.store("")).unwrap();
    set_mode(&world.store(""), 0o755);
    run().refuses(125, expect![[r#"
        vpython: error: cannot create directory `[WORLD]/root/v1/envs`
          caused by: Permission denied (os error 13)
          hint: `[WORLD]/root/v1` belongs to user 0, but vpython runs as user 54321; name another directory with `-vpython-root` or `VPYTHON_VIRTUALENV_ROOT`
    "#]]);
    std::fs::remove_dir(world.store("")).unwrap();
    // The user's own directory, which nobody can write to.
    set_mode(&world.outside("root"), 0o555);
    run().refuses(125, expect![[r#"
        vpython: error: cannot create directory `[WORLD]/root/v1`
          caused by: Permission denied (os error 13)
          hint: user 54321 cannot write to `[WORLD]/root`; name another directory with `-vpython-root` or `VPYTHON_VIRTUALENV_ROOT`
    "#]]);
}

#[test]
fn variables_of_a_less_privileged_caller_are_ignored() {
    if !is_superuser() {
        return;
    }
    let world = World::new();
    let program = world.copy_vpython("elevated");
    chown(&program, Some(OTHER_USER), None).unwrap();
    set_mode(&program, 0o4755);
    for directory in ["", "work", "bin", "home", "tmp"] {
        set_mode(&world.outside(directory), 0o755);
    }
    world.write_with_mode("pretended", "#!/bin/sh\necho pretended\n", 0o755);
    let run = world.program(&program, ["-vpython-tool", "explain", "--json", "-c", ""]);
    let outcome = run
        .env("VPYTHON_INTERPRETER", world.path("pretended"))
        .user(OTHER_USER + 1)
        .run();
    assert!(
        !outcome.stdout.contains("pretended") && !outcome.stdout.contains("[WORLD]/root"),
        "{outcome}"
    );
    // The same program without the set-user-ID bit uses the variables.
    set_mode(&program, 0o755);
    let run = world.program(&program, ["-vpython-tool", "explain", "--json", "-c", ""]);
    let outcome = run
        .env("VPYTHON_INTERPRETER", world.path("pretended"))
        .user(OTHER_USER + 1)
        .run();
    assert!(outcome.stdout.contains("pretended"), "{outcome}");
}

#[test]
fn values_of_environment_variables_are_not_written_to_the_disk() {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1"));
    world.write(
        "requirements.txt",
        "--index-url https://${SECRET}@index/simple\na\n",
    );
    let launch = || {
        let launch = world.vpython([
            "-vpython-spec",
            "requirements.txt",
            "-c",
            "import a; print(a.VERSION)",
        ]);
        launch.env("SECRET", "correct-horse").run()
    };
    for _ in 0..2 {
        assert_eq!((launch().code, &*launch().stdout), (Some(0), "1\n"));
    }
    for entry in walkdir::WalkDir::new(world.outside("root"))
        .into_iter()
        .map(Result::unwrap)
    {
        if entry.file_type().is_file() {
            let content = std::fs::read(entry.path()).unwrap();
            let found = content.windows(13).any(|part| part == b"correct-horse");
            assert!(!found, "the secret is in {}", entry.path().display());
        }
    }
}
