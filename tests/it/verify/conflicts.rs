//! Requirements that conflict with each other, and those of a missing wheel, which are unknown.

use expect_test::expect;

use super::{Case, module};

#[test]
fn incompatible_requirements_are_a_conflict() {
    let spec = "dependencies = ['a', 'b', 'd']\n";
    let wheels = [
        module("a", "1").requires("c<2"),
        module("b", "1").requires("c>=2"),
        module("c", "1"),
        module("c", "2"),
        module("d", "1"),
    ];
    let outcome = Case::new(spec, &wheels).verify();
    outcome.expect(
        1,
        expect![[r#"
            requirement  required  here (3.11.42)
            a            line 1    1
            b            line 1    1
            d            line 1    1
              c          by a, b   conflict
        "#]],
        expect![[r#"
            vpython: error: the spec cannot be satisfied for CPython 3.11.42 on linux x86_64
              caused by: no wheel in `[WORLD]/work/wheels` fits all requirements on `c`
              caused by: `c<2` is required by `a` 1, `a-1-py3-none-any.whl`
              caused by: `c>=2` is required by `b` 1, `b-1-py3-none-any.whl`
              caused by: `a` is required in `[WORLD]/work/vpython.toml`, line 1
              caused by: `b` is required in `[WORLD]/work/vpython.toml`, line 1
              caused by: `c-1-py3-none-any.whl` is version 1, which does not satisfy `c>=2`
              caused by: `c-2-py3-none-any.whl` is version 2, which does not satisfy `c<2`
              hint: fetch others: `vpython -vpython-tool fetch`
        "#]],
    );
}

#[test]
fn requirements_of_the_spec_may_conflict_with_each_other() {
    let outcome = Case::new(
        "dependencies = ['a>=2', 'a<2', 'b']\n",
        &[module("a", "1"), module("a", "2")],
    )
    .verify();
    outcome.expect(1, expect![[r#"
        requirement  required  here (3.11.42)
        a>=2         line 1    conflict
        a<2          line 1    conflict
        b            line 1    missing
    "#]], expect![[r#"
        vpython: error: the spec cannot be satisfied for CPython 3.11.42 on linux x86_64
          caused by: no wheel in `[WORLD]/work/wheels` fits the requirements on 2 projects
          caused by: `a>=2` is required in `[WORLD]/work/vpython.toml`, line 1
          caused by: `a<2` is required in `[WORLD]/work/vpython.toml`, line 1
          caused by: `a`: `a-1-py3-none-any.whl` is version 1, which does not satisfy `a>=2`
          caused by: `a`: `a-2-py3-none-any.whl` is version 2, which does not satisfy `a<2`
          caused by: `b` is required in `[WORLD]/work/vpython.toml`, line 1; there is no wheel of `b`
          hint: fetch what is missing: `vpython -vpython-tool fetch`, or loosen `a>=2` in `[WORLD]/work/vpython.toml`, line 1
    "#]]);
}

#[test]
fn requirements_of_a_missing_wheel_are_unknown() {
    let spec = "dependencies = ['a']\n[tool.vpython]\nplatforms = ['win32']\n";
    let wheels = [
        module("a", "1")
            .tag("cp311-cp311-linux_x86_64")
            .requires("b"),
        module("b", "1"),
    ];
    let outcome = Case::new(spec, &wheels).verify();
    outcome.expect(1, expect![[r#"
        requirement  required  here (3.11.42)  win32
        a            line 1    1               missing
          b          by a      1               ?
    "#]], expect![[r#"
        vpython: error: the spec cannot be satisfied for CPython 3.11.42 on win32
          caused by: no wheel in `[WORLD]/work/wheels` fits `a` (required in `[WORLD]/work/vpython.toml`, line 1)
          caused by: `a-1-cp311-cp311-linux_x86_64.whl` is for linux_x86_64; the interpreter is CPython 3.11.42 on win32
          hint: fetch one: `vpython -vpython-tool fetch`
    "#]]);
}
