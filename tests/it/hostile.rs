//! Malicious wheels: vpython refuses them by name and leaves no part of them.

use crate::support::{Fake, Fault, Wheel, World};

/// Checks that installing the wheels of projects `a`, `b`, … is refused with this message, and that
/// nothing is left under a final name.
#[track_caller]
fn refuses(wheels: &[Wheel], message: &str) {
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

/// The first line of the error for a wheel that cannot be unpacked.
fn cannot_unpack(causes: &str) -> String {
    let causes = causes.replace('\n', "\n  caused by: ");
    format!(
        "vpython: error: cannot unpack `[WORLD]/work/wheels/a-1-py3-none-any.whl`\n  caused by: {causes}\n"
    )
}

fn wheel() -> Wheel {
    Wheel::module("a", "1")
}

#[test]
fn a_name_that_leads_out_of_its_directory_is_refused() {
    #[rustfmt::skip]
    let rows = [
        ("../escaped", "member `../escaped` cannot be unpacked\nthe name of member `../escaped` is not a path of plain names"),
        ("/tmp/escaped", "member `/tmp/escaped` cannot be unpacked\nthe name of member `/tmp/escaped` is absolute"),
        ("x/../../escaped", "member `x/../../escaped` cannot be unpacked\nthe name of member `x/../../escaped` is not a path of plain names"),
        ("x\\escaped", "member `x\\escaped` cannot be unpacked\nthe name of member `x\\escaped` has a backslash, which some programs read as a slash"),
        ("a-1.data/scripts/../../escaped", "member `a-1.data/scripts/../../escaped` cannot be unpacked\nthe name of member \
          `a-1.data/scripts/../../escaped` is not a path of plain names"),
        ("a-1.data/elsewhere/x", "member `a-1.data/elsewhere/x` cannot be unpacked\nmember `a-1.data/elsewhere/x` is in no data scheme\n\
          the schemes are `purelib`, `platlib`, `scripts`, `headers` and `data`"),
    ];
    for (name, causes) in rows {
        // Archive writers may refuse such names, so the test writes another name of the same length
        // and then replaces it.
        let plain: &'static str = "n".repeat(name.len()).leak();
        let wheel = wheel().file(plain, "").fault(Fault::Renamed(plain, name));
        refuses(&[wheel], &cannot_unpack(causes));
    }
}

#[test]
fn two_members_for_one_path_are_refused() {
    refuses(
        &[wheel().file("a-1.data/purelib/a.py", "other")],
        &cannot_unpack(
            "member `a-1.data/purelib/a.py` cannot be unpacked\ntwo members of the wheel have the destination `a.py`",
        ),
    );
}

#[test]
fn a_name_with_two_contents_is_refused() {
    for content in ["VERSION = \"2\"\n", "another size"] {
        let twice = wheel()
            .file("b.py", content)
            .fault(Fault::Renamed("b.py", "a.py"));
        refuses(&[twice], &cannot_unpack("two members have the name `a.py`"));
    }
}

#[test]
fn a_link_that_leads_out_of_a_wheel_is_refused() {
    let rows = [
        ("link", "/etc/passwd"),
        ("link", "../x"),
        ("a/b/link", "../../../x"),
        ("a/link", "x/../../../y"),
    ];
    for (name, target) in rows {
        let why = format!(
            "member `{name}` cannot be unpacked\nit is a symbolic link that leads out of the wheel"
        );
        refuses(
            &[wheel().fault(Fault::Symlink(name, target))],
            &cannot_unpack(&why),
        );
    }
}

#[test]
fn a_wheel_without_its_own_files_is_refused() {
    refuses(
        &[wheel().fault(Fault::NoRecord)],
        &cannot_unpack("it has no `a-1.dist-info/RECORD`"),
    );
}

#[test]
fn a_wheel_that_overwrites_the_environments_own_files_is_refused() {
    #[rustfmt::skip]
    let rows = [
        ("data/pyvenv.cfg", "pyvenv.cfg", "it is part of the environment itself"),
        ("scripts/activate.fish", "bin/activate.fish", "it is part of the environment itself"),
        ("data/vpython.json", "vpython.json", "it is part of the environment itself"),
        ("data/bin/python3", "bin/python3", "it would replace the interpreter"),
        ("scripts/python", "bin/python", "it would replace the interpreter"),
        ("scripts/python3.11", "bin/python3.11", "it would replace the interpreter"),
    ];
    for (member, place, why) in rows {
        let world = World::new();
        world.wheel(&wheel().data(member, "x"));
        world.write("vpython.toml", "dependencies = ['a']\n");
        let fake = Fake::new(&world, "3.11.99");
        let outcome = world
            .vpython(["-vpython-tool", "install"])
            .env("VPYTHON_INTERPRETER", &fake.path)
            .run();
        outcome.refuses(
            125,
            &format!(
                "vpython: error: cannot install `{place}` of `a-1.dist-info`\n  caused by: {why}\n"
            ),
        );
        assert_eq!(world.environments(), [] as [std::path::PathBuf; 0]);
    }
}
