//! `verify` for the wheels that LUCI specs list.

use expect_test::expect;

use super::{Case, module};
use crate::support::Wheel;

const LUCI: &str = "\
verify_pep425_tag: [
    {python: 'cp38', abi: 'cp38', platform: 'manylinux1_x86_64'},
    {python: 'cp38', abi: 'cp38', platform: 'macosx_10_10_intel'},
    {python: 'cp311', abi: 'cp311', platform: 'win_amd64'}
]
wheel: <
  name: 'infra/python/wheels/six-py2_py3'
  version: 'version:1.15.0'
>
wheel: <
  name: 'infra/python/wheels/cffi/${vpython_platform}'
  version: 'version:1.14.5.chromium.7'
  not_match_tag: < platform: 'macosx_10_10_intel' >
>
wheel: <
  name: 'infra/python/wheels/pywin32/${vpython_platform}'
  version: 'version:300'
  match_tag: < platform: 'win_amd64' >
>
";

/// The wheels of that list; `cffi` requires `pycparser`.
fn listed() -> Vec<Wheel> {
    let cffi = |tag: &str| {
        module("cffi", "1.14.5")
            .tag(tag)
            .requires("pycparser")
            .requires_python(">=3.8.1")
    };
    vec![
        module("six", "1.15.0").tag("py2.py3-none-any"),
        cffi("cp311-cp311-linux_x86_64"),
        cffi("cp38-cp38-manylinux_2_12_x86_64"),
        cffi("cp311-cp311-win_amd64")
            .requires("six>=2")
            .requires("colorama; sys_platform == 'win32'"),
        module("pywin32", "300").tag("cp311-cp311-win_amd64"),
    ]
}

#[test]
fn each_listed_wheel_is_checked_and_its_missing_requirements_are_warnings() {
    Case::with_spec(".vpython3", LUCI, &listed())
        .verify()
        .expect(0, expect![[r#"
            requirement              required  here (3.11.42)  manylinux1_x86_64 (3.8)  macosx_10_10_intel (3.8)  win_amd64 (3.11)
            six==1.15.0              line 7    1.15.0          1.15.0                   1.15.0                    1.15.0
            cffi==1.14.5+chromium.7  line 11   1.14.5          1.14.5                   -                         1.14.5
            pywin32==300             line 16   -               -                        -                         300

            ok here and on 3 platforms
            not seeded: pip, setuptools, wheel (`-vpython-tool fetch` downloads the missing wheels)
        "#]], expect![[r#"
            vpython: warning: `cffi-1.14.5-cp311-cp311-linux_x86_64.whl` (listed in `[WORLD]/work/.vpython3`, line 11) requires `pycparser`, which is not among the listed wheels, on this machine
            vpython: warning: `cffi-1.14.5-cp38-cp38-manylinux_2_12_x86_64.whl` (listed in `[WORLD]/work/.vpython3`, line 11) requires `pycparser`, which is not among the listed wheels, on manylinux1_x86_64 (3.8)
            vpython: warning: `cffi-1.14.5-cp311-cp311-win_amd64.whl` (listed in `[WORLD]/work/.vpython3`, line 11) requires `pycparser`, which is not among the listed wheels, on win_amd64 (3.11)
            vpython: warning: `cffi-1.14.5-cp311-cp311-win_amd64.whl` (listed in `[WORLD]/work/.vpython3`, line 11) requires `six>=2`, but `six-1.15.0-py2.py3-none-any.whl` is listed, on win_amd64 (3.11)
            vpython: warning: `cffi-1.14.5-cp311-cp311-win_amd64.whl` (listed in `[WORLD]/work/.vpython3`, line 11) requires `colorama`, which is not among the listed wheels, on win_amd64 (3.11)
        "#]]);
}

#[test]
fn all_listed_wheels_that_are_missing_are_shown() {
    let wheels = listed()
        .into_iter()
        .filter(|wheel| !wheel.file_name().contains("win_amd64"));
    let outcome = Case::with_spec(".vpython3", LUCI, &wheels.collect::<Vec<_>>()).verify();
    outcome.expect(1, expect![[r#"
        requirement              required  here (3.11.42)  manylinux1_x86_64 (3.8)  macosx_10_10_intel (3.8)  win_amd64 (3.11)
        six==1.15.0              line 7    1.15.0          1.15.0                   1.15.0                    1.15.0
        cffi==1.14.5+chromium.7  line 11   1.14.5          1.14.5                   -                         missing
        pywin32==300             line 16   -               -                        -                         missing
    "#]], expect![[r#"
        vpython: warning: `cffi-1.14.5-cp311-cp311-linux_x86_64.whl` (listed in `[WORLD]/work/.vpython3`, line 11) requires `pycparser`, which is not among the listed wheels, on this machine
        vpython: warning: `cffi-1.14.5-cp38-cp38-manylinux_2_12_x86_64.whl` (listed in `[WORLD]/work/.vpython3`, line 11) requires `pycparser`, which is not among the listed wheels, on manylinux1_x86_64 (3.8)
        vpython: error: the spec cannot be satisfied for CPython 3.11 on win_amd64
          caused by: no wheel in `[WORLD]/work/wheels` fits 2 of the listed wheels
          caused by: `cffi==1.14.5+chromium.7` is listed in `[WORLD]/work/.vpython3`, line 11 as `infra/python/wheels/cffi/${vpython_platform}` `version:1.14.5.chromium.7`
          caused by: `cffi`: `cffi-1.14.5-cp311-cp311-linux_x86_64.whl` is for linux_x86_64; the interpreter is CPython 3.11 on win_amd64
          caused by: `cffi`: `cffi-1.14.5-cp38-cp38-manylinux_2_12_x86_64.whl` is for cp38; the interpreter is CPython 3.11 on win_amd64
          caused by: `pywin32==300` is listed in `[WORLD]/work/.vpython3`, line 16 as `infra/python/wheels/pywin32/${vpython_platform}` `version:300`; there is no wheel of `pywin32`
          hint: fetch what is missing: `vpython -vpython-tool fetch`
    "#]]);
}

#[test]
fn one_project_listed_in_two_versions_is_a_conflict_where_both_apply() {
    let spec = "verify_pep425_tag: <platform: 'win32'>\n\
                wheel: <name: 'a' version: 'version:1'>\n\
                wheel: <name: 'a' version: 'version:2' match_tag: <platform: 'win32'>>\n";
    let outcome =
        Case::with_spec(".vpython3", spec, &[module("a", "1"), module("a", "2")]).verify();
    outcome.expect(
        1,
        expect![[r#"
            requirement  required  here (3.11.42)  win32
            a==1         line 2    1               conflict
            a==2         line 3    -               conflict
        "#]],
        expect![[r#"
            vpython: error: the spec cannot be satisfied for CPython 3.11.42 on win32
              caused by: `a` is listed in different versions, and all of them apply here
              caused by: `a` is `version:1` in `[WORLD]/work/.vpython3`, line 2
              caused by: `a` is `version:2` in `[WORLD]/work/.vpython3`, line 3
              hint: keep one version, or give each a `match_tag` or `not_match_tag` so that one is left
        "#]],
    );
}
