//! The metadata of wheels, valid and invalid.

use expect_test::expect;

use crate::support::{Case, Wheel};

fn module(name: &str, version: &str) -> Wheel {
    Wheel::module(name, version)
}

const A: &str = "a-1-py3-none-any.whl";
const B: &str = "b-1-py3-none-any.whl";

#[test]
fn legacy_version_ranges_are_corrected() {
    for range in [
        ">=3.6.*",
        ">=2.7,!=3.0*,!=3.1*",
        ">= 2.7, !=3.0.*,",
        ">='3.6'",
        ">=3.6<4",
    ] {
        Case::new(&["a"], &[module("a", "1").requires_python(range)]).takes(&[A]);
    }
    let wheels = [
        module("a", "1").requires("b>=1.0.*<2"),
        module("b", "2"),
        module("b", "1"),
    ];
    Case::new(&["a"], &wheels).takes(&[A, B]);
    Case::new(&["a"], &[module("a", "1").requires_python(">=3.12.*")]).refuses(expect![[r#"
        vpython: error: no wheel in `[WORLD]/work/wheels` fits `a` (required in `[WORLD]/work/vpython.toml`, line 1)
          caused by: `a-1-py3-none-any.whl` requires Python `>=3.12.*`; the interpreter is CPython 3.11.99 on linux x86_64
          hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`, or set `requires-python = ">=3.12"`
    "#]]);
}

#[test]
fn an_invalid_requires_python_excludes_nothing_and_is_reported() {
    let case = Case::new(&["a"], &[module("a", "1").requires_python("three")]);
    let warning = expect![[r#"
        vpython: warning: `a-1-py3-none-any.whl` has an invalid `Requires-Python`, which vpython ignores: `three`
    "#]];
    case.run().installs(&warning);
    let listed = "# vpython: no-seed\nwheel: < name: \"infra/python/wheels/a-py3\" version: \"version:1\" >\n";
    let wheel = module("a", "1").requires_python("three").requires("b >= x");
    let case = Case::with_spec("luci.vpython3", listed, &[wheel]);
    case.run().installs(expect![[r#"
        vpython: warning: `a-1-py3-none-any.whl` has an invalid `Requires-Python`, which vpython ignores: `three`
        vpython: warning: `a-1-py3-none-any.whl` (listed in `[WORLD]/work/luci.vpython3`, line 2) has an invalid `Requires-Dist`: `b >= x`
    "#]]);
}

#[test]
fn an_invalid_requirement_matters_only_where_it_is_followed() {
    let bad = || {
        module("a", "2")
            .extra("x")
            .extra("y")
            .requires("b >= x; extra == 'x'")
            .requires("b; extra == 'y'")
    };
    let wheels = || {
        [
            bad(),
            module("a", "1").extra("x").requires("b"),
            module("b", "1"),
        ]
    };
    Case::new(&["a"], &wheels()).takes(&["a-2-py3-none-any.whl"]);
    Case::new(&["a[y]"], &wheels()).takes(&["a-2-py3-none-any.whl", B]);
    Case::new(&["a[x]"], &wheels()).takes(&[A, B]);
    let spec = "dependencies = ['a']\n[tool.vpython]\nno-deps = true\n";
    Case::with_spec("vpython.toml", spec, &[module("a", "1").requires("b >= x")]).takes(&[A]);
    Case::new(&["a[x]"], &[bad()]).refuses(expect![[r#"
        vpython: error: no wheel in `[WORLD]/work/wheels` fits `a[x]` (required in `[WORLD]/work/vpython.toml`, line 1)
          caused by: `a-2-py3-none-any.whl` has an invalid `Requires-Dist`: `b >= x; extra == 'x'`
          hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
    "#]]);
    Case::new(
            &["a"],
            &[module("a", "1")
                .tag("cp37-abi3-linux_x86_64")
                .requires("b >= x")],
        ).refuses(expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `a` (required in `[WORLD]/work/vpython.toml`, line 1)
              caused by: `a-1-cp37-abi3-linux_x86_64.whl` has an invalid `Requires-Dist`: `b >= x`
              hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
        "#]]);
}

#[test]
fn a_wheel_that_requires_another_version_of_itself_is_named() {
    Case::new(
            &["b"],
            &[
                module("a", "1").requires("a>=2"),
                module("b", "1").requires("a").requires("c"),
                module("c", "1"),
            ],
        ).refuses(expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `a` (required by `b` 1, `b-1-py3-none-any.whl`)
              caused by: `b` is required in `[WORLD]/work/vpython.toml`, line 1
              caused by: `a-1-py3-none-any.whl` requires `a>=2`, which it does not satisfy itself
              hint: fetch one: `vpython -vpython-spec=vpython.toml -vpython-tool fetch`
        "#]]);
}

#[test]
fn a_description_may_begin_without_a_blank_line() {
    let wheel = module("a", "1")
        .requires("b")
        .header("A description without an empty line before it.")
        .requires("c");
    Case::new(&["a"], &[wheel, module("b", "1")]).takes(&[A, B]);
}
