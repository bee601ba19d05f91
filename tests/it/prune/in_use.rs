//! `prune` next to running programs, builds and launches.

use std::process::Stdio;
use std::sync::atomic::Ordering;

use super::{build, prune, sum, world};
use crate::support::Outcome;

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
