//! Damage in the store: vpython notices it, reports it, and repairs it from the wheels.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use expect_test::{Expect, expect};

use crate::support::{Wheel, World};

const CHANGED: Expect = expect![[r#"
    vpython: warning: `[WORLD]/root/v1/envs/[KEY]` was changed after it was built; vpython rebuilds it
"#]];

/// A world with wheels of `a` and `b`, and a script that prints the version of `a`.
fn world() -> World {
    let world = World::new();
    for name in ["a", "b"] {
        world.wheel(&Wheel::module(name, "1"));
    }
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a\nprint(a.VERSION)\n",
    );
    world
}

#[test]
fn a_missing_essential_file_of_an_environment_is_noticed_at_once() {
    for part in ["pyvenv.cfg", "bin/python3", "vpython.json"] {
        let world = world();
        let environment = world.install(["tool.py"]);
        std::fs::remove_file(environment.join(part)).unwrap();
        world.vpython(["tool.py"]).run().expect(0, "1\n", CHANGED);
        world.vpython(["tool.py"]).run().prints("1\n");
    }
}

#[test]
fn a_change_within_the_second_of_the_build_is_noticed() {
    let world = world();
    let environment = world.install(["tool.py"]);
    let site = environment.join(format!("lib/python3.{}/site-packages", world.python.minor));
    let built = site.metadata().unwrap().modified().unwrap();
    let nanoseconds = built.duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    let step = Duration::from_nanos(1);
    let moved = if nanoseconds < 500_000_000 {
        built + step
    } else {
        built - step
    };
    File::open(&site).unwrap().set_modified(moved).unwrap();
    world.vpython(["tool.py"]).run().expect(0, "1\n", CHANGED);
}

#[test]
fn a_changed_environment_is_kept_until_another_replaces_it() {
    let world = world();
    let environment = world.install(["tool.py"]);
    std::fs::remove_file(environment.join("pyvenv.cfg")).unwrap();
    // The build of the other environment fails, because its wheel is not yet unpacked and now
    // contains noise of the same size and time.
    std::fs::remove_dir_all(world.store("wheels")).unwrap();
    std::fs::create_dir(world.store("wheels")).unwrap();
    let wheel = world.path("wheels/a-1-py3-none-any.whl");
    let before = wheel.metadata().unwrap();
    std::fs::write(&wheel, vec![7; usize::try_from(before.len()).unwrap()]).unwrap();
    File::options()
        .write(true)
        .open(&wheel)
        .unwrap()
        .set_modified(before.modified().unwrap())
        .unwrap();
    let outcome = world.vpython(["tool.py"]).run();
    outcome.refuses(125, expect![[r#"
        vpython: warning: `[WORLD]/root/v1/envs/[KEY]` was changed after it was built; vpython rebuilds it
        vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
          caused by: it has changed since it was selected
          caused by: its sha256 was 065bdd17f0ab26388d67f03f91b370c14a23ee507d554e436b01e9c187d156d6, but is 58aa3d72fec870e6b58297d25b2ccbdbbc690a5e3e67a2ea45441e6f6f04e681 now
          hint: run the command again when no process writes to the wheel any more
    "#]]);
    assert!(environment.join("vpython.json").exists());
}

#[test]
fn a_store_restored_with_whole_seconds_is_accepted() {
    let world = world();
    let environment = world.install(["tool.py"]);
    let site = environment.join(format!("lib/python3.{}/site-packages", world.python.minor));
    let built = site.metadata().unwrap();
    let seconds = UNIX_EPOCH + Duration::from_secs(built.mtime().unsigned_abs());
    File::open(&site).unwrap().set_modified(seconds).unwrap();
    world.vpython(["tool.py"]).run().prints("1\n");
}

#[test]
fn an_unpacked_wheel_with_a_missing_or_truncated_file_is_unpacked_again() {
    for (file, cut) in [
        ("site/a.py", false),
        ("site/a.py", true),
        ("wheel.json", true),
    ] {
        let world = world();
        world.install(["tool.py"]);
        let wheels: Vec<_> = std::fs::read_dir(world.store("wheels"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        let path = wheels[0].join(file);
        std::fs::remove_file(&path).unwrap();
        if cut {
            std::fs::write(&path, "").unwrap();
        }
        // Another environment with the same wheel.
        world.write(
            "other.py",
            "# /// script\n# dependencies = ['a', 'b']\n# ///\nimport a\nprint(a.VERSION)\n",
        );
        let outcome = world.vpython(["other.py"]).run();
        assert_eq!(
            (outcome.code, &*outcome.stdout),
            (Some(0), "1\n"),
            "{outcome}"
        );
        assert!(
            outcome.stderr.contains("is damaged (")
                && outcome.stderr.contains("); vpython unpacks it again\n"),
            "{outcome}"
        );
        world.vpython(["other.py"]).run().prints("1\n");
    }
}

#[test]
fn the_next_build_removes_the_remains_of_a_killed_one() {
    let world = world();
    let environment = world.install(["tool.py"]);
    let key = environment.file_name().unwrap().to_str().unwrap();
    for leftover in [format!("{key}-dead"), "another-living".to_owned()] {
        std::fs::create_dir(world.store("tmp").join(leftover)).unwrap();
    }
    std::fs::remove_dir_all(&environment).unwrap();
    world.vpython(["tool.py"]).run().prints("1\n");
    assert!(!world.store("tmp").join(format!("{key}-dead")).exists());
    assert!(world.store("tmp/another-living").exists());
}

#[test]
fn a_launch_waits_for_an_environment_that_is_locked_for_removal() {
    let world = world();
    let environment = world.install(["tool.py"]);
    let manifest = File::open(environment.join("vpython.json")).unwrap();
    fs2::FileExt::lock_exclusive(&manifest).unwrap();
    let child = world.vpython(["tool.py"]).spawn();
    wait_for_waiter(&environment.join("vpython.json"));
    fs2::FileExt::unlock(&manifest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((&*output.stdout, &*output.stderr), (&b"1\n"[..], &b""[..]));
}

/// Waits until a process waits for a lock on the file: `/proc/locks` then has a line with an arrow
/// for it.
fn wait_for_waiter(path: &Path) {
    let inode = format!(":{} ", path.metadata().unwrap().ino());
    let is_waiter = |line: &str| line.contains("->") && line.contains(&inode);
    while !std::fs::read_to_string("/proc/locks")
        .unwrap()
        .lines()
        .any(is_waiter)
    {
        std::thread::yield_now();
    }
}
