//! Resolution: compatible wheels, explanations of conflicts, and how much the resolver reads.

use std::process::Command;

use expect_test::expect;
use sha2::Digest;

use crate::support::{Case, Wheel, has_strace};

fn module(name: &str, version: &str) -> Wheel {
    Wheel::module(name, version)
}

#[track_caller]
fn takes(dependencies: &[&str], wheels: &[Wheel], expected: &[&str]) {
    let files: Vec<String> = expected
        .iter()
        .map(|stem| format!("{stem}-py3-none-any.whl"))
        .collect();
    Case::new(dependencies, wheels).takes(&files.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn the_first_requirement_gets_the_highest_version() {
    let wheels = [
        module("a", "2").requires("c<2"),
        module("a", "1"),
        module("b", "2").requires("c>=2"),
        module("b", "1"),
        module("c", "1"),
        module("c", "2"),
    ];
    takes(&["a", "b"], &wheels, &["a-2", "b-1", "c-1"]);
    takes(&["b", "a"], &wheels, &["a-1", "b-2", "c-2"]);
}

#[test]
fn a_version_with_an_unsatisfiable_extra_is_given_up() {
    let wheels = [
        module("a", "2")
            .extra("x")
            .requires("missing; extra == 'x'"),
        module("a", "1").extra("x").requires("b; extra == 'x'"),
        module("b", "1"),
    ];
    takes(&["a"], &wheels, &["a-2"]);
    takes(&["a[x]"], &wheels, &["a-1", "b-1"]);
}

#[test]
fn extras_of_all_requirements_are_combined() {
    let wheels = [
        module("a", "1")
            .extra("all")
            .extra("x")
            .extra("y")
            .requires("a[x,y]; extra == 'all'")
            .requires("b; extra == 'x'"),
        module("b", "1").requires("c[z]"),
        module("c", "1")
            .extra("z")
            .extra("w")
            .requires("d; extra == 'z'")
            .requires("e; extra == 'w'"),
        module("c", "2").extra("z").requires("d; extra == 'z'"),
        module("d", "1").requires("c[w]<2"),
        module("e", "1"),
    ];
    takes(&["a[all]"], &wheels, &["a-1", "b-1", "c-1", "d-1", "e-1"]);
}

#[test]
fn a_version_with_a_broken_best_wheel_uses_the_next_wheel() {
    let case = Case::new(&["a"], &[module("a", "1"), module("a", "2")]);
    case.world
        .write("wheels/a-2-cp311-cp311-linux_x86_64.whl", "no archive");
    case.takes(&["a-2-py3-none-any.whl"]);
}

#[test]
fn a_pre_release_does_not_replace_an_unsatisfiable_final_version() {
    let wheels = [
        module("b", "2").requires("x"),
        module("b", "1"),
        module("x", "1").requires("missing"),
        module("x", "2rc1"),
    ];
    takes(&["b"], &wheels, &["b-1"]);
    // A pre-release is used if there is no solution without it.
    takes(&["x"], &wheels, &["x-2rc1"]);
}

#[test]
fn a_constraint_limits_versions_and_adds_no_requirement() {
    let wheels = ["1", "2", "3rc1"].map(|version| module("a", version));
    let constrained = |constraint: &str| {
        let case = Case::with_spec("requirements.txt", "-c limits.txt\na\n", &wheels);
        case.world
            .write("limits.txt", format!("{constraint}\nabsent==1\n"));
        case
    };
    constrained("a<2").takes(&["a-1-py3-none-any.whl"]);
    constrained("a>=3rc1").takes(&["a-3rc1-py3-none-any.whl"]);
    constrained("a>4").refuses(
        expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits all requirements on `a`
              caused by: `a` is required in `[WORLD]/work/requirements.txt`, line 2
              caused by: `a>4` is required in `[WORLD]/work/limits.txt`, line 1
              caused by: `a-1-py3-none-any.whl` is version 1, which does not satisfy `a>4`
              caused by: `a-2-py3-none-any.whl` is version 2, which does not satisfy `a>4`
              caused by: `a-3rc1-py3-none-any.whl` is version 3rc1, which does not satisfy `a>4`
              hint: fetch one: `vpython -vpython-spec=requirements.txt -vpython-tool fetch`, or loosen `a>4` in `[WORLD]/work/limits.txt`, line 1
        "#]],
    );
}

#[test]
fn all_missing_projects_are_reported_at_once() {
    let wheels = [
        module("a", "1").requires("c>=2").requires("d"),
        module("b", "1"),
        module("c", "1"),
    ];
    Case::new(&["a", "b>1", "e"], &wheels).refuses(expect![[r#"
        vpython: error: no wheel in `[WORLD]/work/wheels` fits the requirements on 4 projects
          caused by: `b>1` is required in `[WORLD]/work/vpython.toml`, line 1
          caused by: `b`: `b-1-py3-none-any.whl` is version 1, which does not satisfy `b>1`
          caused by: `e` is required in `[WORLD]/work/vpython.toml`, line 1; there is no wheel of `e`
          caused by: `c>=2` is required by `a` 1, `a-1-py3-none-any.whl`
          caused by: `a` is required in `[WORLD]/work/vpython.toml`, line 1
          caused by: `c`: `c-1-py3-none-any.whl` is version 1, which does not satisfy `c>=2`
          caused by: `d` is required by `a` 1, `a-1-py3-none-any.whl`; there is no wheel of `d`
          hint: fetch what is missing: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`, or loosen `b>1` in `[WORLD]/work/vpython.toml`, line 1
    "#]]);
}

#[test]
fn a_wheel_is_missing_only_if_every_choice_needs_it() {
    let wheels = [
        module("a", "2").requires("b>=2"),
        module("a", "1").requires("b"),
        module("b", "1"),
    ];
    Case::new(&["a", "c"], &wheels).refuses(expect![[r#"
        vpython: error: no wheel in `[WORLD]/work/wheels` fits `c` (required in `[WORLD]/work/vpython.toml`, line 1)
          caused by: there is no wheel of `c`
          hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
    "#]]);
}

#[test]
fn requirements_of_the_spec_apply_to_fetched_wheels() {
    let wheels = [module("a", "1").requires("b!=1"), module("b", "1")];
    Case::new(&["a", "b<3"], &wheels).refuses(expect![[r#"
        vpython: error: no wheel in `[WORLD]/work/wheels` fits all requirements on `b`
          caused by: `b<3` is required in `[WORLD]/work/vpython.toml`, line 1
          caused by: `b!=1` is required by `a` 1, `a-1-py3-none-any.whl`
          caused by: `a` is required in `[WORLD]/work/vpython.toml`, line 1
          caused by: `b-1-py3-none-any.whl` is version 1, which does not satisfy `b!=1`
          hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
    "#]]);
}

#[test]
fn the_chain_of_requirements_from_the_spec_is_shown() {
    let wheels = [
        module("a", "1").requires("b"),
        module("b", "1").requires("c>0"),
        module("c", "1").requires("d"),
    ];
    let rows = [
        (
            "c<2",
            expect![[r#"
                vpython: error: no wheel in `[WORLD]/work/wheels` fits `d` (required by `c` 1, `c-1-py3-none-any.whl`)
                  caused by: `c<2` is required in `[WORLD]/work/vpython.toml`, line 1
                  caused by: there is no wheel of `d`
                  hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
            "#]],
        ),
        (
            "b",
            expect![[r#"
                vpython: error: no wheel in `[WORLD]/work/wheels` fits `d` (required by `c` 1, `c-1-py3-none-any.whl`)
                  caused by: `c>0` is required by `b`, which is required in `[WORLD]/work/vpython.toml`, line 1
                  caused by: there is no wheel of `d`
                  hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
            "#]],
        ),
        (
            "a",
            expect![[r#"
                vpython: error: no wheel in `[WORLD]/work/wheels` fits `d` (required by `c` 1, `c-1-py3-none-any.whl`)
                  caused by: `c>0` is required by `b`, a dependency of `a`, which is required in `[WORLD]/work/vpython.toml`, line 1
                  caused by: there is no wheel of `d`
                  hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
            "#]],
        ),
    ];
    for (asked, message) in rows {
        Case::new(&[asked], &wheels).refuses(message);
    }
}

#[test]
fn the_reason_against_each_other_wheel_is_shown() {
    let wheels = [
        module("a", "3").requires("c<2"),
        module("a", "2").requires("c<1.5"),
        module("a", "1").requires("missing"),
        module("b", "1").requires("c>=2"),
        module("c", "1"),
        module("c", "2"),
    ];
    Case::new(&["a", "b"], &wheels).refuses(expect![[r#"
        vpython: error: no wheel in `[WORLD]/work/wheels` fits all requirements on `c`
          caused by: `c<2` is required by `a` 3, `a-3-py3-none-any.whl`
          caused by: `c>=2` is required by `b` 1, `b-1-py3-none-any.whl`
          caused by: `a` is required in `[WORLD]/work/vpython.toml`, line 1
          caused by: `b` is required in `[WORLD]/work/vpython.toml`, line 1
          caused by: `c<1.5` is required by `a` 2 too
          caused by: `a-1-py3-none-any.whl` fits `a`, but requires `missing`, which no wheel fits
          caused by: `c-1-py3-none-any.whl` is version 1, which does not satisfy `c>=2`
          caused by: `c-2-py3-none-any.whl` is version 2, which does not satisfy `c<2`
          hint: fetch others: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
    "#]]);
}

#[test]
fn a_bound_of_the_spec_that_causes_the_failure_is_named() {
    let wheels = [
        module("a", "1").requires("c>=2"),
        module("c", "1"),
        module("c", "2"),
    ];
    Case::new(&["c<2", "a"], &wheels).refuses(expect![[r#"
        vpython: error: no wheel in `[WORLD]/work/wheels` fits all requirements on `c`
          caused by: `c<2` is required in `[WORLD]/work/vpython.toml`, line 1
          caused by: `c>=2` is required by `a` 1, `a-1-py3-none-any.whl`
          caused by: `a` is required in `[WORLD]/work/vpython.toml`, line 1
          caused by: `c-1-py3-none-any.whl` is version 1, which does not satisfy `c>=2`
          caused by: `c-2-py3-none-any.whl` is version 2, which does not satisfy `c<2`
          hint: fetch others: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`, or loosen `c<2` in `[WORLD]/work/vpython.toml`, line 1
    "#]]);
}

#[test]
fn a_web_of_versions_is_resolved_without_trying_everything() {
    // Sixteen projects in nine versions, each of which requires all later projects in its own
    // version; the last has only the lowest.
    let projects = 16;
    let name = |project: usize| format!("p{project:02}");
    let mut wheels = Vec::new();
    for project in 0..projects {
        let versions = if project + 1 == projects {
            1..=1
        } else {
            1..=9
        };
        for version in versions {
            let later = (project + 1)..projects;
            let wheel = module(&name(project), &version.to_string());
            wheels.push(later.fold(wheel, |wheel, other| {
                wheel.requires(&format!("{}=={version}", name(other)))
            }));
        }
    }
    let expected: Vec<String> = (0..projects)
        .map(|project| format!("{}-1", name(project)))
        .collect();
    takes(
        &["p00"],
        &wheels,
        &expected.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

#[test]
fn a_wheel_is_used_as_soon_as_it_has_the_pinned_digest() {
    let pinned = module("a", "1").build("2").file("which", "pinned");
    let other = module("a", "1");
    let sha256 = |wheel: &Wheel| hex::encode(sha2::Sha256::digest(wheel.bytes()));
    let spec = format!(
        "a --hash=sha256:{} --hash=sha256:{}\n",
        sha256(&pinned),
        sha256(&other)
    );
    let case = Case::with_spec("requirements.txt", &spec, &[other]);
    let path = case.world.write(
        "wheels/a-1-2-py3-none-any.whl",
        module("a", "1").build("2").file("more", "x").bytes(),
    );
    case.takes(&["a-1-py3-none-any.whl"]);
    // Overwritten in place: the time of the directory is unchanged.
    std::fs::write(path, pinned.bytes()).unwrap();
    case.takes(&["a-1-2-py3-none-any.whl"]);
}

#[test]
fn a_cold_launch_opens_only_wheels_that_it_has_not_seen() {
    if !has_strace() {
        return;
    }
    let others = (0..200).map(|number| module(&format!("other{number}"), "1"));
    let wheels: Vec<Wheel> = others
        .chain([
            module("a", "1").requires("b"),
            module("b", "1"),
            module("b", "2"),
        ])
        .collect();
    let case = Case::new(&["a"], &wheels);
    case.takes(&["a-1-py3-none-any.whl", "b-2-py3-none-any.whl"]);
    // Another directory time, and so a cold launch, and a new wheel of a required project.
    case.world.wheel(&module("b", "3"));
    let log = case.world.outside("trace");
    let vpython = std::path::Path::new(env!("CARGO_BIN_EXE_vpython"));
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-e", "trace=%file", "-o"])
        .arg(&log)
        .arg(vpython)
        .args(["-vpython-tool", "install"]);
    command
        .current_dir(case.world.path(""))
        .env("VPYTHON_INTERPRETER", &case.fake.path);
    command
        .env("VPYTHON_VIRTUALENV_ROOT", case.world.outside("root"))
        .env("HOME", case.world.outside("home"));
    assert!(command.output().unwrap().status.success());
    let trace = std::fs::read_to_string(log).unwrap();
    let calls = |call: &str, file: &str| {
        trace
            .lines()
            .filter(|line| line.contains(call) && line.contains(file))
            .count()
    };
    assert_eq!(calls("openat", "/wheels/a-1-"), 0, "{trace}");
    assert_eq!(calls("openat", "/wheels/b-2-"), 0, "{trace}");
    assert!(calls("openat", "/wheels/b-3-") > 0, "{trace}");
    assert_eq!(calls("", "/wheels/other"), 0, "{trace}");
    assert_eq!(calls("stat", "/wheels/a-1-"), 1, "{trace}");
}
