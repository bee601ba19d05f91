//! The byte code that a first launch compiles: what its program imports.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::support::{Python, Wheel, World};

/// The size of a source from which a launch compiles.
const ENOUGH: usize = 300_000;

/// A world with a package of which `some` and `some.used` are imported, but not `some.unused`, and a
/// launch that has processors for it.
fn world(python: &'static Python) -> World {
    let world = World::with_python(python);
    let lazy = "from . import used\ndef later():\n    from . import unused\n";
    world.wheel(
        &Wheel::new("some", "1")
            .file("some/__init__.py", lazy)
            .file("some/used.py", "#".repeat(ENOUGH))
            .file("some/unused.py", ""),
    );
    world.write("vpython.toml", "dependencies = ['some']\n");
    world
}

/// The byte code that vpython has written in the only environment, as paths of modules. Python's own is
/// writable.
fn compiled(world: &World) -> Vec<String> {
    let environments = world.environments();
    let [environment] = &environments[..] else {
        panic!("there is one environment: {environments:?}")
    };
    let site = site(environment, world);
    let entries = walkdir::WalkDir::new(&site).into_iter().map(Result::unwrap);
    let ours = entries.filter(|entry| {
        let is_code = entry
            .path()
            .extension()
            .is_some_and(|ending| ending == "pyc");
        is_code && entry.metadata().unwrap().mode() & 0o777 == 0o444
    });
    let mut found: Vec<String> = ours
        .map(|entry| {
            let path = entry.path().strip_prefix(&site).unwrap();
            let path = path.to_str().unwrap().replace("__pycache__/", "");
            path.split('.').next().unwrap().to_owned()
        })
        .collect();
    found.sort();
    found
}

fn site(environment: &Path, world: &World) -> PathBuf {
    environment.join(format!("lib/{}/site-packages", world.python.name()))
}

/// Runs a command line in a world without environments, and returns what vpython has compiled.
fn first_launch(world: &World, words: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let _ = std::fs::remove_dir_all(world.outside("root"));
    let launch = world.vpython(words).env("RAYON_NUM_THREADS", "2");
    let outcome = variables
        .iter()
        .fold(launch, |launch, (name, value)| launch.env(name, value))
        .run();
    assert!(
        outcome.code == Some(0) && outcome.stderr.is_empty(),
        "{outcome}"
    );
    compiled(world)
}

#[test]
fn a_first_launch_compiles_what_the_program_imports_and_python_uses_it() {
    // Prints whether the byte code is there before the import, and how python finds it.
    let program = "import importlib.util, os, sys\n\
                   def there(name):\n    return os.path.exists(importlib.util.find_spec(name).cached)\n\
                   site = [path for path in sys.path if path.endswith('site-packages')][0]\n\
                   print(os.path.exists(importlib.util.cache_from_source(site + '/some/used.py')))\n\
                   import some\n\
                   print(there('some.unused'))\n";
    for python in Python::each_build() {
        let world = world(python);
        world.write("tool.py", program);
        let launch = world
            .vpython(["-v", "tool.py"])
            .env("RAYON_NUM_THREADS", "2");
        let outcome = launch.run();
        let is_supported = python.minor > 6;
        let expected = if is_supported {
            "True\nFalse\n"
        } else {
            "False\nFalse\n"
        };
        assert_eq!(outcome.stdout, expected, "{}: {outcome}", python.version);
        if !is_supported {
            assert_eq!(compiled(&world), [] as [&str; 0]);
            continue;
        }
        assert_eq!(
            compiled(&world),
            ["some/__init__", "some/used"],
            "{}",
            python.version
        );
        let matches = outcome.stderr.lines().filter(|line| {
            line.contains("site-packages/some/__pycache__/") && line.contains(" matches ")
        });
        assert_eq!(matches.count(), 2, "{outcome}");
        // It is what python would write: compared with time and size of the source.
        let source = site(&world.environments()[0], &world).join("some/used.py");
        let metadata = source.metadata().unwrap();
        let tag = format!("cpython-3{}", python.minor);
        let code = source.with_file_name(format!("__pycache__/used.{tag}.pyc"));
        let code = std::fs::read(code).unwrap();
        let state = [
            0,
            u32::try_from(metadata.mtime()).unwrap(),
            u32::try_from(metadata.size()).unwrap(),
        ];
        assert_eq!(code[4..16], state.map(u32::to_le_bytes).concat());
        let outcome = world.vpython(["-vpython-tool", "check", "--all"]).run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        // `install` replaces it, and a changed source would be noticed until then.
        world.install(["tool.py"]);
        assert_eq!(
            compiled(&world),
            ["some/__init__", "some/unused", "some/used"]
        );
    }
}

/// What is compiled of a program that imports `some`.
const ALL: [&str; 2] = ["some/__init__", "some/used"];

#[test]
fn imports_are_found_in_each_kind_of_program() {
    let world = world(Python::any());
    let rows: [(&str, &str, &[&str]); 8] = [
        (
            "tool.py",
            "\u{feff}import os; import some\r\n",
            &["tool.py"],
        ),
        (
            "tool.py",
            "try:\n    from some import (\n        used as it,\n    )\nfinally: pass\n",
            &["-u", "tool.py"],
        ),
        ("unused.py", "", &["-c", "import some"]),
        ("module.py", "import some", &["-m", "module"]),
        ("package/__main__.py", "import some", &["-m", "package"]),
        ("program/__main__.py", "import some", &["program"]),
        // Modules next to the program.
        (
            "helpers/__init__.py",
            "from . import more\n",
            &["-c", "import helpers"],
        ),
        ("roots/root.py", "import some\n", &["-c", "import root"]),
    ];
    world.write("helpers/more.py", "import some.used\n");
    world.write(
        "vpython.toml",
        "dependencies = ['some']\n[tool.vpython]\npython-path = ['roots']\n",
    );
    for (name, text, words) in rows {
        world.write(name, text);
        assert_eq!(first_launch(&world, words, &[]), ALL, "{words:?}");
    }
    // Python searches the directory of the file to which a link leads.
    world.write("elsewhere/tool.py", "import beside\n");
    world.write("elsewhere/beside.py", "import some\n");
    std::os::unix::fs::symlink("elsewhere/tool.py", world.path("link.py")).unwrap();
    assert_eq!(first_launch(&world, &["link.py"], &[]), ALL);
    // A module next to the program has priority.
    world.write("elsewhere/some.py", "");
    assert_eq!(first_launch(&world, &["link.py"], &[]), [""; 0]);
}

#[test]
fn nothing_is_compiled_that_python_would_not_write() {
    let world = world(Python::any());
    world.write("tool.py", "import some\n");
    let rows: [(&[&str], &[(&str, &str)]); 8] = [
        (&["-B", "tool.py"], &[]),
        (&["-OO", "tool.py"], &[]),
        (&["-X", "pycache_prefix=/tmp/none", "tool.py"], &[]),
        (&["tool.py"], &[("PYTHONDONTWRITEBYTECODE", "1")]),
        (&["tool.py"], &[("PYTHONOPTIMIZE", "1")]),
        (&["tool.py"], &[("PYTHONPYCACHEPREFIX", "/tmp/none")]),
        // One processor is as fast as python itself.
        (&["tool.py"], &[("RAYON_NUM_THREADS", "1")]),
        (&["-c", "import colorsys"], &[]),
    ];
    for (words, variables) in rows {
        assert_eq!(
            first_launch(&world, words, variables),
            [""; 0],
            "{words:?} {variables:?}"
        );
    }
    assert_eq!(
        first_launch(&world, &["tool.py"], &[("PYTHONDONTWRITEBYTECODE", "")]),
        ALL
    );
    // A small source is compiled as fast by python.
    world.wheel(&Wheel::new("some", "1").file("some/__init__.py", ""));
    assert_eq!(first_launch(&world, &["tool.py"], &[]), [""; 0]);
}

#[test]
fn what_may_not_run_is_not_compiled() {
    let world = world(Python::any());
    let conditional = "import os\nif os.environ.get('NEVER'):\n    import some\n\
                       try:\n    import os\nexcept ImportError:\n    import some\n";
    world.write("tool.py", conditional);
    assert_eq!(first_launch(&world, &["tool.py"], &[]), [""; 0]);
    // This condition is true in the program, and false in a module.
    let main = "import beside\nif __name__ == '__main__':\n    import some\n";
    world.write("tool.py", main);
    world.write("beside.py", "");
    assert_eq!(first_launch(&world, &["tool.py"], &[]), ALL);
    world.write("tool.py", "import beside\n");
    world.write("beside.py", main);
    assert_eq!(first_launch(&world, &["tool.py"], &[]), [""; 0]);
}

#[test]
fn warnings_of_a_source_are_shown_by_python() {
    let world = world(Python::any());
    let source = format!("assert (1, 'always true')\n{}", "#".repeat(ENOUGH));
    world.wheel(&Wheel::new("some", "1").file("some/__init__.py", source));
    world.write("tool.py", "import some\n");
    let launch = |words: &[&str]| {
        let _ = std::fs::remove_dir_all(world.outside("root"));
        let launch = world.vpython(words).env("RAYON_NUM_THREADS", "2");
        launch.run()
    };
    let outcome = launch(&["tool.py"]);
    assert!(
        outcome
            .stderr
            .contains("SyntaxWarning: assertion is always true"),
        "{outcome}"
    );
    let outcome = launch(&["-W", "error", "tool.py"]);
    assert!(
        outcome.code == Some(1) && outcome.stderr.contains("SyntaxError"),
        "{outcome}"
    );
}

#[test]
fn a_program_runs_where_its_byte_code_does_not_fit() {
    let world = World::new();
    // The byte code is larger than the source, and than the largest file that can be written.
    let source = "x = [1.5, 2.5]\n".repeat(ENOUGH / 15);
    world.wheel(&Wheel::new("some", "1").file("some/__init__.py", source));
    world.write("vpython.toml", "dependencies = ['some']\n");
    world.write("tool.py", "import some\nprint(some.x)\n");
    let vpython = env!("CARGO_BIN_EXE_vpython");
    let line =
        format!("trap '' XFSZ; export RAYON_NUM_THREADS=2; ulimit -f 620; exec {vpython} tool.py");
    let outcome = world.program("/bin/sh", ["-c", &line]).run();
    outcome.prints("[1.5, 2.5]\n");
    assert_eq!(compiled(&world), [""; 0]);
    let outcome = world.vpython(["-vpython-tool", "check", "--all"]).run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_eq!(first_launch(&world, &["tool.py"], &[]), ["some/__init__"]);
}

#[test]
fn byte_code_of_the_store_is_used_instead() {
    let world = world(Python::any());
    world.write("tool.py", "import some\n");
    world.install(["tool.py"]);
    for environment in world.environments() {
        std::fs::remove_dir_all(environment).unwrap();
    }
    let outcome = world
        .vpython(["tool.py"])
        .env("RAYON_NUM_THREADS", "2")
        .run();
    outcome.prints("");
    assert_eq!(
        compiled(&world),
        ["some/__init__", "some/unused", "some/used"]
    );
}

#[test]
fn odd_sources_and_places_do_no_harm() {
    let world = world(Python::any());
    let large = "#".repeat(ENOUGH);
    let tag = format!("cpython-3{}", world.python.minor);
    world.wheel(
        &Wheel::new("odd", "1")
            .file(
                "odd/__init__.py",
                "try:\n    from . import broken, used\nexcept SyntaxError:\n    pass\n",
            )
            .file("odd/broken.py", "def (:\n")
            .file("odd/used.py", &*large)
            // The wheel has byte code, or something else in its place.
            .file(&format!("odd/__pycache__/used.{tag}.pyc"), "shipped")
            .file("place/__init__.py", &*large)
            .file("place/__pycache__", "a file")
            .file("twice.py", "x = 1\n"),
    );
    world.wheel(
        &Wheel::new("other", "1")
            .file("twice.py", "x = 2\n")
            .file("other.py", "import .odd\n"),
    );
    world.write("vpython.toml", "dependencies = ['some', 'odd', 'other']\n");
    world.write(
        "tool.py",
        "import some, odd, place, twice\nif False:\n    import other\nprint(twice.x)\n",
    );
    let launch = world.vpython(["tool.py"]).env("RAYON_NUM_THREADS", "2");
    let outcome = launch.run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let expected = ["odd/__init__", "odd/used", "some/__init__", "some/used"];
    assert_eq!(compiled(&world), expected);
    let shipped = format!("odd/__pycache__/used.{tag}.pyc");
    let shipped = site(&world.environments()[0], &world).join(shipped);
    assert_eq!(std::fs::read_to_string(shipped).unwrap(), "shipped");
}

#[test]
fn the_umask_of_the_caller_does_not_count() {
    let world = world(Python::any());
    world.write("tool.py", "import some\n");
    let vpython = env!("CARGO_BIN_EXE_vpython");
    let line = format!("umask 077; export RAYON_NUM_THREADS=2; exec {vpython} tool.py");
    // What it compiles itself, then what `install` has compiled.
    for expected in [&ALL[..], &["some/__init__", "some/unused", "some/used"]] {
        let outcome = world.program("/bin/sh", ["-c", &line]).run();
        outcome.prints("");
        assert_eq!(compiled(&world), expected);
        let environment = &world.environments()[0];
        let directory = site(environment, &world).join("some/__pycache__");
        assert_eq!(directory.metadata().unwrap().mode() & 0o777, 0o755);
        world.install(["tool.py"]);
        std::fs::remove_dir_all(environment).unwrap();
    }
}
