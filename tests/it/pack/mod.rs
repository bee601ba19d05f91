//! `-vpython-tool pack`: archives and packages, and the reader of archives.

mod archives;
mod extract;
mod image;
mod orders;
mod packages;
mod same_bytes;
mod squashfs;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{Outcome, Python, Wheel, World, start};

/// The options that each format needs.
const ORDERS: [(&str, &[&str]); 7] = [
    ("app.tar", &[]),
    ("app.tar.gz", &[]),
    ("app.tar.zst", &["--prefix", "/opt/app/env"]),
    ("app.zip", &["--prefix", "/opt/app/env"]),
    ("app.rpm", PACKAGE),
    ("app.deb", DEB),
    ("app.oci.tar", &["--prefix", "/opt/app/env"]),
];
/// The options of a package.
const PACKAGE: &[&str] = &[
    "--prefix",
    "/opt/app/env",
    "--name",
    "app",
    "--package-version",
    "1.0",
];
const DEB: &[&str] = &[
    "--prefix",
    "/opt/app/env",
    "--name",
    "app",
    "--package-version",
    "1.0",
    "--maintainer",
    "Ada Lovelace <ada@example.org>",
];

/// A module whose path is too long for the header of a tar archive.
const DEEP: &str = "some/a_directory_with_a_name_that_is_rather_long/another_directory_with_a_name_that_is_even_longer_than_that/deep.py";

/// A world with a wheel that has scripts, long names, names that are not ASCII, and files that are
/// large, empty and executable.
fn world() -> World {
    world_with(Python::any())
}

fn world_with(python: &'static Python) -> World {
    let world = World::with_python(python);
    let main = "def main():\n    print('some', 1)\n";
    let wheel = Wheel::new("some", "1")
        .compressed()
        .file("some/__init__.py", main)
        .file(DEEP, "x = 1\n")
        .file("some/zażółć.py", "x = 2\n")
        .file(
            "some/large.bin",
            (0..700_000_u32)
                .flat_map(u32::to_le_bytes)
                .collect::<Vec<u8>>(),
        )
        .file("some/empty", "")
        .file_with_mode("some/tool.sh", "#!/bin/sh\n", 0o777)
        .entry_point("run-some", "some:main")
        .script("shipped", "#!python\nimport some; some.main()\n");
    world.wheel(&wheel);
    world.wheel(&Wheel::module("other", "2"));
    world.write("vpython.toml", "dependencies = ['some', 'other']\n");
    world
}

/// Packs into this file.
fn pack(world: &World, file: &str, options: &[&str]) -> Outcome {
    world
        .vpython(["-vpython-tool", "pack", "--output", file])
        .arguments(options)
        .run()
}

/// Packs in the format of this file name, and returns the path.
fn packed(world: &World, file: &str) -> PathBuf {
    let (_, options) = ORDERS.iter().find(|(name, _)| *name == file).unwrap();
    pack(world, file, options).expect(0, "", &world.interpreter_warning());
    world.path(file)
}

/// Runs a program that must succeed, and returns its output.
fn output(program: &str, words: &[&str]) -> String {
    let output = run(program, words);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{program} {words:?}: {}\n{errors}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a program of the system.
fn run(program: &str, words: &[&str]) -> Output {
    let mut command = Command::new(program);
    command
        .args(words)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/nonexistent");
    let child = start(
        command
            .env("LC_ALL", "C.UTF-8")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    );
    child.wait_with_output().unwrap()
}

/// Checks whether a program is installed, and says so if not.
fn has(program: &str) -> bool {
    let there = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .any(|directory| Path::new(directory).join(program).exists());
    if !there {
        not_tested!("there is no {program}");
    }
    there
}

/// Runs all scripts and modules of an environment.
fn is_alive(environment: &Path) {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let bin = environment.join("bin");
    for script in ["run-some", "shipped"] {
        assert_eq!(
            output(&text(&bin.join(script)), &[]),
            "some 1\n",
            "{script}"
        );
    }
    let program = "import other, some, sys; print(other.VERSION, sys.prefix)";
    assert_eq!(
        output(&text(&bin.join("python3")), &["-c", program]),
        format!("2 {}\n", environment.display())
    );
    let deep = DEEP.trim_end_matches(".py").replace('/', ".");
    assert_eq!(output(&text(&bin.join("python")), &["-m", &deep]), "");
}

/// Everything below a directory except directories: relative paths, sorted.
fn files(directory: &Path) -> Vec<String> {
    let entries = walkdir::WalkDir::new(directory)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| !entry.file_type().is_dir());
    let mut files: Vec<String> = entries
        .map(|entry| {
            entry
                .path()
                .strip_prefix(directory)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    files.sort();
    files
}

/// The manifest in an environment.
fn listing(environment: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(environment.join("vpython-pack.json")).unwrap()).unwrap()
}
