//! The explanation as text, for each form of a command line and of a spec.

use std::os::unix::fs::symlink;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::{as_json, explain, script, text, world};
use crate::support::{Expected, Launch, Outcome, World};

#[track_caller]
fn assert_text(world: &World, outcome: &Outcome, expected: impl Expected) {
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
    expected.check(&text(world, outcome));
}

#[test]
fn a_script_with_a_block() {
    let world = world();
    world.write("tool.py", script().replace("['a']", "['a', 'b']"));
    let expected = expect![[r#"
        program  tool.py
        searched  [WORLD]/work/tool.py  no partner file, .vpython or .vpython3
          [WORLD]/work/tool.py, # /// script  the spec

        spec  [WORLD]/work/tool.py, line 1 (pep723)
        python  >=3.6
        requirements  a, b

        interpreter  [PYTHON], CPython [VERSION] on [PLATFORM]
          by PATH, as [WORLD]/bin/python3

        wheels  in [WORLD]/work/wheels
          a 1  for line 3  [DIGEST]  a-1-py3-none-any.whl
          b 2  for line 3 and 1 more  [DIGEST]  b-2-py3-none-any.whl

        key  [DIGEST]
        entry  [WORLD]/root/v1/envs/[KEY]
        launch  cold: there is no store yet in `[WORLD]/root`
          its environment is not built
    "#]];
    assert_text(&world, &explain(&world, &["tool.py"]).run(), expected);
    assert!(!world.outside("root").exists(), "no store was made");
}

#[test]
fn a_link_to_a_script_below_a_spec() {
    let world = world();
    world.write(
        "project/vpython.toml",
        "dependencies = ['b', \"c; python_version < '3'\"]\n[tool.vpython]\nwheels = ['../wheels']\npython-path = ['lib']\n",
    );
    world.write("project/bin/deep/tool.py", "");
    std::fs::create_dir_all(world.path("project/bin/.vpython3")).unwrap();
    symlink("project/bin/deep/tool.py", world.path("tool")).unwrap();
    let expected = expect![[r#"
        program  tool
        searched  [WORLD]/work/tool  no partner file, .vpython or .vpython3
          [WORLD]/work/project/bin/deep/tool.py  no partner file, .vpython or .vpython3
          [WORLD]/work/project/bin/deep/tool.py  no block
          [WORLD]/work/project/bin/deep  no vpython.toml, .vpython or .vpython3
          [WORLD]/work/project/bin/.vpython3  not a file; skipped
          [WORLD]/work/project/vpython.toml  the spec

        spec  [WORLD]/work/project/vpython.toml, line 1 (vpython.toml)
        requirements  b, c ; python_full_version < '3'
        python-path  [WORLD]/work/project/lib

        interpreter  [PYTHON], CPython [VERSION] on [PLATFORM]
          by PATH, as [WORLD]/bin/python3

        wheels  in [WORLD]/work/project/../wheels
          b 2  for line 1  [DIGEST]  b-2-py3-none-any.whl
        not here  c

        key  [DIGEST]
        entry  [WORLD]/root/v1/envs/[KEY]
        launch  cold: there is no store yet in `[WORLD]/root`
          its environment is not built
    "#]];
    assert_text(&world, &explain(&world, &["tool"]).run(), expected);
}

/// The first part of an explanation: the files searched, and the spec.
#[track_caller]
fn assert_search(world: &World, launch: Launch<'_>, expected: impl Expected) {
    let outcome = launch.run();
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
    let text = text(world, &outcome);
    let (search, rest) = text.split_once("\ninterpreter  ").unwrap();
    expected.check(search);
    assert!(
        rest.starts_with("[PYTHON], CPython [VERSION] on [PLATFORM]\n"),
        "{outcome}"
    );
}

#[test]
fn a_module_and_standard_input_use_the_spec_of_the_current_directory() {
    let world = world();
    world.write("vpython.toml", "dependencies = ['b']\n");
    world.write("inner/.gclient", "");
    let rows: [(&[&str], Expect); 4] = [
        (
            &["-m", "json.tool"],
            expect![[r#"
                program  module json.tool
                searched  [WORLD]/work/vpython.toml  the spec

                spec  [WORLD]/work/vpython.toml, line 1 (vpython.toml)
                requirements  b
            "#]],
        ),
        (
            &["-"],
            expect![[r#"
                program  standard input
                searched  [WORLD]/work/vpython.toml  the spec

                spec  [WORLD]/work/vpython.toml, line 1 (vpython.toml)
                requirements  b
            "#]],
        ),
        (
            &["/dev/null"],
            expect![[r#"
                program  /dev/null
                searched  /dev/null  not a file; not searched
                  [WORLD]/work/vpython.toml  the spec

                spec  [WORLD]/work/vpython.toml, line 1 (vpython.toml)
                requirements  b
            "#]],
        ),
        (
            &[],
            expect![[r#"
                program  an interactive python, or standard input
                searched  [WORLD]/work/vpython.toml  the spec

                spec  [WORLD]/work/vpython.toml, line 1 (vpython.toml)
                requirements  b
            "#]],
        ),
    ];
    for (words, expected) in rows {
        assert_search(&world, explain(&world, words), expected);
    }
    let barrier = expect![[r#"
        program  module json.tool
        searched  [WORLD]/work/inner  no vpython.toml, .vpython or .vpython3
          [WORLD]/work/inner/.gclient  ends the search
          VPYTHON_DEFAULT_SPEC  not set

        spec  none: an environment with no packages
    "#]];
    assert_search(
        &world,
        explain(&world, &["-m", "json.tool"]).within(world.path("inner")),
        barrier,
    );
}

#[test]
fn the_text_of_a_command() {
    let world = world();
    let expected = expect![[r#"
        program  the text of -c
        searched  the text of -c, # /// script  the spec

        spec  the text of -c, line 1 (pep723)
        python  >=3.6
        requirements  a
    "#]];
    assert_search(&world, explain(&world, &["-c", &script()]), expected);
    let explanation = as_json(&world, &["-c", &script()]);
    let spec = json!({
        "kind": "pep723",
        "file": null,
        "line": 1,
        "source": {"requires-python": ">=3.6", "dependencies": ["a"]},
        "requires_python": ">=3.6",
        "requirements": ["a"],
        "system_site_packages": false,
    });
    assert_eq!(explanation["spec"], spec);
    assert_eq!(
        explanation["wheels"][0]["required_by"],
        json!(["the text of -c, line 3"])
    );
}

#[test]
fn a_directory_and_a_zip_application() {
    let world = world();
    world.write("app/__main__.py", script());
    symlink("../wheels", world.path("app/wheels")).unwrap();
    let expected = expect![[r#"
        program  app
        searched  [WORLD]/work/app/__main__.py, # /// script  the spec

        spec  [WORLD]/work/app/__main__.py, line 1 (pep723)
        python  >=3.6
        requirements  a
    "#]];
    assert_search(&world, explain(&world, &["app"]), expected);
    world.write("app.pyz", b"#!/usr/bin/env python3\nPK\x03\x04");
    world.write("app.pyz.vpython3", "");
    std::fs::create_dir(world.path("app.pyz.vpython")).unwrap();
    let expected = expect![[r#"
        program  app.pyz
        searched  [WORLD]/work/app.pyz.vpython  not a file; skipped
          [WORLD]/work/app.pyz.vpython3  the spec

        spec  [WORLD]/work/app.pyz.vpython3, line 1 (luci)
    "#]];
    assert_search(&world, explain(&world, &["app.pyz"]), expected);
    std::fs::remove_file(world.path("app.pyz.vpython3")).unwrap();
    let text = text(&world, &explain(&world, &["app.pyz"]).run());
    assert!(
        text.contains("\n  [WORLD]/work/app.pyz  a zip archive; not searched\n"),
        "{text}"
    );
}

#[test]
fn python_reports_a_missing_script() {
    let world = world();
    world.write("vpython.toml", "dependencies = ['b']\n");
    let expected = expect![[r#"
        program  missing.py
        searched  [WORLD]/work/missing.py  no such file; python will report it
          [WORLD]/work/vpython.toml  the spec

        spec  [WORLD]/work/vpython.toml, line 1 (vpython.toml)
        requirements  b
    "#]];
    assert_search(&world, explain(&world, &["missing.py"]), expected);
}

#[test]
fn specs_that_are_named() {
    let world = world();
    world.write(
        "one.txt",
        "# pinned\nb==2 \\\n    --no-binary=:none:\n-c ${NOWHERE}two.txt\n",
    );
    world.write("${NOWHERE}two.txt", "b<3\n");
    let expected = expect![[r#"
        program  the text of -c
        searched  -vpython-spec [WORLD]/work/one.txt  the spec

        spec  [WORLD]/work/one.txt, line 1 (requirements)
        requirements  b==2
        also read  [WORLD]/work/${NOWHERE}two.txt
    "#]];
    assert_search(
        &world,
        explain(&world, &["-vpython-spec=one.txt", "-c", ""]),
        expected,
    );
    let default = explain(&world, &["-c", ""]).env("VPYTHON_DEFAULT_SPEC", "one.txt");
    let expected = expect![[r#"
        program  the text of -c
        searched  the text of -c  no block
          [WORLD]/work up to [WORLD]  no vpython.toml, .vpython or .vpython3
          [WORLD]/.gclient  ends the search
          VPYTHON_DEFAULT_SPEC=[WORLD]/work/one.txt  the spec

        spec  [WORLD]/work/one.txt, line 1 (requirements)
        requirements  b==2
        also read  [WORLD]/work/${NOWHERE}two.txt
    "#]];
    assert_search(&world, default, expected);
    let source = as_json(&world, &["-vpython-spec", "one.txt", "-c", ""])["spec"]["source"].clone();
    assert_eq!(
        source,
        json!(["b==2     --no-binary=:none:", "-c ${NOWHERE}two.txt"])
    );
}

#[test]
fn a_spec_of_another_user_is_skipped() {
    if !nix::unistd::geteuid().is_root() {
        not_tested!("only the superuser can give a file to another user");
        return;
    }
    let world = world();
    world.write("open/vpython.toml", "");
    std::os::unix::fs::chown(world.path("open/vpython.toml"), Some(65534), None).unwrap();
    std::fs::set_permissions(
        world.path("open"),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    let outcome = explain(&world, &["--json", "-c", ""])
        .within(world.path("open"))
        .run();
    outcome.succeeds_with(expect![[r#"
        vpython: warning: the spec `[WORLD]/work/open/vpython.toml` belongs to user 65534, and every user can write to `[WORLD]/work/open`; it is skipped
    "#]]);
    let explanation: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let look = json!({"place": "[WORLD]/work/open/vpython.toml", "found": "another user's"});
    assert_eq!(explanation["searched"][2], look);
    let outcome = explain(&world, &["-c", ""])
        .within(world.path("open"))
        .run();
    assert!(
        text(&world, &outcome)
            .contains("  [WORLD]/work/open/vpython.toml  owned by user 65534; skipped\n"),
        "{outcome}"
    );
}
