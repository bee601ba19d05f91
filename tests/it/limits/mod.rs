//! Input that is too deep, too long, too large or not a file: every reader refuses it at once and
//! names it with the limit.

mod pipes;
mod work;

use std::fmt::Write as _;
use std::fs::File;

use expect_test::{Expect, expect};

use crate::support::{Launch, Wheel, World};

/// Writes a spec or lock with this marker.
type Write<'a> = &'a dyn Fn(&str) -> String;

fn world() -> World {
    let world = World::new();
    world.wheel(&Wheel::module("one", "1.0"));
    world.write("tool.py", "import one\nprint(one.VERSION)\n");
    world
}

fn launch<'a>(world: &'a World, spec: &str) -> Launch<'a> {
    world.vpython(["-vpython-spec", spec, "tool.py"])
}

/// A marker in this many parentheses.
fn nested(depth: usize) -> String {
    format!(
        "{}os_name == 'posix'{}",
        "(".repeat(depth),
        ")".repeat(depth)
    )
}

#[test]
fn a_marker_has_the_same_limit_in_every_reader() {
    let world = world();
    let sha = "0".repeat(64);
    let wheel = format!("{{ name = 'one-1.0-py3-none-any.whl', hashes = {{ sha256 = '{sha}' }} }}");
    let lock = |marker: &str| {
        format!(
            "lock-version = '1.0'\ncreated-by = 'x'\n[[packages]]\nname = 'one'\nmarker = \"{marker}\"\nwheels = [{wheel}]\n"
        )
    };
    let why = "parentheses are nested more than 64 levels deep";
    let marker = nested(65);
    let script =
        |marker: &str| format!("# /// script\n# dependencies = [\"one; {marker}\"]\n# ///\n");
    // Each format that can contain a marker, with its message.
    let rows: [(&str, Write<'_>, Expect); 5] = [
        (
            "r.txt",
            &|marker| format!("one; {marker}\n"),
            expect![[r#"
                vpython: error: bad spec in `[WORLD]/work/r.txt`
                  caused by: `[WORLD]/work/r.txt`, line 1: `one; [MARKER]` is not a valid requirement: parentheses are nested more than 64 levels deep
            "#]],
        ),
        (
            "v.toml",
            &|marker| format!("dependencies = [\"one; {marker}\"]\n"),
            expect![[r#"
                vpython: error: bad spec in `[WORLD]/work/v.toml`
                  caused by: `[WORLD]/work/v.toml`, line 1, column 17: `one; [MARKER]` is not a valid requirement: parentheses are nested more than 64 levels deep
            "#]],
        ),
        (
            "pyproject.toml",
            &|marker| format!("[project]\ndependencies = [\"one; {marker}\"]\n"),
            expect![[r#"
                vpython: error: bad spec in `[WORLD]/work/pyproject.toml`
                  caused by: `[WORLD]/work/pyproject.toml`, line 2, column 17: `one; [MARKER]` is not a valid requirement: parentheses are nested more than 64 levels deep
            "#]],
        ),
        (
            "s.py",
            &script,
            expect![[r#"
                vpython: error: bad spec in `[WORLD]/work/s.py`
                  caused by: `[WORLD]/work/s.py`, line 2, column 19: `one; [MARKER]` is not a valid requirement: parentheses are nested more than 64 levels deep
            "#]],
        ),
        (
            "pylock.toml",
            &lock,
            expect![[r#"
                vpython: error: bad lock file `[WORLD]/work/pylock.toml`
                  caused by: `[WORLD]/work/pylock.toml`, line 5, column 10: `[MARKER]` is not a valid marker: parentheses are nested more than 64 levels deep
            "#]],
        ),
    ];
    for (name, text, message) in rows {
        world.write(name, text(&marker));
        let outcome = launch(&world, name).run();
        outcome.replacing(&marker, "[MARKER]").refuses(125, message);
        world.write(name, text(&nested(200_000)));
        let outcome = launch(&world, name).run();
        assert!(
            outcome.code == Some(125)
                && outcome.stderr.contains(why)
                && outcome.stderr.len() < 10_000,
            "{outcome}"
        );
    }
    world.write("r.txt", format!("one; {}\n", nested(64)));
    launch(&world, "r.txt").run().prints("1.0\n");
}

#[test]
fn a_wheel_with_a_marker_that_is_too_deep_is_not_used() {
    let world = World::new();
    world.wheel(&Wheel::module("one", "1.0").requires(&format!("two; {}", nested(65))));
    world.write("r.txt", "one\n");
    world.write("tool.py", "");
    let outcome = launch(&world, "r.txt").run();
    outcome
        .replacing(&nested(65), "[MARKER]")
        .refuses(125, expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `one` (required in `[WORLD]/work/r.txt`, line 1)
              caused by: `one-1.0-py3-none-any.whl` has an invalid `Requires-Dist`: `two; [MARKER]`
              hint: fetch one: `vpython -vpython-spec=r.txt -vpython-tool fetch tool.py`
        "#]]);
}

#[test]
fn files_that_name_each_other_in_a_chain_have_a_limit() {
    let world = world();
    for number in 0..1000 {
        world.write(
            &format!("r{number}.txt"),
            format!("# next\n-r r{}.txt\n", number + 1),
        );
    }
    world.write("r1000.txt", "one\n");
    launch(&world, "r900.txt").run().prints("1.0\n");
    launch(&world, "r0.txt").run().refuses(
        125,
        expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/r0.txt`
              caused by: `[WORLD]/work/r100.txt`, line 2: `[WORLD]/work/r101.txt` is not read: files name each other more than 100 levels deep
        "#]],
    );
}

#[test]
fn what_is_included_many_times_is_read_once() {
    let world = world();
    let mut groups = String::from(
        "[tool.vpython]\ngroups = ['g0']\nextras = ['e0']\n[project]\nname = 'me'\n[dependency-groups]\n",
    );
    let mut extras = String::from("[project.optional-dependencies]\n");
    for number in 0..40 {
        let next = number + 1;
        world.write(
            &format!("r{number}.txt"),
            format!("-r r{next}.txt\n-c r{next}.txt\n-r ../work/r{next}.txt\n"),
        );
        writeln!(
            groups,
            "g{number} = [{{include-group = 'g{next}'}}, {{include-group = 'G{next}'}}]"
        )
        .unwrap();
        writeln!(extras, "e{number} = ['me[e{next}]', 'me[E{next}]']").unwrap();
    }
    world.write("r40.txt", "one\n");
    world.write(
        "pyproject.toml",
        format!("{groups}g40 = ['one']\n{extras}e40 = ['one']\n"),
    );
    launch(&world, "r0.txt").run().prints("1.0\n");
    launch(&world, "pyproject.toml").run().prints("1.0\n");
}

#[test]
fn groups_that_include_each_other_in_a_chain_have_a_limit() {
    let world = world();
    let mut text = String::from("[tool.vpython]\ngroups = ['g0']\n[dependency-groups]\n");
    for number in 0..1000 {
        writeln!(text, "g{number} = [{{include-group = 'g{}'}}]", number + 1).unwrap();
    }
    world.write("pyproject.toml", text + "g1000 = []\n");
    launch(&world, "pyproject.toml").run().refuses(
        125,
        expect![[r#"
            vpython: error: bad spec in `[WORLD]/work/pyproject.toml`
              caused by: `[WORLD]/work/pyproject.toml`, line 67, column 8: the group `g64` is not read: extras and groups include each other more than 64 levels deep
        "#]],
    );
}

#[test]
fn texts_have_limits() {
    let world = world();
    let long = |name: &str, mebibytes: u64| {
        let file = File::options()
            .create(true)
            .append(true)
            .open(world.path(name))
            .unwrap();
        file.set_len(mebibytes << 20).unwrap();
    };
    long("long.toml", 33);
    long("pylock.toml", 65);
    launch(&world, "long.toml").run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot use the spec that `-vpython-spec` names
              caused by: cannot read `[WORLD]/work/long.toml`
              caused by: it is larger than the limit for a spec: 32 MiB
        "#]],
    );
    launch(&world, "pylock.toml").run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot use the spec that `-vpython-spec` names
              caused by: cannot read `[WORLD]/work/pylock.toml`
              caused by: it is larger than the limit for a lock file: 64 MiB
        "#]],
    );
    long("vpython.toml", 4096);
    world.vpython(["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot read `[WORLD]/work/vpython.toml`
              caused by: it is larger than the limit for a spec: 32 MiB
        "#]],
    );
    long("long.py", 257);
    world.vpython(["long.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot read `[WORLD]/work/long.py`
              caused by: it is larger than the limit for a program: 256 MiB
        "#]],
    );
}

#[test]
fn a_lock_file_has_a_limited_number_of_packages() {
    let world = world();
    let lock = |version: &str, header: &str| format!("{version}\n{}", header.repeat(50_001));
    world.write(
        "pylock.toml",
        lock("lock-version = '1.0'", "[[packages]]\n"),
    );
    launch(&world, "pylock.toml")
        .run()
        .refuses(125, expect![[r#"
            vpython: error: bad lock file `[WORLD]/work/pylock.toml`
              caused by: `[WORLD]/work/pylock.toml`, line 50002, column 1: the lock file has more than 50000 packages
        "#]]);
    world.write("v.toml", "dependencies = ['one']\n");
    world.write("v.toml.uv.lock", lock("version = 1", "[[package]]\n"));
    launch(&world, "v.toml").run().refuses(125, expect![[r#"
        vpython: error: bad lock file `[WORLD]/work/v.toml.uv.lock`
          caused by: `[WORLD]/work/v.toml.uv.lock`, line 50002, column 1: the lock file has more than 50000 packages
    "#]]);
}

#[test]
fn a_long_metadata_is_not_read() {
    let world = World::new();
    world.wheel(
        &Wheel::module("one", "1.0")
            .header(&"x".repeat(17 << 20))
            .compressed(),
    );
    world.write("r.txt", "one\n");
    world.write("tool.py", "");
    launch(&world, "r.txt").run().refuses(125, expect![[r#"
        vpython: error: no wheel in `[WORLD]/work/wheels` fits `one` (required in `[WORLD]/work/r.txt`, line 1)
          caused by: `one-1.0-py3-none-any.whl` cannot be used: cannot read `[WORLD]/work/wheels/one-1.0-py3-none-any.whl` as a wheel: member `one-1.0.dist-info/METADATA` cannot be read: it is larger than 16777216 bytes
          hint: fetch one: `vpython -vpython-spec=r.txt -vpython-tool fetch tool.py`
    "#]]);
}

#[test]
fn an_error_of_many_lines_says_how_many_more_there_are() {
    let world = world();
    let pins: Vec<String> = (0..500).map(|number| format!("p{number:03}==1")).collect();
    world.write("r.txt", pins.join("\n"));
    let outcome = launch(&world, "r.txt").run();
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!((outcome.code, lines.len()), (Some(125), 200), "{outcome}");
    assert_eq!(
        lines[0],
        "vpython: error: no wheel in `[WORLD]/work/wheels` fits the requirements on 500 projects"
    );
    for (number, line) in lines[1..198].iter().enumerate() {
        let place = format!("required in `[WORLD]/work/r.txt`, line {}", number + 1);
        assert_eq!(
            *line,
            format!(
                "  caused by: `p{number:03}==1` is {place}; there is no wheel of `p{number:03}`"
            )
        );
    }
    assert_eq!(lines[198], "  caused by: and 303 more");
    assert_eq!(
        lines[199],
        "  hint: fetch what is missing: `vpython -vpython-spec=r.txt -vpython-tool fetch tool.py`"
    );
}

#[test]
fn all_missing_requirements_of_many_wheels_are_found() {
    let world = World::new();
    world.write("tool.py", "");
    let mut all = Wheel::module("all", "1");
    for number in 0..30 {
        all = all.requires(&format!("p{number:02}[x]>=1"));
        let part = Wheel::module(&format!("p{number:02}"), "1")
            .extra("x")
            .requires("absent>=2; extra == 'x'");
        world.wheel(&part.requires(&format!("q{number:02}")));
    }
    world.wheel(&all);
    world.write("r.txt", "all\n");
    let outcome = launch(&world, "r.txt").run();
    let missing = outcome
        .stderr
        .lines()
        .filter(|line| line.contains("there is no wheel of"))
        .count();
    assert_eq!((outcome.code, missing), (Some(125), 31), "{outcome}");
}

#[test]
fn a_broken_wheel_among_many_costs_no_more_than_the_others() {
    let world = world();
    for number in 0..300 {
        world.write(
            &format!("wheels/one-2.{number}-py3-none-any.whl"),
            "no wheel",
        );
    }
    world.write("r.txt", "one\n");
    launch(&world, "r.txt").run().prints("1.0\n");
}
