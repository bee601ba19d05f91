//! The choice of wheels for a spec.
//!
//! The interpreter is a fake CPython 3.11 on x86-64 Linux with glibc 2.36, so that the choice is
//! the same on every machine.

mod conflicts;
mod versions;

use expect_test::expect;

use crate::support::{Case, Expected, Outcome, Wheel, World};

#[track_caller]
fn takes(dependencies: &[&str], wheels: &[Wheel], expected: &[&str]) {
    Case::new(dependencies, wheels).takes(expected);
}

#[track_caller]
fn refuses(dependencies: &[&str], wheels: &[Wheel], message: impl Expected) {
    Case::new(dependencies, wheels).refuses(message);
}

fn module(name: &str, version: &str) -> Wheel {
    Wheel::module(name, version)
}

#[test]
fn names_are_normalised_before_comparison() {
    let wheel = module("Zope.Inter_face", "1");
    takes(
        &["zope-inter.face"],
        &[wheel],
        &["Zope.Inter_face-1-py3-none-any.whl"],
    );
}

#[test]
fn markers_decide_which_requirements_apply() {
    let wheels = [
        module("a", "1"),
        module("b", "1").requires("a; python_version < '3.8'"),
    ];
    takes(
        &[
            "a; sys_platform == 'win32'",
            "b; python_full_version >= '3.11.9'",
        ],
        &wheels,
        &["b-1-py3-none-any.whl"],
    );
}

#[test]
fn requirements_of_wheels_are_followed() {
    let wheels = [
        module("a", "1")
            .requires("b>=2")
            .extra("more")
            .requires("c; extra == 'more'"),
        module("b", "1"),
        module("b", "2"),
        module("c", "1").requires("a"),
    ];
    takes(
        &["a"],
        &wheels,
        &["a-1-py3-none-any.whl", "b-2-py3-none-any.whl"],
    );
    let all = [
        "a-1-py3-none-any.whl",
        "b-2-py3-none-any.whl",
        "c-1-py3-none-any.whl",
    ];
    takes(&["a[more]"], &wheels, &all);
    takes(&["c", "a[More]"], &wheels, &all);
}

#[test]
fn an_extra_that_another_wheel_requires_is_followed() {
    let wheels = [
        module("a", "1")
            .extra("x")
            .requires("c; extra == 'x'")
            .requires("b"),
        module("b", "1").requires("a[x]"),
        module("c", "1"),
    ];
    takes(
        &["a"],
        &wheels,
        &[
            "a-1-py3-none-any.whl",
            "b-1-py3-none-any.whl",
            "c-1-py3-none-any.whl",
        ],
    );
}

#[test]
fn an_extra_that_is_not_there_is_warned_of_on_every_launch() {
    let case = Case::new(&["a[x]"], &[module("a", "1")]);
    for _ in 0..2 {
        case.run().installs(
            expect![[r#"
                vpython: warning: `a-1-py3-none-any.whl` has no extra `x` (required in `[WORLD]/work/vpython.toml`, line 1)
            "#]],
        );
    }
}

#[test]
fn a_wheel_for_another_python_or_platform_is_refused_with_the_part_that_does_not_fit() {
    let wheels = [
        module("a", "1").tag("cp312-cp312-linux_x86_64"),
        module("a", "1").tag("cp311-cp311-macosx_11_0_arm64"),
        module("a", "1").tag("py2-none-any"),
    ];
    refuses(
        &["a>=1"],
        &wheels,
        expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `a>=1` (required in `[WORLD]/work/vpython.toml`, line 1)
              caused by: `a-1-cp311-cp311-macosx_11_0_arm64.whl` is for macosx_11_0_arm64; the interpreter is CPython 3.11.99 on linux x86_64
              caused by: `a-1-cp312-cp312-linux_x86_64.whl` is for cp312; the interpreter is CPython 3.11.99 on linux x86_64
              caused by: `a-1-py2-none-any.whl` is for py2; the interpreter is CPython 3.11.99 on linux x86_64
              hint: add a cp311 wheel to `[WORLD]/work/wheels`, or set `requires-python = "==3.12.*"`
        "#]],
    );
}

#[test]
fn a_project_without_a_wheel_is_an_error_that_names_what_requires_it() {
    let wheels = [module("a", "1").requires("b>1 ; python_version > '3'")];
    refuses(
        &["a"],
        &wheels,
        expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `b>1` (required by `a` 1, `a-1-py3-none-any.whl`)
              caused by: `a` is required in `[WORLD]/work/vpython.toml`, line 1
              caused by: there is no wheel of `b`
              hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
        "#]],
    );
}

#[test]
fn without_a_wheel_directory_the_error_says_how_to_name_one() {
    refuses(
        &["a"],
        &[],
        expect![[r#"
            vpython: error: no wheel fits `a` (required in `[WORLD]/work/vpython.toml`, line 1)
              caused by: no wheel directory is configured, and there is no `wheels` next to the spec
              hint: create and fill one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`, or fetch at launch: `-vpython-fetch`, or name a wheel directory: `wheels = ["…"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`
        "#]],
    );
}

#[test]
fn a_wheel_that_cannot_be_read_is_skipped_and_named() {
    let case = Case::new(&["a"], &[module("a", "1")]);
    case.world
        .write("wheels/a-2-py3-none-any.whl", "no archive");
    case.takes(&["a-1-py3-none-any.whl"]);
    std::fs::remove_file(case.world.path("wheels/a-1-py3-none-any.whl")).unwrap();
    case.run().refuses(
        125,
        expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `a` (required in `[WORLD]/work/vpython.toml`, line 1)
              caused by: `a-2-py3-none-any.whl` cannot be used: cannot read `[WORLD]/work/wheels/a-2-py3-none-any.whl` as a wheel: it is not a zip archive: it is too short
              hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
        "#]],
    );
}

#[test]
fn wheel_directories_are_searched_in_the_documented_order() {
    let case = Case::new(&["a"], &[module("a", "1").file("from-next-to-spec", "")]);
    let world = &case.world;
    world.write(
        "vpython.toml",
        "dependencies = ['a']\n[tool.vpython]\nwheels = ['named']\n",
    );
    module("a", "1")
        .file("from-spec", "")
        .write_to(&world.path("named"));
    module("a", "1")
        .file("from-caller", "")
        .write_to(&world.path("given"));
    let launch = || {
        world
            .vpython(["-vpython-tool", "install"])
            .env("VPYTHON_INTERPRETER", &case.fake.path)
    };
    // Each wheel has a file that names its directory.
    let site = |outcome: Outcome| {
        let site = format!(
            "{}/lib/python3.11/site-packages",
            outcome.raw_stdout.trim_end()
        );
        let names = ["caller", "spec", "next-to-spec"].into_iter();
        names
            .filter(|name| {
                std::path::Path::new(&site)
                    .join(format!("from-{name}"))
                    .exists()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        site(launch().env("VPYTHON_WHEELS", world.path("given")).run()),
        ["caller"]
    );
    assert_eq!(
        site(
            launch()
                .env("VPYTHON_WHEELS", world.path("not-there"))
                .run()
        ),
        ["spec"]
    );
    // Only the directory next to the spec has a wheel; `pip_packages` is its other default name.
    std::fs::rename(
        world.path("named/a-1-py3-none-any.whl"),
        world.path("elsewhere.whl"),
    )
    .unwrap();
    assert_eq!(site(launch().run()), ["next-to-spec"]);
    std::fs::rename(world.path("wheels"), world.path("pip_packages")).unwrap();
    assert_eq!(site(launch().run()), ["next-to-spec"]);
}

#[test]
fn a_directory_that_the_flag_names_must_exist() {
    let case = Case::new(&["a"], &[module("a", "1")]);
    let launch = case
        .world
        .vpython(["-vpython-wheels", "nowhere", "-c", ""])
        .env("VPYTHON_INTERPRETER", &case.fake.path);
    launch.run().refuses(
        125,
        expect![[r#"
            vpython: error: the directory `[WORLD]/work/nowhere` does not exist
              caused by: it comes from `-vpython-wheels`
        "#]],
    );
}

#[test]
fn a_trailing_comma_is_accepted() {
    let wheels = [
        module("foo", "1"),
        module("foo", "2")
            .requires_python(">=3.6,")
            .requires("bar>=1,"),
        module("bar", "1"),
    ];
    takes(
        &["foo"],
        &wheels,
        &["bar-1-py3-none-any.whl", "foo-2-py3-none-any.whl"],
    );
}

#[test]
fn metadata_of_another_version_is_not_used() {
    let world = World::new();
    let one = Wheel::module("foo", "1").bytes();
    world.write("wheels/foo-2-py3-none-any.whl", one);
    world.write("vpython.toml", "dependencies = ['foo']\n");
    let outcome = world.vpython(["-c", ""]).run();
    outcome.refuses(125, expect![[r#"
        vpython: error: no wheel in `[WORLD]/work/wheels` fits `foo` (required in `[WORLD]/work/vpython.toml`, line 1)
          caused by: `foo-2-py3-none-any.whl` cannot be used: cannot read `[WORLD]/work/wheels/foo-2-py3-none-any.whl` as a wheel: its `METADATA` is for version `1`
          hint: fetch one: `vpython -vpython-tool fetch -c ''`
    "#]]);
}

#[test]
fn metadata_of_a_vendored_project_is_not_the_wheels_own() {
    // Before its own in the archive.
    let wheel = Wheel::new("ray", "1").file(
        "ray-1.data/purelib/thirdparty/colorama-0.4.dist-info/METADATA",
        "Name: colorama\n",
    );
    takes(&["ray"], &[wheel], &["ray-1-py3-none-any.whl"]);
}

#[test]
fn requirements_of_wheels_are_ignored_if_the_spec_says_so() {
    let world = World::new();
    world.wheel(&Wheel::module("lonely", "1").requires("absent"));
    world.write(
        "vpython.toml",
        "dependencies = ['lonely']\n[tool.vpython]\nno-deps = true\n",
    );
    world
        .vpython(["-c", "import lonely; print(lonely.VERSION)"])
        .run()
        .prints("1\n");
    world.write("vpython.toml", "[tool.vpython]\nno-deps = 'yes'\n");
    world.vpython(["-c", ""]).run().refuses(125, expect![[r#"
        vpython: error: bad spec in `[WORLD]/work/vpython.toml`
          caused by: `[WORLD]/work/vpython.toml`, line 2, column 11: `tool.vpython.no-deps` must be a boolean, not a string
    "#]]);
}
