//! Requirements of wheels that conflict: which other versions are tried, and what is reported.

use expect_test::expect;

use super::{module, refuses, takes};
use crate::support::Wheel;

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
        expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits all requirements on `c`
              caused by: `c<2` is required by `a` 1, `a-1-py3-none-any.whl`
              caused by: `c>=2` is required by `b` 1, `b-1-py3-none-any.whl`
              caused by: `a` is required in `[WORLD]/work/vpython.toml`, line 1
              caused by: `b` is required in `[WORLD]/work/vpython.toml`, line 1
              caused by: `c-1-py3-none-any.whl` is version 1, which does not satisfy `c>=2`
              caused by: `c-2-py3-none-any.whl` is version 2, which does not satisfy `c<2`
              hint: fetch others: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
        "#]],
    );
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
        expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `missing` (required by `p29` 5, `p29-5-py3-none-any.whl`)
              caused by: `p29` is required by `p28`, a dependency of `p0`, which is required in `[WORLD]/work/vpython.toml`, line 1
              caused by: `missing` is required by `p29` 1, 2, 3 and 4 too
              caused by: there is no wheel of `missing`
              hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
        "#]],
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
