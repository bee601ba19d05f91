//! The evidence of a launch: when any of it changes, the next launch decides again.

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::{Python, Wheel, World};

const SHOW: &str = "import sys; print('%d.%d.%d' % sys.version_info[:3])";

/// A world whose script requires `a` and prints its version.
fn world() -> World {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1"));
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a\nprint(a.VERSION)\n",
    );
    world
}

#[test]
fn a_wheel_is_used_as_soon_as_it_is_complete() {
    let world = world();
    let whole = Wheel::module("a", "2").bytes();
    let path = world.write("wheels/a-2-py3-none-any.whl", &whole[..whole.len() / 2]);
    world.vpython(["tool.py"]).run().prints("1\n");
    // Appended in place, so the time of the directory is unchanged.
    std::fs::write(&path, &whole).unwrap();
    world.vpython(["tool.py"]).run().prints("2\n");
}

#[test]
fn a_link_to_a_wheel_is_followed_as_soon_as_the_wheel_exists() {
    let world = world();
    symlink(
        world.outside("later.whl"),
        world.path("wheels/a-2-py3-none-any.whl"),
    )
    .unwrap();
    world.vpython(["tool.py"]).run().prints("1\n");
    std::fs::write(world.outside("later.whl"), Wheel::module("a", "2").bytes()).unwrap();
    world.vpython(["tool.py"]).run().prints("2\n");
}

#[test]
fn a_directory_with_an_older_time_is_still_read() {
    let world = world();
    // From now on, the time of the directory shows whether a name is missing.
    std::thread::sleep(std::time::Duration::from_millis(3_100));
    world.vpython(["tool.py"]).run().prints("1\n");
    let put_back = |directory: &str, change: &dyn Fn()| {
        let before = world
            .path(directory)
            .metadata()
            .unwrap()
            .modified()
            .unwrap();
        change();
        std::fs::File::open(world.path(directory))
            .unwrap()
            .set_modified(before)
            .unwrap();
    };
    put_back("wheels", &|| drop(world.wheel(&Wheel::module("a", "2"))));
    world.vpython(["tool.py"]).run().prints("2\n");
    put_back("", &|| drop(world.write("pylock.tool.toml", "no lock")));
    assert_eq!(world.vpython(["tool.py"]).run().code, Some(125));
}

#[test]
fn an_interpreter_that_is_repaired_in_place_is_noticed() {
    let Some(other) = Python::other() else { return };
    let world = World::new();
    let early = world.outside("early");
    std::fs::create_dir(&early).unwrap();
    let path = format!("{}:{}", early.display(), world.search_path());
    let launch = || world.vpython(["-c", SHOW]).env("PATH", &path).run();
    // A link whose target does not exist yet.
    symlink(world.outside("target"), early.join("python3")).unwrap();
    launch().prints("[VERSION]\n");
    symlink(&other.path, world.outside("target")).unwrap();
    launch().prints(&format!("{}\n", other.version));
    // A file that is not executable yet.
    std::fs::remove_file(early.join("python3")).unwrap();
    let script = world.write_with_mode("early-python", "#!/bin/sh\n", 0o644);
    std::fs::hard_link(&script, early.join("python3")).unwrap();
    launch().prints("[VERSION]\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let outcome = world
        .vpython(["-vpython-log-level", "debug", "-c", SHOW])
        .env("PATH", &path)
        .run();
    assert!(
        outcome.stderr.contains("changed since the last launch"),
        "{outcome}"
    );
}

#[test]
fn a_version_is_used_as_soon_as_it_is_installed() {
    let Some(other) = Python::other() else { return };
    let world = World::new();
    // Two installed versions, of which the higher has no interpreter yet.
    let versions = world.outside("pyenv/versions");
    for (version, python) in [("3.98.0", Some(world.python)), ("3.99.0", None)] {
        let bin = versions.join(version).join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        if let Some(python) = python {
            symlink(&python.path, bin.join("python3")).unwrap();
        }
    }
    let launch = || {
        let launch = world
            .vpython(["-c", SHOW])
            .env("PATH", world.outside("home"));
        launch.env("PYENV_ROOT", world.outside("pyenv")).run()
    };
    launch().prints("[VERSION]\n");
    symlink(&other.path, versions.join("3.99.0/bin/python3")).unwrap();
    launch().prints(&format!("{}\n", other.version));
}

#[test]
fn a_named_shim_runs_what_pyenv_chooses_each_time() {
    let Some(other) = Python::other() else { return };
    let world = World::new();
    world.pyenv(&[other, world.python]);
    std::fs::create_dir(world.outside("pyenv/shims")).unwrap();
    let shim = world.write_with_mode(
        "shim",
        "#!/usr/bin/env bash\nexec \"pyenv\" exec \"$0\"\n",
        0o755,
    );
    std::fs::rename(shim, world.outside("pyenv/shims/python3")).unwrap();
    for python in [world.python, other, world.python] {
        let launch = world
            .vpython(["-c", SHOW])
            .env("VPYTHON_INTERPRETER", world.outside("pyenv/shims/python3"));
        let outcome = launch.env("PYENV_VERSION", &python.version).run();
        outcome.prints(&format!("{}\n", world.redact(&python.version)));
    }
}

#[test]
fn an_old_wheel_that_is_overwritten_is_noticed_within_an_hour() {
    let world = World::new();
    let names: Vec<String> = (0..8).map(|number| format!("w{number}")).collect();
    for name in &names {
        world.wheel(&Wheel::module(name, "1"));
    }
    let old = world.wheel(&Wheel::module("a", "1"));
    std::fs::File::open(&old)
        .unwrap()
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    let block = format!(
        "# /// script\n# dependencies = ['a', '{}']\n# ///\n",
        names.join("', '")
    );
    world.write(
        "tool.py",
        block + "import a\nprint(getattr(a, 'MORE', 'none'))\n",
    );
    world.vpython(["tool.py"]).run().prints("none\n");
    std::fs::write(
        &old,
        Wheel::new("a", "1").file("a.py", "MORE = 'more'\n").bytes(),
    )
    .unwrap();
    world.vpython(["tool.py"]).run().prints("none\n");
    let looked = set_last_look(&world, |last| last - 3600);
    world.vpython(["tool.py"]).run().prints("more\n");
    // A cold launch checks all wheels. If nothing has changed an hour later, vpython records that.
    assert!(set_last_look(&world, |last| last - 3600) >= looked);
    world.vpython(["tool.py"]).run().prints("more\n");
    assert!(
        set_last_look(&world, |last| last) >= looked,
        "the next look is in an hour"
    );
    // A time in the future is not usable as evidence.
    std::fs::write(
        &old,
        Wheel::new("a", "1")
            .file("a.py", "MORE = 'again'\n")
            .bytes(),
    )
    .unwrap();
    set_last_look(&world, |last| last + 9999);
    world.vpython(["tool.py"]).run().prints("again\n");
}

/// Changes the time in the only launch memo at which all wheels were checked, and returns the old
/// one.
fn set_last_look(world: &World, change: impl Fn(u64) -> u64) -> u64 {
    let names = std::fs::read_dir(world.store("memo"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_memo = |path: &std::path::Path| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("launch-")
    };
    let memos: Vec<_> = names.filter(|path| is_memo(path)).collect();
    let [path] = &memos[..] else {
        panic!("one memo: {memos:?}")
    };
    let mut memo: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let last = memo["others_seen"].as_u64().unwrap();
    memo["others_seen"] = change(last).into();
    memo.as_object_mut().unwrap().remove("crc32").unwrap();
    std::fs::write(
        path,
        vpython::testing::fs::seal(&serde_json::to_vec(&memo).unwrap()),
    )
    .unwrap();
    last
}
