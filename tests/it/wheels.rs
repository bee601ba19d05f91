//! The choice of wheels for a spec.
//!
//! The interpreter is a fake CPython 3.11 on x86-64 Linux with glibc 2.36, so that the choice is
//! the same on every machine.

use crate::support::{Case, Outcome, Wheel, World};

#[track_caller]
fn takes(dependencies: &[&str], wheels: &[Wheel], expected: &[&str]) {
    Case::new(dependencies, wheels).takes(expected);
}

#[track_caller]
fn refuses(dependencies: &[&str], wheels: &[Wheel], message: &str) {
    Case::new(dependencies, wheels).refuses(message);
}

fn module(name: &str, version: &str) -> Wheel {
    Wheel::module(name, version)
}

#[test]
fn the_highest_version_that_satisfies_is_taken() {
    let wheels = ["1.9", "1.10", "2.0", "1.10.post1"].map(|version| module("a", version));
    takes(&["a"], &wheels, &["a-2.0-py3-none-any.whl"]);
    takes(&["a<2"], &wheels, &["a-1.10.post1-py3-none-any.whl"]);
    takes(&["a<2,!=1.10.post1"], &wheels, &["a-1.10-py3-none-any.whl"]);
    takes(&["a~=1.9.0"], &wheels, &["a-1.9-py3-none-any.whl"]);
    takes(&["A==1.10"], &wheels, &["a-1.10-py3-none-any.whl"]);
    takes(&["a>1", "a<1.10"], &wheels, &["a-1.9-py3-none-any.whl"]);
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
            "vpython: warning: `a-1-py3-none-any.whl` has no extra `x` (required in `[WORLD]/work/vpython.toml`, line 1)\n",
        );
    }
}

#[test]
fn a_pre_release_is_taken_where_it_is_named_or_where_there_is_nothing_else() {
    let wheels = [module("a", "1.0"), module("a", "2.0rc1")];
    takes(&["a"], &wheels, &["a-1.0-py3-none-any.whl"]);
    takes(&["a>=2.0rc1"], &wheels, &["a-2.0rc1-py3-none-any.whl"]);
    takes(&["a==2.0rc1"], &wheels, &["a-2.0rc1-py3-none-any.whl"]);
    takes(&["a"], &wheels[1..], &["a-2.0rc1-py3-none-any.whl"]);
    let message = "vpython: error: no wheel in `[WORLD]/work/wheels` fits `a>=2` (required in `[WORLD]/work/vpython.toml`, line 1)\n  \
                   caused by: `a-1.0-py3-none-any.whl` is version 1.0, which does not satisfy `a>=2`\n  \
                   caused by: `a-2.0rc1-py3-none-any.whl` is version 2.0rc1, which does not satisfy `a>=2`\n  \
                   hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`, \
                   or loosen `a>=2` in `[WORLD]/work/vpython.toml`, line 1\n";
    refuses(&["a>=2"], &wheels, message);
}

#[test]
fn of_equal_versions_the_highest_build_is_taken() {
    let build = |text| module("a", "1").build(text);
    takes(
        &["a"],
        &[module("a", "1"), build("2"), build("10"), build("10a")],
        &["a-1-10a-py3-none-any.whl"],
    );
    takes(
        &["a"],
        &[module("a", "1"), build("0")],
        &["a-1-0-py3-none-any.whl"],
    );
}

#[test]
fn a_local_version_is_higher_and_satisfies_its_public_one() {
    let wheels = [module("a", "1.0"), module("a", "1.0+local.2")];
    takes(&["a==1.0"], &wheels, &["a-1.0+local.2-py3-none-any.whl"]);
    takes(
        &["a==1.0+local.2"],
        &wheels,
        &["a-1.0+local.2-py3-none-any.whl"],
    );
    takes(&["a<=1.0"], &wheels, &["a-1.0+local.2-py3-none-any.whl"]);
}

#[test]
fn of_one_version_the_tag_that_fits_best_is_taken() {
    let mut tags = vec![
        "py3-none-any",
        "py311-none-any",
        "cp311-none-any",
        "cp32-abi3-manylinux_2_17_x86_64",
        "cp310-abi3-linux_x86_64",
        "cp311-abi3-linux_x86_64",
        "cp311-cp311-manylinux1_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp311-cp311-manylinux_2_36_x86_64",
        "cp311-cp311-linux_x86_64",
    ];
    let misfits = [
        "cp312-cp312-linux_x86_64",
        "cp311-cp311-manylinux_2_37_x86_64",
        "cp311-cp311-musllinux_1_2_x86_64",
        "pp311-none-any",
    ];
    while let Some(best) = tags.last().copied() {
        let wheels: Vec<Wheel> = tags
            .iter()
            .chain(&misfits)
            .map(|tag| module("a", "1").tag(tag))
            .collect();
        takes(&["a"], &wheels, &[&format!("a-1-{best}.whl")]);
        tags.pop();
    }
}

#[test]
fn a_better_tag_does_not_beat_a_higher_version() {
    let wheels = [
        module("a", "1").tag("cp311-cp311-linux_x86_64"),
        module("a", "2"),
    ];
    takes(&["a"], &wheels, &["a-2-py3-none-any.whl"]);
}

#[test]
fn an_unsatisfiable_version_is_given_up_for_a_lower_one() {
    let wheels = [
        module("a", "2").requires("b>=2"),
        module("a", "1").requires("b"),
        module("b", "1"),
        module("c", "2").requires("missing"),
        module("c", "1"),
    ];
    takes(
        &["a", "b<2"],
        &wheels,
        &["a-1-py3-none-any.whl", "b-1-py3-none-any.whl"],
    );
    takes(&["c"], &wheels, &["c-1-py3-none-any.whl"]);
}

#[test]
fn a_wheel_that_requires_another_python_is_skipped() {
    let wheels = [module("a", "1"), module("a", "2").requires_python(">=3.12")];
    takes(&["a"], &wheels, &["a-1-py3-none-any.whl"]);
    let message = "vpython: error: no wheel in `[WORLD]/work/wheels` fits `a` (required in `[WORLD]/work/vpython.toml`, line 1)\n  \
                   caused by: `a-2-py3-none-any.whl` requires Python `>=3.12`; the interpreter is CPython 3.11.99 on linux x86_64\n  \
                   hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`, \
                   or set `requires-python = \">=3.12\"`\n";
    refuses(&["a"], &wheels[1..], message);
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
        "vpython: error: no wheel in `[WORLD]/work/wheels` fits `a>=1` (required in `[WORLD]/work/vpython.toml`, line 1)\n  \
         caused by: `a-1-cp311-cp311-macosx_11_0_arm64.whl` is for macosx_11_0_arm64; the interpreter is CPython 3.11.99 on linux \
         x86_64\n  \
         caused by: `a-1-cp312-cp312-linux_x86_64.whl` is for cp312; the interpreter is CPython 3.11.99 on linux x86_64\n  \
         caused by: `a-1-py2-none-any.whl` is for py2; the interpreter is CPython 3.11.99 on linux x86_64\n  \
         hint: add a cp311 wheel to `[WORLD]/work/wheels`, or set `requires-python = \"==3.12.*\"`\n",
    );
}

#[test]
fn a_project_without_a_wheel_is_an_error_that_names_what_requires_it() {
    let wheels = [module("a", "1").requires("b>1 ; python_version > '3'")];
    refuses(
        &["a"],
        &wheels,
        "vpython: error: no wheel in `[WORLD]/work/wheels` fits `b>1` (required by `a` 1, `a-1-py3-none-any.whl`)\n  \
         caused by: `a` is required in `[WORLD]/work/vpython.toml`, line 1\n  \
         caused by: there is no wheel of `b`\n  \
         hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`\n",
    );
}

#[test]
fn without_a_wheel_directory_the_error_says_how_to_name_one() {
    refuses(
        &["a"],
        &[],
        "vpython: error: no wheel fits `a` (required in `[WORLD]/work/vpython.toml`, line 1)\n  \
         caused by: no wheel directory is configured, and there is no `wheels` next to the spec\n  \
         hint: create and fill one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`, or name a wheel directory: `wheels = [\"…\"]` under `[tool.vpython]`, `-vpython-wheels` or `VPYTHON_WHEELS`\n",
    );
}

#[test]
fn a_conflict_is_reported_with_all_its_requirements() {
    let wheels = [
        module("a", "1").requires("c<2"),
        module("b", "1").requires("c>=2"),
        module("c", "1"),
        module("c", "2"),
    ];
    refuses(
        &["a", "b"],
        &wheels,
        "vpython: error: no wheel in `[WORLD]/work/wheels` fits all requirements on `c`\n  \
         caused by: `c<2` is required by `a` 1, `a-1-py3-none-any.whl`\n  \
         caused by: `c>=2` is required by `b` 1, `b-1-py3-none-any.whl`\n  \
         caused by: `a` is required in `[WORLD]/work/vpython.toml`, line 1\n  \
         caused by: `b` is required in `[WORLD]/work/vpython.toml`, line 1\n  \
         caused by: `c-1-py3-none-any.whl` is version 1, which does not satisfy `c>=2`\n  \
         caused by: `c-2-py3-none-any.whl` is version 2, which does not satisfy `c<2`\n  \
         hint: fetch others: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`\n",
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
        "vpython: error: no wheel in `[WORLD]/work/wheels` fits `a` (required in `[WORLD]/work/vpython.toml`, line 1)\n  \
         caused by: `a-2-py3-none-any.whl` cannot be used: cannot read `[WORLD]/work/wheels/a-2-py3-none-any.whl` as a wheel: \
         invalid Zip archive: Could not find EOCD\n  \
         hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`\n",
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
    let message = "vpython: error: the directory `[WORLD]/work/nowhere` does not exist\n  caused by: it comes from `-vpython-wheels`\n";
    let launch = case
        .world
        .vpython(["-vpython-wheels", "nowhere", "-c", ""])
        .env("VPYTHON_INTERPRETER", &case.fake.path);
    launch.run().refuses(125, message);
}

#[test]
fn pre_releases_do_not_depend_on_the_order_of_the_spec() {
    let wheels = [
        module("foo", "1.0"),
        module("foo", "2.0a1"),
        module("bar", "1").requires("foo>=2.0a1"),
    ];
    let expected = ["bar-1-py3-none-any.whl", "foo-2.0a1-py3-none-any.whl"];
    takes(&["foo", "bar"], &wheels, &expected);
    takes(&["bar", "foo"], &wheels, &expected);
}

#[test]
fn excluding_a_pre_release_does_not_permit_pre_releases() {
    let wheels = ["1.0", "2.0a1", "2.0a2"].map(|version| module("foo", version));
    takes(&["foo!=2.0a2"], &wheels, &["foo-1.0-py3-none-any.whl"]);
    takes(&["foo>=2.0a1"], &wheels, &["foo-2.0a2-py3-none-any.whl"]);
}

#[test]
fn a_final_version_for_another_python_does_not_hide_a_pre_release() {
    let wheels = [
        module("foo", "1.0").requires_python("<3.8"),
        module("foo", "2.0a1"),
    ];
    takes(&["foo"], &wheels, &["foo-2.0a1-py3-none-any.whl"]);
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
    assert!(
        outcome.stderr.contains("its `METADATA` is for version `1`"),
        "{outcome}"
    );
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

/// The wheels of a chain of `levels` projects, each in five versions that require the next project;
/// the last requires `end`.
fn chain(levels: usize, end: &str) -> Vec<Wheel> {
    let wheels = (0..levels).flat_map(|level| (1..=5).map(move |version| (level, version)));
    let next = |level| {
        if level + 1 == levels {
            end.to_owned()
        } else {
            format!("p{}", level + 1)
        }
    };
    wheels
        .map(|(level, version)| {
            module(&format!("p{level}"), &version.to_string()).requires(&next(level))
        })
        .collect()
}

#[test]
fn a_missing_wheel_is_found_without_trying_everything() {
    // An exhaustive search would try five to the power of thirty combinations.
    refuses(
        &["p0"],
        &chain(30, "missing"),
        "vpython: error: no wheel in `[WORLD]/work/wheels` fits `missing` (required by `p29` 5, `p29-5-py3-none-any.whl`)\n  \
         caused by: `p29` is required by `p28`, a dependency of `p0`, which is required in `[WORLD]/work/vpython.toml`, line 1\n  \
         caused by: `missing` is required by `p29` 1, 2, 3 and 4 too\n  \
         caused by: there is no wheel of `missing`\n  \
         hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`\n",
    );
}

#[test]
fn a_conflict_changes_the_choice_that_caused_it() {
    // `core` is chosen first and `end` last; the projects in between have nothing to do with their
    // conflict.
    let mut wheels: Vec<Wheel> = (0..12)
        .map(|minor| module("core", &format!("0.{minor}")))
        .collect();
    let between = (0..10).flat_map(|number| (1..=4).map(move |version| (number, version)));
    wheels.extend(between.map(|(number, version)| {
        module(&format!("m{number}"), &version.to_string()).requires("core")
    }));
    wheels.push(module("end", "1").requires("core==0.0"));
    let names: Vec<String> = ["core".to_owned()]
        .into_iter()
        .chain((0..10).map(|number| format!("m{number}")))
        .collect();
    let dependencies: Vec<&str> = names.iter().map(String::as_str).chain(["end"]).collect();
    let expected: Vec<String> = ["core-0.0".to_owned(), "end-1".to_owned()]
        .into_iter()
        .chain((0..10).map(|number| format!("m{number}-4")))
        .collect();
    let expected: Vec<String> = expected
        .iter()
        .map(|stem| format!("{stem}-py3-none-any.whl"))
        .collect();
    takes(
        &dependencies,
        &wheels,
        &expected.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

#[test]
fn an_unrequested_pre_release_is_excluded_without_trying_everything() {
    let mut wheels = vec![
        module("b", "1"),
        module("b", "2").requires("x"),
        module("x", "1").requires("nothere"),
        module("x", "2rc1"),
    ];
    let names: Vec<String> = (0..12).map(|number| format!("a{number}")).collect();
    wheels.extend(
        names
            .iter()
            .flat_map(|name| (1..=3).map(move |version| module(name, &version.to_string()))),
    );
    let dependencies: Vec<&str> = ["b"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let mut expected: Vec<String> = names
        .iter()
        .map(|name| format!("{name}-3-py3-none-any.whl"))
        .collect();
    expected.push("b-1-py3-none-any.whl".into());
    expected.sort_by_key(|file| file.split('-').next().unwrap().to_owned());
    takes(
        &dependencies,
        &wheels,
        &expected.iter().map(String::as_str).collect::<Vec<_>>(),
    );
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
    let message = "\
vpython: error: bad spec in `[WORLD]/work/vpython.toml`
  caused by: `[WORLD]/work/vpython.toml`, line 2, column 11: `tool.vpython.no-deps` must be a boolean, not a string
";
    world.vpython(["-c", ""]).run().refuses(125, message);
}
