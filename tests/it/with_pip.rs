//! `export --with-pip`: pip in the environment, from the wheel directories or from the wheel that
//! the interpreter brings.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use expect_test::expect;

use crate::support::{Fake, Outcome, Python, Wheel, World};

/// Checks the digest of each file that the RECORD of pip lists, and prints the files of pip in
/// `bin`.
const RECORD: &str = "import base64, csv, glob, hashlib, os, sys\n\
                      record, = glob.glob(os.path.join(sys.prefix, 'lib', '*', 'site-packages', 'pip-*.dist-info', 'RECORD'))\n\
                      site, rows = os.path.dirname(os.path.dirname(record)), list(csv.reader(open(record)))\n\
                      for path, digest, _ in rows:\n    \
                          content = open(os.path.join(site, path), 'rb').read()\n    \
                          found = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()\n    \
                          assert digest in ('', 'sha256=' + found), path\n\
                      print(len(rows) > 3, sorted(os.path.basename(row[0]) for row in rows if '/bin/' in row[0]))\n";

fn pip(version: &str) -> Wheel {
    let module = format!("def main():\n    print('pip {version}')\n");
    let pip = Wheel::new("pip", version)
        .tag("py2.py3-none-any")
        .file("pip/__init__.py", module);
    let pip = pip.file("pip/__main__.py", "import pip\npip.main()\n");
    pip.entry_point("pip", "pip:main")
        .entry_point("pip3", "pip:main")
}

/// A world with a spec, and its own interpreter, `python` in the world, which brings this wheel, if
/// any, for `ensurepip`.
fn world(real: &Path, library: &str, bundled: Option<&Wheel>) -> World {
    let world = World::new();
    symlink(real, world.outside("bin/real-python")).unwrap();
    world.write("empty/vpython.toml", "");
    let words = [
        "-vpython-interpreter",
        "../bin/real-python",
        "-vpython-tool",
        "export",
        "copied",
        "--with-python",
    ];
    world
        .vpython(words)
        .arguments(["empty/vpython.toml"])
        .run()
        .prints("[WORLD]/work/copied\n");
    std::fs::rename(world.path("copied/python"), world.outside("python")).unwrap();
    let directory: PathBuf = world
        .outside("python")
        .join(library)
        .join("ensurepip/_bundled");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    if let Some(wheel) = bundled {
        wheel.write_to(&directory);
    }
    world.wheel(&Wheel::module("a", "1"));
    world.write("vpython.toml", "dependencies = ['a']\n");
    world
}

fn world_3(bundled: Option<&Wheel>) -> World {
    world(
        &Python::any().path,
        &format!("lib/python3.{}", Python::any().minor),
        bundled,
    )
}

fn export(world: &World, words: &[&str]) -> Outcome {
    world
        .vpython([
            "-vpython-interpreter",
            "../python",
            "-vpython-tool",
            "export",
            "env",
        ])
        .arguments(words)
        .run()
}

fn inode(path: &Path) -> u64 {
    std::fs::symlink_metadata(path).unwrap().ino()
}

#[test]
fn the_interpreters_own_pip_is_installed() {
    // Higher than any version that a packager of the system may have installed.
    let world = world_3(Some(&pip("999")));
    export(&world, &["--with-pip"]).prints("[WORLD]/work/env\n");
    let python = world.path("env/bin/python");
    world
        .program(&python, ["-m", "pip"])
        .run()
        .prints("pip 999\n");
    for script in ["pip", "pip3"] {
        world
            .program(world.path("env/bin").join(script), [""; 0])
            .run()
            .prints("pip 999\n");
    }
    world
        .program(&python, ["-c", RECORD])
        .run()
        .prints("True ['pip', 'pip3']\n");
    world
        .program(&python, ["-c", "import a; print(a.VERSION)"])
        .run()
        .prints("1\n");
    let before = inode(&world.path("env"));
    export(&world, &["--with-pip"]).prints("[WORLD]/work/env\n");
    assert_eq!(inode(&world.path("env")), before, "nothing has changed");
    std::fs::rename(world.path("env"), world.path("moved")).unwrap();
    world
        .program(world.path("moved/bin/pip"), [""; 0])
        .run()
        .prints("pip 999\n");
    std::fs::rename(world.path("moved"), world.path("env")).unwrap();
    export(&world, &[]).prints("[WORLD]/work/env\n");
    assert!(
        !world.path("env/bin/pip").exists(),
        "pip is installed only on request"
    );
}

#[test]
fn wheels_of_the_spec_come_first() {
    let world = world_3(Some(&pip("999")));
    world.wheel(&pip("7"));
    world.wheel(&pip("8").requires_python("<3"));
    export(&world, &["--with-pip"]).prints("[WORLD]/work/env\n");
    world
        .program(world.path("env/bin/pip"), [""; 0])
        .run()
        .prints("pip 7\n");
    world.write("vpython.toml", "dependencies = ['a', 'pip<7']\n");
    world.wheel(&pip("6"));
    export(&world, &[]).prints("[WORLD]/work/env\n");
    let before = inode(&world.path("env"));
    export(&world, &["--with-pip"]).prints("[WORLD]/work/env\n");
    assert_eq!(
        inode(&world.path("env")),
        before,
        "pip is already installed"
    );
    world
        .program(world.path("env/bin/pip"), [""; 0])
        .run()
        .prints("pip 6\n");
}

#[test]
fn without_a_wheel_of_pip_the_request_is_refused() {
    let world = World::new();
    let fake = Fake::new(&world, &world.python.version);
    world.wheel(&pip("8").requires_python("<3"));
    world.write("vpython.toml", "");
    let message = expect![[r#"
        vpython: error: cannot install pip for `--with-pip`
          caused by: no wheel of pip in the wheel directories is compatible with CPython [VERSION] on linux x86_64
          caused by: `[WORLD]/fakes/[VERSION]/python3` has no wheel of pip in `[WORLD]/fakes/[VERSION]/bundled`
          hint: add a pip wheel to a wheel directory, or install the system package `python3-pip-whl`
    "#]];
    let words = ["-vpython-tool", "export", "env", "--with-pip"];
    world
        .vpython(["-vpython-interpreter"])
        .arguments([&fake.path])
        .arguments(words)
        .run()
        .refuses(125, &message);
    pip("8").requires_python("<3").write_to(&fake.bundle());
    world
        .vpython(["-vpython-interpreter"])
        .arguments([&fake.path])
        .arguments(words)
        .run()
        .refuses(125, &message);
    assert!(!world.path("env").exists());
}

#[test]
fn cpython_2_has_pip_too() {
    let Some(two) = Python::two() else { return };
    let world = world(&two, "lib/python2.7", Some(&pip("999")));
    world.write("vpython.toml", "requires-python = '==2.7.*'\n");
    export(&world, &["--with-pip"]).prints("[WORLD]/work/env\n");
    world
        .program(world.path("env/bin/python"), ["-m", "pip"])
        .run()
        .prints("pip 999\n");
}

#[test]
fn a_real_pip_installs_into_the_environment() {
    let world = World::new();
    world.write("vpython.toml", "");
    let exported = world
        .vpython(["-vpython-tool", "export", "env", "--with-pip"])
        .run();
    if exported
        .stderr
        .starts_with("vpython: error: cannot install pip")
    {
        not_tested!("the interpreter brings no pip");
        return;
    }
    exported.prints("[WORLD]/work/env\n");
    // pip installs another wheel into the environment.
    let wheel = Wheel::module("b", "2").write_to(&world.path("other"));
    let words = [
        "-m",
        "pip",
        "install",
        "--no-index",
        "--disable-pip-version-check",
        wheel.to_str().unwrap(),
    ];
    let python = world.path("env/bin/python");
    let installed = world
        .program(&python, words)
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .run();
    assert_eq!(
        (installed.code, &*installed.stderr),
        (Some(0), ""),
        "{installed}"
    );
    world
        .program(&python, ["-c", "import b; print(b.VERSION)"])
        .run()
        .prints("2\n");
    // The next export replaces the modified environment.
    let again = world
        .vpython(["-vpython-tool", "export", "env", "--with-pip"])
        .run();
    again.expect(
        0,
        "[WORLD]/work/env\n",
        expect![[r#"
            vpython: warning: `[WORLD]/work/env` was modified after it was exported; vpython rebuilds it
        "#]],
    );
}
