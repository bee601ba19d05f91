//! The lock of uv next to a spec, and versions without digests.

use expect_test::{Expect, expect};

use crate::support::{Launch, Wheel, World};

fn module(name: &str, version: &str) -> Wheel {
    Wheel::module(name, version)
}

fn digest(wheel: &Wheel) -> String {
    hex::encode(<sha2::Sha256 as sha2::Digest>::digest(wheel.bytes()))
}

/// An entry of a lock, with these lines between its version and its wheel.
fn entry(wheel: &Wheel, name: &str, version: &str, lines: &str) -> String {
    let (file, digest, size) = (wheel.file_name(), digest(wheel), wheel.bytes().len());
    format!(
        "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = {{ registry = \"https://x.invalid/simple\" }}\n{lines}wheels \
         = [\n    {{ url = \"https://x.invalid/{file}\", hash = \"sha256:{digest}\", size = {size}, upload-time = \
         \"2025-01-01T00:00:00Z\" }},\n]\n\n"
    )
}

/// An entry without requirements.
fn plain(name: &str, version: &str) -> String {
    entry(&module(name, version), name, version, "")
}

fn run<'a>(world: &'a World, words: &[&str]) -> Launch<'a> {
    world.vpython(words.iter().copied())
}

const VERSIONS: &str = "\
import importlib.metadata as metadata
print(*sorted(found.metadata['Name'] + ' ' + found.version for found in metadata.distributions()))
";

/// A script whose lock has two versions of `n`, an extra of `b`, and a package for Windows only.
fn forked() -> World {
    let world = World::new();
    let b = || {
        module("b", "1")
            .extra("x")
            .requires("n")
            .requires("d; extra == 'x'")
            .requires("e")
    };
    let wheels = [
        module("a", "1"),
        module("a", "2"),
        b(),
        module("c", "1"),
        module("c", "2"),
        module("d", "1"),
        module("d", "2"),
    ];
    for wheel in wheels.iter().chain(&[
        module("e", "1"),
        module("n", "1"),
        module("n", "2"),
        module("n", "3"),
    ]) {
        world.wheel(wheel);
    }
    let head = "# /// script\n# requires-python = '>=3.8'\n# dependencies = ['a>=1', 'b[x]', \"w; sys_platform == 'win32'\"]\n# ///\n";
    world.write("tool.py", format!("{head}{VERSIONS}"));
    let old = "python_full_version < '3.6.1'";
    let new = "python_full_version >= '3.6.1'";
    let registry = "source = { registry = \"https://x.invalid/simple\" }";
    let lock = format!(
        "version = 1\nrevision = 3\nrequires-python = \">=3.8\"\nresolution-markers = [\n    \"{new}\",\n    \"{old}\",\n]\n\n\
         [manifest]\nrequirements = [\n    {{ name = \"a\", specifier = \">=1\" }},\n    {{ name = \"b\", extras = [\"x\"] }},\n    \
         {{ name = \"w\", marker = \"sys_platform == 'win32'\" }},\n]\n\n{}{}{}{}{}{}{}",
        // As with overrides of uv, the entry requires a package that its wheel does not require,
        // and that package requires it.
        entry(
            &module("a", "1"),
            "a",
            "1",
            "dependencies = [\n    { name = \"c\" },\n]\n"
        ),
        entry(
            &b(),
            "b",
            "1",
            &format!(
                "dependencies = [\n    {{ name = \"e\", marker = \"sys_platform == 'win32'\" }},\n    {{ name = \"n\", version = \
                 \"1\", {registry}, marker = \"{old}\" }},\n    {{ name = \"n\", version = \"2\", {registry}, marker = \"{new}\" \
                 }},\n]\n"
            )
        ) + "[package.optional-dependencies]\nx = [\n    { name = \"d\" },\n]\n\n",
        entry(
            &module("c", "1"),
            "c",
            "1",
            "dependencies = [\n    { name = \"a\" },\n]\n"
        ),
        plain("d", "1") + &plain("e", "1"),
        entry(
            &module("n", "1"),
            "n",
            "1",
            &format!("resolution-markers = [\n    \"{old}\",\n]\n")
        ),
        entry(
            &module("n", "2"),
            "n",
            "2",
            &format!("resolution-markers = [\n    \"{new}\",\n]\n")
        ),
        plain("w", "1") + &plain("z", "1"),
    );
    world.write("tool.py.uv.lock", lock);
    world
}

#[test]
fn what_uv_would_install_is_installed() {
    let world = forked();
    run(&world, &["tool.py"])
        .run()
        .prints("a 1 b 1 c 1 d 1 n 2\n");
    let verified = run(&world, &["-vpython-tool", "verify", "tool.py"]).run();
    assert_eq!(verified.code, Some(0), "{verified}");
    // A change of the lock is noticed.
    let lock = std::fs::read_to_string(world.path("tool.py.uv.lock")).unwrap();
    let two = lock.replace(&plain("d", "1"), &plain("d", "2"));
    world.write("tool.py.uv.lock", two);
    run(&world, &["tool.py"])
        .run()
        .prints("a 1 b 1 c 1 d 2 n 2\n");
    std::fs::remove_file(world.path("tool.py.uv.lock")).unwrap();
    run(&world, &["tool.py"])
        .run()
        .prints("a 2 b 1 d 2 e 1 n 3\n");
}

#[test]
fn a_lock_of_all_tools_comes_first_and_is_made_with_the_versions_of_uvs() {
    let world = forked();
    let made = run(&world, &["-vpython-tool", "lock", "tool.py"]).run();
    assert_eq!(made.code, Some(0), "{made}");
    run(&world, &["tool.py"])
        .run()
        .prints("a 1 b 1 d 1 e 1 n 2\n");
}

#[test]
fn a_spec_that_requires_something_else_is_reported() {
    let world = forked();
    let head = "# /// script\n# dependencies = ['a>=1', 'b', 'c', 'f']\n# ///\n";
    world.write("tool.py", head.to_owned() + VERSIONS);
    run(&world, &["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: the lock file `[WORLD]/work/tool.py.uv.lock` does not match `[WORLD]/work/tool.py`
              caused by: it was not made for `f` (`[WORLD]/work/tool.py`, line 2)
              hint: rebuild it with `uv lock`, or remove it
        "#]],
    );
    world.write(
        "tool.py",
        head.replace(", 'f'", "").replace("a>=1", "a>1") + VERSIONS,
    );
    run(&world, &["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: the lock file `[WORLD]/work/tool.py.uv.lock` does not match `[WORLD]/work/tool.py`
              caused by: it was not made for `a>1` (`[WORLD]/work/tool.py`, line 2)
              hint: rebuild it with `uv lock`, or remove it
        "#]],
    );
}

#[test]
fn an_error_in_a_uv_lock_is_reported_with_its_line() {
    let world = World::new();
    world.write("vpython.toml", "dependencies = ['a']\n");
    let rows = [
        (
            "version = 2\n",
            expect![[r#"
                vpython: error: bad lock file `[WORLD]/work/vpython.toml.uv.lock`
                  caused by: `[WORLD]/work/vpython.toml.uv.lock`, line 1, column 11: `version` is 2, but vpython supports only version 1 of uv's lock files
            "#]],
        ),
        (
            "version = 1\n[[package]\n",
            expect![[r#"
                vpython: error: bad lock file `[WORLD]/work/vpython.toml.uv.lock`
                  caused by: `[WORLD]/work/vpython.toml.uv.lock`, line 2, column 11: unclosed array table, expected `]`
            "#]],
        ),
        (
            "version = 1\n[[package]]\nversion = '1'\n",
            expect![[r#"
                vpython: error: bad lock file `[WORLD]/work/vpython.toml.uv.lock`
                  caused by: `[WORLD]/work/vpython.toml.uv.lock`, line 2, column 1: missing field `name`
            "#]],
        ),
        (
            "version = 1\nrequires-python = '3.x'\n",
            expect![[r#"
                vpython: error: bad lock file `[WORLD]/work/vpython.toml.uv.lock`
                  caused by: `[WORLD]/work/vpython.toml.uv.lock`, line 2, column 19: `3.x` is not a valid version range
            "#]],
        ),
        (
            "version = 1\n[[package]]\nname = '-'\n",
            expect![[r#"
                vpython: error: bad lock file `[WORLD]/work/vpython.toml.uv.lock`
                  caused by: `[WORLD]/work/vpython.toml.uv.lock`, line 3, column 8: `-` is not a valid name
            "#]],
        ),
        (
            "version = 1\n[[package]]\nname = 'a'\nwheels = [\n    { url = 'https://x/a-1-py3-none-any.whl' },\n]\n",
            expect![[r#"
                vpython: error: bad lock file `[WORLD]/work/vpython.toml.uv.lock`
                  caused by: `[WORLD]/work/vpython.toml.uv.lock`, line 5, column 5: `a-1-py3-none-any.whl` has no `hash`; vpython needs the sha256 of each wheel
            "#]],
        ),
        (
            "version = 1\n[[package]]\nname = 'a'\nwheels = [\n    { hash = 'sha256:0' },\n]\n",
            expect![[r#"
                vpython: error: bad lock file `[WORLD]/work/vpython.toml.uv.lock`
                  caused by: `[WORLD]/work/vpython.toml.uv.lock`, line 5, column 5: a wheel has neither `url` nor `path` nor `filename`
            "#]],
        ),
        (
            "version = 1\n[[package]]\nname = 'a'\ndependencies = [\n    { name = 'b' },\n]\n",
            expect![[r#"
                vpython: error: bad lock file `[WORLD]/work/vpython.toml.uv.lock`
                  caused by: `[WORLD]/work/vpython.toml.uv.lock`, line 5, column 5: `a` requires `b`, which is not in the lock file
            "#]],
        ),
        (
            "version = 1\n[[package]]\nname = 'a'\ndependencies = [\n    { name = 'a', marker = 'linux' },\n]\n",
            expect![[r#"
                vpython: error: bad lock file `[WORLD]/work/vpython.toml.uv.lock`
                  caused by: `[WORLD]/work/vpython.toml.uv.lock`, line 5, column 28: `linux` is not a valid marker: Expected a quoted string or a valid marker name, found `linux`
            "#]],
        ),
    ];
    for (lock, message) in rows {
        world.write("vpython.toml.uv.lock", lock);
        run(&world, &["-c", ""]).run().refuses(125, message);
    }
}

/// A spec of `a` with a lock of either form that has the digests of other wheels than the existing
/// ones.
fn foreign(is_toml: bool) -> (World, String, String) {
    let world = World::new();
    let rebuilt = module("a", "1").file("rebuilt.py", "");
    let [there, locked] = [digest(&module("a", "1")), digest(&rebuilt)];
    world.wheel(&module("a", "1"));
    world.wheel(&module("a", "2"));
    world.write("vpython.toml", "dependencies = ['a']\n");
    let lock = if is_toml {
        "version = 1\n".to_owned() + &entry(&rebuilt, "a", "1", "")
    } else {
        format!("a==1 \\\n    --hash=sha256:{locked}\n")
    };
    world.write("vpython.toml.uv.lock", lock);
    (world, there, locked)
}

const PROGRAM: &str = "import a; print(a.VERSION)";
const UNCHECKED: Expect = expect![[r#"
    vpython: warning: the digests in `[WORLD]/work/vpython.toml.uv.lock` are ignored, because of `-vpython-unlocked` or `unlocked = true`
"#]];

#[test]
fn digests_of_other_wheels_are_an_error_with_hints() {
    let (world, there, locked) = foreign(true);
    run(&world, &["-c", ""])
        .run()
        .replacing(&there, "[FOUND]")
        .replacing(&locked, "[LOCKED]")
        .refuses(125, expect![[r#"
            vpython: error: cannot satisfy the lock file `[WORLD]/work/vpython.toml.uv.lock`
              caused by: `[WORLD]/work/wheels/a-1-py3-none-any.whl` has the sha256 `[FOUND]`, but `[LOCKED]` is locked (`[WORLD]/work/vpython.toml.uv.lock`, line 7)
              hint: fetch from the index whose wheels are pinned (`vpython -vpython-tool fetch -c '' -- --index-url https://…`), or ignore the digests with `-vpython-unlocked` or with `unlocked = true` in `[tool.vpython]`
        "#]]);
    let (world, there, locked) = foreign(false);
    run(&world, &["-c", ""])
        .run()
        .replacing(&there, "[FOUND]")
        .replacing(&locked, "[PINNED]")
        .refuses(125, expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits all requirements on `a`
              caused by: `a` is required in `[WORLD]/work/vpython.toml`, line 1
              caused by: `a==1` is required in `[WORLD]/work/vpython.toml.uv.lock`, line 1
              caused by: `a-1-py3-none-any.whl` has the sha256 `[FOUND]`, but `[PINNED]` is pinned (required in `[WORLD]/work/vpython.toml.uv.lock`, line 1)
              caused by: `a-2-py3-none-any.whl` is version 2, which does not satisfy `a==1`
              hint: fetch from the index whose wheels are pinned (`vpython -vpython-tool fetch -c '' -- --index-url https://…`), or ignore the digests with `-vpython-unlocked` or with `unlocked = true` in `[tool.vpython]`
        "#]]);
}

#[test]
fn without_digests_the_versions_of_a_lock_are_used() {
    for is_toml in [true, false] {
        let (world, ..) = foreign(is_toml);
        run(&world, &["-vpython-unlocked", "-c", PROGRAM])
            .run()
            .prints("1\n");
        run(&world, &["-vpython-unlocked", "-c", PROGRAM])
            .run()
            .prints("1\n");
        // The flag applies to one launch, and another launch does not reuse its result.
        assert_eq!(run(&world, &["-c", PROGRAM]).run().code, Some(125));
        for _ in 0..2 {
            let installed = run(&world, &["-vpython-unlocked", "-vpython-tool", "install"]).run();
            installed.installs(UNCHECKED);
        }
        world.write(
            "vpython.toml",
            "dependencies = ['a']\n[tool.vpython]\nunlocked = true\n",
        );
        run(&world, &["-c", PROGRAM]).run().prints("1\n");
        let installed = run(&world, &["-vpython-tool", "install"]).run();
        installed.installs(UNCHECKED);
        world.write(
            "vpython.toml",
            "dependencies = ['a', 'b']\n[tool.vpython]\nunlocked = true\n",
        );
        assert_eq!(
            run(&world, &["-c", PROGRAM]).run().code,
            Some(125),
            "it is still the lock of another spec"
        );
    }
}

#[test]
fn without_digests_the_versions_of_other_locks_are_used_too() {
    let world = World::new();
    world.wheel(&module("a", "1").requires("b"));
    world.wheel(&module("b", "1"));
    world.write("vpython.toml", "dependencies = ['a']\n");
    assert_eq!(run(&world, &["-vpython-tool", "lock"]).run().code, Some(0));
    for (name, version) in [("a", "1"), ("b", "1"), ("a", "2"), ("b", "2")] {
        world.wheel(&module(name, version).file("other.py", ""));
    }
    let program = "import a, b; print(a.VERSION, b.VERSION)";
    assert_eq!(run(&world, &["-c", program]).run().code, Some(125));
    run(&world, &["-vpython-unlocked", "-c", program])
        .run()
        .prints("1 1\n");
    run(
        &world,
        &[
            "-vpython-unlocked",
            "-vpython-spec=pylock.vpython.toml",
            "-c",
            program,
        ],
    )
    .run()
    .prints("1 1\n");
    let digest = "0".repeat(64);
    world.write(
        "requirements.txt",
        format!("a==1 --hash=sha256:{digest}\nb==1 --hash=sha256:{digest}\n"),
    );
    run(
        &world,
        &[
            "-vpython-unlocked",
            "-vpython-spec=requirements.txt",
            "-c",
            program,
        ],
    )
    .run()
    .prints("1 1\n");
    // A script's own list of wheels has no digests, and vpython does not warn about that.
    world.write(
        "x.vpython3",
        "wheel: < name: 'infra/python/wheels/b-py3' version: 'version:1' >\n# vpython: no-seed\n",
    );
    let installed = run(
        &world,
        &[
            "-vpython-unlocked",
            "-vpython-spec=x.vpython3",
            "-vpython-tool",
            "install",
        ],
    )
    .run();
    installed.installs("");
}
