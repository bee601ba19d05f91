//! Launches that fail, and launches that need no environment.

use std::os::unix::fs::symlink;

use expect_test::expect;
use serde_json::{Value, json};

use super::{as_json, explain, explained, script, world};
use crate::support::World;

const BYPASS: &str = "manually managed python not supported by chrome operations";

/// The explanation of a failing launch: `explain` and the launch have the same exit code and
/// message, and the error is in the text and in the JSON.
#[track_caller]
fn failing(world: &World, words: &[&str], code: i32) -> Value {
    let launched = world.vpython(words).run();
    assert_eq!(launched.code, Some(code), "{launched}");
    let outcome = explain(world, &["--json"]).arguments(words).run();
    assert_eq!(
        (outcome.code, &outcome.stderr),
        (Some(code), &launched.stderr),
        "{outcome}"
    );
    let explanation: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let error = &explanation["error"];
    let mut message = format!("vpython: error: {}\n", error["message"].as_str().unwrap());
    for cause in error["causes"].as_array().unwrap() {
        message.push_str(&["  caused by: ", cause.as_str().unwrap(), "\n"].concat());
    }
    if let Some(hint) = error["hint"].as_str() {
        message.push_str(&["  hint: ", hint, "\n"].concat());
    }
    assert!(launched.stderr.ends_with(&message), "{message}{launched}");
    let text = explain(world, &[]).arguments(words).run();
    assert_eq!(
        (text.code, &text.stderr),
        (Some(code), &launched.stderr),
        "{text}"
    );
    let last = format!(
        "launch        fails: {}\n",
        error["message"].as_str().unwrap()
    );
    assert!(text.stdout.ends_with(&last), "{text}");
    explanation
}

#[test]
fn a_launch_that_fails_is_explained_as_far_as_it_gets() {
    let world = world();
    let last = |explanation: &Value| {
        explanation["searched"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .clone()
    };
    // The spec is valid, but a wheel is missing.
    world.write("wheel.py", script().replace("'a'", "'nowhere'"));
    let explanation = failing(&world, &["wheel.py"], 125);
    assert_eq!(
        last(&explanation),
        json!({"place": "[WORLD]/work/wheel.py, # /// script", "found": "spec"})
    );
    assert_eq!(
        explanation["spec"]["source"]["dependencies"],
        json!(["nowhere"])
    );
    assert_eq!(explanation["spec"]["requirements"], json!(["nowhere"]));
    assert_eq!(explanation["interpreter"]["path"], json!("[PYTHON]"));
    assert_eq!(
        [
            &explanation["wheels"],
            &explanation["key"],
            &explanation["entry"]
        ],
        [&json!([]), &json!(null), &json!(null)]
    );

    // The spec can be parsed, but a value is invalid.
    world.write("meaning.py", "");
    world.write(
        "meaning.py.vpython3",
        "wheel < name: 'b' version: 'nonsense' >",
    );
    let explanation = failing(&world, &["meaning.py"], 125);
    assert_eq!(
        explanation["spec"]["source"]["wheel"][0]["version"],
        json!("nonsense")
    );
    assert_eq!(
        [
            &explanation["spec"]["requirements"],
            &explanation["interpreter"]
        ],
        [&json!([]), &json!(null)]
    );

    // The block cannot be parsed.
    world.write("syntax.py", "# /// script\n# dependencies = \n# ///\n");
    let explanation = failing(&world, &["syntax.py"], 125);
    assert_eq!(
        [&explanation["spec"]["kind"], &explanation["spec"]["source"]],
        [&json!("pep723"), &json!(null)]
    );

    world.write(
        "guards.py",
        "# [VPYTHON:BEGIN]\n# wheel <>\n#[VPYTHON:END]\n",
    );
    let explanation = failing(&world, &["guards.py"], 125);
    assert_eq!(
        last(&explanation),
        json!({"place": "[WORLD]/work/guards.py, [VPYTHON:BEGIN]", "found": "broken"})
    );
    assert_eq!(explanation["spec"], json!(null));

    world.write("link.py", "");
    symlink("nowhere", world.path("link.py.vpython3")).unwrap();
    let explanation = failing(&world, &["link.py"], 125);
    assert_eq!(
        last(&explanation),
        json!({"place": "[WORLD]/work/link.py.vpython3", "found": "broken"})
    );

    let explanation = failing(&world, &["-vpython-spec=nowhere.toml", "-c", ""], 125);
    assert_eq!(
        last(&explanation),
        json!({"place": "-vpython-spec [WORLD]/work/nowhere.toml", "found": "broken"})
    );

    world.write(
        "python.py",
        "# /// script\n# requires-python = '>=3.999'\n# ///\n",
    );
    let explanation = failing(&world, &["python.py"], 127);
    assert_eq!(explanation["interpreter"]["path"], json!(null));
    assert_eq!(
        explanation["interpreter"]["passed_over"][0]["path"],
        json!("[WORLD]/bin/python3")
    );

    world.write("file", "");
    failing(&world, &["-vpython-interpreter=file", "-c", ""], 126);
    let explanation = failing(&world, &["-vpython-root=file", "wheel.py"], 125);
    assert_eq!(
        explanation["interpreter"]["path"],
        json!("[PYTHON]"),
        "as far as possible without a store"
    );
    failing(&world, &["-vpython-root=file", "syntax.py"], 125);
}

#[test]
fn a_bypass_is_explained() {
    let world = World::new();
    world.write("vpython.toml", "this is not a spec\n");
    let launch = |words: &[&str]| explain(&world, words).env("VPYTHON_BYPASS", BYPASS);
    launch(&["tool.py"]).run().prints(expect![[r#"
        program       tool.py

        interpreter   [WORLD]/bin/python3

        launch        no environment: `VPYTHON_BYPASS` is set, so the next python on `PATH` runs without an environment
    "#]]);
    let explanation = explained(launch(&["--json", "tool.py"]), 0);
    assert_eq!(
        explanation["interpreter"]["found_by"],
        json!("VPYTHON_BYPASS")
    );
    assert_eq!(
        [
            &explanation["searched"],
            &explanation["key"],
            &explanation["hit"]
        ],
        [&json!([]), &json!(null), &json!(false)]
    );
    let alone = launch(&["--json", "tool.py"]).env("PATH", world.outside("home"));
    assert_eq!(
        explained(alone, 127)["error"]["message"],
        json!("no python on `PATH` other than vpython")
    );
}

#[test]
fn python_help_and_version_need_no_environment() {
    let world = World::new();
    for spec in ["requires-python = '>=3.999'\n", "this is not a spec\n"] {
        world.write("vpython.toml", spec);
        let explanation = as_json(&world, &["--version"]);
        assert_eq!(explanation["interpreter"]["path"], json!("[PYTHON]"));
        assert_eq!(
            explanation["miss"],
            json!("python only prints information about itself and needs no environment")
        );
        assert_eq!(
            [&explanation["key"], &explanation["error"]],
            [&json!(null), &json!(null)]
        );
    }
}

#[test]
fn names_cannot_write_on_the_terminal() {
    let world = World::new();
    let name = "a\u{1b}[2J\n.py";
    world.write(name, "");
    let outcome = explain(&world, &[name]).run();
    assert!(
        outcome
            .stdout
            .starts_with("program       a\\u{1b}[2J\\n.py\n"),
        "{outcome}"
    );
    assert!(
        as_json(&world, &[name])["searched"][1]["place"]
            .as_str()
            .unwrap()
            .contains('\u{1b}'),
        "programs get it unchanged"
    );
}
