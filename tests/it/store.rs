//! The store: what a launch writes to it and trusts in it, and concurrent use.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use crate::support::{Outcome, Python, Wheel, World, tree};

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
fn a_hundred_first_launches_at_once_build_once() {
    let world = world();
    // Each process waits for a line before it becomes vpython, so that all begin when all exist.
    let words = [
        "-c",
        "read line; exec \"$0\" -vpython-log-level info tool.py",
        env!("CARGO_BIN_EXE_vpython"),
    ];
    let mut children: Vec<_> = (0..100)
        .map(|_| {
            world
                .program("/bin/sh", words)
                .stdin(Stdio::piped())
                .spawn()
        })
        .collect();
    for child in &mut children {
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
    }
    let ended = children
        .into_iter()
        .map(|child| child.wait_with_output().unwrap());
    let outcomes: Vec<Outcome> = ended
        .map(|output| Outcome::new(&world, "one of a hundred", &output))
        .collect();
    for outcome in &outcomes {
        assert_eq!(
            (outcome.code, &*outcome.stdout),
            (Some(0), "1\n"),
            "{outcome}"
        );
    }
    let builders = outcomes
        .iter()
        .filter(|outcome| {
            outcome
                .stderr
                .contains("building an environment with 1 wheel")
        })
        .count();
    assert_eq!(builders, 1);
    assert_eq!(world.environments().len(), 1);
    assert_eq!(
        world.leftovers().len(),
        2,
        "an environment, a wheel, and nothing is staged: {:?}",
        world.leftovers()
    );
}

#[test]
fn waiting_is_announced_with_the_process_that_holds_the_lock() {
    let world = world();
    let environment = world.install(["tool.py"]);
    let lock = hold_build_lock(&world, &environment);
    lock.set_len(0).unwrap();
    (&lock).write_all(b"4242").unwrap();
    std::fs::remove_dir_all(&environment).unwrap();
    let mut child = world.vpython(["tool.py"]).spawn();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut notice = String::new();
    lines.read_line(&mut notice).unwrap();
    assert_eq!(
        notice,
        "vpython: waiting for process 4242, which is building this environment\n"
    );
    assert_eq!(world.environments(), [] as [PathBuf; 0], "the launch waits");
    drop(lock);
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), &*output.stdout, &*rest),
        (Some(0), &b"1\n"[..], "")
    );
}

#[test]
fn a_build_that_was_killed_leaves_nothing_in_the_way() {
    let world = world();
    let environment = world.install(["tool.py"]);
    // The state of a build that waits for a wheel that another process unpacks: staged and not yet
    // published.
    std::fs::remove_dir_all(&environment).unwrap();
    let wheel = std::fs::read_dir(world.store("wheels"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::remove_dir_all(&wheel).unwrap();
    let name = format!(
        "locks/wheel-{}.lock",
        wheel.file_name().unwrap().to_str().unwrap()
    );
    let lock = File::options()
        .read(true)
        .write(true)
        .open(world.store(&name))
        .unwrap();
    fs2::FileExt::try_lock_exclusive(&lock).unwrap();
    let mut child = world.vpython(["tool.py"]).spawn();
    let mut notice = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut notice)
        .unwrap();
    assert!(notice.contains("unpacking a required wheel"), "{notice}");
    child.kill().unwrap();
    child.wait().unwrap();
    drop(lock);
    let visible: Vec<_> = world
        .leftovers()
        .into_iter()
        .filter(|path| !path.starts_with(world.store("tmp")))
        .collect();
    assert_eq!(visible, [] as [PathBuf; 0]);
    world.vpython(["tool.py"]).run().prints("1\n");
}

#[test]
fn an_environment_that_was_changed_is_rebuilt() {
    let world = world();
    let environment = world.install(["tool.py"]);
    let site = environment.join(format!("lib/python3.{}/site-packages", world.python.minor));
    std::fs::write(site.join("b.py"), "").unwrap();
    let past = SystemTime::now() - Duration::from_secs(5);
    File::open(&site).unwrap().set_modified(past).unwrap();
    let warning = "vpython: warning: `[WORLD]/root/v1/envs/[KEY]` was changed after it was built; vpython rebuilds it\n";
    world.vpython(["tool.py"]).run().expect(0, "1\n", warning);
    assert!(!site.join("b.py").exists());
    world.vpython(["tool.py"]).run().prints("1\n");
    assert_eq!(world.leftovers().len(), 2, "{:?}", world.leftovers());
}

#[test]
fn a_running_program_keeps_its_environment_when_it_is_set_aside() {
    let world = world();
    let environment = world.install(["tool.py"]);
    let text = "# /// script\n# dependencies = ['a']\n# ///\nimport sys\nprint('ready', flush=True)\nsys.stdin.read()\nimport a\nprint(a.VERSION)\n";
    world.write("slow.py", text);
    let mut child = world.vpython(["slow.py"]).stdin(Stdio::piped()).spawn();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let site = environment.join(format!("lib/python3.{}/site-packages", world.python.minor));
    File::open(&site)
        .unwrap()
        .set_modified(SystemTime::now() - Duration::from_secs(5))
        .unwrap();
    let outcome = world.vpython(["tool.py"]).run();
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(0), "1\n"),
        "{outcome}"
    );
    drop(child.stdin.take());
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n1\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_shared_lock_is_held_while_the_program_runs() {
    let world = world();
    world.write(
        "tool.py",
        "import sys\nprint('ready', flush=True)\nsys.stdin.read()\n",
    );
    let environment = world.install(["tool.py"]);
    let manifest = File::open(environment.join("vpython.json")).unwrap();
    let mut child = world.vpython(["tool.py"]).stdin(Stdio::piped()).spawn();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(
        fs2::FileExt::try_lock_exclusive(&manifest).is_err(),
        "another process could remove it"
    );
    fs2::FileExt::try_lock_shared(&manifest).unwrap();
    fs2::FileExt::unlock(&manifest).unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    fs2::FileExt::try_lock_exclusive(&manifest).unwrap();
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
        "vpython: error: cannot use `[WORLD]/root` as the store\n  caused by: it is writable by other users (mode 0777)\n  \
         hint: run `chmod go-w '[WORLD]/root'` if you trust its contents\n",
    );
}

#[test]
fn a_root_that_is_not_a_directory_is_refused() {
    let world = world();
    std::fs::write(world.outside("root"), "").unwrap();
    let message = "vpython: error: cannot use `[WORLD]/root` as the store\n  caused by: it is not a directory\n";
    world.vpython(["tool.py"]).run().refuses(125, message);
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
