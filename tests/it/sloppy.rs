//! Wheels that break the specifications, and that pip and uv install: vpython installs them with
//! one warning.

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};

use crate::support::{Fake, Fault, Outcome, Wheel, World};

/// A world with these wheels, a spec that requires the first ones by name, and an interpreter.
fn world(wheels: &[Wheel], dependencies: &[&str], more: &str) -> (World, Fake) {
    let world = World::new();
    for wheel in wheels {
        world.wheel(wheel);
    }
    world.write(
        "vpython.toml",
        format!("dependencies = {dependencies:?}\n{more}"),
    );
    let fake = Fake::new(&world, "3.11.99");
    (world, fake)
}

fn install(world: &World, fake: &Fake) -> Outcome {
    world
        .vpython(["-vpython-tool", "install"])
        .env("VPYTHON_INTERPRETER", &fake.path)
        .run()
}

/// Checks that each installation prints this warning, that a launch in between prints nothing, and
/// that an installation with `strict` is refused.
#[track_caller]
fn warns_on_each_install(wheel: &Wheel, warning: &Expect, refusal: &Expect) {
    let (world, fake) = world(std::slice::from_ref(wheel), &["a"], "");
    install(&world, &fake).installs(warning);
    world
        .vpython(["-vpython-tool", "check"])
        .env("VPYTHON_INTERPRETER", &fake.path)
        .run()
        .succeeds_with("");
    install(&world, &fake).installs(warning);
    let record = installed(&world, "a-1.dist-info/RECORD");
    assert!(
        record.contains("\na.py,sha256=DY6Pb1MTeDXll1BuQZmqd4-_jskY7Pd5FDZeZxI0wsg,14\n"),
        "ours is true: {record}"
    );
    // With `strict` it is another environment, which has not been built.
    let outcome = world
        .vpython(["-vpython-strict", "-vpython-tool", "install"])
        .env("VPYTHON_INTERPRETER", &fake.path)
        .run();
    outcome.refuses(125, refusal);
}

/// The text of a file in site-packages of the only environment.
fn installed(world: &World, path: &str) -> String {
    let [environment] = &world.environments()[..] else {
        panic!("one environment")
    };
    std::fs::read_to_string(environment.join("lib/python3.11/site-packages").join(path)).unwrap()
}

fn wheel() -> Wheel {
    Wheel::module("a", "1")
}

#[test]
fn a_record_that_disagrees_with_the_content_is_reported() {
    let rows = [
        (
            wheel().fault(Fault::MissingRow("a.py")),
            expect![[r#"
                vpython: warning: RECORD of `a-1-py3-none-any.whl` disagrees with its content in one place: `a.py` (not in RECORD)
            "#]],
            expect![[r#"
                vpython: error: `a-1-py3-none-any.whl` violates the wheel specifications, and `strict` is set
                  caused by: `a.py` (not in RECORD)
                  hint: rebuild the wheel with a current tool, or remove `strict`
            "#]],
        ),
        (
            wheel().fault(Fault::NoDigest("a.py")),
            expect![[r#"
                vpython: warning: RECORD of `a-1-py3-none-any.whl` disagrees with its content in one place: `a.py` (no digest in RECORD)
            "#]],
            expect![[r#"
                vpython: error: `a-1-py3-none-any.whl` violates the wheel specifications, and `strict` is set
                  caused by: `a.py` (no digest in RECORD)
                  hint: rebuild the wheel with a current tool, or remove `strict`
            "#]],
        ),
        (
            wheel().fault(Fault::MissingMember("b.py")),
            expect![[r#"
                vpython: warning: RECORD of `a-1-py3-none-any.whl` disagrees with its content in one place: `b.py` (in RECORD, not in the archive)
            "#]],
            expect![[r#"
                vpython: error: `a-1-py3-none-any.whl` violates the wheel specifications, and `strict` is set
                  caused by: `b.py` (in RECORD, not in the archive)
                  hint: rebuild the wheel with a current tool, or remove `strict`
            "#]],
        ),
        (
            wheel().fault(Fault::WrongSize("a.py")),
            expect![[r#"
                vpython: warning: RECORD of `a-1-py3-none-any.whl` disagrees with its content in one place: `a.py` (different size in RECORD)
            "#]],
            expect![[r#"
                vpython: error: `a-1-py3-none-any.whl` violates the wheel specifications, and `strict` is set
                  caused by: `a.py` (different size in RECORD)
                  hint: rebuild the wheel with a current tool, or remove `strict`
            "#]],
        ),
        (
            wheel().fault(Fault::WrongDigest("a.py")),
            expect![[r#"
                vpython: warning: RECORD of `a-1-py3-none-any.whl` disagrees with its content in one place: `a.py` (different digest in RECORD)
            "#]],
            expect![[r#"
                vpython: error: `a-1-py3-none-any.whl` violates the wheel specifications, and `strict` is set
                  caused by: `a.py` (different digest in RECORD)
                  hint: rebuild the wheel with a current tool, or remove `strict`
            "#]],
        ),
        (
            wheel()
                .fault(Fault::WrongDigest("a-1.dist-info/METADATA"))
                .fault(Fault::MissingMember("b/")),
            expect![[r#"
                vpython: warning: RECORD of `a-1-py3-none-any.whl` disagrees with its content in several places: `a-1.dist-info/METADATA` (different digest in RECORD), `b/` (in RECORD, not in the archive)
            "#]],
            expect![[r#"
                vpython: error: `a-1-py3-none-any.whl` violates the wheel specifications, and `strict` is set
                  caused by: `a-1.dist-info/METADATA` (different digest in RECORD), `b/` (in RECORD, not in the archive)
                  hint: rebuild the wheel with a current tool, or remove `strict`
            "#]],
        ),
    ];
    for (wheel, warning, refusal) in rows {
        warns_on_each_install(&wheel, &warning, &refusal);
    }
}

#[test]
fn a_record_in_another_form_is_read_without_a_warning() {
    let hexadecimal = |record: &str| {
        let row = |line: &str| match line.split_once(",sha256=") {
            Some((path, rest)) => {
                let (digest, size) = rest.split_once(',').unwrap();
                let digest = base64::Engine::decode(
                    &base64::engine::general_purpose::URL_SAFE_NO_PAD,
                    digest,
                )
                .unwrap();
                format!("{path},sha256={},{size}\n", hex::encode(digest))
            }
            None => format!("{line}\n"),
        };
        record.lines().map(row).collect()
    };
    let forms: [fn(&str) -> String; 6] = [
        hexadecimal,
        |record| record.replace("sha256=", "SHA256="),
        |record| record.replace("sha256=", "sha="),
        |record| record.lines().flat_map(|line| ["./", line, "\n"]).collect(),
        |record| record.lines().flat_map(|line| ["/", line, "\n"]).collect(),
        |record| record.replace('/', "\\"),
    ];
    let refusals = [
        expect![[r#"
            vpython: error: `a-1-py3-none-any.whl` violates the wheel specifications, and `strict` is set
              caused by: `a-1.dist-info/METADATA` (digest in RECORD not in URL-safe base64), `a-1.dist-info/WHEEL` (digest in RECORD not in URL-safe base64), `a.py` (digest in RECORD not in URL-safe base64)
              hint: rebuild the wheel with a current tool, or remove `strict`
        "#]],
        expect![[r#"
            vpython: error: `a-1-py3-none-any.whl` violates the wheel specifications, and `strict` is set
              caused by: `a-1.dist-info/METADATA` (digest in RECORD not in URL-safe base64), `a-1.dist-info/WHEEL` (digest in RECORD not in URL-safe base64), `a.py` (digest in RECORD not in URL-safe base64)
              hint: rebuild the wheel with a current tool, or remove `strict`
        "#]],
        expect![[r#"
            vpython: error: `a-1-py3-none-any.whl` violates the wheel specifications, and `strict` is set
              caused by: `a-1.dist-info/METADATA` (digest in RECORD not in URL-safe base64), `a-1.dist-info/WHEEL` (digest in RECORD not in URL-safe base64), `a.py` (digest in RECORD not in URL-safe base64)
              hint: rebuild the wheel with a current tool, or remove `strict`
        "#]],
        expect![[r#"
            vpython: error: `a-1-py3-none-any.whl` violates the wheel specifications, and `strict` is set
              caused by: `./a-1.dist-info/METADATA` (path in RECORD not normalized), `./a-1.dist-info/RECORD` (path in RECORD not normalized), `./a-1.dist-info/WHEEL` (path in RECORD not normalized) and 1 more
              hint: rebuild the wheel with a current tool, or remove `strict`
        "#]],
        expect![[r#"
            vpython: error: `a-1-py3-none-any.whl` violates the wheel specifications, and `strict` is set
              caused by: `/a-1.dist-info/METADATA` (path in RECORD not normalized), `/a-1.dist-info/RECORD` (path in RECORD not normalized), `/a-1.dist-info/WHEEL` (path in RECORD not normalized) and 1 more
              hint: rebuild the wheel with a current tool, or remove `strict`
        "#]],
        expect![[r#"
            vpython: error: `a-1-py3-none-any.whl` violates the wheel specifications, and `strict` is set
              caused by: `a-1.dist-info\METADATA` (path in RECORD not normalized), `a-1.dist-info\RECORD` (path in RECORD not normalized), `a-1.dist-info\WHEEL` (path in RECORD not normalized)
              hint: rebuild the wheel with a current tool, or remove `strict`
        "#]],
    ];
    for (form, refusal) in forms.into_iter().zip(refusals) {
        warns_on_each_install(&wheel().record_as(form), &expect![""], &refusal);
    }
}

#[test]
fn a_record_that_does_not_list_itself_is_accepted() {
    let (world, fake) = world(
        &[wheel().record_as(|record| record.replace("a-1.dist-info/RECORD,,\n", ""))],
        &["a"],
        "",
    );
    install(&world, &fake).installs("");
}

#[test]
fn a_duplicate_member_with_the_same_content_is_installed_once() {
    let twice = wheel()
        .file("b.py", "VERSION = \"1\"\n")
        .fault(Fault::MissingRow("b.py"))
        .fault(Fault::Renamed("b.py", "a.py"));
    warns_on_each_install(
        &twice,
        &expect![""],
        &expect![[r#"
            vpython: error: `a-1-py3-none-any.whl` violates the wheel specifications, and `strict` is set
              caused by: `a.py` (repeated in the archive)
              hint: rebuild the wheel with a current tool, or remove `strict`
        "#]],
    );
}

#[test]
fn a_symbolic_link_becomes_a_plain_file() {
    let linked = wheel().fault(Fault::Symlink("link", "a.py"));
    let (world, fake) = world(&[linked], &["a"], "");
    install(&world, &fake).installs(expect![[r#"
        vpython: warning: RECORD of `a-1-py3-none-any.whl` disagrees with its content in one place: `link` (not in RECORD)
    "#]]);
    assert_eq!(installed(&world, "link"), "a.py");
}

/// Wheels of `a` and `b`, each with these files and its own content.
fn colliding(paths: &[&str]) -> [Wheel; 2] {
    ["a", "b"].map(|name| {
        paths.iter().fold(Wheel::module(name, "1"), |wheel, path| {
            wheel.file(path, format!("WHO = '{name}'\n"))
        })
    })
}

#[test]
fn of_two_wheels_with_one_path_the_later_wins_and_one_warning_names_them() {
    let paths = [
        "shared/__init__.py",
        "shared/c.py",
        "shared/d.py",
        "shared/e.py",
        "README.md",
        "tests/x.py",
    ];
    let (world, fake) = world(&colliding(&paths), &["a", "b"], "");
    let warning = expect![[r#"
        vpython: warning: `b 1` and `a 1` both contain `lib/python3.11/site-packages/shared/__init__.py`, `lib/python3.11/site-packages/shared/c.py`, `lib/python3.11/site-packages/shared/d.py` and 1 more; the files of `a 1` are used
    "#]];
    install(&world, &fake).installs(&warning);
    install(&world, &fake).installs(&warning);
    assert_eq!(installed(&world, "shared/c.py"), "WHO = 'a'\n");
    assert!(
        !installed(&world, "b-1.dist-info/RECORD").contains("shared/"),
        "the RECORD of the other wheel has no row for the overwritten file"
    );
    assert!(installed(&world, "a-1.dist-info/RECORD").contains("shared/c.py,sha256="));
    world
        .vpython(["-vpython-tool", "check"])
        .env("VPYTHON_INTERPRETER", &fake.path)
        .run()
        .succeeds_with("");
}

#[test]
fn a_wheel_wins_over_those_that_it_requires() {
    let [a, b] = colliding(&["shared.py"]);
    let (world, fake) = world(&[a, b.requires("a ; extra == 'never'")], &["a", "b"], "");
    let outcome = install(&world, &fake);
    outcome.installs(
        expect![[r#"
            vpython: warning: `a 1` and `b 1` both contain `lib/python3.11/site-packages/shared.py`; the files of `b 1` are used
        "#]],
    );
    assert_eq!(installed(&world, "shared.py"), "WHO = 'b'\n");
}

#[test]
fn collisions_of_files_that_are_not_imported_cause_no_warning() {
    let (world, fake) = world(
        &colliding(&["README.md", "LICENSE", "tests/__init__.py", "share/x.json"]),
        &["a", "b"],
        "",
    );
    install(&world, &fake).installs("");
}

#[test]
fn strict_refuses_two_files_for_one_path() {
    let (world, fake) = world(
        &colliding(&["README.md"]),
        &["a", "b"],
        "[tool.vpython]\nstrict = true\n",
    );
    install(&world, &fake).refuses(
        125,
        expect![[r#"
            vpython: error: `b 1` and `a 1` have different files for `lib/python3.11/site-packages/README.md`, and `strict` is set
              hint: remove one of them, or `strict`; without `strict`, the wheel that is installed last wins
        "#]],
    );
    assert_eq!(world.environments(), [] as [PathBuf; 0]);
}

#[test]
fn byte_code_is_that_of_the_file_that_is_installed() {
    let world = World::new();
    for wheel in colliding(&["shared.py"]) {
        world.wheel(&wheel);
    }
    world.write("vpython.toml", "dependencies = ['a', 'b']\n");
    let environment = world.vpython(["-vpython-tool", "install"]).run().raw_stdout;
    let site = Path::new(environment.trim_end()).join("lib");
    assert!(walkdir::WalkDir::new(site).into_iter().any(|entry| {
        entry
            .unwrap()
            .path()
            .extension()
            .is_some_and(|e| e == "pyc")
    }));
    world
        .vpython(["-c", "import shared; print(shared.WHO)"])
        .run()
        .prints("a\n");
}

#[test]
fn collisions_are_reported_before_a_build() {
    let [a, b] = colliding(&["shared.py"]);
    let wheels = [
        a.entry_point("run", "shared:main"),
        b.requires("a").entry_point("run", "shared:other"),
    ];
    let (world, fake) = world(&wheels, &["a", "b"], "");
    let warning = expect![[r#"
        vpython: warning: `a 1` and `b 1` both contain `bin/run`, `lib/python3.11/site-packages/shared.py`; the files of `b 1` are used
    "#]];
    for tool in ["explain", "verify"] {
        let outcome = world
            .vpython(["-vpython-tool", tool])
            .env("VPYTHON_INTERPRETER", &fake.path)
            .run();
        outcome.succeeds_with(&warning);
        assert_eq!(
            world.environments(),
            [] as [PathBuf; 0],
            "{tool} builds nothing"
        );
    }
    install(&world, &fake).installs(&warning);
    world
        .vpython(["-vpython-tool", "explain"])
        .env("VPYTHON_INTERPRETER", &fake.path)
        .run()
        .succeeds_with(&warning);
}
