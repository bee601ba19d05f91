//! The store: what a launch writes to it and trusts in it, and concurrent use.

mod concurrent;

use std::fs::File;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use expect_test::expect;

use crate::support::{Python, Wheel, World, tree};

/// A world with a wheel of `a` and a script that prints its version.
fn world() -> World {
    world_with(Python::any())
}

fn world_with(python: &'static Python) -> World {
    let world = World::with_python(python);
    world.wheel(&Wheel::module("a", "1"));
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a\nprint(a.VERSION)\n",
    );
    world
}

/// Opens the build lock of an environment and takes it.
fn hold_build_lock(world: &World, environment: &Path) -> File {
    let key = environment.file_name().unwrap().to_str().unwrap();
    let lock = File::options()
        .read(true)
        .write(true)
        .open(world.store(&format!("locks/{key}.lock")))
        .unwrap();
    fs2::FileExt::try_lock_exclusive(&lock).unwrap();
    lock
}

/// Overwrites a file in place with noise of the same size, and restores its times.
fn overwrite_with_noise(path: &Path) {
    let before = path.metadata().unwrap();
    let noise: Vec<u8> = (0..before.len())
        .map(|index| (index * 31 % 251) as u8)
        .collect();
    std::fs::write(path, noise).unwrap();
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(before.modified().unwrap())
        .unwrap();
    let after = path.metadata().unwrap();
    let stamp = |metadata: &std::fs::Metadata| {
        (
            metadata.ino(),
            metadata.len(),
            metadata.mtime(),
            metadata.mtime_nsec(),
        )
    };
    assert_eq!(stamp(&after), stamp(&before));
}

#[test]
fn warm_run_opens_no_wheel() {
    let world = world();
    world.vpython(["tool.py"]).run().prints("1\n");
    overwrite_with_noise(&world.path("wheels/a-1-py3-none-any.whl"));
    // Python writes its byte code on the first run; a warm run finds it.
    world.vpython(["tool.py"]).run().prints("1\n");
    let _lock = hold_build_lock(&world, &world.environments()[0]);
    let before = tree(&world.outside("root"));
    world.vpython(["tool.py"]).run().prints("1\n");
    assert_eq!(tree(&world.outside("root")), before);
}

#[test]
fn warm_run_probes_no_python() {
    let world = world();
    let fake = crate::support::Fake::new(&world, "3.11.99");
    let launch = || {
        world
            .vpython(["tool.py"])
            .env("VPYTHON_INTERPRETER", &fake.path)
            .run()
    };
    let cold = launch();
    let warm = launch();
    assert_eq!(
        (cold.code, &*cold.stderr, &cold.stdout),
        (Some(0), "", &warm.stdout),
        "{cold}"
    );
    assert_eq!(fake.probe_count(), 1);
}

#[test]
fn what_changes_in_a_directory_of_wheels_is_noticed() {
    let world = world();
    world.vpython(["tool.py"]).run().prints("1\n");
    world.wheel(&Wheel::new("a", "1").file("a.py", "VERSION = 'replaced'\n"));
    world.vpython(["tool.py"]).run().prints("replaced\n");
    let second = world.wheel(&Wheel::module("a", "2"));
    world.vpython(["tool.py"]).run().prints("2\n");
    std::fs::remove_file(second).unwrap();
    world.vpython(["tool.py"]).run().prints("replaced\n");
    world.write("tool.py", "print('none')\n");
    world.vpython(["tool.py"]).run().prints("none\n");
    assert_eq!(world.environments().len(), 4);
}

#[test]
fn a_directory_of_wheels_that_appears_is_noticed() {
    let world = world();
    std::fs::rename(world.path("wheels"), world.path("pip_packages")).unwrap();
    world.vpython(["tool.py"]).run().prints("1\n");
    world.wheel(&Wheel::module("a", "2"));
    world.vpython(["tool.py"]).run().prints("2\n");
}

#[test]
fn an_environment_that_was_changed_is_rebuilt() {
    let world = world();
    let environment = world.install(["tool.py"]);
    let site = environment.join(format!("lib/python3.{}/site-packages", world.python.minor));
    std::fs::write(site.join("b.py"), "").unwrap();
    let past = SystemTime::now() - Duration::from_secs(5);
    File::open(&site).unwrap().set_modified(past).unwrap();
    world.vpython(["tool.py"]).run().expect(0, "1\n", expect![[r#"
        vpython: warning: `[WORLD]/root/v1/envs/[KEY]` was changed after it was built; vpython rebuilds it
    "#]]);
    assert!(!site.join("b.py").exists());
    world.vpython(["tool.py"]).run().prints("1\n");
    assert_eq!(world.leftovers().len(), 2, "{:?}", world.leftovers());
}

#[test]
fn a_finished_environment_runs_from_a_store_that_cannot_be_written() {
    let is_root = nix::unistd::geteuid().is_root();
    // The superuser can write everywhere, so the test runs as another user, who may not see the
    // superuser's own pythons.
    let python = Python::all()
        .iter()
        .find(|python| !is_root || python.path.starts_with("/usr"));
    let Some(python) = python else {
        not_tested!("no python can be run by other users than the superuser");
        return;
    };
    let world = world_with(python);
    let launcher = world.copy_vpython("launcher");
    let launch = || world.program(&launcher, ["tool.py"]);
    launch().run().prints("1\n");
    set_modes(&world, 0o555, 0o444);
    let before = tree(&world.outside("root"));
    let outcome = if is_root {
        launch().user(65534).run()
    } else {
        launch().run()
    };
    assert_eq!(tree(&world.outside("root")), before);
    set_modes(&world, 0o755, 0o644);
    outcome.prints("1\n");
}

/// Sets the modes of all directories and of all files in the world that are not executable.
fn set_modes(world: &World, directories: u32, files: u32) {
    let entries: Vec<_> = walkdir::WalkDir::new(world.outside(""))
        .into_iter()
        .map(Result::unwrap)
        .collect();
    for entry in entries.iter().rev() {
        let mode = entry.metadata().unwrap().permissions().mode();
        let mode = match entry.file_type() {
            kind if kind.is_dir() => directories,
            kind if kind.is_file() && mode & 0o111 == 0 => files,
            _ => continue,
        };
        std::fs::set_permissions(entry.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn everything_that_is_remembered_can_be_deleted() {
    let world = world();
    world.vpython(["tool.py"]).run().prints("1\n");
    for content in [&b""[..], b"{", b"null", b"\xff"] {
        for entry in std::fs::read_dir(world.store("memo")).unwrap() {
            std::fs::write(entry.unwrap().path(), content).unwrap();
        }
        world.vpython(["tool.py"]).run().prints("1\n");
    }
    for directory in ["memo", "locks", "tmp", "wheels"] {
        std::fs::remove_dir_all(world.store(directory)).unwrap();
        world.vpython(["tool.py"]).run().prints("1\n");
    }
    std::fs::remove_dir_all(world.store("envs")).unwrap();
    world.vpython(["tool.py"]).run().prints("1\n");
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    world.vpython(["tool.py"]).run().prints("1\n");
}

#[test]
fn the_last_use_is_recorded_once_an_hour() {
    let world = world();
    let environment = world.install(["tool.py"]);
    let manifest = environment.join("vpython.json");
    let used = || manifest.metadata().unwrap().modified().unwrap();
    let set = |age: Duration| {
        let time = SystemTime::now() - age;
        File::open(&manifest).unwrap().set_modified(time).unwrap();
        used()
    };
    let recent = set(Duration::from_mins(59));
    world.vpython(["tool.py"]).run().prints("1\n");
    assert_eq!(used(), recent);
    let old = set(Duration::from_mins(61));
    world.vpython(["tool.py"]).run().prints("1\n");
    assert!(used() > old + Duration::from_hours(1));
}

#[test]
fn a_root_that_others_can_write_to_is_refused() {
    let world = world();
    std::fs::create_dir(world.outside("root")).unwrap();
    std::fs::set_permissions(
        world.outside("root"),
        std::fs::Permissions::from_mode(0o777),
    )
    .unwrap();
    world.vpython(["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot use `[WORLD]/root` as the store
              caused by: it is writable by other users (mode 0777)
              hint: run `chmod go-w '[WORLD]/root'` if you trust its contents
        "#]],
    );
}

#[test]
fn a_root_that_is_not_a_directory_is_refused() {
    let world = world();
    std::fs::write(world.outside("root"), "").unwrap();
    world.vpython(["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot use `[WORLD]/root` as the store
              caused by: it is not a directory
        "#]],
    );
}

#[test]
fn a_new_root_is_accessible_to_its_owner_only() {
    let world = world();
    world
        .vpython(["tool.py"])
        .without("VPYTHON_VIRTUALENV_ROOT")
        .run()
        .prints("1\n");
    let name = format!("home/.cache/vpython-root.{}", nix::unistd::geteuid());
    assert_eq!(
        world
            .outside(&name)
            .metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o7777,
        0o700
    );
}

#[test]
fn order_of_requirements_and_path_of_wheels_do_not_change_the_environment() {
    let world = World::new();
    let key = |world: &World| world.install([""; 0]).file_name().unwrap().to_owned();
    for name in ["a", "b"] {
        world.wheel(&Wheel::module(name, "1"));
    }
    world.write("vpython.toml", "dependencies = ['a', 'b']\n");
    let first = key(&world);
    world.write("vpython.toml", "dependencies = ['b==1', 'a>=0']\n");
    assert_eq!(key(&world), first);
    let other = World::new();
    for name in ["a", "b"] {
        Wheel::module(name, "1").write_to(&other.path("pip_packages"));
    }
    other.write("vpython.toml", "dependencies = ['a', 'b']\n");
    assert_eq!(key(&other), first);
}
