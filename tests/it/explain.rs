//! `-vpython-tool explain`: which spec, interpreter, wheels and environment a command line gets, and why.

use std::fs::File;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::{Fake, Launch, Outcome, Wheel, World, tree};

const BYPASS: &str = "manually managed python not supported by chrome operations";

/// A world with wheels of `a`, which asks for `b`, and of `b`.
fn world() -> World {
    let world = World::new();
    world.wheel(&Wheel::module("a", "1").requires("b>=1"));
    world.wheel(&Wheel::module("b", "2"));
    world
}

/// A script that asks for `a` in a block.
fn script() -> String {
    "# /// script\n# requires-python = '>=3.6'\n# dependencies = ['a']\n# ///\nimport a\n".to_owned()
}

fn explain<'a>(world: &'a World, words: &[&str]) -> Launch<'a> {
    world.vpython(["-vpython-tool", "explain"]).arguments(words)
}

/// The explanation as text, without what differs from machine to machine.
fn text(world: &World, outcome: &Outcome) -> String {
    squeezed(&outcome.stdout).replace(&platform(world), "[PLATFORM]")
}

/// The text with two blanks between its columns, and without digests.
fn squeezed(text: &str) -> String {
    let mut squeezed = String::new();
    for line in text.lines() {
        let columns: Vec<&str> = line.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
        let indentation = if line.starts_with(' ') { "  " } else { "" };
        let line = columns.join("  ");
        let words: Vec<&str> = line.split(' ').map(|word| if is_digest(word) { "[DIGEST]" } else { word }).collect();
        squeezed.push_str(&format!("{indentation}{}\n", words.join(" ")));
    }
    squeezed
}

/// Whether a word is a key, or the beginning of a wheel's digest.
fn is_digest(word: &str) -> bool {
    matches!(word.len(), 16 | 40) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What `sysconfig.get_platform()` says, as in `linux x86_64`.
fn platform(world: &World) -> String {
    let words = ["-I", "-S", "-c", "import sysconfig; print(sysconfig.get_platform().replace('-', ' ', 1), end='')"];
    world.program(&world.python.path, words).run().stdout
}

/// The explanation as JSON, redacted.
fn explained(launch: Launch<'_>, code: i32) -> Value {
    let outcome = launch.run();
    assert_eq!(outcome.code, Some(code), "{outcome}");
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

fn as_json(world: &World, words: &[&str]) -> Value {
    explained(world.vpython(["-vpython-tool", "explain", "--json"]).arguments(words), 0)
}

/// The reason for a miss; none for a hit.
fn miss(launch: Launch<'_>) -> Option<String> {
    let explanation = explained(launch.arguments(["--json", "tool.py"]), 0);
    let miss = explanation["miss"].as_str().map(str::to_owned);
    assert_eq!(explanation["hit"], json!(miss.is_none()));
    miss
}

#[track_caller]
fn assert_text(world: &World, outcome: &Outcome, expected: &str) {
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
    let text = text(world, outcome);
    assert!(text == expected, "expected:\n{expected}\nbut:\n{text}");
}

/// The last part of an explanation of what nobody has launched yet.
const NEW: &str = "\
key  [DIGEST]
entry  [WORLD]/root/v1/envs/[KEY]
launch  cold: there is no store yet in `[WORLD]/root`
  its environment is not built
";

#[test]
fn a_script_with_a_block() {
    let world = world();
    world.write("tool.py", script());
    let expected = format!(
        "\
program  tool.py
looked at  [WORLD]/work/tool.py  no partner file, .vpython3 or .vpython
  [WORLD]/work/tool.py, # /// script  the spec

spec  [WORLD]/work/tool.py, line 1 (pep723)
python  >=3.6
requirements  a

interpreter  [PYTHON], CPython [VERSION] on [PLATFORM]
  by PATH, as [WORLD]/bin/python3

wheels  in [WORLD]/work/wheels
  a-1-py3-none-any.whl  sha256 [DIGEST]  for line 3
  b-2-py3-none-any.whl  sha256 [DIGEST]  for a 1

{NEW}"
    );
    assert_text(&world, &explain(&world, &["tool.py"]).run(), &expected);
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
    let expected = format!(
        "\
program  tool
looked at  [WORLD]/work/tool  no partner file, .vpython3 or .vpython
  [WORLD]/work/project/bin/deep/tool.py  no partner file, .vpython3 or .vpython
  [WORLD]/work/project/bin/deep/tool.py  no block
  [WORLD]/work/project/bin/deep  no vpython.toml, .vpython3 or .vpython
  [WORLD]/work/project/bin/.vpython3  no file; stepped over
  [WORLD]/work/project/bin  no vpython.toml, .vpython3 or .vpython
  [WORLD]/work/project/vpython.toml  the spec

spec  [WORLD]/work/project/vpython.toml, line 1 (vpython.toml)
requirements  b, c ; python_full_version < '3'
python-path  [WORLD]/work/project/lib

interpreter  [PYTHON], CPython [VERSION] on [PLATFORM]
  by PATH, as [WORLD]/bin/python3

wheels  in [WORLD]/work/project/../wheels
  b-2-py3-none-any.whl  sha256 [DIGEST]  for line 1
not here  c

{NEW}"
    );
    assert_text(&world, &explain(&world, &["tool"]).run(), &expected);
}

/// The first part of an explanation: what was looked at, and what the spec says.
#[track_caller]
fn assert_search(world: &World, launch: Launch<'_>, expected: &str) {
    let outcome = launch.run();
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
    let text = text(world, &outcome);
    let (search, rest) = text.split_once("\ninterpreter  ").unwrap();
    assert!(search == expected, "expected:\n{expected}\nbut:\n{search}");
    assert!(rest.starts_with("[PYTHON], CPython [VERSION] on [PLATFORM]\n"), "{outcome}");
}

#[test]
fn a_module_standard_input_and_nothing_are_of_the_current_directory() {
    let world = world();
    world.write("vpython.toml", "dependencies = ['b']\n");
    world.write("inner/.gclient", "");
    let behind = "\
looked at  [WORLD]/work/vpython.toml  the spec

spec  [WORLD]/work/vpython.toml, line 1 (vpython.toml)
requirements  b
";
    let rows: [(&[&str], &str); 4] = [
        (&["-m", "json.tool"], "module json.tool"),
        (&["-"], "standard input"),
        (&["/dev/null"], "/dev/null"),
        (&[], "an interactive python, or standard input"),
    ];
    for (words, program) in rows {
        let behind = match program {
            "/dev/null" => behind.replacen("at  ", "at  /dev/null  no file; not looked into\n  ", 1),
            _ => behind.to_owned(),
        };
        assert_search(&world, explain(&world, words), &format!("program  {program}\n{behind}"));
    }
    let barrier = "\
program  module json.tool
looked at  [WORLD]/work/inner  no vpython.toml, .vpython3 or .vpython
  [WORLD]/work/inner/.gclient  ends the walk
  VPYTHON_DEFAULT_SPEC  not set

spec  none: an environment with no packages
";
    assert_search(&world, explain(&world, &["-m", "json.tool"]).within(world.path("inner")), barrier);
}

#[test]
fn the_text_of_a_command() {
    let world = world();
    let expected = "\
program  the text of -c
looked at  the text of -c, # /// script  the spec

spec  the text of -c, line 1 (pep723)
python  >=3.6
requirements  a
";
    assert_search(&world, explain(&world, &["-c", &script()]), expected);
    let explanation = as_json(&world, &["-c", &script()]);
    let spec = json!({
        "kind": "pep723",
        "file": null,
        "line": 1,
        "source": {"requires-python": ">=3.6", "dependencies": ["a"]},
        "requires_python": ">=3.6",
        "requirements": ["a"],
    });
    assert_eq!(explanation["spec"], spec);
    assert_eq!(explanation["wheels"][0]["required_by"], json!(["the text of -c, line 3"]));
}

#[test]
fn a_folder_and_a_zip_application() {
    let world = world();
    world.write("app/__main__.py", script());
    symlink("../wheels", world.path("app/wheels")).unwrap();
    let expected = "\
program  app
looked at  [WORLD]/work/app/__main__.py, # /// script  the spec

spec  [WORLD]/work/app/__main__.py, line 1 (pep723)
python  >=3.6
requirements  a
";
    assert_search(&world, explain(&world, &["app"]), expected);
    world.write("app.pyz", b"#!/usr/bin/env python3\nPK\x03\x04");
    world.write("app.pyz.vpython", "");
    std::fs::create_dir(world.path("app.pyz.vpython3")).unwrap();
    let expected = "\
program  app.pyz
looked at  [WORLD]/work/app.pyz.vpython3  no file; stepped over
  [WORLD]/work/app.pyz.vpython  the spec

spec  [WORLD]/work/app.pyz.vpython, line 1 (luci)
";
    assert_search(&world, explain(&world, &["app.pyz"]), expected);
    std::fs::remove_file(world.path("app.pyz.vpython")).unwrap();
    let text = text(&world, &explain(&world, &["app.pyz"]).run());
    assert!(text.contains("\n  [WORLD]/work/app.pyz  a zip archive; not looked into\n"), "{text}");
}

#[test]
fn a_script_that_is_not_there_is_pythons_to_refuse() {
    let world = world();
    world.write("vpython.toml", "dependencies = ['b']\n");
    let expected = "\
program  missing.py
looked at  [WORLD]/work/missing.py  no such file; python will say so
  [WORLD]/work/vpython.toml  the spec

spec  [WORLD]/work/vpython.toml, line 1 (vpython.toml)
requirements  b
";
    assert_search(&world, explain(&world, &["missing.py"]), expected);
}

#[test]
fn specs_that_are_named() {
    let world = world();
    world.write("one.txt", "# pinned\nb==2 \\\n    --no-binary=:none:\n-c ${NOWHERE}two.txt\n");
    world.write("${NOWHERE}two.txt", "b<3\n");
    let expected = "\
program  the text of -c
looked at  -vpython-spec [WORLD]/work/one.txt  the spec

spec  [WORLD]/work/one.txt, line 1 (requirements)
requirements  b==2
read with it  [WORLD]/work/${NOWHERE}two.txt
";
    assert_search(&world, explain(&world, &["-vpython-spec=one.txt", "-c", ""]), expected);
    let default = explain(&world, &["-c", ""]).env("VPYTHON_DEFAULT_SPEC", "one.txt");
    let expected = "\
program  the text of -c
looked at  the text of -c  no block
  [WORLD]/work up to [WORLD]  no vpython.toml, .vpython3 or .vpython
  [WORLD]/.gclient  ends the walk
  VPYTHON_DEFAULT_SPEC=[WORLD]/work/one.txt  the spec

spec  [WORLD]/work/one.txt, line 1 (requirements)
requirements  b==2
read with it  [WORLD]/work/${NOWHERE}two.txt
";
    assert_search(&world, default, expected);
    let source = as_json(&world, &["-vpython-spec", "one.txt", "-c", ""])["spec"]["source"].clone();
    assert_eq!(source, json!(["b==2     --no-binary=:none:", "-c ${NOWHERE}two.txt"]));
}

#[test]
fn a_strangers_spec_is_passed_over() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("NOT TESTED HERE: only the superuser can give a file away");
        return;
    }
    let world = world();
    world.write("open/vpython.toml", "");
    std::os::unix::fs::chown(world.path("open/vpython.toml"), Some(65534), None).unwrap();
    std::fs::set_permissions(world.path("open"), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let outcome = explain(&world, &["--json", "-c", ""]).within(world.path("open")).run();
    let warning = "vpython: warning: `[WORLD]/work/open/vpython.toml` is passed over: it is user 65534's, and everybody can put a spec \
                   into `[WORLD]/work/open`\n";
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), warning), "{outcome}");
    let explanation: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let look = json!({"place": "[WORLD]/work/open/vpython.toml", "found": "another user's"});
    assert_eq!(explanation["searched"][2], look);
    let outcome = explain(&world, &["-c", ""]).within(world.path("open")).run();
    assert!(text(&world, &outcome).contains("  [WORLD]/work/open/vpython.toml  user 65534's; passed over\n"), "{outcome}");
}

/// A spec of LUCI's in which wheels are named twice, and for elsewhere.
const LISTED: &str = "\
wheel: < name: 'infra/python/wheels/b-py3' version: 'version:2' >
wheel: <
  name: 'infra/python/wheels/pywin/${vpython_platform}'
  version: 'version:300.chromium.1'
  match_tag: < platform: 'win_amd64' >
>
wheel: < name: 'infra/python/wheels/b-py3' version: 'version:2' >
verify_pep425_tag: [ { python: 'cp38', platform: 'win_amd64' } ]
python_version: '3'
";

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
        "searched": [
            {"place": "-vpython-spec", "found": null},
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
        },
        "interpreter": {
            "path": "[PYTHON]",
            "version": "[VERSION]",
            "implementation": "CPython",
            "found_by": "PATH",
            "found_as": "[WORLD]/bin/python3",
            "passed_over": [],
        },
        "wheels": [{
            "name": "b",
            "version": "2",
            "file": "[WORLD]/work/wheels/b-2-py3-none-any.whl",
            "sha256": null,
            "required_by": ["[WORLD]/work/tool.py.vpython3, line 1"],
        }],
        "key": null,
        "entry": "[WORLD]/root/v1/envs/[KEY]",
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
    world.write("inline.py", format!("'''\n[VPYTHON:BEGIN]\n{LISTED}[VPYTHON:END]\n'''\n"));
    world.write("one.txt", "a\n");
    let block = script();
    let rows: [&[&str]; 6] =
        [&["tool.py"], &["listed.py"], &["inline.py"], &["-c", &block], &["-vpython-spec=one.txt", "-m", "a"], &["-"]];
    for words in rows {
        let before = as_json(&world, words);
        let environment = world.install(words);
        let outcome = world.vpython(["-vpython-tool", "explain", "--json"]).arguments(words).run();
        let after: Value = serde_json::from_str(&outcome.raw_stdout).unwrap();
        assert_eq!(after["entry"], json!(environment), "{words:?}");
        assert_eq!(environment.file_name().unwrap().to_str(), after["key"].as_str(), "{words:?}");
        assert_eq!((&before["hit"], &after["hit"]), (&json!(false), &json!(true)), "{words:?}");
        let after: Value = serde_json::from_str(&outcome.stdout).unwrap();
        for part in ["searched", "spec", "interpreter", "wheels", "key", "error"] {
            assert_eq!(before[part], after[part], "{words:?}");
        }
    }
}

#[test]
fn a_hit_says_so_and_changes_nothing() {
    let world = world();
    world.write("tool.py", script());
    world.install(["tool.py"]);
    let before = tree(&world.outside("root"));
    let outcome = explain(&world, &["tool.py"]).run();
    let text = text(&world, &outcome);
    let end = "launch  warm: nothing has changed since the last launch, and its environment stands\n";
    assert!(outcome.code == Some(0) && outcome.stderr.is_empty() && text.ends_with(end), "{outcome}");
    assert_eq!(tree(&world.outside("root")), before);
}

#[test]
fn a_miss_says_what_has_changed() {
    let world = world();
    let stands = |why: &str| Some(format!("{why}; its environment stands, and will be used"));
    let not_built = |why: &str| Some(format!("{why}; its environment is not built"));
    let changed = |path: &str| format!("since the last launch `[WORLD]/work/{path}`");
    let miss = || self::miss(explain(&world, &[]));
    let launch = || drop(world.install(["tool.py"]));
    world.write("tool.py", script());
    assert_eq!(miss(), not_built("there is no store yet in `[WORLD]/root`"));
    launch();
    assert_eq!(miss(), None);

    let with_path = || explain(&world, &[]).env("PATH", format!("{}:/nowhere", world.search_path()));
    assert_eq!(self::miss(with_path()), stands("`PATH` is not what it was at the last launch"));
    let with_wheels = with_path().env("VPYTHON_WHEELS", world.path("wheels"));
    assert_eq!(self::miss(with_wheels), stands("not what they were at the last launch: `PATH`, `VPYTHON_WHEELS`"));

    world.write("tool.py", script().replace("['a']", "['b']"));
    assert_eq!(miss(), not_built("the text of the spec is not what it was at the last launch"));
    world.write("tool.py", script());
    assert_eq!(miss(), None, "what it was before");

    world.wheel(&Wheel::module("z", "1"));
    assert_eq!(miss(), stands(&format!("{} lists something else", changed("wheels"))));
    launch();
    let wheel = world.path("wheels/b-2-py3-none-any.whl");
    let bytes = std::fs::read(&wheel).unwrap();
    std::fs::write(&wheel, Wheel::module("b", "2").file("more.py", "").bytes()).unwrap();
    let larger = format!("has another size: {} bytes, and had {}", wheel.metadata().unwrap().len(), bytes.len());
    assert_eq!(miss(), not_built(&format!("{} {larger}", changed("wheels/b-2-py3-none-any.whl"))));
    std::fs::write(&wheel, &bytes).unwrap();
    assert_eq!(miss(), stands(&format!("{} is newer", changed("wheels/b-2-py3-none-any.whl"))));
    launch();

    for memo in std::fs::read_dir(world.store("memo")).unwrap().map(|entry| entry.unwrap().path()) {
        if memo.file_name().unwrap().to_string_lossy().starts_with("launch-") {
            std::fs::remove_file(memo).unwrap();
        }
    }
    assert_eq!(miss(), stands("what the last launch came to is no longer remembered"));
    std::fs::remove_dir_all(world.store("memo")).unwrap();
    assert_eq!(miss(), stands("no launch like this is remembered"));
}

#[test]
fn a_miss_says_what_became_of_the_environment() {
    let world = world();
    world.write("tool.py", script());
    let environment = world.install(["tool.py"]);
    let miss = || self::miss(explain(&world, &[]));
    assert_eq!(miss(), None);
    let lock = File::open(environment.join("vpython.json")).unwrap();
    fs2::FileExt::try_lock_exclusive(&lock).unwrap();
    assert_eq!(miss().as_deref(), Some("its environment is locked, as it is while somebody removes it"));
    fs2::FileExt::unlock(&lock).unwrap();
    let site = environment.join(format!("lib/python3.{}/site-packages", world.python.minor));
    std::fs::write(site.join("added.py"), "").unwrap();
    assert_eq!(miss().as_deref(), Some("its environment was changed after it was built"));
    std::fs::remove_dir_all(&environment).unwrap();
    assert_eq!(miss().as_deref(), Some("its environment is not built"));
}

#[test]
fn a_variable_that_the_spec_names_is_a_reason() {
    let world = world();
    world.write("one.txt", "--find-links ${HOUSE}\nb\n");
    std::fs::create_dir(world.path("other")).unwrap();
    let launch = |tool: &[&str], house: &str| {
        let words = [&["-vpython-spec=one.txt", "-vpython-tool"], tool, &["-c", ""]].concat();
        world.vpython(words).env("HOUSE", world.path(house))
    };
    assert_eq!(launch(&["install"], "wheels").run().code, Some(0));
    let miss = |house: &str| explained(launch(&["explain", "--json"], house), 0)["miss"].clone();
    assert_eq!(miss("wheels"), json!(null));
    let why = "`HOUSE` is not what it was at the last launch; its environment stands, and will be used";
    assert_eq!(miss("other"), json!(why));
}

#[test]
fn nobody_is_waited_for() {
    let world = world();
    world.write("tool.py", script());
    let environment = world.install(["tool.py"]);
    let key = environment.file_name().unwrap().to_str().unwrap();
    std::fs::remove_dir_all(&environment).unwrap();
    let lock = File::create(world.store(&format!("locks/{key}.lock"))).unwrap();
    fs2::FileExt::try_lock_exclusive(&lock).unwrap();
    assert_eq!(miss(explain(&world, &[])).as_deref(), Some("its environment is not built"));
}

#[test]
fn an_interpreter_is_told_with_those_before_it() {
    let world = World::new();
    let fakes = ["3.7.1", "3.9.2"].map(|version| Fake::new(&world, version));
    for (name, program) in [("first", "vpython"), ("second", "other")] {
        world.write_with_mode(&format!("{name}/python3"), format!("#!/bin/sh\nexec {program} \"$@\"\n"), 0o755);
    }
    let path = format!("{}:{}:{}", world.path("first").display(), world.path("second").display(), world.search_path());
    let interpreter = json!({
        "path": "[PYTHON]",
        "version": "[VERSION]",
        "implementation": "CPython",
        "found_by": "PATH",
        "found_as": "[WORLD]/bin/python3",
        "passed_over": [
            {"path": "[WORLD]/work/first/python3", "why": "it is vpython itself"},
            {"path": "[WORLD]/work/second/python3", "why": "it is a script, and not an interpreter"},
        ],
    });
    assert_eq!(explained(explain(&world, &["--json", "-c", ""]).env("PATH", &path), 0)["interpreter"], interpreter);
    let outcome = explain(&world, &["-c", ""]).env("PATH", &path).run();
    let lines = "passed over  [WORLD]/work/first/python3  it is vpython itself\n  \
                 [WORLD]/work/second/python3  it is a script, and not an interpreter\n";
    assert!(text(&world, &outcome).contains(lines), "{outcome}");
    let found_by = |launch: Launch<'_>| explained(launch.arguments(["--json", "-c", ""]), 0)["interpreter"]["found_by"].clone();
    let flag = format!("-vpython-interpreter={}", fakes[0].path.display());
    assert_eq!(found_by(explain(&world, &[&flag])), json!("-vpython-interpreter"));
    assert_eq!(found_by(explain(&world, &[]).env("VPYTHON_INTERPRETER", &fakes[1].path)), json!("VPYTHON_INTERPRETER"));
}

#[test]
fn an_installed_interpreter_is_told_by_who_installed_it() {
    let world = World::new();
    world.pyenv(&[world.python]);
    let launch = explain(&world, &["--json", "-c", ""]).env("PATH", world.outside("home"));
    let interpreter = explained(launch.env("PYENV_ROOT", world.outside("pyenv")), 0)["interpreter"].clone();
    assert_eq!(interpreter["found_by"], json!("pyenv"));
    assert_eq!(interpreter["found_as"], json!("[WORLD]/pyenv/versions/[VERSION]/bin/python3"));
}

/// The explanation of a launch that fails: both end and speak alike, and the error is in both forms.
#[track_caller]
fn failing(world: &World, words: &[&str], code: i32) -> Value {
    let launched = world.vpython(words).run();
    assert_eq!(launched.code, Some(code), "{launched}");
    let outcome = explain(world, &["--json"]).arguments(words).run();
    assert_eq!((outcome.code, &outcome.stderr), (Some(code), &launched.stderr), "{outcome}");
    let explanation: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let error = &explanation["error"];
    let mut message = format!("vpython: error: {}\n", error["message"].as_str().unwrap());
    for cause in error["causes"].as_array().unwrap() {
        message.push_str(&format!("  caused by: {}\n", cause.as_str().unwrap()));
    }
    if let Some(hint) = error["hint"].as_str() {
        message.push_str(&format!("  hint: {hint}\n"));
    }
    assert!(launched.stderr.ends_with(&message), "{message}{launched}");
    let text = explain(world, &[]).arguments(words).run();
    assert_eq!((text.code, &text.stderr), (Some(code), &launched.stderr), "{text}");
    let last = format!("launch        fails: {}\n", error["message"].as_str().unwrap());
    assert!(text.stdout.ends_with(&last), "{text}");
    explanation
}

#[test]
fn a_launch_that_fails_is_explained_as_far_as_it_gets() {
    let world = world();
    let last = |explanation: &Value| explanation["searched"].as_array().unwrap().last().unwrap().clone();
    world.write("wheel.py", script().replace("'a'", "'nowhere'"));
    let explanation = failing(&world, &["wheel.py"], 125);
    assert_eq!(last(&explanation), json!({"place": "[WORLD]/work/wheel.py, # /// script", "found": "spec"}));
    assert_eq!(explanation["spec"]["source"]["dependencies"], json!(["nowhere"]));
    assert_eq!(explanation["spec"]["requirements"], json!(["nowhere"]));
    assert_eq!(explanation["interpreter"]["path"], json!("[PYTHON]"));
    assert_eq!([&explanation["wheels"], &explanation["key"], &explanation["entry"]], [&json!([]), &json!(null), &json!(null)]);

    world.write("meaning.py", "");
    world.write("meaning.py.vpython3", "wheel < name: 'b' version: 'nonsense' >");
    let explanation = failing(&world, &["meaning.py"], 125);
    assert_eq!(explanation["spec"]["source"]["wheel"][0]["version"], json!("nonsense"));
    assert_eq!([&explanation["spec"]["requirements"], &explanation["interpreter"]], [&json!([]), &json!(null)]);

    world.write("syntax.py", "# /// script\n# dependencies = \n# ///\n");
    let explanation = failing(&world, &["syntax.py"], 125);
    assert_eq!([&explanation["spec"]["kind"], &explanation["spec"]["source"]], [&json!("pep723"), &json!(null)]);

    world.write("guards.py", "# [VPYTHON:BEGIN]\n# wheel <>\n#[VPYTHON:END]\n");
    let explanation = failing(&world, &["guards.py"], 125);
    assert_eq!(last(&explanation), json!({"place": "[WORLD]/work/guards.py, [VPYTHON:BEGIN]", "found": "broken"}));
    assert_eq!(explanation["spec"], json!(null));

    world.write("link.py", "");
    symlink("nowhere", world.path("link.py.vpython3")).unwrap();
    let explanation = failing(&world, &["link.py"], 125);
    assert_eq!(last(&explanation), json!({"place": "[WORLD]/work/link.py.vpython3", "found": "broken"}));

    let explanation = failing(&world, &["-vpython-spec=nowhere.toml", "-c", ""], 125);
    assert_eq!(last(&explanation), json!({"place": "-vpython-spec [WORLD]/work/nowhere.toml", "found": "broken"}));

    world.write("python.py", "# /// script\n# requires-python = '>=3.999'\n# ///\n");
    let explanation = failing(&world, &["python.py"], 127);
    assert_eq!(explanation["interpreter"]["path"], json!(null));
    assert_eq!(explanation["interpreter"]["passed_over"][0]["path"], json!("[WORLD]/bin/python3"));

    world.write("file", "");
    failing(&world, &["-vpython-interpreter=file", "-c", ""], 126);
    let explanation = failing(&world, &["-vpython-root=file", "wheel.py"], 125);
    assert_eq!(explanation["interpreter"]["path"], json!("[PYTHON]"), "as far as it goes without a store");
}

#[test]
fn a_store_that_is_not_there_is_not_made() {
    let world = world();
    world.write("tool.py", script());
    let explanation = as_json(&world, &["-vpython-root=new/store", "tool.py"]);
    let miss = "there is no store yet in `[WORLD]/work/new/store`; its environment is not built";
    assert_eq!(explanation["miss"], json!(miss));
    assert!(!world.path("new").exists());
}

#[test]
fn what_a_warm_launch_does_not_look_at_is_a_warning() {
    let world = world();
    // A launch looks at the eight wheels that were changed last.
    let names: Vec<String> = (0..8).map(|number| format!("w{number}")).collect();
    for name in &names {
        world.wheel(&Wheel::module(name, "1"));
    }
    world.write("tool.py", script().replace("'a'", &format!("'b', '{}'", names.join("', '"))));
    let wheel = world.path("wheels/b-2-py3-none-any.whl");
    File::open(&wheel).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    world.install(["tool.py"]);
    std::fs::write(&wheel, Wheel::module("b", "2").file("more.py", "").bytes()).unwrap();
    let outcome = explain(&world, &["--json", "tool.py"]).run();
    let warning = "vpython: warning: a cold launch would use another environment, `[WORLD]/root/v1/envs/[KEY]`\n";
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), warning), "{outcome}");
    assert_eq!(serde_json::from_str::<Value>(&outcome.stdout).unwrap()["hit"], json!(true));
    std::fs::write(&wheel, "").unwrap();
    let outcome = explain(&world, &["--json", "tool.py"]).run();
    assert!(outcome.code == Some(0) && outcome.stderr.starts_with("vpython: warning: a cold launch would fail: "), "{outcome}");
}

#[test]
fn a_bypass_is_explained() {
    let world = World::new();
    world.write("vpython.toml", "this is no spec\n");
    let launch = |words: &[&str]| explain(&world, words).env("VPYTHON_BYPASS", BYPASS);
    let expected = "\
program       tool.py

interpreter   [WORLD]/bin/python3

launch        no environment: `VPYTHON_BYPASS` is set: the next python on `PATH` is run as it is
";
    launch(&["tool.py"]).run().prints(expected);
    let explanation = explained(launch(&["--json", "tool.py"]), 0);
    assert_eq!(explanation["interpreter"]["found_by"], json!("VPYTHON_BYPASS"));
    assert_eq!([&explanation["searched"], &explanation["key"], &explanation["hit"]], [&json!([]), &json!(null), &json!(false)]);
    let alone = launch(&["--json", "tool.py"]).env("PATH", world.outside("home"));
    assert_eq!(explained(alone, 127)["error"]["message"], json!("no python on `PATH` but vpython"));
}

#[test]
fn python_that_speaks_of_itself_needs_no_environment() {
    let world = World::new();
    for spec in ["requires-python = '>=3.999'\n", "this is no spec\n"] {
        world.write("vpython.toml", spec);
        let explanation = as_json(&world, &["--version"]);
        assert_eq!(explanation["interpreter"]["path"], json!("[PYTHON]"));
        assert_eq!(explanation["miss"], json!("python only speaks of itself, for which it needs no environment"));
        assert_eq!([&explanation["key"], &explanation["error"]], [&json!(null), &json!(null)]);
    }
}

#[test]
fn names_cannot_write_on_the_terminal() {
    let world = World::new();
    let name = "a\u{1b}[2J\n.py";
    world.write(name, "");
    let outcome = explain(&world, &[name]).run();
    assert!(outcome.stdout.starts_with("program       a\\u{1b}[2J\\n.py\n"), "{outcome}");
    assert!(as_json(&world, &[name])["searched"][1]["place"].as_str().unwrap().contains('\u{1b}'), "programs get it as it is");
}

#[test]
fn the_example_of_the_readme_is_what_is_printed() {
    let world = World::new();
    world.wheel(&Wheel::module("certifi", "2023.7.22"));
    world.wheel(&Wheel::module("requests", "2.31.0").requires("certifi>=2017.4.17"));
    let dependencies = "dependencies = ['requests>=2.31', \"pywin32==306; sys_platform == 'win32'\"]";
    world.write("vpython.toml", format!("requires-python = '>=3.6'\n{dependencies}\n"));
    world.write("bin/tool.py", "");
    world.install(["bin/tool.py"]);
    world.wheel(&Wheel::module("other", "1"));
    let readme = include_str!("../../README.md");
    let (_, behind) = readme.split_once("<!-- explained -->\n```text\n$ vpython -vpython-tool explain bin/tool.py\n").unwrap();
    let (example, _) = behind.split_once("```").unwrap();
    let (entry, key) = ("/home/me/.cache/vpython-root.1000/v1/envs/", example.rsplit("/envs/").next().unwrap());
    let mut text = text(&world, &explain(&world, &["bin/tool.py"]).run());
    let places = [
        ("[WORLD]/root/v1/envs/[KEY]", &*format!("{entry}{}", &key[..40])),
        ("[WORLD]/work", "/src"),
        ("[WORLD]/bin", "/usr/bin"),
        ("[PYTHON]", "/usr/bin/python3.11"),
        ("[VERSION]", "3.11.7"),
        ("[PLATFORM]", "linux x86_64"),
    ];
    for (here, there) in places {
        text = text.replace(here, there);
    }
    let expected = squeezed(example);
    assert!(text == expected, "expected:\n{expected}\nbut:\n{text}");
}
