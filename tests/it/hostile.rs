//! Malicious wheels: vpython refuses them by name and leaves no part of them.

use expect_test::{Expect, expect};

use crate::support::{Fake, Fault, Wheel, World};

/// Checks that installing the wheels of projects `a`, `b`, … is refused with this message, and that
/// nothing is left under a final name.
#[track_caller]
fn refuses(wheels: &[Wheel], message: &Expect) {
    let world = World::new();
    for wheel in wheels {
        world.wheel(wheel);
    }
    let dependencies = &["a", "b"][..wheels.len()];
    world.write("vpython.toml", format!("dependencies = {dependencies:?}\n"));
    let fake = Fake::new(&world, "3.11.99");
    for _ in 0..2 {
        let outcome = world
            .vpython(["-vpython-tool", "install"])
            .env("VPYTHON_INTERPRETER", &fake.path)
            .run();
        outcome.refuses(125, message);
    }
    let left: Vec<_> = world
        .leftovers()
        .into_iter()
        .filter(|path| wheels.len() == 1 || !path.starts_with(world.store("wheels")))
        .collect();
    assert_eq!(left, [] as [std::path::PathBuf; 0], "nothing is left");
    assert!(!world.outside("escaped").exists() && !world.path("escaped").exists());
}

fn wheel() -> Wheel {
    Wheel::module("a", "1")
}

#[test]
fn a_name_that_leads_out_of_its_directory_is_refused() {
    #[rustfmt::skip]
    let rows = [
        ("../escaped", expect![[r#"
            vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
              caused by: member `../escaped` cannot be unpacked
              caused by: the name of member `../escaped` is not a path of plain names
        "#]]),
        ("/tmp/escaped", expect![[r#"
            vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
              caused by: member `/tmp/escaped` cannot be unpacked
              caused by: the name of member `/tmp/escaped` is absolute
        "#]]),
        ("x/../../escaped", expect![[r#"
            vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
              caused by: member `x/../../escaped` cannot be unpacked
              caused by: the name of member `x/../../escaped` is not a path of plain names
        "#]]),
        ("x\\escaped", expect![[r#"
            vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
              caused by: member `x\escaped` cannot be unpacked
              caused by: the name of member `x\escaped` has a backslash, which some programs read as a slash
        "#]]),
        ("a-1.data/scripts/../../escaped", expect![[r#"
            vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
              caused by: member `a-1.data/scripts/../../escaped` cannot be unpacked
              caused by: the name of member `a-1.data/scripts/../../escaped` is not a path of plain names
        "#]]),
        ("a-1.data/elsewhere/x", expect![[r#"
            vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
              caused by: member `a-1.data/elsewhere/x` cannot be unpacked
              caused by: member `a-1.data/elsewhere/x` is in no data scheme
              caused by: the schemes are `purelib`, `platlib`, `scripts`, `headers` and `data`
        "#]]),
    ];
    for (name, message) in rows {
        // Archive writers may refuse such names, so the test writes another name of the same length
        // and then replaces it.
        let plain: &'static str = "n".repeat(name.len()).leak();
        let wheel = wheel().file(plain, "").fault(Fault::Renamed(plain, name));
        refuses(&[wheel], &message);
    }
}

#[test]
fn two_members_for_one_path_are_refused() {
    refuses(
        &[wheel().file("a-1.data/purelib/a.py", "other")],
        &expect![[r#"
            vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
              caused by: member `a-1.data/purelib/a.py` cannot be unpacked
              caused by: two members of the wheel have the destination `a.py`
        "#]],
    );
}

#[test]
fn a_name_with_two_contents_is_refused() {
    for content in ["VERSION = \"2\"\n", "another size"] {
        let twice = wheel()
            .file("b.py", content)
            .fault(Fault::Renamed("b.py", "a.py"));
        refuses(
            &[twice],
            &expect![[r#"
                vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
                  caused by: two members have the name `a.py`
            "#]],
        );
    }
}

#[test]
fn a_link_that_leads_out_of_a_wheel_is_refused() {
    let rows = [
        (
            "link",
            "/etc/passwd",
            expect![[r#"
                vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
                  caused by: member `link` cannot be unpacked
                  caused by: it is a symbolic link that leads out of the wheel
            "#]],
        ),
        (
            "link",
            "../x",
            expect![[r#"
                vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
                  caused by: member `link` cannot be unpacked
                  caused by: it is a symbolic link that leads out of the wheel
            "#]],
        ),
        (
            "a/b/link",
            "../../../x",
            expect![[r#"
                vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
                  caused by: member `a/b/link` cannot be unpacked
                  caused by: it is a symbolic link that leads out of the wheel
            "#]],
        ),
        (
            "a/link",
            "x/../../../y",
            expect![[r#"
                vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
                  caused by: member `a/link` cannot be unpacked
                  caused by: it is a symbolic link that leads out of the wheel
            "#]],
        ),
    ];
    for (name, target, message) in rows {
        refuses(&[wheel().fault(Fault::Symlink(name, target))], &message);
    }
}

#[test]
fn a_wheel_without_its_own_files_is_refused() {
    refuses(
        &[wheel().fault(Fault::NoRecord)],
        &expect![[r#"
            vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`
              caused by: it has no `a-1.dist-info/RECORD`
        "#]],
    );
}

#[test]
fn a_wheel_that_overwrites_the_environments_own_files_is_refused() {
    #[rustfmt::skip]
    let rows = [
        ("data/pyvenv.cfg", expect![[r#"
            vpython: error: cannot install `pyvenv.cfg` of `a-1.dist-info`
              caused by: it is part of the environment itself
        "#]]),
        ("scripts/activate.fish", expect![[r#"
            vpython: error: cannot install `bin/activate.fish` of `a-1.dist-info`
              caused by: it is part of the environment itself
        "#]]),
        ("data/vpython.json", expect![[r#"
            vpython: error: cannot install `vpython.json` of `a-1.dist-info`
              caused by: it is part of the environment itself
        "#]]),
        ("data/bin/python3", expect![[r#"
            vpython: error: cannot install `bin/python3` of `a-1.dist-info`
              caused by: it would replace the interpreter
        "#]]),
        ("scripts/python", expect![[r#"
            vpython: error: cannot install `bin/python` of `a-1.dist-info`
              caused by: it would replace the interpreter
        "#]]),
        ("scripts/python3.11", expect![[r#"
            vpython: error: cannot install `bin/python3.11` of `a-1.dist-info`
              caused by: it would replace the interpreter
        "#]]),
    ];
    for (member, message) in rows {
        let world = World::new();
        world.wheel(&wheel().data(member, "x"));
        world.write("vpython.toml", "dependencies = ['a']\n");
        let fake = Fake::new(&world, "3.11.99");
        let outcome = world
            .vpython(["-vpython-tool", "install"])
            .env("VPYTHON_INTERPRETER", &fake.path)
            .run();
        outcome.refuses(125, message);
        assert_eq!(world.environments(), [] as [std::path::PathBuf; 0]);
    }
}
