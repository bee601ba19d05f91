//! `--with-python`: an environment and its interpreter move together and do not need the original
//! interpreter.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Python, VPYTHON, Wheel, World, start};

/// A program that uses the parts of python that a program may need.
const PROGRAM: &str = "
import ctypes, hashlib, json, multiprocessing, os, sqlite3, ssl, subprocess, sys, zlib
import some, mine.more

def main():
    multiprocessing.set_start_method('spawn')
    with multiprocessing.Pool(1) as pool:
        spawned = pool.apply(os.path.basename, ['a/spawned'])
    child = subprocess.check_output([sys.executable, '-c', 'import sys, some; print(sys.prefix + some.VERSION)'])
    places = [sys.prefix, os.path.realpath(sys.base_prefix), os.path.realpath(sys.executable), os.__file__, some.__file__]
    print(spawned, child.decode().strip() == sys.prefix + '1', all(place.startswith(sys.argv[1]) for place in places))

if __name__ == '__main__':
    main()
";

/// Runs lines of `sh` with the directory `hidden` empty and `frozen` read-only, and returns their
/// output, or `None` where this machine does not permit that.
fn run_apart(hidden: &Path, frozen: &Path, lines: &str) -> Option<String> {
    let set_up = "mount -t tmpfs none \"$1\" && mount --bind \"$2\" \"$2\" && mount -o remount,ro,bind \"$2\" && cd / || exit 9\n";
    let mut command = Command::new("/usr/bin/env");
    command
        .args([
            "unshare",
            "-rm",
            "sh",
            "-c",
            &format!("{set_up}{lines}"),
            "sh",
        ])
        .args([hidden, frozen]);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdout(Stdio::piped());
    let output = start(&mut command).wait_with_output().unwrap();
    if matches!(output.status.code(), Some(1 | 9 | 127)) && output.stdout.is_empty() {
        not_tested!("nothing can be mounted");
        return None;
    }
    Some(String::from_utf8(output.stdout).unwrap())
}

/// A world whose environment is exported to `env` with its interpreter.
fn exported(python: &'static Python) -> World {
    let world = World::with_python(python);
    world.wheel(&Wheel::module("some", "1").entry_point("run-some", "some:main"));
    world.write("lib/mine/more.py", "");
    world.write("lib/mine/__init__.py", "");
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['some']\n# ///\n",
    );
    let words = [
        "-vpython-tool",
        "export",
        "env",
        "--with-python",
        "--include",
        "lib",
        "tool.py",
    ];
    world.vpython(words).run().prints("[WORLD]/work/env\n");
    world
}

/// The installation directory of a python, if it has one of its own.
fn prefix(python: &Python) -> Option<&Path> {
    let prefix = python.path.parent()?.parent()?;
    let is_own = prefix != Path::new("/usr") && prefix != Path::new("/usr/local");
    if !is_own {
        not_tested!("`{}` cannot be hidden", prefix.display());
    }
    is_own.then_some(prefix)
}

#[test]
fn a_read_only_bundle_that_was_moved_twice_runs_without_the_original() {
    for python in Python::each_build()
        .into_iter()
        .filter(|python| [8, 11, 13].contains(&python.minor))
    {
        let Some(prefix) = prefix(python) else {
            continue;
        };
        let world = exported(python);
        let program = world.write("program.py", PROGRAM);
        std::fs::rename(world.path("env"), world.path("first")).unwrap();
        let moved = world.path("a b/it's");
        std::fs::create_dir(world.path("a b")).unwrap();
        std::fs::rename(world.path("first"), &moved).unwrap();
        let lines = format!("\"$2/bin/python3\" '{}' \"$2\"", program.display());
        let Some(said) = run_apart(prefix, &moved, &lines) else {
            return;
        };
        assert_eq!(said, "spawned True True\n", "{}", python.version);
        let nested = world.path("nested");
        let lines = format!(
            "\"$2/python/bin/python3\" -m venv --without-pip {0} && {0}/bin/python -c 'print(1)'",
            nested.display()
        );
        assert_eq!(
            run_apart(prefix, &moved, &lines).unwrap(),
            "1\n",
            "{}",
            python.version
        );
    }
}

#[test]
fn the_exported_interpreter_is_a_bundle() {
    let python = Python::any();
    let Some(prefix) = prefix(python) else { return };
    let world = exported(python);
    let text = "import sys, some; print(sys.base_prefix)";
    let run = |vpython: &Path, flags: &str| {
        let root = world.outside("root");
        let root = root.display();
        format!(
            "VPYTHON_VIRTUALENV_ROOT={root} {} {flags} -vpython-spec {} -c '{text}'",
            vpython.display(),
            world.path("tool.py").display()
        )
    };
    let environment = world.path("env");
    let expected = format!("{}\n", environment.join("python").display());
    let named = run(
        Path::new(VPYTHON),
        &format!("-vpython-interpreter {}", environment.display()),
    );
    let Some(said) = run_apart(prefix, &environment, &named) else {
        return;
    };
    assert_eq!(said, expected);
    let bundled = world.copy_vpython("bundled/vpython");
    symlink(
        &environment,
        bundled.with_file_name(format!("3.{}", python.minor)),
    )
    .unwrap();
    assert_eq!(
        run_apart(prefix, &environment, &run(&bundled, "")).unwrap(),
        expected
    );
}

#[test]
fn only_the_standard_library_is_copied_and_it_has_byte_code() {
    let world = exported(Python::any());
    let minor = world.python.minor;
    let library = world.path(&format!("env/python/lib/python3.{minor}"));
    assert!(
        ["site-packages", "test", "unittest/test"]
            .iter()
            .all(|name| !library.join(name).exists())
    );
    // The byte code is of the unchecked hash-based kind (PEP 552).
    let code = std::fs::read(library.join(format!("__pycache__/os.cpython-3{minor}.pyc"))).unwrap();
    assert_eq!(
        code[4..8],
        [1, 0, 0, 0],
        "it is never checked against its source"
    );
    // The manifest and the link name the copy.
    let manifest = std::fs::read_to_string(world.path("env/vpython.json")).unwrap();
    assert!(
        manifest.contains(&format!("\"interpreter\": \"python/bin/python3.{minor}\"")),
        "{manifest}"
    );
    assert_eq!(
        std::fs::read_link(world.path("env/bin/python3")).unwrap(),
        Path::new(&format!("../python/bin/python3.{minor}"))
    );
    // The same export again changes nothing, and one without the interpreter replaces it.
    let before = std::fs::metadata(world.path("env")).unwrap().ino();
    let words = [
        "-vpython-tool",
        "export",
        "env",
        "--with-python",
        "--include",
        "lib",
        "tool.py",
    ];
    world.vpython(words).run().prints("[WORLD]/work/env\n");
    assert_eq!(
        std::fs::metadata(world.path("env")).unwrap().ino(),
        before,
        "nothing has changed"
    );
    world
        .vpython([
            "-vpython-tool",
            "export",
            "env",
            "--include",
            "lib",
            "tool.py",
        ])
        .run()
        .prints("[WORLD]/work/env\n");
    assert!(
        !world.path("env/python").exists(),
        "the way it is made is part of the request"
    );
}
