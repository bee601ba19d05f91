//! The byte code that `install` compiles, and the byte code that it leaves to python.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};

use crate::support::{Outcome, Python, Wheel, World};

const SOUND: Expect = expect![[r#"
    1 environment and 1 unpacked wheel: all files are intact
"#]];

/// A package with a module for Python 2 and a module that nothing imports, and a separate module.
fn wheel() -> Wheel {
    let place = "import sys\ndef place():\n    return sys._getframe().f_code.co_filename\n";
    Wheel::new("some", "1")
        .compressed()
        .file("some/__init__.py", place)
        .file("some/old.py", "print 'for Python 2'\n")
        .file(
            "some/constants.py",
            "NAMES = {'a', 'b', 'c', 'd'}\nTEXT = 'some'\n",
        )
        .file("some/template.in.py", "x = 1\n")
        .file("one.py", "VERSION = 1\n")
}

fn world(python: &'static Python) -> World {
    let world = World::with_python(python);
    world.wheel(&wheel());
    world.write("vpython.toml", "dependencies = ['some']\n");
    world
}

fn site(environment: &Path, world: &World) -> PathBuf {
    environment.join(format!("lib/{}/site-packages", world.python.name()))
}

/// Installs, and returns what was compiled.
fn install(world: &World, words: &[&str]) -> (PathBuf, usize) {
    let launch = world
        .vpython(["-vpython-log-level", "debug", "-vpython-tool", "install"])
        .arguments(words);
    let outcome = launch.run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    (
        outcome.raw_stdout.trim_end().into(),
        outcome.stderr.matches("compiling the wheel").count(),
    )
}

/// The byte code files below a directory, by relative path, sorted.
fn byte_code(directory: &Path) -> Vec<String> {
    let files = walkdir::WalkDir::new(directory)
        .into_iter()
        .map(|entry| entry.unwrap().into_path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "pyc"));
    let mut files: Vec<_> = files
        .map(|path| {
            path.strip_prefix(directory)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    files.sort();
    files
}

/// The byte code directory of the only wheel.
fn in_store(world: &World) -> PathBuf {
    let [wheel] = &std::fs::read_dir(world.store("wheels"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect::<Vec<_>>()[..]
    else {
        panic!("there is one wheel");
    };
    wheel.join(format!("byte-code-3.{}", world.python.minor))
}

fn is_sound(world: &World) -> Outcome {
    let outcome = world.vpython(["-vpython-tool", "check", "--all"]).run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome
}

/// Checks whether python uses the existing byte code of a module.
fn is_used(world: &World, module: &str) -> bool {
    let outcome = world
        .vpython(["-v", "-c", &format!("import {module}")])
        .run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome
        .stderr
        .lines()
        .any(|line| line.contains("/envs/[KEY]/lib/") && line.contains(" matches "))
}

#[test]
fn install_compiles_what_can_be_compiled() {
    for python in Python::each_build() {
        let world = world(python);
        let (environment, compiled) = install(&world, &["-c", ""]);
        let site = site(&environment, &world);
        let tag = format!("cpython-3{}", python.minor);
        if python.minor == 6 {
            assert_eq!(
                (byte_code(&site), compiled),
                (vec![], 0),
                "it has no unchecked byte code"
            );
            continue;
        }
        let expected = [
            "__pycache__/one",
            "some/__pycache__/__init__",
            "some/__pycache__/constants",
        ];
        assert_eq!(
            byte_code(&site),
            expected.map(|path| format!("{path}.{tag}.pyc")),
            "{}",
            python.version
        );
        for path in byte_code(&site) {
            let content = std::fs::read(site.join(&path)).unwrap();
            assert_eq!(
                content[4..8],
                [1, 0, 0, 0],
                "it is not checked against its source"
            );
            assert_eq!(site.join(&path).metadata().unwrap().mode() & 0o7777, 0o444);
            let root = world.outside("root");
            assert!(
                memchr::memmem::find(&content, root.to_str().unwrap().as_bytes()).is_none(),
                "{path} names its place"
            );
        }
        assert!(
            is_used(&world, "one") && is_used(&world, "some"),
            "{}",
            python.version
        );
        let program = "import some; print(some.place())";
        let outcome = world.vpython(["-c", program]).run();
        assert_eq!(
            outcome.raw_stdout.trim_end(),
            site.join("some/__init__.py").to_str().unwrap()
        );
        is_sound(&world);
    }
}

#[test]
fn a_launch_leaves_small_modules_to_python_and_a_later_install_compiles_all() {
    let world = world(Python::any());
    world.vpython(["-c", "import one"]).run().prints("");
    let [environment] = &world.environments()[..] else {
        panic!("there is one environment")
    };
    let site = site(environment, &world);
    let own = std::fs::read(site.join(&byte_code(&site)[0])).unwrap();
    assert_eq!(
        (byte_code(&site).len(), &own[4..8]),
        (1, &[0; 4][..]),
        "python checks its own against its source"
    );
    let before = site.metadata().unwrap().modified().unwrap();
    assert_eq!(
        install(&world, &["-c", "import one"]),
        (environment.clone(), 1)
    );
    assert_eq!(byte_code(&site).len(), 3);
    let ours = std::fs::read(in_store(&world).join(&byte_code(&site)[0])).unwrap();
    assert_eq!(
        std::fs::read(site.join(&byte_code(&site)[0])).unwrap(),
        ours,
        "it replaces the byte code that python wrote"
    );
    assert_eq!(site.metadata().unwrap().modified().unwrap(), before);
    assert!(is_used(&world, "some"));
    assert_eq!(install(&world, &["-c", "import one"]).1, 0);
    world.vpython(["-c", "import one"]).run().expect(0, "", "");
    is_sound(&world);
}

#[test]
fn a_second_environment_links_what_the_first_compiled() {
    let world = world(Python::any());
    world.wheel(&Wheel::module("other", "1"));
    let (first, compiled) = install(&world, &["-c", ""]);
    assert_eq!(compiled, 1);
    world.write(
        "more/vpython.toml",
        "dependencies = ['some', 'other']\n[tool.vpython]\nwheels = ['../wheels']\n",
    );
    world.write("more/tool.py", "");
    let (second, compiled) = install(&world, &["more/tool.py"]);
    assert_eq!(compiled, 1, "`other` alone");
    for path in byte_code(&in_store_of(&world, "some")) {
        let inode = |environment: &Path| {
            site(environment, &world)
                .join(&path)
                .metadata()
                .unwrap()
                .ino()
        };
        assert_eq!(inode(&first), inode(&second), "{path}");
    }
    std::fs::remove_dir_all(&second).unwrap();
    assert_eq!(install(&world, &["more/tool.py"]), (second.clone(), 0));
    assert_eq!(byte_code(&site(&second, &world)).len(), 4);
}

#[test]
fn a_launch_links_the_byte_code_that_the_store_has_of_all_wheels() {
    let world = world(Python::any());
    world.wheel(&Wheel::module("other", "1"));
    install(&world, &["-c", ""]);
    let wheels = "[tool.vpython]\nwheels = ['../wheels']\n";
    // The store has no byte code of `other`, and a launch does not compile it.
    world.write(
        "more/vpython.toml",
        format!("dependencies = ['some', 'other']\n{wheels}"),
    );
    world.write("more/tool.py", "import other\n");
    world.vpython(["more/tool.py"]).run().prints("");
    install(&world, &["more/tool.py"]);
    // Now it has.
    world.write(
        "less/vpython.toml",
        format!("dependencies = ['other']\n{wheels}"),
    );
    world.write("less/tool.py", "import other\n");
    let before = world.environments();
    let tool = world.vpython(["-v", "less/tool.py"]).run();
    assert!(tool.stderr.contains(" matches "), "{tool}");
    let new = world.environments();
    let [environment] = &new
        .iter()
        .filter(|new| !before.contains(new))
        .collect::<Vec<_>>()[..]
    else {
        panic!("there is one new environment")
    };
    let found = byte_code(&site(environment, &world));
    assert_eq!(found, byte_code(&in_store_of(&world, "other.py")));
    // `install` has nothing to do, and finds all of it.
    assert_eq!(
        install(&world, &["less/tool.py"]),
        ((*environment).clone(), 0)
    );
    is_sound(&world);
}

/// The byte code directory of the wheel with this package.
fn in_store_of(world: &World, package: &str) -> PathBuf {
    let mut wheels = std::fs::read_dir(world.store("wheels"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let wheel = wheels
        .find(|wheel| wheel.join("site").join(package).exists())
        .unwrap();
    wheel.join(format!("byte-code-3.{}", world.python.minor))
}

#[test]
fn python_does_not_write_into_the_store() {
    let world = world(Python::any());
    install(&world, &["-c", ""]);
    let directory = in_store(&world);
    let read = || {
        byte_code(&directory)
            .into_iter()
            .map(|path| std::fs::read(directory.join(path)).unwrap())
            .collect::<Vec<_>>()
    };
    let before = read();
    let program = "import compileall, one, os; compileall.compile_dir(os.path.dirname(one.__file__), force=True, quiet=2)";
    world.vpython(["-c", program]).run().expect(0, "", "");
    assert_eq!(read(), before);
    // Python may write its own in place of those of vpython, as it does if it runs during `install`. A
    // repair removes them.
    is_sound(&world);
    let check = ["-vpython-tool", "check", "--repair", "-c", ""];
    let outcome = world.vpython(check).run();
    let is_reported = outcome.stdout.starts_with("changed  ")
        && outcome
            .stdout
            .contains("/site-packages/__pycache__/one.cpython");
    assert!(outcome.code == Some(0) && is_reported, "{outcome}");
    world.install(["-c", ""]);
    world.vpython(check).run().prints(SOUND);
    // What does not belong to the source is damage.
    let [environment] = &world.environments()[..] else {
        panic!("there is one environment")
    };
    let one = site(environment, &world).join(format!(
        "__pycache__/one.cpython-3{}.pyc",
        world.python.minor
    ));
    std::fs::remove_file(&one).unwrap();
    std::fs::write(&one, [0; 16]).unwrap();
    let outcome = world.vpython(["-vpython-tool", "check", "-c", ""]).run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
}

#[test]
fn damaged_byte_code_is_found_and_compiled_again() {
    let world = world(Python::any());
    let (environment, _) = install(&world, &["-c", ""]);
    let path = in_store(&world).join(&byte_code(&in_store(&world))[0]);
    let length = path.metadata().unwrap().len();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, vec![0; usize::try_from(length).unwrap()]).unwrap();
    let outcome = world
        .vpython(["-vpython-tool", "check", "--repair", "--all"])
        .run();
    let first = format!(
        "changed  [WORLD]{}",
        world
            .redact(path.to_str().unwrap())
            .trim_start_matches("[WORLD]")
    );
    assert_eq!(outcome.stdout.lines().next().unwrap(), first, "{outcome}");
    assert_eq!(install(&world, &["-c", ""]), (environment, 1));
    is_sound(&world);
    std::fs::remove_file(in_store(&world).join(&byte_code(&in_store(&world))[0])).unwrap();
    std::fs::remove_dir_all(&world.environments()[0]).unwrap();
    let outcome = world.vpython(["-vpython-tool", "install", "-c", ""]).run();
    let (warnings, _) = outcome.stderr.split_once("vpython: 1 wheel, ").unwrap();
    assert!(
        warnings.contains("is damaged") && warnings.ends_with("vpython rebuilds it\n"),
        "{outcome}"
    );
    is_sound(&world);
}

#[test]
fn byte_code_that_a_wheel_ships_is_kept() {
    let world = World::with_python(Python::any());
    let name = format!("__pycache__/one.cpython-3{}.pyc", world.python.minor);
    world.wheel(&wheel().file(&name, "shipped"));
    world.write("vpython.toml", "dependencies = ['some']\n");
    let (environment, _) = install(&world, &["-c", ""]);
    assert_eq!(
        std::fs::read_to_string(site(&environment, &world).join(&name)).unwrap(),
        "shipped"
    );
    is_sound(&world);
    // It is not that of the source, so python replaces it.
    world.vpython(["-c", "import one"]).run().prints("");
    let found = std::fs::read(site(&environment, &world).join(&name)).unwrap();
    assert_ne!(found, b"shipped");
    is_sound(&world);
}

#[test]
fn the_documented_example_does_what_it_says() {
    let page = include_str!("../../docs/store.md");
    let (_, rest) = page
        .split_once("<!-- compiled -->\n```console\n$ vpython ")
        .unwrap();
    let (command, rest) = rest.split_once('\n').unwrap();
    let world = world(Python::any());
    world.write("report.py", "import some\n");
    let outcome = world.vpython(command.split(' ')).run();
    outcome.installs("");
    let lines: Vec<&str> = rest.split("```").next().unwrap().lines().collect();
    assert!(
        lines.len() == 2
            && lines[0].contains("/v1/envs/")
            && lines[1].starts_with("vpython: 3 wheels, "),
        "{lines:?}"
    );
    assert!(is_used(&world, "some"));
}
