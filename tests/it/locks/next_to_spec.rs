//! A lock next to its spec: when it is followed, and when it does not fit the spec.

use expect_test::expect;

use super::{SHOW, foreign_lock, lock, read, sha256, world_of_two_platforms};
use crate::support::{Outcome, VPYTHON, Wheel, World};

#[test]
fn a_lock_is_followed_until_it_is_written_again() {
    let world = world_of_two_platforms();
    lock(&world, &[]).run();
    for wheel in [
        Wheel::module("app", "2").requires("lib"),
        Wheel::module("lib", "2"),
    ] {
        world.wheel(&wheel);
    }
    let launch = || world.vpython(["show.py"]).run();
    launch().prints("app==1 lib==1\n");
    lock(&world, &["--check"]).run().prints(expect![[r#"
        pylock.vpython.toml is up to date
    "#]]);
    let changes = expect![[r#"
        pylock.vpython.toml: would change
          app: 1 becomes 2
          lib: 1 becomes 2
          - win 2
    "#]];
    lock(&world, &["--check", "--upgrade"])
        .run()
        .expect(1, &changes, "");
    lock(&world, &["--upgrade", "lib", "show.py"])
        .run()
        .prints(expect![[r#"
            pylock.vpython.toml: written
              lib: 1 becomes 2
        "#]]);
    launch().prints("app==1 lib==2\n");
    lock(&world, &["--upgrade=app,lib"])
        .run()
        .prints(expect![[r#"
            pylock.vpython.toml: written
              app: 1 becomes 2
              - win 2
        "#]]);
    launch().prints("app==2 lib==2\n");
    lock(&world, &["--upgrade", "show"])
        .run()
        .refuses(125, expect![[r#"
            vpython: error: cannot upgrade `show`: `[WORLD]/work/pylock.vpython.toml` does not have it
              hint: words after `--upgrade` are project names; a script goes after `--`
        "#]]);
    // The locked version is also kept when the spec has changed.
    world.write("vpython.toml", "dependencies = ['app', 'lib <3']\n");
    world.wheel(&Wheel::module("app", "9"));
    let changes = "\
pylock.vpython.toml: written
  `app` was `app>=1` ([WORLD]/work/vpython.toml, line 1)
  `lib<3` was added ([WORLD]/work/vpython.toml, line 1)
  the platform `win_amd64` was removed
";
    let changes = changes.replace(
        "([WORLD]/work/vpython.toml,",
        "(`[WORLD]/work/vpython.toml`,",
    );
    lock(&world, &[]).run().prints(&changes);
    launch().prints("app==2 lib==2\n");
}

#[test]
fn a_lock_that_appears_changes_or_disappears_is_noticed() {
    let world = World::new();
    for version in ["1", "2"] {
        world.wheel(&Wheel::module("one", version));
    }
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['one']\n# ///\nimport one\nprint(one.VERSION)\n",
    );
    let launch = || world.vpython(["tool.py"]).run();
    launch().prints("2\n");
    world.write(
        "pylock.tool.toml",
        foreign_lock(&[(&Wheel::module("one", "1"), "one", "1", "")]),
    );
    launch().prints("1\n");
    launch().prints("1\n");
    world.write(
        "pylock.tool.toml",
        foreign_lock(&[(&Wheel::module("one", "2"), "one", "2", "")]),
    );
    launch().prints("2\n");
    std::fs::remove_file(world.path("pylock.tool.toml")).unwrap();
    std::fs::remove_file(world.path("wheels/one-2-py3-none-any.whl")).unwrap();
    launch().prints("1\n");
}

#[test]
fn a_lock_that_is_not_of_its_spec_says_what_has_changed() {
    let world = World::new();
    for name in ["one", "two", "three"] {
        world.wheel(&Wheel::module(name, "1"));
    }
    world.write(
        "vpython.toml",
        "requires-python = '>=3.6'\ndependencies = ['one', 'two']\n",
    );
    lock(&world, &[]).run();
    let written = read(world.path("pylock.vpython.toml"));
    world.write(
        "vpython.toml",
        "requires-python = '>=3.5'\ndependencies = [\n  'one >=1',\n  'three']\n[tool.vpython]\nno-deps = true\n",
    );
    world.vpython(["-c", ""]).run().refuses(125, expect![[r#"
        vpython: error: the lock file `[WORLD]/work/pylock.vpython.toml` does not match `[WORLD]/work/vpython.toml`
          caused by: `requires-python` is `>=3.5`, and was `>=3.6` (`[WORLD]/work/vpython.toml`, line 1)
          caused by: `one>=1` was `one` (`[WORLD]/work/vpython.toml`, line 3)
          caused by: `two` was removed
          caused by: `three` was added (`[WORLD]/work/vpython.toml`, line 4)
          caused by: `no-deps` is true, and was false
          hint: rebuild it with `vpython -vpython-tool lock`
    "#]]);
    assert_eq!(read(world.path("pylock.vpython.toml")), written);
    let outcome = lock(&world, &["--check"]).run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    // The change is also reported when a new requirement has no wheel.
    world.write(
        "vpython.toml",
        "requires-python = '>=3.6'\ndependencies = ['one', 'two', 'four']\n",
    );
    // No other interpreter is found.
    lock(&world, &["--check"])
        .env("PATH", world.outside("bin"))
        .run()
        .expect(1, expect![[r#"
            pylock.vpython.toml: would change
              `four` was added (`[WORLD]/work/vpython.toml`, line 2)
        "#]], expect![[r#"
            vpython: warning: cannot lock `[WORLD]/work/vpython.toml` for CPython [VERSION] on linux x86_64: no wheel in `[WORLD]/work/wheels` fits `four` (required in `[WORLD]/work/vpython.toml`, line 2): there is no wheel of `four`
        "#]]);
    assert_eq!(read(world.path("pylock.vpython.toml")), written);
    // Order and white space make no difference.
    world.write(
        "vpython.toml",
        "requires-python='>=3.6'\ndependencies = [ 'two',  'one' ]\n",
    );
    world.vpython(["-c", ""]).run().prints("");
}

#[test]
fn the_command_to_lock_again_has_the_flags_of_the_caller() {
    let world = World::new();
    Wheel::module("one", "1").write_to(&world.path("own wheels"));
    world.write("show.py", SHOW);
    world.write("x.toml", "dependencies = ['one']\n");
    let flags = [
        "-vpython-spec",
        "x.toml",
        "--vpython-wheels=own wheels",
        "-vpython-root",
        "store",
    ];
    let run = |words: &[&str]| world.vpython(flags).arguments(words).run();
    assert_eq!(run(&["-vpython-tool", "lock"]).code, Some(0));
    world.write("x.toml", "dependencies = ['one<2']\n");
    run(&["show.py"]).refuses(125, expect![[r#"
        vpython: error: the lock file `[WORLD]/work/pylock.x.toml` does not match `[WORLD]/work/x.toml`
          caused by: `one<2` was `one` (`[WORLD]/work/x.toml`, line 1)
          hint: rebuild it with `vpython -vpython-spec=x.toml '-vpython-wheels=own wheels' -vpython-root=store -vpython-tool lock show.py`
    "#]]);
    // What it says is what helps.
    let lock = "\"$0\" -vpython-spec=x.toml '-vpython-wheels=own wheels' -vpython-root=store -vpython-tool lock show.py";
    let shell = world.program("sh", ["-c", lock, VPYTHON]).run();
    assert_eq!(shell.code, Some(0), "{shell}");
    run(&["show.py"]).prints("one==1\n");
    // The text of `-c` is not repeated: its spec has no lock.
    world.write("x.toml", "dependencies = ['one']\n");
    run(&["-c", "import one"]).refuses(125, expect![[r#"
        vpython: error: the lock file `[WORLD]/work/pylock.x.toml` does not match `[WORLD]/work/x.toml`
          caused by: `one` was `one<2` (`[WORLD]/work/x.toml`, line 1)
          hint: rebuild it with `vpython -vpython-spec=x.toml '-vpython-wheels=own wheels' -vpython-root=store -vpython-tool lock`
    "#]]);
}

#[test]
fn a_lock_of_another_tool_must_have_what_the_spec_asks_for() {
    let world = World::new();
    let one = Wheel::module("one", "1");
    world.wheel(&one);
    world.write(
        "vpython.toml",
        "dependencies = ['one >=2', 'two', 'three; sys_platform == \"win32\"']\n",
    );
    world.write(
        "pylock.vpython.toml",
        foreign_lock(&[(&one, "one", "1", "")]),
    );
    world.vpython(["-c", ""]).run().refuses(125, expect![[r#"
        vpython: error: the lock file `[WORLD]/work/pylock.vpython.toml` does not match `[WORLD]/work/vpython.toml`
          caused by: it has version 1, which does not satisfy `one>=2` (required in `[WORLD]/work/vpython.toml`, line 1)
          caused by: it has no `two` (required in `[WORLD]/work/vpython.toml`, line 1)
          hint: rebuild it with `vpython -vpython-tool lock`
    "#]]);
    world.write("vpython.toml", "dependencies = ['one']\n");
    world.vpython(["-c", "import one"]).run().prints("");
    let outcome = lock(&world, &[]).run();
    let version = format!("3.{}.*", world.python.minor);
    outcome
        .replacing(&version, "3.[MINOR].*")
        .prints(expect![[r#"
            pylock.vpython.toml: written
              it was created by another tool
              python: any becomes ==3.[MINOR].*
        "#]]);
}

#[test]
fn a_lock_names_the_registry_that_a_launch_does_not_ask() {
    let world = World::new();
    let one = Wheel::module("one", "1");
    let path = world.wheel(&one);
    world.write(
        "vpython.toml",
        "dependencies = ['one']\n[tool.vpython]\nwheels = ['oci://localhost:1/team/wheels', 'https://localhost:1/{sha256}']\n",
    );
    lock(&world, &[]).run();
    std::fs::remove_file(path).unwrap();
    let launch = |words: &[&str]| {
        let outcome = world.vpython(words).arguments(["-m", "one"]).run();
        outcome.replacing(&sha256(&one), "[DIGEST]")
    };
    launch(&[]).refuses(125, expect![[r#"
        vpython: error: cannot satisfy the lock file `[WORLD]/work/pylock.vpython.toml`
          caused by: `one-1-py3-none-any.whl` (866 bytes, sha256 `[DIGEST]`) is not in `[WORLD]/work/wheels` (`[WORLD]/work/pylock.vpython.toml`, line 15)
          caused by: a launch asks `oci://localhost:1/team/wheels` and `https://localhost:1/{sha256}` only if it may fetch
          hint: fetch what is missing: `vpython -vpython-tool fetch -m one`, or fetch at launch: `-vpython-fetch`
    "#]]);
    std::fs::remove_dir(world.path("wheels")).unwrap();
    launch(&[]).refuses(125, expect![[r#"
        vpython: error: cannot satisfy the lock file `[WORLD]/work/pylock.vpython.toml`
          caused by: `one-1-py3-none-any.whl` (866 bytes, sha256 `[DIGEST]`) is not in a wheel directory: none is configured (`[WORLD]/work/pylock.vpython.toml`, line 15)
          caused by: a launch asks `oci://localhost:1/team/wheels` and `https://localhost:1/{sha256}` only if it may fetch
          hint: fetch what is missing: `vpython -vpython-tool fetch -m one`, or fetch at launch: `-vpython-fetch`
    "#]]);
    launch(&["-vpython-offline"]).refuses(125, expect![[r#"
        vpython: error: cannot satisfy the lock file `[WORLD]/work/pylock.vpython.toml`
          caused by: `one-1-py3-none-any.whl` (866 bytes, sha256 `[DIGEST]`) is not in a wheel directory: none is configured (`[WORLD]/work/pylock.vpython.toml`, line 15)
          caused by: a launch asks `oci://localhost:1/team/wheels` and `https://localhost:1/{sha256}` only if it may fetch
          hint: copy the missing files to a wheel directory; nothing can be fetched: `-vpython-offline` or `VPYTHON_OFFLINE` is set
    "#]]);
}

#[test]
fn one_flipped_character_of_a_digest_is_refused() {
    let world = World::new();
    let one = Wheel::module("one", "1");
    world.wheel(&one);
    world.write("vpython.toml", "dependencies = ['one']\n");
    lock(&world, &[]).run();
    let digest = sha256(&one);
    let flipped = digest.replacen(
        &digest[..1],
        if digest.starts_with('0') { "1" } else { "0" },
        1,
    );
    let text = read(world.path("pylock.vpython.toml"));
    world.write("pylock.vpython.toml", text.replace(&digest, &flipped));
    let redacted = |outcome: Outcome| {
        let outcome = outcome.replacing(&digest, "[FOUND]");
        outcome.replacing(&flipped, "[LOCKED]")
    };
    redacted(world.vpython(["-c", ""]).run()).refuses(125, expect![[r#"
        vpython: error: cannot satisfy the lock file `[WORLD]/work/pylock.vpython.toml`
          caused by: `[WORLD]/work/wheels/one-1-py3-none-any.whl` has the sha256 `[FOUND]`, but `[LOCKED]` is locked (`[WORLD]/work/pylock.vpython.toml`, line 15)
          hint: replace it with the locked wheel (`vpython -vpython-tool fetch -c ''`); to lock the present wheel instead, `vpython -vpython-tool lock`
    "#]]);
    redacted(lock(&world, &[]).run()).prints(expect![[r#"
        pylock.vpython.toml: written
          `one-1-py3-none-any.whl` has different contents: sha256 [LOCKED] becomes [FOUND]
    "#]]);
    assert_eq!(read(world.path("pylock.vpython.toml")), text);
}

#[test]
fn a_complete_environment_no_longer_needs_its_wheels() {
    let world = World::new();
    let one = Wheel::module("one", "1");
    let path = world.wheel(&one);
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['one']\n# ///\nimport one\nprint(one.VERSION)\n",
    );
    lock(&world, &["tool.py"]).run();
    let launch = |root: &str| {
        world
            .vpython(["tool.py"])
            .env("VPYTHON_VIRTUALENV_ROOT", world.outside(root))
            .run()
    };
    launch("root").prints("1\n");
    let mut bytes = one.bytes();
    bytes[40] ^= 1;
    for change in ["flipped", "gone"] {
        match change {
            "flipped" => std::fs::write(&path, &bytes).unwrap(),
            _ => std::fs::remove_file(&path).unwrap(),
        }
        launch("root").prints("1\n");
        launch("root").prints("1\n");
        let outcome = launch("other");
        assert!(
            outcome
                .stderr
                .starts_with("vpython: error: cannot satisfy the lock file"),
            "{change}: {outcome}"
        );
        assert_eq!(world.environments().len(), 1, "{change}");
    }
}

#[test]
fn verify_looks_for_what_is_locked() {
    let world = world_of_two_platforms();
    lock(&world, &[]).run();
    world.wheel(&Wheel::module("app", "2"));
    let verify = || world.vpython(["-vpython-tool", "verify"]).run();
    let outcome = verify();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(
        outcome.stdout.contains("app==1") && outcome.stdout.contains("win==2"),
        "{outcome}"
    );
    std::fs::remove_file(world.path("wheels/lib-1-py3-none-win_amd64.whl")).unwrap();
    let outcome = verify();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let missing = "`lib-1-py3-none-win_amd64.whl` (";
    assert!(
        outcome.stderr.contains("the spec cannot be satisfied for")
            && outcome.stderr.contains(missing),
        "{outcome}"
    );
}

#[test]
fn explain_names_the_lock() {
    let world = world_of_two_platforms();
    lock(&world, &[]).run();
    let outcome = world.vpython(["-vpython-tool", "explain", "show.py"]).run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    for line in [
        "requirements  app>=1\n",
        "also read     [WORLD]/work/pylock.vpython.toml\n",
        "  app 1  for line 1 ",
        "  lib 1  for [WORLD]/work/pylock.vpython.toml, line ",
    ] {
        assert!(
            outcome.stdout.contains(line),
            "{line:?} is not in:\n{outcome}"
        );
    }
    std::fs::remove_file(world.path("wheels/app-1-py3-none-any.whl")).unwrap();
    let outcome = world.vpython(["-vpython-tool", "explain", "show.py"]).run();
    assert_eq!(outcome.code, Some(125), "{outcome}");
    assert!(
        outcome
            .stderr
            .starts_with("vpython: error: cannot satisfy the lock file"),
        "{outcome}"
    );
}
