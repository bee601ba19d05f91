//! `-vpython-tool prune` and `list`: what they remove, keep and print.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

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
fn an_environment_with_a_running_program_is_kept() {
    let world = world();
    let path = build(&world, &["one"]);
    world.write(
        "vpython.toml",
        "dependencies = ['one']\n[tool.vpython]\nwheels = ['../house']\n",
    );
    // One holds the lock; the other has closed the descriptor, and is recognized by its command
    // line.
    let close = "import os, sys; os.closerange(3, 99); print('up', flush=True); sys.stdin.read(); import one";
    for program in [
        close,
        "import sys; print('up', flush=True); sys.stdin.read(); import one",
    ] {
        let mut child = world
            .vpython(["-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut line = String::new();
        std::io::BufRead::read_line(
            &mut std::io::BufReader::new(child.stdout.as_mut().unwrap()),
            &mut line,
        )
        .unwrap();
        let outcome = prune(&world, &["--all"]);
        let key = path.file_name().unwrap().to_str().unwrap();
        let line = format!(
            "{key}  python [VERSION] with one 1, unused for 0 days: kept, because a program is running in it\n"
        );
        assert!(outcome.stdout.starts_with(&line), "{outcome}");
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success(), "it can still import");
    }
    assert_eq!(
        sum(&prune(&world, &["--all"])),
        "removed 1 environment, 1 unpacked wheel and 3 leftovers of builds and launches"
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
fn remains_of_killed_builds_are_removed_and_running_builds_are_kept() {
    let world = world();
    let path = build(&world, &["one"]);
    let key = path.file_name().unwrap().to_str().unwrap();
    let left = world.store(&format!("tmp/{key}-Ab12"));
    std::fs::create_dir_all(left.join("deep")).unwrap();
    std::fs::write(world.store("memo/launch-old.json"), "{}").unwrap();
    let unused = world.store(&format!("wheels/{}", "0".repeat(64)));
    std::fs::create_dir(&unused).unwrap();
    let hold = "import fcntl, sys\nfor name, how in zip(sys.argv[1::2], sys.argv[2::2]):\n    \
                file = open(name, 'a'); fcntl.flock(file, getattr(fcntl, how)); globals()[name] = file\n\
                print('up', flush=True); sys.stdin.read()\n";
    let locks = [
        world.store("locks/building.lock"),
        world.store(&format!("locks/{key}.lock")),
    ];
    let words = [
        "-c",
        hold,
        locks[0].to_str().unwrap(),
        "LOCK_SH",
        locks[1].to_str().unwrap(),
        "LOCK_EX",
    ];
    let mut builder = world
        .program(&world.python.path, words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut line = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(builder.stdout.as_mut().unwrap()),
        &mut line,
    )
    .unwrap();
    let outcome = prune(&world, &[]);
    assert!(
        outcome
            .stdout
            .starts_with("unpacked wheels are kept, because a build is running\n"),
        "{outcome}"
    );
    assert!(left.exists() && unused.exists());
    drop(builder.stdin.take());
    builder.wait().unwrap();
    assert_eq!(
        sum(&prune(&world, &[])),
        "removed 0 environments, 1 unpacked wheel and 1 leftover of builds and launches"
    );
    assert!(!left.exists() && !unused.exists() && path.exists());
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
    outcome.refuses(125, "vpython: error: invalid value `soon` for `--older-than` of `-vpython-tool prune`\n  hint: write a number with a unit, such as `30d`\n");
    let outcome = prune(&world, &["--max-size", "much"]);
    outcome.refuses(125, "vpython: error: invalid value `much` for `--max-size` of `-vpython-tool prune`\n  hint: write a number with a unit, such as `10GiB`\n");
    let message = "vpython: error: `VPYTHON_MAX_CACHE` is `much`, which is not a size\n  hint: write a number with a unit, such as `10GiB`\n";
    world
        .vpython(["-vpython-tool", "prune"])
        .env("VPYTHON_MAX_CACHE", "much")
        .run()
        .refuses(125, message);
}

#[test]
fn list_prints_the_environments_of_the_store() {
    let world = world();
    let empty = world.vpython(["-vpython-tool", "list"]).run();
    assert_eq!(
        empty.stdout, "0 environments in [WORLD]/root: 0 B\n",
        "{empty}"
    );
    assert_eq!(
        sum(&prune(&world, &["--all"])),
        "removed 0 environments, 0 unpacked wheels and 0 leftovers of builds and launches"
    );
    assert!(
        !world.outside("root").exists(),
        "no store is created for that"
    );
    let path = build(&world, &["one", "shared"]);
    age(&path, 3);
    let text = world.vpython(["-vpython-tool", "list"]).run().stdout;
    let key = path.file_name().unwrap().to_str().unwrap();
    assert!(
        text.starts_with("used ")
            && text.contains("\n3 days ago ")
            && text.contains("  [WORLD]/work/vpython.toml  [VERSION]")
            && text.contains(&format!("  {key}\n\n1 environment in [WORLD]/root: ")),
        "{text}"
    );
    let json = world
        .vpython(["-vpython-tool", "list", "--json"])
        .run()
        .raw_stdout;
    let listing: serde_json::Value = serde_json::from_str(&json).unwrap();
    let listed = &listing["environments"][0];
    assert_eq!(
        (&listing["version"], &listed["key"], &listed["in_use"]),
        (&1.into(), &key.into(), &false.into())
    );
    assert_eq!(listed["wheels"][0]["file"], "one-1-py3-none-any.whl");
    let file = world.path("vpython.toml");
    assert_eq!(
        listed["specs"],
        serde_json::json!([{ "kind": "vpython.toml", "file": file.to_str().unwrap() }])
    );
    assert!(
        listed["shared"].as_u64().unwrap() > 100_000 && listed["own"].as_u64().unwrap() > 0,
        "{listed}"
    );
}

#[test]
fn list_prints_the_specs_of_each_environment() {
    let world = world();
    let block = "# /// script\n# dependencies = ['one']\n# [tool.vpython]\n# wheels = ['../house']\n# ///\n";
    for name in ["a.py", "b.py"] {
        world.write(name, block);
        world.install([name]);
    }
    world.install(["-c", block]);
    let specs = |world: &World| {
        let listing = world.vpython(["-vpython-tool", "list"]).run().stdout;
        let table = listing.split("\n\n").next().unwrap();
        let column = |line: &str| {
            line.split("  ")
                .filter(|cell| !cell.is_empty())
                .nth(3)
                .unwrap()
                .trim()
                .to_owned()
        };
        table.lines().skip(1).map(column).collect::<Vec<_>>()
    };
    assert_eq!(
        specs(&world),
        ["the text of -c, [WORLD]/work/a.py, [WORLD]/work/b.py"]
    );
    // Now the spec requires something else, and another spec requires nothing.
    world.write("b.py", block.replace("one", "two"));
    world.write("c.py", "");
    world.install(["b.py"]);
    world.install(["c.py"]);
    let expected = [
        "the text of -c, [WORLD]/work/a.py",
        "[WORLD]/work/b.py",
        "programs without a spec",
    ];
    assert_eq!(specs(&world), expected);
}

#[test]
fn launches_during_pruning_all_succeed() {
    let world = world();
    for (name, wheels) in [
        ("a", "'one'"),
        ("b", "'two', 'shared'"),
        ("c", "'shared'"),
        ("d", "'one', 'two'"),
    ] {
        let block = format!(
            "# /// script\n# dependencies = [{wheels}]\n# [tool.vpython]\n# wheels = ['../house']\n# ///\nprint('ok')\n"
        );
        world.write(&format!("{name}.py"), block);
    }
    let launches_left = std::sync::atomic::AtomicUsize::new(80);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while launches_left.load(Ordering::Relaxed) > 0 {
                assert_eq!(prune(&world, &["--all"]).code, Some(0));
            }
        });
        for number in 0..8 {
            let (world, launches_left) = (&world, &launches_left);
            scope.spawn(move || {
                let script = ["a.py", "b.py", "c.py", "d.py"][number % 4];
                let outcomes: Vec<Outcome> =
                    (0..10).map(|_| world.vpython([script]).run()).collect();
                launches_left.fetch_sub(10, Ordering::Relaxed);
                for outcome in outcomes {
                    outcome.prints("ok\n");
                }
            });
        }
    });
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
