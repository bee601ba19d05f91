//! `-vpython-tool prune` and `list`: what they remove, keep and print.

mod in_use;
mod list;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use expect_test::expect;

use crate::support::{Outcome, Wheel, World, tree};

const DAY: Duration = Duration::from_hours(24);

/// A world with the wheels `shared`, `one` and `two`, each with some bytes.
fn world() -> World {
    let world = World::new();
    for name in ["shared", "one", "two"] {
        let wheel = Wheel::module(name, "1").file(&format!("{name}_data.txt"), name.repeat(20_000));
        wheel.write_to(&world.outside("house"));
    }
    world
}

/// Builds the environment of some wheels, and returns its directory.
fn build(world: &World, names: &[&str]) -> PathBuf {
    let spec = world.write(
        "vpython.toml",
        format!("dependencies = {names:?}\n[tool.vpython]\nwheels = ['../house']\n"),
    );
    let path = world.install(["-c", ""]);
    std::fs::remove_file(spec).unwrap();
    path
}

/// Makes an environment appear last used this many days ago.
fn age(path: &Path, days: u32) {
    File::open(path.join("vpython.json"))
        .unwrap()
        .set_modified(SystemTime::now() - DAY * days)
        .unwrap();
}

fn prune(world: &World, words: &[&str]) -> Outcome {
    world
        .vpython(["-vpython-tool", "prune"])
        .arguments(words)
        .run()
}

fn names(directory: PathBuf) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

/// The last line, without the bytes.
fn sum(outcome: &Outcome) -> &str {
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
    outcome
        .stdout
        .lines()
        .last()
        .unwrap()
        .rsplit_once(": ")
        .unwrap()
        .0
}

#[test]
fn environments_unused_for_long_are_removed_with_their_wheels() {
    let world = world();
    let old = build(&world, &["one", "shared"]);
    let new = build(&world, &["two", "shared"]);
    assert_eq!(
        sum(&prune(&world, &[])),
        "removed 0 environments, 0 unpacked wheels and 0 leftovers of builds and launches"
    );
    age(&old, 41);
    let outcome = prune(&world, &[]);
    assert_eq!(
        sum(&outcome),
        "removed 1 environment, 1 unpacked wheel and 1 leftover of builds and launches"
    );
    let key = old.file_name().unwrap().to_str().unwrap();
    let line = format!("{key}  python [VERSION] with one 1 and shared 1, unused for 41 days\n");
    assert!(outcome.stdout.starts_with(&line), "{outcome}");
    assert!(!old.exists() && new.join("bin/python3").exists());
    assert_eq!(
        (names(world.store("wheels")), names(world.store("tmp"))),
        (2, 0)
    );
    assert_eq!(build(&world, &["one", "shared"]), old, "it is built again");
    age(&old, 2);
    assert_eq!(
        sum(&prune(&world, &["--older-than", "36h"])),
        "removed 1 environment, 1 unpacked wheel and 2 leftovers of builds and launches"
    );
}

#[test]
fn prune_can_remove_everything() {
    let world = world();
    build(&world, &["one"]);
    build(&world, &["two"]);
    assert_eq!(
        sum(&prune(&world, &["--all"])),
        "removed 2 environments, 2 unpacked wheels and 3 leftovers of builds and launches"
    );
    assert_eq!(
        (
            names(world.store("envs")),
            names(world.store("wheels")),
            names(world.store("tmp"))
        ),
        (0, 0, 0)
    );
}

#[test]
fn a_dry_run_of_prune_removes_nothing_and_prints_the_same() {
    let world = world();
    let old = build(&world, &["one"]);
    build(&world, &["two"]);
    age(&old, 41);
    std::fs::create_dir(world.store("tmp/aside-x")).unwrap();
    let before = [
        tree(&world.store("envs")),
        tree(&world.store("wheels")),
        tree(&world.store("tmp")),
    ];
    let rehearsal = prune(&world, &["--dry-run"]);
    assert_eq!(
        [
            tree(&world.store("envs")),
            tree(&world.store("wheels")),
            tree(&world.store("tmp"))
        ],
        before
    );
    let earnest = prune(&world, &[]);
    assert_eq!(
        rehearsal
            .stdout
            .replace("would remove", "removed")
            .replace("1 leftover ", "2 leftovers "),
        earnest.stdout
    );
}

#[test]
fn a_size_limit_removes_the_least_recently_used_first() {
    let world = world();
    let [one, two, three] = [
        build(&world, &["one", "shared"]),
        build(&world, &["two", "shared"]),
        build(&world, &["shared"]),
    ];
    for (path, days) in [(&one, 1), (&two, 3), (&three, 2)] {
        age(path, days);
    }
    let total = |world: &World| {
        let listing = world.vpython(["-vpython-tool", "list", "--json"]).run();
        serde_json::from_str::<serde_json::Value>(&listing.raw_stdout).unwrap()["total"]
            .as_u64()
            .unwrap()
    };
    let all = total(&world);
    let outcome = prune(&world, &["--max-size", &format!("{}B", all - 1)]);
    assert_eq!(
        sum(&outcome),
        "removed 1 environment, 1 unpacked wheel and 1 leftover of builds and launches"
    );
    assert_eq!(
        (one.exists(), two.exists(), three.exists()),
        (true, false, true)
    );
    assert!(total(&world) < all);
    let outcome = world
        .vpython(["-vpython-tool", "prune"])
        .env("VPYTHON_MAX_CACHE", "1B")
        .run();
    assert_eq!(
        sum(&outcome),
        "removed 2 environments, 2 unpacked wheels and 3 leftovers of builds and launches"
    );
}

#[test]
fn a_build_also_prunes_the_store_once_a_day() {
    let world = world();
    let [old, older] = [build(&world, &["one"]), build(&world, &["two"])];
    age(&old, 41);
    age(&older, 42);
    build(&world, &["shared"]);
    assert!(
        old.exists(),
        "the first prune is due a day after the store was created"
    );
    File::open(world.store("pruned"))
        .unwrap()
        .set_modified(SystemTime::now() - DAY)
        .unwrap();
    build(&world, &["shared", "one"]);
    assert!(!old.exists() && !older.exists());
    assert_eq!(names(world.store("wheels")), 2);
    // The clock was wrong then.
    File::open(world.store("pruned"))
        .unwrap()
        .set_modified(SystemTime::now() + DAY * 400)
        .unwrap();
    let last = world.environments().pop().unwrap();
    age(&last, 41);
    build(&world, &["two"]);
    assert!(!last.exists());
}

#[test]
fn an_invalid_age_or_size_is_refused() {
    let world = world();
    let outcome = prune(&world, &["--older-than", "soon"]);
    outcome.refuses(
        125,
        expect![[r#"
            vpython: error: invalid value `soon` for `--older-than` of `-vpython-tool prune`
              hint: write a number with a unit, such as `30d`
        "#]],
    );
    let outcome = prune(&world, &["--max-size", "much"]);
    outcome.refuses(
        125,
        expect![[r#"
            vpython: error: invalid value `much` for `--max-size` of `-vpython-tool prune`
              hint: write a number with a unit, such as `10GiB`
        "#]],
    );
    world
        .vpython(["-vpython-tool", "prune"])
        .env("VPYTHON_MAX_CACHE", "much")
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: `VPYTHON_MAX_CACHE` is `much`, which is not a size
                  hint: write a number with a unit, such as `10GiB`
            "#]],
        );
}

#[test]
fn an_environment_without_metadata_is_removed_like_the_others() {
    let world = world();
    let path = build(&world, &["one"]);
    std::fs::remove_file(path.join("vpython.json")).unwrap();
    std::fs::write(path.join("vpython.json"), "{").unwrap();
    let foreign = world.store("envs/foreign");
    std::fs::create_dir(&foreign).unwrap();
    assert_eq!(
        sum(&prune(&world, &[])),
        "removed 0 environments, 1 unpacked wheel and 0 leftovers of builds and launches"
    );
    let rehearsal = prune(&world, &["--all", "--dry-run"]);
    assert_eq!(
        sum(&rehearsal),
        "would remove 0 environments, 0 unpacked wheels and 1 leftover of builds and launches"
    );
    // A program that was started in it before is still running.
    let mut child = world
        .program(
            path.join("bin/python3").to_str().unwrap(),
            ["-c", "import sys; sys.stdin.read()"],
        )
        .stdin(Stdio::piped())
        .spawn();
    assert_eq!(
        sum(&prune(&world, &["--all"])),
        "removed 0 environments, 0 unpacked wheels and 0 leftovers of builds and launches"
    );
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(
        sum(&prune(&world, &["--all"])),
        "removed 0 environments, 0 unpacked wheels and 1 leftover of builds and launches"
    );
    assert!(!path.exists() && foreign.exists());
    assert_eq!(build(&world, &["one"]), path, "it is built again");
}
