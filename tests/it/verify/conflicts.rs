//! Requirements that conflict with each other, and those of a missing wheel, which are unknown.

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
    let table = "\
requirement  required  here (3.11.42)
a            line 1    1
b            line 1    1
d            line 1    1
  c          by a, b   conflict
";
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(1), table),
        "{outcome}"
    );
    let why = "\
vpython: error: the spec cannot be satisfied for CPython 3.11.42 on linux x86_64
  caused by: no wheel in `[WORLD]/work/wheels` fits all requirements on `c`
  caused by: `c<2` is required by `a` 1, `a-1-py3-none-any.whl`
  caused by: `c>=2` is required by `b` 1, `b-1-py3-none-any.whl`
";
    assert!(outcome.stderr.starts_with(why), "{outcome}");
}

#[test]
fn requirements_of_the_spec_may_conflict_with_each_other() {
    let outcome = Case::new(
        "dependencies = ['a>=2', 'a<2', 'b']\n",
        &[module("a", "1"), module("a", "2")],
    )
    .verify();
    let table = "\
requirement  required  here (3.11.42)
a>=2         line 1    conflict
a<2          line 1    conflict
b            line 1    missing
";
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(1), table),
        "{outcome}"
    );
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
    let table = "\
requirement  required  here (3.11.42)  win32
a            line 1    1               missing
  b          by a      1               ?
";
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(1), table),
        "{outcome}"
    );
}
