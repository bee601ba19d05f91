//! `list`, `prune` and `check` with interpreters from images.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use expect_test::expect;

use super::{IN_STORE, Image, WHERE, launch, names, redacted, world};
use crate::support::{Outcome, World};

/// A world whose store has the interpreter and an environment that uses it.
fn filled() -> World {
    let world = world();
    redacted(launch(&world, &["-c", WHERE]).run()).prints(IN_STORE);
    world
}

fn tool(world: &World, words: &[&str]) -> Outcome {
    redacted(world.vpython(["-vpython-tool"]).arguments(words).run())
}

/// Makes a file appear written this many days ago.
fn age(path: &Path, days: u64) {
    let time = SystemTime::now() - Duration::from_hours(24 * days);
    File::open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn list_shows_where_an_interpreter_comes_from() {
    let world = filled();
    let listed = tool(&world, &["list"]).stdout;
    let table = "[VERSION]  oci:[WORLD]/work/layout@sha256:[IMAGE]\n\n1 interpreter from images\n";
    assert!(listed.ends_with(table), "{listed}");
    let listed = tool(&world, &["list", "--json"]).stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let python = &listed["interpreters"][0];
    assert_eq!(python["python"], "[VERSION]");
    assert_eq!(python["path"], "[WORLD]/root/v1/pythons/[IMAGE]");
    assert_eq!(python["has_c_library"], false);
    let size = python["own"].as_u64().unwrap();
    assert!(listed["total"].as_u64().unwrap() > size && size > 1 << 20);
}

#[test]
fn prune_removes_an_old_interpreter_that_no_environment_uses() {
    let world = filled();
    let image = Image::get();
    let record = image.copy(&world).join("vpython-python.json");
    age(&record, 40);
    let sum = |outcome: &Outcome| {
        let text = outcome.stdout.lines().last().unwrap().to_owned();
        text.split(" and ").next().unwrap().to_owned()
    };
    let kept = tool(&world, &["prune"]);
    assert_eq!(sum(&kept), "removed 0 environments, 0 unpacked wheels");
    // It goes with its last environment.
    let [environment] = &names(&world.store("envs"))[..] else {
        panic!("one environment")
    };
    age(
        &world.store(&format!("envs/{environment}/vpython.json")),
        31,
    );
    let pretended = tool(&world, &["prune", "--dry-run"]);
    let expected = "would remove 1 environment, 0 unpacked wheels, 1 interpreter from images";
    assert_eq!(sum(&pretended), expected);
    assert!(record.exists());
    let pruned = tool(&world, &["prune"]);
    assert_eq!(sum(&pruned), expected.replace("would remove", "removed"));
    assert_eq!(names(&world.store("pythons")), [""; 0]);
    // A new one without an environment stays for its first launch.
    redacted(launch(&world, &["-c", WHERE]).run()).prints(IN_STORE);
    std::fs::remove_dir_all(world.store("envs")).unwrap();
    tool(&world, &["prune"]);
    assert!(record.exists());
    tool(&world, &["prune", "--all"]);
    assert_eq!(names(&world.store("pythons")), [""; 0]);
}

#[test]
fn check_finds_a_damaged_interpreter_and_repair_copies_it_again() {
    let world = filled();
    let copy = Image::get().copy(&world);
    let check = |words: &[&str]| {
        let launch = launch(&world, &["-vpython-tool", "check"]);
        redacted(launch.arguments(words).arguments(["-c", WHERE]).run())
    };
    check(&[]).prints(expect![[r#"
        1 environment, 1 interpreter from images and 0 unpacked wheels: all files are intact
    "#]]);
    let module = |name: &str| {
        let library = copy.join("lib").join(world.python.name());
        library.join(name)
    };
    std::fs::remove_file(module("string.py")).unwrap();
    std::fs::write(module("string.py"), "damaged").unwrap();
    std::fs::remove_file(module("heapq.py")).unwrap();
    std::fs::write(module("planted.py"), "").unwrap();
    let redact = |outcome: Outcome| outcome.replacing(&world.python.name(), "[PYTHON]");
    let damages = "missing  [WORLD]/root/v1/pythons/[IMAGE]/lib/[PYTHON]/heapq.py\n\
        foreign  [WORLD]/root/v1/pythons/[IMAGE]/lib/[PYTHON]/planted.py\n\
        changed  [WORLD]/root/v1/pythons/[IMAGE]/lib/[PYTHON]/string.py\n\
        1 environment, 1 interpreter from images and 0 unpacked wheels: 3 files damaged\n";
    redact(check(&[])).expect(1, damages, "");
    redact(check(&["--all"])).expect(1, damages, "");
    let repaired = redact(check(&["--repair"]));
    let removed =
        "[WORLD]/root/v1/pythons/[IMAGE]: removed; vpython rebuilds it when it is needed\n";
    let rebuilt = "[WORLD]/root/v1/envs/[KEY]\n";
    repaired.expect(0, &*format!("{damages}{removed}{rebuilt}"), "");
    redacted(launch(&world, &["-c", WHERE]).run()).prints(IN_STORE);
    check(&["--all"]).prints(expect![[r#"
        1 environment, 1 interpreter from images and 0 unpacked wheels: all files are intact
    "#]]);
}

#[test]
fn an_interpreter_that_is_gone_or_has_no_record_is_copied_again() {
    let world = filled();
    let copy = Image::get().copy(&world);
    std::fs::remove_dir_all(&copy).unwrap();
    let checked = tool(&world, &["check", "--all"]);
    checked.expect(
        1,
        expect![[r#"
        missing  [WORLD]/root/v1/pythons/[IMAGE]
        1 environment and 0 unpacked wheels: 1 file damaged
    "#]],
        "",
    );
    redacted(launch(&world, &["-c", WHERE]).run()).prints(IN_STORE);
    std::fs::remove_file(copy.join("vpython-python.json")).unwrap();
    std::fs::remove_dir_all(world.store("memo")).unwrap();
    redacted(launch(&world, &["-c", WHERE]).run()).expect(0, IN_STORE, expect![[r#"
        vpython: warning: `[WORLD]/root/v1/pythons/[IMAGE]` is damaged (`[WORLD]/root/v1/pythons/[IMAGE]/vpython-python.json` does not exist); vpython fetches it again
    "#]]);
}

#[test]
fn a_repair_leaves_an_interpreter_in_use_until_the_next_launch() {
    let world = filled();
    let copy = Image::get().copy(&world);
    let program = "import sys; print(1, flush=True); sys.stdin.read(); import json.tool; print(2)";
    let mut child = launch(&world, &["-c", program])
        .stdin(std::process::Stdio::piped())
        .spawn();
    let mut line = [0; 2];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
    std::fs::write(copy.join("planted"), "").unwrap();
    let repaired = tool(&world, &["check", "--all", "--repair"]);
    repaired.expect(
        0,
        expect![[r#"
        foreign  [WORLD]/root/v1/pythons/[IMAGE]/planted
        1 environment, 1 interpreter from images and 0 unpacked wheels: 1 file damaged
        [WORLD]/root/v1/pythons/[IMAGE]: in use by a program; the next launch rebuilds it
    "#]],
        "",
    );
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"2\n");
    redacted(launch(&world, &["-c", WHERE]).run()).expect(0, IN_STORE, expect![[r#"
        vpython: warning: `[WORLD]/root/v1/pythons/[IMAGE]` is damaged (`[WORLD]/root/v1/pythons/[IMAGE]/vpython-python.json` does not exist); vpython fetches it again
    "#]]);
    assert!(!copy.join("planted").exists());
}
