//! The name that the program is called by: it decides which file of LUCI is used, which Python is
//! the default, and how hints name the program.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::{Launch, Python, VPYTHON, Wheel, World};

/// Prints the version of the installed wheel, or `none`.
const PROGRAM: &str =
    "try:\n    import which\n    print(which.VERSION)\nexcept ImportError:\n    print('none')\n";
/// Prints the major and minor version of the running python.
const VERSION: &str = "import sys; print('%d.%d' % sys.version_info[:2])";

/// A world with the wheels of `which` 1 to 6, and a program.
fn world() -> World {
    let world = World::new();
    for version in 1..=6 {
        Wheel::module("which", &version.to_string()).write_to(&world.outside("house"));
    }
    world.write("a/plain.py", PROGRAM);
    world
}

/// A spec for a version of Python that lists one of them; an empty version is left out.
fn spec(python: &str, version: u32) -> String {
    let python = if python.is_empty() {
        String::new()
    } else {
        format!("python_version: '{python}'\n")
    };
    format!(
        "{python}wheel: < name: 'infra/python/wheels/which-py3' version: 'version:{version}' >\n"
    )
}

/// The program under this name.
fn called<'w>(world: &'w World, name: &str, words: &[&str]) -> Launch<'w> {
    let link = named(world, name);
    world
        .program(link, words)
        .env("VPYTHON_WHEELS", world.outside("house"))
}

/// A link of this name to the program.
fn named(world: &World, name: &str) -> PathBuf {
    let link = world.outside(&format!("names/{name}"));
    std::fs::create_dir_all(link.parent().unwrap()).unwrap();
    // Another launch may have created it.
    let _ = symlink(VPYTHON, &link);
    link
}

#[test]
fn each_name_reads_its_own_file_first() {
    let world = world();
    let prints = |name: &str, version: &str| {
        called(&world, name, &["a/plain.py"])
            .run()
            .prints(&format!("{version}\n"));
    };
    world.write(".vpython3", spec("3", 1));
    prints("vpython", "1");
    prints("vpython3", "1");
    world.write(".vpython", spec("3", 2));
    for _ in 0..2 {
        // The second launch of each is warm.
        for (name, version) in [
            ("vpython", "2"),
            ("vpython3", "1"),
            ("python3", "1"),
            ("vpython3.11", "1"),
            ("launcher", "2"),
        ] {
            prints(name, version);
        }
    }
    std::fs::remove_file(world.path(".vpython3")).unwrap();
    prints("vpython3", "2");
    // The nearest directory takes precedence over the name.
    world.write("a/.vpython3", spec("3", 3));
    prints("vpython", "3");
    // So does a partner file; among partner files the name decides.
    world.write("a/plain.py.vpython3", spec("3", 4));
    prints("vpython", "4");
    world.write("a/plain.py.vpython", spec("3", 5));
    prints("vpython", "5");
    prints("vpython3", "4");
    std::fs::remove_file(world.path("a/plain.py.vpython3")).unwrap();
    prints("vpython3", "5");
}

#[test]
fn vpython3_does_not_use_a_spec_for_python_2() {
    let world = world();
    world.write(".vpython3", spec("3", 1));
    world.write("a/plain.py.vpython", spec("2.7", 2));
    for (text, version) in [
        (spec("2.7", 3), "1"),
        (spec("", 3), "1"),
        (spec("3", 3), "3"),
    ] {
        world.write("a/.vpython", text);
        called(&world, "vpython3", &["a/plain.py"])
            .run()
            .prints(&format!("{version}\n"));
    }
    world.write("a/.vpython", spec("2", 3));
    let outcome = called(
        &world,
        "vpython3",
        &["-vpython-tool", "explain", "--json", "a/plain.py"],
    )
    .run();
    let explanation: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let searched = json!([
        {"place": "-vpython-spec", "found": null},
        {"place": "[WORLD]/work/a/plain.py.vpython3", "found": null},
        {"place": "[WORLD]/work/a/plain.py.vpython", "found": "for Python 2"},
        {"place": "[WORLD]/work/a/plain.py, # /// script", "found": null},
        {"place": "[WORLD]/work/a/plain.py, [VPYTHON:BEGIN]", "found": null},
        {"place": "[WORLD]/work/a/vpython.toml", "found": null},
        {"place": "[WORLD]/work/a/.vpython3", "found": null},
        {"place": "[WORLD]/work/a/.vpython", "found": "for Python 2"},
        {"place": "[WORLD]/work/vpython.toml", "found": null},
        {"place": "[WORLD]/work/.vpython3", "found": "spec"},
    ]);
    assert_eq!(explanation["searched"], searched);
    let outcome = called(
        &world,
        "vpython3",
        &["-vpython-tool", "explain", "a/plain.py"],
    )
    .run();
    let row = "[WORLD]/work/a/.vpython";
    let found = outcome
        .stdout
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(row))
        .map(str::trim);
    assert_eq!(
        found,
        Some("for Python 2, not for vpython3; skipped"),
        "{outcome}"
    );
    // An error in that file is still reported.
    world.write("a/.vpython", "python_version: 3.8\n");
    called(&world, "vpython3", &["a/plain.py"])
        .run()
        .refuses(125, expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/a/.vpython`
              caused by: `[WORLD]/work/a/.vpython`, line 1, column 17: expected a string in quotes, or a message in `< >` or `{ }`, but found `3.8`
        "#]]);
}

#[test]
fn an_empty_block_ends_the_search() {
    let world = world();
    world.write(".vpython3", spec("3", 1));
    for lines in ["#\n", "\n", "# \n#\n"] {
        world.write(
            "tool.py",
            format!("# [VPYTHON:BEGIN]\n{lines}# [VPYTHON:END]\n{PROGRAM}"),
        );
        called(&world, "vpython", &["tool.py"])
            .run()
            .prints("none\n");
        called(&world, "vpython3", &["tool.py"])
            .run()
            .prints("none\n");
    }
    world.write(
        "tool.py",
        format!("# [VPYTHON:BEGIN]\n# [VPYTHON:END]\n{PROGRAM}"),
    );
    called(&world, "vpython3", &["tool.py"]).run().prints("1\n");
}

/// The pythons of these minor versions. Returns `None`, and says so, if one is missing.
fn pythons<const COUNT: usize>(minors: [u32; COUNT]) -> Option<[&'static Python; COUNT]> {
    let find = |minor| Python::all().iter().find(|python| python.minor == minor);
    let found: Vec<&Python> = minors.iter().filter_map(|minor| find(*minor)).collect();
    let found = found.try_into().ok();
    if found.is_none() {
        not_tested!("one of the CPythons 3.{minors:?} is missing");
    }
    found
}

/// The version of Python that a launch uses with the first of these on `PATH` and the others in
/// pyenv.
fn version(world: &World, name: &str, words: &[&str]) -> String {
    let launch = called(world, name, words).env("PATH", world.outside("bin"));
    let outcome = launch.env("PYENV_ROOT", world.outside("pyenv")).run();
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
    outcome.raw_stdout.trim_end().to_owned()
}

#[test]
fn vpython3_takes_the_defaults_of_luci_where_a_spec_names_no_version() {
    let Some([nine, eight, ten, eleven, twelve]) = pythons([9, 8, 10, 11, 12]) else {
        return;
    };
    let world = World::with_python(nine);
    world.write(
        "tool.py",
        format!("# [VPYTHON:BEGIN]\n#\n# [VPYTHON:END]\n{VERSION}\n"),
    );
    world.write(
        "native.py",
        format!("# /// script\n# dependencies = []\n# ///\n{VERSION}\n"),
    );
    // The highest, unless 3.8 exists, unless 3.11 exists. Each launch is repeated warm.
    for (python, expected) in [
        (ten, "3.10"),
        (twelve, "3.12"),
        (eight, "3.8"),
        (eleven, "3.11"),
    ] {
        world.pyenv(&[python]);
        for _ in 0..2 {
            assert_eq!(version(&world, "vpython3", &["tool.py"]), expected);
            assert_eq!(
                version(&world, "vpython", &["tool.py"]),
                "3.9",
                "the first on `PATH`, as ever"
            );
            assert_eq!(
                version(&world, "vpython3", &["native.py"]),
                "3.9",
                "only LUCI specs have LUCI's default"
            );
            assert_eq!(
                version(&world, "vpython3", &["-c", VERSION]),
                "3.9",
                "where there is no spec, too"
            );
        }
    }
    assert_eq!(
        version(
            &world,
            "vpython3",
            &["-vpython-interpreter", "3.12", "tool.py"]
        ),
        "3.12",
        "the caller names one"
    );
    world.write(".vpython3", "");
    assert_eq!(version(&world, "vpython3", &["-c", VERSION]), "3.11");
    world.write(".vpython3", "python_version: '3.10'");
    assert_eq!(
        version(&world, "vpython3", &["-c", VERSION]),
        "3.10",
        "the spec names one"
    );
    let explain = ["-vpython-tool", "explain", "tool.py"];
    let launch = called(&world, "vpython3", &explain).env("PATH", world.outside("bin"));
    let outcome = launch.env("PYENV_ROOT", world.outside("pyenv")).run();
    assert!(
        outcome
            .stdout
            .contains("\n              no version is specified; searched first for 3.11\n"),
        "{outcome}"
    );
}

#[test]
fn vpython_takes_2_7_where_a_dot_vpython_names_no_version() {
    let world = World::new();
    world.write(".vpython", "# nothing\n");
    world.write("tool.py", format!("{VERSION}\n"));
    let three = format!("3.{}\n", world.python.minor);
    world.vpython(["tool.py"]).run().prints(&three);
    let Some(two) = Python::two() else { return };
    symlink(&two, world.outside("bin/python2.7")).unwrap();
    world.vpython(["tool.py"]).run().prints("2.7\n");
    world.vpython(["tool.py"]).run().prints("2.7\n");
    called(&world, "vpython3", &["tool.py"])
        .run()
        .prints(&three);
    world
        .vpython(["-vpython-interpreter", "3", "tool.py"])
        .run()
        .prints(&three);
    std::fs::rename(world.path(".vpython"), world.path(".vpython3")).unwrap();
    world.vpython(["tool.py"]).run().prints(&three);
}

#[test]
fn an_upgraded_spec_keeps_the_default_of_the_name() {
    let Some([nine, eleven]) = pythons([9, 11]) else {
        return;
    };
    let world = World::with_python(nine);
    world.pyenv(&[eleven]);
    world.write(".vpython3", "");
    let launch =
        called(&world, "vpython3", &["-vpython-tool", "upgrade"]).env("PATH", world.outside("bin"));
    launch
        .env("PYENV_ROOT", world.outside("pyenv"))
        .run()
        .prints(expect![[r#"
            .vpython3: written to vpython.toml
        "#]]);
    let native = std::fs::read_to_string(world.path("vpython.toml")).unwrap();
    assert!(
        native.starts_with("requires-python = \"==3.11.*\"\n"),
        "{native}"
    );
}

#[test]
fn hints_and_help_use_the_name_that_was_typed() {
    let world = world();
    world.write(".vpython3", spec("3", 9));
    for name in ["vpython", "vpython3", "a launcher"] {
        let typed = if name.contains(' ') {
            format!("'{name}'")
        } else {
            name.to_owned()
        };
        let fetch = format!("`{typed} -vpython-tool fetch a/plain.py`");
        let outcome = called(&world, name, &["a/plain.py"]).run();
        assert!(
            outcome.code == Some(125) && outcome.stderr.contains(&fetch),
            "{outcome}"
        );
        let lists = format!("`{typed} -h` lists the flags");
        let outcome = called(&world, name, &["-vpython-zzz"]).run();
        assert!(
            outcome.stderr.starts_with("vpython: error: ") && outcome.stderr.contains(&lists),
            "{outcome}"
        );
        let usage = format!("Usage: {typed} [vpython flags] ");
        for words in [&["-vpython-tool", "fetch", "--help"][..], &["-h"]] {
            let outcome = called(&world, name, words).run();
            assert!(outcome.stdout.contains(&usage), "{outcome}");
        }
        let outcome = called(
            &world,
            name,
            &["-vpython-tool", "fetch", "--prune", "-c", ""],
        )
        .within(world.outside("home"))
        .run();
        let prune = format!(
            "\n  hint: name it, as in `{typed} -vpython-tool fetch requirements.txt --prune`\n"
        );
        assert!(outcome.stderr.ends_with(&prune), "{outcome}");
    }
    let outcome = called(
        &world,
        "vpython3",
        &["-vpython-tool", "completions", "fish"],
    )
    .run();
    assert!(
        outcome.stdout.contains("complete -c vpython3 "),
        "{outcome}"
    );
}
