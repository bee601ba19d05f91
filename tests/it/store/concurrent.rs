//! Launches at the same time: locks, builds that wait, and programs that keep their environment.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use super::{hold_build_lock, world};
use crate::support::Outcome;

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
