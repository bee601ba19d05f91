//! `explain` says where each setting comes from, and mistakes are reported with their lines.

use expect_test::expect;
use serde_json::{Value, json};

use super::{house, launch, set, world};
use crate::support::Launch;

/// The settings that `explain` prints.
fn settings(launch: Launch<'_>) -> (Value, Value) {
    let outcome = launch.run();
    let explanation: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"));
    (explanation["conf"].clone(), explanation["settings"].clone())
}

#[test]
fn explain_says_where_each_setting_comes_from() {
    let world = world();
    house(&world, "house", 1);
    let text = "\
root = '/none'
wheels = ['../house']
default-spec = '~/default.toml'
bypass = 'not here'
[python]
vpython = ['3.99', '3']
vpython3 = '3'
[prune]
older-than = '2h'
max-size = '1GiB'
[fetch]
allow = true
index-url = 'https://pypi.example/simple'
pip-options = ['--timeout', '5']
";
    set(&world, text);
    let explain = |words: &[&str]| launch(&world, &["-vpython-tool", "explain"]).arguments(words);
    let made = |key: &str, value: &str, line: u32| {
        let from = format!("[WORLD]/site/vpython.conf, line {line}");
        json!({"key": key, "value": value, "from": from})
    };
    // The settings in effect, each with its origin.
    let mut expected = vec![
        json!({"key": "root", "value": "[WORLD]/root", "from": "VPYTHON_VIRTUALENV_ROOT"}),
        made("wheels", "[WORLD]/site/../house", 2),
        made("default-spec", "[WORLD]/home/default.toml", 3),
        made("python.vpython", "3.99, 3", 6),
        made("prune.older-than", "2h", 9),
        made("prune.max-size", "1.0 GiB", 10),
        made("fetch.allow", "true", 12),
        made("fetch.index-url", "https://pypi.example/simple", 13),
        made("fetch.pip-options", "--timeout 5", 14),
        made("bypass", "not here", 4),
    ];
    let file = json!("[WORLD]/site/vpython.conf");
    assert_eq!(
        settings(explain(&["--json", "tool.py"])),
        (file.clone(), json!(expected))
    );
    // The same as text.
    let outcome = explain(&["tool.py"]).run();
    let beginning = "\
program       tool.py
settings      root               [WORLD]/root                 by VPYTHON_VIRTUALENV_ROOT
              wheels             [WORLD]/site/../house        by [WORLD]/site/vpython.conf, line 2
";
    let columns = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert!(
        outcome
            .stdout
            .lines()
            .zip(beginning.lines())
            .all(|(one, other)| columns(one) == columns(other)),
        "{outcome}"
    );
    // A flag and variables override the file.
    expected[0] = json!({"key": "root", "value": "[WORLD]/work/r", "from": "-vpython-root"});
    expected[1] = json!({"key": "wheels", "value": "[WORLD]/work/w", "from": "VPYTHON_WHEELS"});
    expected[2] = json!({"key": "default-spec", "value": "d.toml", "from": "VPYTHON_DEFAULT_SPEC"});
    expected[5] = json!({"key": "prune.max-size", "value": "1MiB", "from": "VPYTHON_MAX_CACHE"});
    let launch = explain(&["--json", "-vpython-root=r", "-c", ""])
        .env("VPYTHON_WHEELS", "w")
        .env("VPYTHON_MAX_CACHE", "1MiB");
    world.write("d.toml", "");
    assert_eq!(
        settings(launch.env("VPYTHON_DEFAULT_SPEC", "d.toml")),
        (file, json!(expected))
    );
    // Without a settings file.
    let none = world.vpython(["-vpython-tool", "explain", "--json", "-c", ""]);
    let root = json!([{"key": "root", "value": "[WORLD]/root", "from": "VPYTHON_VIRTUALENV_ROOT"}]);
    assert_eq!(settings(none), (Value::Null, root));
}

#[test]
fn a_mistake_is_reported_with_its_line() {
    let world = world();
    house(&world, "site/wheels", 1);
    set(&world, "wheel = []\n[prune]\nolder_than = '1d'\n");
    let warnings = expect![[r#"
        vpython: warning: `[WORLD]/site/vpython.conf`, line 1: unknown key `wheel` is ignored; did you mean `wheels`?
        vpython: warning: `[WORLD]/site/vpython.conf`, line 3: unknown key `prune.older_than` is ignored; did you mean `prune.older-than`?
    "#]];
    launch(&world, &["tool.py"])
        .run()
        .expect(0, "1\n", &warnings);
    launch(&world, &["tool.py"])
        .run()
        .expect(0, "1\n", &warnings);
    set(&world, "root = 3\nwheels = ['a', 1]\n");
    let message = expect![[r#"
        vpython: error: invalid settings in `[WORLD]/site/vpython.conf`
          caused by: `[WORLD]/site/vpython.conf`, line 1, column 8: `root` must be a string, not an integer
          caused by: `[WORLD]/site/vpython.conf`, line 2, column 16: an item of `wheels` must be a string, not an integer
    "#]];
    launch(&world, &["tool.py"]).run().refuses(125, &message);
    let named = launch(&world, &["tool.py"])
        .env("VPYTHON_CONF", "none.conf")
        .run();
    named.refuses(
        125,
        expect![[r#"
            vpython: error: cannot read the settings file from `VPYTHON_CONF`
              caused by: cannot open `[WORLD]/work/none.conf`
              caused by: No such file or directory (os error 2)
        "#]],
    );
    let conf = world.write("named.conf", "bypass = 'x'\n");
    launch(&world, &["tool.py"])
        .env("VPYTHON_CONF", conf)
        .run()
        .prints("1\n");
}
