//! The example in `testdata/hello`: its wheels are those that this code makes, and it runs.

use std::path::{Path, PathBuf};

use crate::support::{Wheel, World};

/// The example's two wheels, of which one calls the other.
fn wheels() -> [Wheel; 2] {
    [
        Wheel::new("greeting", "1.0")
            .requires_python(">=3.6")
            .file("greeting/__init__.py", "\"\"\"Greets by name.\"\"\"\n\n\ndef greet(name):\n    return \"Hello, {}!\".format(name)\n")
            .file("greeting/__main__.py", "from greeting.cli import main\n\nmain()\n")
            .file("greeting/cli.py", "import sys\n\nfrom greeting import greet\n\n\ndef main():\n    print(greet(\" \".join(sys.argv[1:]) or \"world\"))\n")
            .entry_point("greet", "greeting.cli:main"),
        Wheel::new("shouting", "2.1")
            .requires_python(">=3.6")
            .file("shouting.py", "\"\"\"Makes text loud.\"\"\"\n\n\ndef shout(text):\n    return text.upper()\n"),
    ]
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/hello")
}

#[test]
fn the_committed_wheels_are_those_that_the_code_makes() {
    let directory = example().join("wheels");
    if std::env::var_os("VPYTHON_BLESS").is_some_and(|value| value == "1") {
        for wheel in wheels() {
            wheel.write_to(&directory);
        }
    }
    let mut found: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, wheels().map(|wheel| wheel.file_name()));
    for wheel in wheels() {
        let is_same = std::fs::read(directory.join(wheel.file_name())).unwrap() == wheel.bytes();
        assert!(
            is_same,
            "`{}` differs; VPYTHON_BLESS=1 writes it again",
            wheel.file_name()
        );
    }
}

#[test]
fn the_example_prints_its_answer() {
    let world = World::new();
    if world.python.minor < 8 {
        not_tested!("the example needs python 3.8");
        return;
    }
    let script = example().join("hello.py");
    let script = script.as_os_str();
    world.vpython([script]).run().prints("HELLO, WORLD!\n");
    world
        .vpython([script])
        .arguments(["you", "there"])
        .run()
        .prints("HELLO, YOU THERE!\n");
}
