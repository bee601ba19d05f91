//! The explanation as JSON.

use serde_json::{Value, json};

use super::{LISTED, as_json, explain, explained, script, text, world};
use crate::support::{Fake, Launch, Wheel, World};

#[test]
fn the_whole_of_a_luci_spec_as_json() {
    let world = world();
    world.write("tool.py", "");
    world.write("tool.py.vpython3", LISTED);
    let mut explanation = as_json(&world, &["tool.py"]);
    let digest = explanation["wheels"][0]["sha256"].take();
    assert_eq!(digest.as_str().unwrap().len(), 64);
    let key = explanation["key"].take();
    assert_eq!(key.as_str().unwrap().len(), 40);
    let wheel = json!({"name": "infra/python/wheels/b-py3", "version": "version:2", "match_tag": [], "not_match_tag": []});
    let windows = json!({
        "name": "infra/python/wheels/pywin/${vpython_platform}",
        "version": "version:300.chromium.1",
        "match_tag": [{"platform": "win_amd64"}],
        "not_match_tag": [],
    });
    let expected = json!({
        "version": 1,
        "conf": null,
        "settings": [{"key": "root", "value": "[WORLD]/root", "from": "VPYTHON_VIRTUALENV_ROOT"}],
        "searched": [
            {"place": "-vpython-spec", "found": null},
            {"place": "[WORLD]/work/tool.py.vpython", "found": null},
            {"place": "[WORLD]/work/tool.py.vpython3", "found": "spec"},
        ],
        "spec": {
            "kind": "luci",
            "file": "[WORLD]/work/tool.py.vpython3",
            "line": 1,
            "source": {
                "python_version": "3",
                "wheel": [wheel, windows, wheel],
                "verify_pep425_tag": [{"python": "cp38", "platform": "win_amd64"}],
            },
            "requires_python": "==3.*",
            "requirements": ["b==2", "pywin==300+chromium.1", "b==2"],
            "system_site_packages": false,
        },
        "interpreter": {
            "path": "[PYTHON]",
            "version": "[VERSION]",
            "implementation": "CPython",
            "free_threaded": false,
            "found_by": "PATH",
            "found_as": "[WORLD]/bin/python3",
            "defaults": [],
            "passed_over": [],
        },
        "wheels": [{
            "name": "b",
            "version": "2",
            "file": "[WORLD]/work/wheels/b-2-py3-none-any.whl",
            "sha256": null,
            "required_by": ["[WORLD]/work/tool.py.vpython3, line 1"],
        }],
        "edges": [{"from": null, "to": "b"}],
        "key": null,
        "entry": "[WORLD]/root/v1/envs/[KEY]",
        "shared_root": null,
        "hit": false,
        "miss": "there is no store yet in `[WORLD]/root`; its environment is not built",
        "error": null,
    });
    assert_eq!(explanation, expected);
    let text = text(&world, &explain(&world, &["tool.py"]).run());
    assert!(text.contains("\nnot here  pywin\n"), "{text}");
}

#[test]
fn the_environment_is_that_of_a_launch() {
    let world = world();
    world.write("tool.py", script());
    world.write("listed.py", "");
    world.write("listed.py.vpython", LISTED);
    world.write(
        "inline.py",
        format!("'''\n[VPYTHON:BEGIN]\n{LISTED}[VPYTHON:END]\n'''\n"),
    );
    world.write("one.txt", "a\n");
    let block = script();
    let rows: [&[&str]; 6] = [
        &["tool.py"],
        &["listed.py"],
        &["inline.py"],
        &["-c", &block],
        &["-vpython-spec=one.txt", "-m", "a"],
        &["-"],
    ];
    for words in rows {
        let before = as_json(&world, words);
        let environment = world.install(words);
        let outcome = world
            .vpython(["-vpython-tool", "explain", "--json"])
            .arguments(words)
            .run();
        let after: Value = serde_json::from_str(&outcome.raw_stdout).unwrap();
        assert_eq!(after["entry"], json!(environment), "{words:?}");
        assert_eq!(
            environment.file_name().unwrap().to_str(),
            after["key"].as_str(),
            "{words:?}"
        );
        assert_eq!(
            (&before["hit"], &after["hit"]),
            (&json!(false), &json!(true)),
            "{words:?}"
        );
        let after: Value = serde_json::from_str(&outcome.stdout).unwrap();
        for part in ["searched", "spec", "interpreter", "wheels", "key", "error"] {
            assert_eq!(before[part], after[part], "{words:?}");
        }
    }
}

#[test]
fn the_interpreter_is_reported_with_those_tried_before_it() {
    let world = World::new();
    let fakes = ["3.7.1", "3.9.2"].map(|version| Fake::new(&world, version));
    for (name, program) in [("first", "vpython"), ("second", "other")] {
        world.write_with_mode(
            &format!("{name}/python3"),
            format!("#!/bin/sh\nexec {program} \"$@\"\n"),
            0o755,
        );
    }
    let path = format!(
        "{}:{}:{}",
        world.path("first").display(),
        world.path("second").display(),
        world.search_path()
    );
    let interpreter = json!({
        "path": "[PYTHON]",
        "version": "[VERSION]",
        "implementation": "CPython",
        "free_threaded": false,
        "found_by": "PATH",
        "found_as": "[WORLD]/bin/python3",
        "defaults": [],
        "passed_over": [
            {"path": "[WORLD]/work/first/python3", "why": "it is vpython itself"},
            {"path": "[WORLD]/work/second/python3", "why": "it is a script, not an interpreter"},
        ],
    });
    assert_eq!(
        explained(explain(&world, &["--json", "-c", ""]).env("PATH", &path), 0)["interpreter"],
        interpreter
    );
    let outcome = explain(&world, &["-c", ""]).env("PATH", &path).run();
    let lines = "skipped  [WORLD]/work/first/python3  it is vpython itself\n  \
                 [WORLD]/work/second/python3  it is a script, not an interpreter\n";
    assert!(text(&world, &outcome).contains(lines), "{outcome}");
    let found_by = |launch: Launch<'_>| {
        explained(launch.arguments(["--json", "-c", ""]), 0)["interpreter"]["found_by"].clone()
    };
    let flag = format!("-vpython-interpreter={}", fakes[0].path.display());
    assert_eq!(
        found_by(explain(&world, &[&flag])),
        json!("-vpython-interpreter")
    );
    assert_eq!(
        found_by(explain(&world, &[]).env("VPYTHON_INTERPRETER", &fakes[1].path)),
        json!("VPYTHON_INTERPRETER")
    );
}

#[test]
fn an_installed_interpreter_is_reported_with_its_installer() {
    let world = World::new();
    world.pyenv(&[world.python]);
    let launch = explain(&world, &["--json", "-c", ""]).env("PATH", world.outside("home"));
    let interpreter =
        explained(launch.env("PYENV_ROOT", world.outside("pyenv")), 0)["interpreter"].clone();
    assert_eq!(interpreter["found_by"], json!("pyenv"));
    assert_eq!(
        interpreter["found_as"],
        json!("[WORLD]/pyenv/versions/[VERSION]/bin/python3")
    );
}

/// The plan in an explanation.
fn plan(explanation: &Value) -> Value {
    let wheels = explanation["wheels"].as_array().unwrap().iter();
    let wheels: Vec<Value> = wheels
        .map(|wheel| {
            json!([
                wheel["name"],
                wheel["version"],
                wheel["file"],
                wheel["sha256"]
            ])
        })
        .collect();
    json!([
        explanation["interpreter"]["path"],
        wheels,
        explanation["key"],
        explanation["error"]
    ])
}

#[test]
fn an_upgraded_spec_has_the_same_plan() {
    let world = world();
    let chromium = include_str!("../../../testdata/luci/chromium.vpython3");
    let minor = world.python.minor;
    let binary = format!("cp3{minor}-cp3{minor}-linux_x86_64");
    for (name, version) in [
        ("cffi", "1.14.5"),
        ("coverage", "5.5+chromium.3"),
        ("numpy", "1.21.1"),
    ] {
        world.wheel(&Wheel::module(name, version).tag(&binary));
    }
    for (name, version) in [
        ("six", "1.15.0"),
        ("requests", "2.26.0"),
        ("pyasn1_modules", "0.2.4"),
    ] {
        world.wheel(&Wheel::module(name, version));
    }
    world.write(
        ".vpython3",
        chromium.replace("\"3.8\"", &format!("\"3.{minor}\"")),
    );
    world.write(
        "inline.py",
        format!("'''\n[VPYTHON:BEGIN]\n{LISTED}[VPYTHON:END]\n'''\n"),
    );
    let targets = ["plain.py", "inline.py"];
    let explain = || targets.map(|target| as_json(&world, &[target]));
    let before = explain();
    assert_eq!(
        before.each_ref().map(|one| one["spec"]["kind"].clone()),
        [json!("luci"), json!("luci")]
    );
    let is_seed = |wheel: &&Value| wheel["required_by"] == json!(["seeded for LUCI specs"]);
    let (seeds, listed): (Vec<_>, Vec<_>) = before[0]["wheels"]
        .as_array()
        .unwrap()
        .iter()
        .partition(is_seed);
    assert_eq!((listed.len(), seeds.is_empty()), (6, minor > 11));
    let outcome = world.vpython(["-vpython-tool", "upgrade"]).run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let after = explain();
    assert_eq!(
        after.each_ref().map(|one| one["spec"]["kind"].clone()),
        [json!("vpython.toml"), json!("pep723")]
    );
    assert_eq!(after.each_ref().map(plan), before.each_ref().map(plan));
}
