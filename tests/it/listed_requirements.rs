//! The requirements of the wheels that a LUCI spec lists: they are installed if there are wheels
//! for them, and the list itself is used unchanged.

use expect_test::expect;

use crate::support::{Case, Outcome, Wheel};

/// A spec that lists these projects in version 1.
fn spec(projects: &[&str]) -> String {
    let wheel =
        |project: &&str| format!("wheel: < name: \"{project}-py3\" version: \"version:1\" >\n");
    format!(
        "# vpython: no-seed\n{}",
        projects.iter().map(wheel).collect::<String>()
    )
}

fn case(listed: &[&str], wheels: &[Wheel]) -> Case {
    Case::with_spec(".vpython3", &spec(listed), wheels)
}

fn module(name: &str, version: &str) -> Wheel {
    Wheel::module(name, version)
}

fn run(case: &Case, words: &[&str]) -> Outcome {
    case.world
        .vpython(words)
        .env("VPYTHON_INTERPRETER", &case.fake.path)
        .run()
}

/// The file of a wheel for any Python 3.
fn file(name: &str, version: &str) -> String {
    format!("{name}-{version}-py3-none-any.whl")
}

fn files(wheels: &[(&str, &str)]) -> Vec<String> {
    wheels
        .iter()
        .map(|(name, version)| file(name, version))
        .collect()
}

#[track_caller]
fn takes(case: &Case, wheels: &[(&str, &str)]) {
    case.takes(&files(wheels).iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn requirements_of_listed_wheels_are_followed_transitively() {
    let wheels = [
        module("a", "1")
            .requires("b[x]>=1")
            .requires("win; sys_platform == 'win32'"),
        module("b", "1")
            .requires("c")
            .requires("d; extra == 'x'")
            .requires("e; extra == 'y'")
            .extra("x")
            .extra("y"),
        module("b", "2")
            .requires("c<2")
            .requires("d; extra == 'x'")
            .extra("x"),
        module("c", "1"),
        module("c", "2"),
        module("d", "3"),
        module("e", "1"),
        module("win", "1"),
        module("unasked", "1"),
    ];
    takes(
        &case(&["a"], &wheels),
        &[("a", "1"), ("b", "2"), ("c", "1"), ("d", "3")],
    );
}

#[test]
fn a_listed_version_overrides_every_other_requirement() {
    let wheels = [
        module("a", "1").requires("b>=2").requires("c"),
        module("b", "1"),
        module("b", "2"),
        module("c", "2"),
    ];
    let case = case(&["a", "b"], &wheels);
    let warning = expect![[r#"
        vpython: warning: `a-1-py3-none-any.whl` (listed in `[WORLD]/work/.vpython3`, line 2) requires `b>=2`, but `b-1-py3-none-any.whl` is listed
    "#]];
    let install = run(&case, &["-vpython-tool", "install"]);
    install.installs(&warning);
    let manifest =
        std::fs::read_to_string(format!("{}/vpython.json", install.raw_stdout.trim_end())).unwrap();
    for (name, version, expected) in [
        ("a", "1", true),
        ("b", "1", true),
        ("b", "2", false),
        ("c", "2", true),
    ] {
        assert_eq!(
            manifest.contains(&file(name, version)),
            expected,
            "{name} {version}: {manifest}"
        );
    }
    run(&case, &["-vpython-tool", "install"]).installs(&warning);
    run(&case, &["-vpython-tool", "verify"]).expect(
        0,
        expect![[r#"
            requirement  required  here (3.11.99)
            a==1         line 2    1
            b==1         line 3    1
              c          by a      2

            ok here; the spec names no other platforms
        "#]],
        &warning,
    );
    assert_eq!(run(&case, &["-c", ""]).stderr, "");
    run(&case, &["-vpython-tool", "explain"]).succeeds_with(&warning);
}

#[test]
fn a_missing_requirement_is_reported_by_tools_and_does_not_prevent_a_launch() {
    let wheels = [
        module("a", "1").requires("b").requires("gone>=2"),
        module("b", "1").requires("gone"),
        module("gone", "1"),
    ];
    let case = case(&["a"], &[&wheels[..2]].concat());
    let warnings = expect![[r#"
        vpython: warning: `a-1-py3-none-any.whl` (listed in `[WORLD]/work/.vpython3`, line 2) requires `gone>=2`, which is not among the listed wheels
        vpython: warning: `b-1-py3-none-any.whl` (required by `a` 1, `a-1-py3-none-any.whl`) requires `gone`, which is not among the listed wheels
    "#]];
    assert_eq!(run(&case, &["-c", ""]).stderr, "");
    assert_eq!(run(&case, &["-c", ""]).stderr, "");
    run(&case, &["-vpython-tool", "install"]).installs(&warnings);
    run(&case, &["-vpython-tool", "verify"]).succeeds_with(&warnings);
    // A version that satisfies one of two requirements is installed for that one.
    case.world.wheel(&wheels[2]);
    let install = run(&case, &["-vpython-tool", "install"]);
    install.installs(expect![[r#"
        vpython: warning: `a-1-py3-none-any.whl` (listed in `[WORLD]/work/.vpython3`, line 2) requires `gone>=2`, but `gone-1-py3-none-any.whl` is chosen
    "#]]);
    assert_eq!(case.world.environments().len(), 2, "{install}");
}

#[test]
fn of_two_conflicting_requirements_the_first_is_satisfied() {
    let wheels = [
        module("a", "1").requires("c<2"),
        module("b", "1").requires("c>=2"),
        module("c", "1"),
        module("c", "2"),
    ];
    let case = case(&["a", "b"], &wheels);
    let warning = expect![[r#"
        vpython: warning: `b-1-py3-none-any.whl` (listed in `[WORLD]/work/.vpython3`, line 3) requires `c>=2`, but `c-1-py3-none-any.whl` is chosen
    "#]];
    run(&case, &["-vpython-tool", "install"]).installs(&warning);
    run(&case, &["-vpython-tool", "explain", "--tree"]).expect(
        0,
        expect![[r#"
            a 1
            └── c 1
            b 1
            └── c 1 (*)

            (*) shown above
        "#]],
        &warning,
    );
}

#[test]
fn an_invalid_requirement_is_reported_and_the_others_are_followed() {
    let case = case(
        &["a"],
        &[
            module("a", "1").requires("not a requirement").requires("b"),
            module("b", "1"),
        ],
    );
    let warning = expect![[r#"
        vpython: warning: `a-1-py3-none-any.whl` (listed in `[WORLD]/work/.vpython3`, line 2) has an invalid `Requires-Dist`: `not a requirement`
    "#]];
    let install = run(&case, &["-vpython-tool", "install"]);
    install.installs(&warning);
    run(&case, &["-vpython-tool", "explain", "--tree"]).expect(
        0,
        expect![[r#"
            a 1
            └── b 1
        "#]],
        &warning,
    );
}

#[test]
fn an_environment_whose_wheels_require_nothing_more_keeps_its_key() {
    let case = case(
        &["a", "b"],
        &[module("a", "1").requires("b"), module("b", "1")],
    );
    case.world.write(
        "native.toml",
        "dependencies = ['a==1', 'b==1']\n[tool.vpython]\nno-deps = true\n",
    );
    let key =
        |spec: &str| run(&case, &["-vpython-spec", spec, "-vpython-tool", "install"]).raw_stdout;
    assert_eq!(key(".vpython3"), key("native.toml"));
}

#[test]
fn other_platforms_follow_requirements_too() {
    let listed = spec(&["a"]) + "verify_pep425_tag: < platform: \"win_amd64\" >\n";
    let wheels = [
        module("a", "1")
            .requires("b")
            .requires("c; sys_platform == 'win32'"),
        module("b", "1").tag("py3-none-linux_x86_64"),
        module("c", "1"),
    ];
    let case = Case::with_spec(".vpython3", &listed, &wheels);
    run(&case, &["-vpython-tool", "verify"]).expect(0, expect![[r#"
        requirement  required  here (3.11.99)  win_amd64
        a==1         line 2    1               1
          b          by a      1               missing
          c          by a      -               1

        ok here and on 1 platform
    "#]], expect![[r#"
        vpython: warning: `a-1-py3-none-any.whl` (listed in `[WORLD]/work/.vpython3`, line 2) requires `b`, which is not among the listed wheels, on win_amd64
    "#]]);
}

#[test]
fn a_wheel_that_comes_later_is_noticed() {
    let case = case(
        &["a"],
        &[module("a", "1").requires("b"), module("other", "1")],
    );
    let launch = || {
        run(&case, &["-vpython-tool", "explain", "--json"])
            .stdout
            .contains("\"hit\": true")
    };
    run(&case, &["-c", ""]);
    assert!(launch());
    case.world.wheel(&module("b", "1"));
    assert!(!launch());
    takes(&case, &[("a", "1"), ("b", "1")]);
}

#[test]
fn another_version_of_a_missing_listed_wheel_is_not_installed() {
    let case = case(
        &["a", "b"],
        &[module("a", "1").requires("b"), module("b", "2")],
    );
    run(&case, &["-vpython-tool", "verify"]).expect(1, expect![[r#"
        requirement  required  here (3.11.99)
        a==1         line 2    1
        b==1         line 3    missing
    "#]], expect![[r#"
        vpython: error: the spec cannot be satisfied for CPython 3.11.99 on linux x86_64
          caused by: no wheel in `[WORLD]/work/wheels` fits `b==1` (listed in `[WORLD]/work/.vpython3`, line 3 as `b-py3` `version:1`)
          caused by: `b-2-py3-none-any.whl` is version 2
          hint: fetch what is missing: `vpython -vpython-tool fetch`
    "#]]);
    run(&case, &["-vpython-tool", "upgrade"]).expect(
        0,
        expect![[r#"
            .vpython3: written to vpython.toml
        "#]],
        expect![[r#"
            vpython: .vpython3: the plans of both forms were not compared, because wheels are missing
        "#]],
    );
    let native = std::fs::read_to_string(case.world.path("vpython.toml")).unwrap();
    assert!(
        native.starts_with("dependencies = [\n    \"a==1\",\n    \"b==1\",\n]\n"),
        "{native}"
    );
}

#[test]
fn upgrade_writes_the_requirements_that_are_followed() {
    let case = case(
        &["a"],
        &[
            module("a", "1").requires("b>0"),
            module("b", "1"),
            module("b", "2"),
        ],
    );
    run(&case, &["-vpython-tool", "upgrade"]).prints(expect![[r#"
        .vpython3: written to vpython.toml
    "#]]);
    let native = "\
dependencies = [
    \"a==1\",
    # Required by a.
    \"b==2\",
]

[tool.vpython]
no-deps = true
seed = false
";
    assert_eq!(
        std::fs::read_to_string(case.world.path("vpython.toml")).unwrap(),
        native
    );
}
