//! Compares vpython with the environment's own interpreter: output, exit code and messages are the
//! same.

use crate::support::World;

/// The command lines. The programs end in different ways and print their paths.
const LINES: &[&[&str]] = &[
    &["tool.py"],
    &["tool.py", "a", "-b", "--", "c"],
    &["./tool.py", "-c", "x"],
    &["missing.py"],
    &["directory"],
    &["empty-directory"],
    &["broken.py"],
    &["raises.py"],
    &["exits.py"],
    &[
        "-c",
        "import sys; print(sys.argv, sys.flags.no_user_site, sys.path[0])",
        "a",
    ],
    &["-c", "import sys; sys.exit('said')"],
    &["-cprint(1)"],
    &["-c", ""],
    &["-c"],
    &["-m", "tool", "a"],
    &["-m", "no_such_module"],
    &["-m"],
    &["-mjson.tool", "--help"],
    &["-Im", "this"],
    &["-Ic", "import sys; print(sys.flags)"],
    &["-bb", "-c", "print(str(b'x'))"],
    &["-OO", "-c", "assert False; print(__debug__)"],
    &["-uWerror", "-c", "import warnings; warnings.warn('x')"],
    &["-W", "", "tool.py"],
    &["-W", "nonsense", "-c", "0"],
    &["-Wignore", "-c", "import sys; print(sys.warnoptions)"],
    &["-X", "utf8", "-c", "import sys; print(sys._xoptions)"],
    &["-Xdev", "tool.py"],
    &["-q", "-E", "-S", "-c", "import sys; print(sys.flags)"],
    &["-i", "-c", "print(1)"],
    &["-Z"],
    &["-K", "tool.py"],
    &["--no-such-option"],
    &["--check-hash-based-pycs", "never", "tool.py"],
    &["--check-hash-based-pycs", "sometimes", "tool.py"],
    &["--check-hash-based-pycs"],
    &["-x", "first_line.py"],
    &["-s", "tool.py"],
    &["-?"],
    &["--help-all"],
    &["-", "a"],
    &["--", "tool.py"],
    &["--"],
    &[""],
    &[],
];

/// The standard input of each of them.
const INPUT: &str = "import sys\nprint('from stdin', sys.argv)\n";

#[test]
fn a_command_line_has_the_same_effect_as_with_python_itself() {
    let world = World::new();
    world.write(
        "tool.py",
        "import sys\nprint(sys.argv, __file__, sys.path[0], sys.prefix, sys.executable)\n",
    );
    world.write(
        "directory/__main__.py",
        "import sys\nprint(sys.argv, sys.path[0])\n",
    );
    std::fs::create_dir(world.path("empty-directory")).unwrap();
    world.write("broken.py", "def (\n");
    world.write("raises.py", "def f():\n    raise KeyError('x')\n\nf()\n");
    world.write(
        "exits.py",
        "import sys\nprint('out')\nprint('err', file=sys.stderr)\nsys.exit(7)\n",
    );
    world.write("first_line.py", "@echo off\nprint('second')\n");
    let environment = world.install([""; 0]);
    let python = environment.join("bin/python3");
    let search_path = format!("{}/bin:{}", environment.display(), world.search_path());
    let names = [
        python.to_str().unwrap(),
        world.python.path.to_str().unwrap(),
    ]
    .map(|name| world.redact(name));
    let mut differences = Vec::new();
    for line in LINES {
        let ours = world.vpython(*line).input(INPUT).run();
        let theirs = world
            .program(&python, ["-s"])
            .arguments(*line)
            .env("PATH", &search_path)
            .env("PYTHONNOUSERSITE", "1")
            .env("VIRTUAL_ENV", &environment)
            .input(INPUT)
            .run();
        // If python runs nothing, vpython starts it by its own path and not by that of the
        // environment.
        let neutral = |text: &str| {
            names
                .iter()
                .fold(text.to_owned(), |text, name| text.replace(name, "python"))
        };
        let of = |outcome: &crate::support::Outcome| {
            (
                outcome.code,
                neutral(&outcome.stdout),
                neutral(&outcome.stderr),
            )
        };
        if of(&ours) != of(&theirs) {
            differences.push(format!("{line:?}\n{ours}\n{theirs}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}
