//! Links out of an environment that `relocate` is to change.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{OTHER_USER, world};
use crate::support::World;

/// An environment of another tool that belongs to another user, with a link to a directory of the
/// caller.
fn relocated(part: &str) -> Option<(World, PathBuf)> {
    let world = world(0o755)?;
    let environment = world.path("env");
    std::fs::create_dir_all(environment.join("lib/python3.11/site-packages")).unwrap();
    std::fs::create_dir_all(environment.join("bin")).unwrap();
    std::fs::write(environment.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
    std::fs::write(environment.join("bin/activate"), "VIRTUAL_ENV='/old/env'\n").unwrap();
    // The directory of the caller has files that a relocation would rewrite.
    let mine = world.path("mine");
    std::fs::create_dir_all(mine.join("site-packages")).unwrap();
    std::fs::create_dir_all(mine.join("python3.11/site-packages")).unwrap();
    let script = "#!/old/env/bin/python\n";
    let files = [
        "tool",
        "x.pth",
        "site-packages/x.pth",
        "python3.11/site-packages/x.pth",
    ];
    for file in files {
        std::fs::write(
            mine.join(file),
            if file == "tool" {
                script
            } else {
                "/old/env/src\n"
            },
        )
        .unwrap();
    }
    std::fs::write(mine.join("activate"), "VIRTUAL_ENV='/old/env'\n").unwrap();
    // A part of the environment becomes a link to them.
    let replaced = environment.join(part);
    if replaced.is_dir() {
        std::fs::remove_dir_all(&replaced).unwrap();
    } else {
        std::fs::remove_file(&replaced).unwrap();
    }
    let target = if replaced.extension().is_some() {
        mine.join("x.pth")
    } else {
        mine.clone()
    };
    symlink(target, &replaced).unwrap();
    let given = std::process::Command::new("chown")
        .args(["-hR", &OTHER_USER.to_string()])
        .arg(&environment)
        .status()
        .unwrap();
    assert!(given.success());
    Some((world, mine))
}

#[test]
fn relocate_changes_nothing_outside_the_environment() {
    for part in [
        "bin",
        "lib",
        "lib/python3.11",
        "lib/python3.11/site-packages",
        "pyvenv.cfg",
    ] {
        let Some((world, mine)) = relocated(part) else {
            return;
        };
        let before = contents(&mine);
        let outcome = world.vpython(["-vpython-tool", "relocate", "env"]).run();
        assert!(outcome.code.is_some(), "{part}: {outcome}");
        assert_eq!(contents(&mine), before, "{part}: {outcome}");
    }
}

/// The files in a directory, with their contents.
fn contents(directory: &Path) -> Vec<(PathBuf, String)> {
    let entries = walkdir::WalkDir::new(directory)
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            (
                entry.path().to_path_buf(),
                std::fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect()
}
