//! The choice among the wheels of one project: versions, builds, tags and pre-releases.

use expect_test::expect;

use super::{module, refuses, takes};
use crate::support::Wheel;

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
fn a_pre_release_is_taken_where_it_is_named_or_where_there_is_nothing_else() {
    let wheels = [module("a", "1.0"), module("a", "2.0rc1")];
    takes(&["a"], &wheels, &["a-1.0-py3-none-any.whl"]);
    takes(&["a>=2.0rc1"], &wheels, &["a-2.0rc1-py3-none-any.whl"]);
    takes(&["a==2.0rc1"], &wheels, &["a-2.0rc1-py3-none-any.whl"]);
    takes(&["a"], &wheels[1..], &["a-2.0rc1-py3-none-any.whl"]);
    refuses(
        &["a>=2"],
        &wheels,
        expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `a>=2` (required in `[WORLD]/work/vpython.toml`, line 1)
              caused by: `a-1.0-py3-none-any.whl` is version 1.0, which does not satisfy `a>=2`
              caused by: `a-2.0rc1-py3-none-any.whl` is version 2.0rc1, which does not satisfy `a>=2`
              hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`, or loosen `a>=2` in `[WORLD]/work/vpython.toml`, line 1
        "#]],
    );
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
    refuses(
        &["a"],
        &wheels[1..],
        expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `a` (required in `[WORLD]/work/vpython.toml`, line 1)
              caused by: `a-2-py3-none-any.whl` requires Python `>=3.12`; the interpreter is CPython 3.11.99 on linux x86_64
              hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`, or set `requires-python = ">=3.12"`
        "#]],
    );
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
