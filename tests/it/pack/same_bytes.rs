//! Packing is reproducible: the same spec and wheels give the same bytes for every user, path, time
//! and method.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use super::{ORDERS, world_with};
use crate::support::{Launch, Python, VPYTHON, World};

/// Another user.
const OTHER_USER: u32 = 54_321;

/// Packs all formats, and returns the digests.
fn digests(
    world: &World,
    user: Option<u32>,
    around: &[(&str, &str)],
    before: &str,
) -> BTreeMap<String, String> {
    let mut digests = BTreeMap::new();
    for (file, options) in ORDERS {
        let script = format!("{before} exec \"$0\" \"$@\"");
        let mut launch =
            world.program("/bin/sh", ["-c", &script, VPYTHON, "-vpython-tool", "pack"]);
        // The interpreter is large, and one format is enough to test it.
        let more: &[&str] = if file == "app.tar" {
            &["--include", "lib", "--with-python"]
        } else {
            &["--include", "lib"]
        };
        launch = launch
            .arguments(["--output", file])
            .arguments(more)
            .arguments(options);
        launch = around
            .iter()
            .fold(launch, |launch, (name, value)| launch.env(name, value));
        launch = user.into_iter().fold(launch, Launch::user);
        let warning = if file == "app.tar" {
            String::new()
        } else {
            world.interpreter_warning()
        };
        launch.run().expect(0, "", &warning);
        let content = std::fs::read(world.path(file)).unwrap();
        digests.insert(
            file.to_owned(),
            vpython::testing::fs::Digest::of(&content).to_string(),
        );
    }
    digests
}

fn give_away(directory: &Path) {
    for entry in walkdir::WalkDir::new(directory) {
        lchown(entry.unwrap().path(), Some(OTHER_USER), Some(OTHER_USER)).unwrap();
    }
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Checks whether another user can run an interpreter.
fn can_be_run_by_others(python: &Python) -> bool {
    let mut command = Command::new(&python.path);
    command
        .args(["-c", ""])
        .uid(OTHER_USER)
        .gid(OTHER_USER)
        .current_dir("/")
        .env_clear()
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn packing_is_reproducible() {
    let is_superuser = nix::unistd::geteuid().is_root();
    let shared_python = Python::all()
        .iter()
        .filter(|python| python.minor > 6)
        .find(|python| is_superuser && can_be_run_by_others(python));
    if shared_python.is_none() {
        not_tested!(
            "another user, which needs the superuser and an interpreter that every user can run"
        );
    }
    let [one, other] = [(); 2].map(|()| world_with(shared_python.unwrap_or(Python::any())));
    one.write("lib/mine.py", "X = 1\n");
    one.write("lib/b/data", "data");
    // The same files, created in another order, with other times and modes.
    other.write_with_mode("lib/b/data", "data", 0o600);
    other.write_with_mode("lib/mine.py", "X = 1\n", 0o660);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let files = walkdir::WalkDir::new(other.path(""))
        .into_iter()
        .map(Result::unwrap);
    for file in files.filter(|entry| entry.file_type().is_file()) {
        File::options()
            .write(true)
            .open(file.path())
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
    let expected = digests(
        &one,
        None,
        &[("TZ", "UTC"), ("RAYON_NUM_THREADS", "1")],
        "umask 022;",
    );
    assert_eq!(
        expected,
        digests(&one, None, &[], "umask 022;"),
        "again, with what the store has"
    );
    let user = shared_python.map(|_| OTHER_USER);
    if user.is_some() {
        give_away(&other.outside(""));
    }
    let around = [
        ("TZ", "Asia/Kathmandu"),
        ("LANG", "tr_TR.UTF-8"),
        ("LC_ALL", "C"),
        ("RAYON_NUM_THREADS", "3"),
        ("PYTHONHASHSEED", "7"),
    ];
    assert_eq!(expected, digests(&other, user, &around, "umask 077;"));
}
