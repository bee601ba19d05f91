//! Standard lock files (PEP 751): as a spec, next to a spec, and written by `-vpython-tool lock`.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::support::{Launch, Wheel, World, tree};

const SHOW: &str = "\
import importlib.metadata as m
print(' '.join(sorted(f'{d.metadata[\"Name\"]}=={d.version}' for d in m.distributions())))
";

fn sha256(wheel: &Wheel) -> String {
    hex::encode(Sha256::digest(wheel.bytes()))
}

/// A lock of these packages, as a tool that uses an index would write it.
fn foreign_lock(packages: &[(&Wheel, &str, &str, &str)]) -> String {
    let package = |(wheel, name, version, rest): &(&Wheel, &str, &str, &str)| {
        let url = format!(
            "https://files.example.org/{}",
            wheel.file_name().replace('+', "%2B")
        );
        format!(
            "\n[[packages]]\nname = \"{name}\"\nversion = \"{version}\"\n{rest}index = \"https://example.org/simple\"\n\
             wheels = [{{ url = \"{url}\", size = {}, hashes = {{ sha256 = \"{}\" }} }}]\n",
            wheel.bytes().len(),
            sha256(wheel)
        )
    };
    let mut lock = "lock-version = \"1.0\"\ncreated-by = \"other\"\n".to_owned();
    lock.extend(packages.iter().map(package));
    lock
}

#[test]
fn a_lock_of_any_tool_is_a_spec() {
    let world = World::new();
    let [one, two] = [
        Wheel::module("one", "1").requires("absent"),
        Wheel::module("two", "2+local"),
    ];
    for wheel in [&one, &two, &Wheel::module("one", "9")] {
        world.wheel(wheel);
    }
    let elsewhere = "marker = \"sys_platform == 'win32'\"\n";
    let of_group = "marker = \"'dev' in dependency_groups\"\n";
    let lock = foreign_lock(&[
        (&one, "one", "1", ""),
        (
            &two,
            "two",
            "2+local",
            "marker = \"'dev' not in dependency_groups\"\n",
        ),
        (&Wheel::module("three", "3"), "three", "3", elsewhere),
        (&Wheel::module("four", "4"), "four", "4", of_group),
    ]);
    // Tools write the project part of a file name in different ways.
    let lock = lock.replace("/one-1-", "/One-1-");
    world.write("pylock.toml", &lock);
    world.write("show.py", SHOW);
    world
        .vpython(["-vpython-spec", "pylock.toml", "show.py"])
        .run()
        .prints("one==1 two==2+local\n");
    world.write(
        "pylock.dev.toml",
        format!("default-groups = [\"dev\"]\n{lock}"),
    );
    world.wheel(&Wheel::module("four", "4"));
    let launch = world
        .vpython(["show.py"])
        .env("VPYTHON_DEFAULT_SPEC", world.path("pylock.dev.toml"));
    launch.run().prints("four==4 one==1\n");
}

#[test]
fn a_lock_reports_all_missing_wheels() {
    let world = World::new();
    let wheel = |name: &str| Wheel::module(name, "1");
    let found = wheel("changed").file("more.py", "");
    world.wheel(&found);
    let mut lock = foreign_lock(&[
        (&wheel("missing"), "missing", "1", ""),
        (&wheel("changed"), "changed", "1", ""),
        (&wheel("other").tag("cp27-cp27m-win32"), "other", "1", ""),
        (&wheel("newer"), "newer", "1", "requires-python = \">=4\"\n"),
        (&wheel("misnamed"), "named", "1", ""),
    ]);
    lock += "[[packages]]\nname = 'source'\nversion = '1'\nsdist = {name = 'source-1.tar.gz', hashes = {sha256 = ''}}\n";
    lock += "[[packages]]\nname = 'project'\ndirectory = {path = '.'}\n";
    lock += "[[packages]]\nname = 'elsewhere'\nmarker = 'sys_platform == \"win32\"'\nvcs = {type = 'git', url = '', commit-id = ''}\n";
    world.write("pylock.toml", &lock);
    let file = "[WORLD]/work/pylock.toml";
    let message = format!(
        "\
vpython: error: cannot satisfy the lock file `{file}`
  caused by: `missing-1-py3-none-any.whl` ({} bytes, sha256 `{}`) is not in `[WORLD]/work/wheels` (`{file}`, line 8)
  caused by: `[WORLD]/work/wheels/changed-1-py3-none-any.whl` has the sha256 `{}`, but `{}` is locked (`{file}`, line 14)
  caused by: `other` 1 (`{file}`, line 17) has wheels for cp27 with ABI cp27m; the interpreter is CPython [VERSION] on linux x86_64
  caused by: `newer` 1 (`{file}`, line 23) requires Python `>=4`; the interpreter is CPython [VERSION] on linux x86_64
  caused by: the file name `misnamed-1-py3-none-any.whl` is not valid for its package (`{file}`, line 33): it is locked as `named` 1
  caused by: `source` 1 (`{file}`, line 35) is locked as an sdist, but vpython installs only wheels
  caused by: `project` (`{file}`, line 39) is locked as a directory of sources, but vpython installs only wheels
  hint: fetch what is missing: `vpython -vpython-spec=pylock.toml -vpython-tool fetch -c ''`
",
        wheel("missing").bytes().len(),
        sha256(&wheel("missing")),
        sha256(&found),
        sha256(&wheel("changed")),
    );
    world
        .vpython(["-vpython-spec", "pylock.toml", "-c", ""])
        .run()
        .refuses(125, &message);
}

#[test]
fn a_lock_for_other_platforms_is_refused() {
    let world = World::new();
    let one = Wheel::module("one", "1");
    let launch = || {
        world
            .vpython(["-vpython-spec", "pylock.toml", "-c", ""])
            .run()
    };
    let lock = foreign_lock(&[(&one, "one", "1", "")]);
    let elsewhere = "environments = [\"sys_platform == 'win32'\", \"sys_platform == 'darwin'\"]\n";
    world.write("pylock.toml", format!("{elsewhere}{lock}"));
    let message = "\
vpython: error: the lock file `[WORLD]/work/pylock.toml` is not for CPython [VERSION] on linux x86_64
  caused by: it is for `sys_platform == 'win32'` (`[WORLD]/work/pylock.toml`, line 1)
  caused by: it is for `sys_platform == 'darwin'` (`[WORLD]/work/pylock.toml`, line 1)
  hint: lock again for this platform too, with the tool that created the lock file
";
    launch().refuses(125, message);
    world.write(
        "pylock.toml",
        format!(
            "{lock}{}",
            lock.replace("lock-version = \"1.0\"\ncreated-by = \"other\"\n", "")
        ),
    );
    let message = "\
vpython: error: the lock file `[WORLD]/work/pylock.toml` lists a project twice for CPython [VERSION] on linux x86_64
  caused by: `one` is locked in `[WORLD]/work/pylock.toml`, line 5 and in `[WORLD]/work/pylock.toml`, line 11
";
    launch().refuses(125, message);
    world.write("pylock.toml", format!("requires-python = '>=4'\n{lock}"));
    let outcome = launch();
    assert!(
        outcome
            .stderr
            .contains("`requires-python = \">=4\"` (`[WORLD]/work/pylock.toml`, line 1)"),
        "{outcome}"
    );
}

#[test]
fn one_flipped_byte_is_refused_and_the_right_wheel_is_found_elsewhere() {
    let world = World::new();
    let one = Wheel::module("one", "1");
    let path = world.wheel(&one);
    world.write("pylock.toml", foreign_lock(&[(&one, "one", "1", "")]));
    world.write("show.py", SHOW);
    let launch = || world.vpython(["-vpython-spec", "pylock.toml", "show.py"]);
    let mut bytes = one.bytes();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let message = format!(
        "\
vpython: error: cannot satisfy the lock file `[WORLD]/work/pylock.toml`
  caused by: `[WORLD]/work/wheels/one-1-py3-none-any.whl` has the sha256 `{}`, but `{}` is locked (`[WORLD]/work/pylock.toml`, line 8)
  hint: replace it with the locked wheel (`vpython -vpython-spec=pylock.toml -vpython-tool fetch show.py`)
",
        hex::encode(Sha256::digest(&bytes)),
        sha256(&one)
    );
    launch().run().refuses(125, &message);
    assert!(world.leftovers().is_empty());
    one.write_to(&world.outside("house"));
    launch()
        .env("VPYTHON_WHEELS", world.outside("house"))
        .run()
        .prints("one==1\n");
    let lock = std::fs::read_to_string(world.path("pylock.toml")).unwrap();
    world.write(
        "pylock.toml",
        lock.replace("https://files.example.org/", "file:///x/")
            .replace("url =", "path = \"../house/one-1-py3-none-any.whl\", url ="),
    );
    launch().run().prints("one==1\n");
}

#[test]
fn a_longer_digest_next_to_the_sha256_is_checked_too() {
    let world = World::new();
    let one = Wheel::module("one", "1");
    world.wheel(&one);
    world.write("show.py", SHOW);
    let launch = || {
        world
            .vpython(["-vpython-spec", "pylock.toml", "show.py"])
            .run()
    };
    let digest = hex::encode(sha2::Sha512::digest(one.bytes()));
    let lock = |sha512: &str| {
        let lock = foreign_lock(&[(&one, "one", "1", "")]);
        world.write(
            "pylock.toml",
            lock.replace(
                "sha256 = ",
                &format!("md5 = \"\", sha512 = \"{sha512}\", sha256 = "),
            ),
        );
    };
    let flipped = format!(
        "{}{}",
        if digest.starts_with('0') { '1' } else { '0' },
        &digest[1..]
    );
    lock(&flipped);
    let message = format!(
        "\
vpython: error: cannot satisfy the lock file `[WORLD]/work/pylock.toml`
  caused by: `[WORLD]/work/wheels/one-1-py3-none-any.whl` has the sha512 `{digest}`, but `{flipped}` is locked (`[WORLD]/work/pylock.toml`, line 8)
  hint: replace it with the locked wheel (`vpython -vpython-spec=pylock.toml -vpython-tool fetch show.py`)
"
    );
    launch().refuses(125, &message);
    lock(&digest.to_uppercase());
    launch().prints("one==1\n");
}

/// A world with a spec for two platforms, and the wheels for both.
fn world_of_two_platforms() -> World {
    let world = World::new();
    let wheels = [
        Wheel::module("app", "1")
            .requires("lib")
            .requires("win ; sys_platform == 'win32'"),
        Wheel::module("app", "3").requires_python("<3"),
        Wheel::module("lib", "1")
            .requires_python(">=3.6")
            .tag("py3-none-linux_x86_64"),
        Wheel::module("lib", "1")
            .requires_python(">=3.6")
            .tag("py3-none-win_amd64"),
        Wheel::module("lib", "1")
            .requires_python(">=3.6")
            .tag("py3-none-macosx_11_0_arm64"),
        Wheel::module("win", "2"),
    ];
    for wheel in &wheels {
        world.wheel(wheel);
    }
    world.write(
        "vpython.toml",
        "dependencies = ['app >=1']\n[tool.vpython]\nplatforms = ['win_amd64']\n",
    );
    world.write("show.py", SHOW);
    world
}

/// A line for a file in a lock.
fn locked(wheel: &Wheel) -> String {
    let (name, size, sha256) = (wheel.file_name(), wheel.bytes().len(), sha256(wheel));
    format!(
        "    {{name = \"{name}\", path = \"wheels/{name}\", size = {size}, hashes = {{sha256 = \"{sha256}\"}}}},\n"
    )
}

fn lock<'a>(world: &'a World, words: &[&str]) -> Launch<'a> {
    world.vpython(["-vpython-tool", "lock"]).arguments(words)
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_lock_is_written_for_this_platform_and_those_of_the_spec() {
    let world = world_of_two_platforms();
    // `--check` only reports the changes.
    lock(&world, &["--check"]).run().expect(
        1,
        "pylock.vpython.toml: would be written\n  + app 1\n  + lib 1\n  + win 2\n",
        "",
    );
    assert!(!world.path("pylock.vpython.toml").exists());
    lock(&world, &[])
        .run()
        .prints("pylock.vpython.toml: written\n  + app 1\n  + lib 1\n  + win 2\n");
    // The lock lists the wheels of both platforms.
    let app = Wheel::module("app", "1")
        .requires("lib")
        .requires("win ; sys_platform == 'win32'");
    let lib = |platform: &str| {
        Wheel::module("lib", "1")
            .requires_python(">=3.6")
            .tag(&format!("py3-none-{platform}"))
    };
    let expected = format!(
        "\
# Written by `vpython -vpython-tool lock`. Changes by hand are lost when it is made anew.
lock-version = \"1.0\"
environments = [
    \"sys_platform == 'linux' and platform_machine == 'x86_64' and implementation_name == 'cpython'\",
    \"sys_platform == 'win32' and platform_machine == 'AMD64' and implementation_name == 'cpython'\",
]
requires-python = \"==3.{}.*\"
extras = []
dependency-groups = []
created-by = \"vpython\"

[[packages]]
name = \"app\"
version = \"1\"
wheels = [
{}]

[[packages]]
name = \"lib\"
version = \"1\"
requires-python = \">=3.6\"
wheels = [
{}{}]

[[packages]]
name = \"win\"
version = \"2\"
marker = \"sys_platform == 'win32'\"
wheels = [
{}]

[tool.vpython]
spec = \"vpython.toml\"
dependencies = [
    \"app>=1\",
]
platforms = [
    \"win_amd64\",
]
",
        world.python.minor,
        locked(&app),
        locked(&lib("linux_x86_64")),
        locked(&lib("win_amd64")),
        locked(&Wheel::module("win", "2")),
    );
    assert_eq!(read(world.path("pylock.vpython.toml")), expected);
    // Locking again changes nothing.
    let before = tree(&world.path(""));
    for words in [
        &[][..],
        &["--check"],
        &["vpython.toml"],
        &["show.py", "-o", "--", "--option"],
    ] {
        lock(&world, words)
            .run()
            .prints("pylock.vpython.toml is up to date\n");
    }
    assert_eq!(
        tree(&world.path("")),
        before,
        "an unchanged lock is not written"
    );
    world.vpython(["show.py"]).run().prints("app==1 lib==1\n");
}

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
    lock(&world, &["--check"])
        .run()
        .prints("pylock.vpython.toml is up to date\n");
    let changes =
        "pylock.vpython.toml: would change\n  app: 1 becomes 2\n  lib: 1 becomes 2\n  - win 2\n";
    lock(&world, &["--check", "--upgrade"])
        .run()
        .expect(1, changes, "");
    lock(&world, &["--upgrade", "lib", "show.py"])
        .run()
        .prints("pylock.vpython.toml: written\n  lib: 1 becomes 2\n");
    launch().prints("app==1 lib==2\n");
    lock(&world, &["--upgrade=app,lib"])
        .run()
        .prints("pylock.vpython.toml: written\n  app: 1 becomes 2\n  - win 2\n");
    launch().prints("app==2 lib==2\n");
    let message = "\
vpython: error: cannot upgrade `show`: `[WORLD]/work/pylock.vpython.toml` does not have it
  hint: words after `--upgrade` are project names; a script goes after `--`
";
    lock(&world, &["--upgrade", "show"])
        .run()
        .refuses(125, message);
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
    let message = "\
vpython: error: the lock file `[WORLD]/work/pylock.vpython.toml` does not match `[WORLD]/work/vpython.toml`
  caused by: `requires-python` is `>=3.5`, and was `>=3.6` (`[WORLD]/work/vpython.toml`, line 1)
  caused by: `one>=1` was `one` (`[WORLD]/work/vpython.toml`, line 3)
  caused by: `two` was removed
  caused by: `three` was added (`[WORLD]/work/vpython.toml`, line 4)
  caused by: `no-deps` is true, and was false
  hint: rebuild it with `vpython -vpython-tool lock [WORLD]/work/vpython.toml`
";
    world.vpython(["-c", ""]).run().refuses(125, message);
    assert_eq!(read(world.path("pylock.vpython.toml")), written);
    let outcome = lock(&world, &["--check"]).run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    // The change is also reported when a new requirement has no wheel.
    world.write(
        "vpython.toml",
        "requires-python = '>=3.6'\ndependencies = ['one', 'two', 'four']\n",
    );
    let change = "pylock.vpython.toml: would change\n  `four` was added (`[WORLD]/work/vpython.toml`, line 2)\n";
    let why = ": no wheel in `[WORLD]/work/wheels` fits `four` (required in `[WORLD]/work/vpython.toml`, line 2): there is no wheel of `four`\n";
    let outcome = lock(&world, &["--check"]).run();
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(1), change),
        "{outcome}"
    );
    assert!(
        outcome
            .stderr
            .starts_with("vpython: warning: cannot lock `[WORLD]/work/vpython.toml` for "),
        "{outcome}"
    );
    assert!(outcome.stderr.ends_with(why), "{outcome}");
    assert_eq!(read(world.path("pylock.vpython.toml")), written);
    // Order and white space make no difference.
    world.write(
        "vpython.toml",
        "requires-python='>=3.6'\ndependencies = [ 'two',  'one' ]\n",
    );
    world.vpython(["-c", ""]).run().prints("");
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
    let message = "\
vpython: error: the lock file `[WORLD]/work/pylock.vpython.toml` does not match `[WORLD]/work/vpython.toml`
  caused by: it has version 1, which does not satisfy `one>=2` (required in `[WORLD]/work/vpython.toml`, line 1)
  caused by: it has no `two` (required in `[WORLD]/work/vpython.toml`, line 1)
  hint: rebuild it with `vpython -vpython-tool lock [WORLD]/work/vpython.toml`
";
    world.vpython(["-c", ""]).run().refuses(125, message);
    world.write("vpython.toml", "dependencies = ['one']\n");
    world.vpython(["-c", "import one"]).run().prints("");
    let outcome = lock(&world, &[]).run();
    outcome.prints(&format!(
        "pylock.vpython.toml: written\n  it was created by another tool\n  python: any becomes ==3.{}.*\n",
        world.python.minor
    ));
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
    let message = format!(
        "\
vpython: error: cannot satisfy the lock file `[WORLD]/work/pylock.vpython.toml`
  caused by: `[WORLD]/work/wheels/one-1-py3-none-any.whl` has the sha256 `{digest}`, but `{flipped}` is locked (`[WORLD]/work/pylock.vpython.toml`, line 15)
  hint: replace it with the locked wheel (`vpython -vpython-tool fetch -c ''`); to lock the present wheel instead, `vpython -vpython-tool lock [WORLD]/work/vpython.toml`
"
    );
    world.vpython(["-c", ""]).run().refuses(125, &message);
    let change = format!(
        "pylock.vpython.toml: written\n  `one-1-py3-none-any.whl` has different contents: sha256 {flipped} becomes {digest}\n"
    );
    lock(&world, &[]).run().prints(&change);
    assert_eq!(read(world.path("pylock.vpython.toml")), text);
}

#[test]
fn two_machines_write_the_same_lock() {
    let [one, other] = [World::new(), World::new()];
    for (world, directories) in [(&one, ["a", "b"]), (&other, ["y", "x"])] {
        Wheel::module("one", "1")
            .requires("two")
            .write_to(&world.outside(directories[0]));
        Wheel::module("two", "1").write_to(&world.outside(directories[1]));
        Wheel::module("three", "1").write_to(&world.path("wheels"));
        world.write(
            "my.tool.py",
            "# /// script\n# dependencies = ['three', 'one']\n# ///\n",
        );
        let mut list = directories.map(|directory| world.outside(directory).display().to_string());
        list.sort();
        lock(world, &["my.tool.py"])
            .env("VPYTHON_WHEELS", list.join(":"))
            .run();
    }
    let [one, other] = [one, other].map(|world| read(world.path("pylock.my-tool.toml")));
    assert_eq!(one, other);
    assert_eq!(
        one.matches("path = ").count(),
        1,
        "only a directory of the spec's own is named:\n{one}"
    );
    assert!(
        one.contains("path = \"wheels/three-1-py3-none-any.whl\"")
            && one.contains("spec = \"my.tool.py\""),
        "{one}"
    );
}

#[test]
fn requirements_have_a_lock_too() {
    let world = World::new();
    world.wheel(&Wheel::module("one", "1"));
    world.write("requirements.txt", "one\n-c constraints.txt\n");
    world.write("constraints.txt", "one<2\n");
    lock(&world, &["requirements.txt"])
        .run()
        .prints("pylock.requirements.toml: written\n  + one 1\n");
    let show = || {
        world
            .vpython([
                "-vpython-spec",
                "requirements.txt",
                "-c",
                "import one; print(one.VERSION)",
            ])
            .run()
    };
    show().prints("1\n");
    world.write("constraints.txt", "one<3\n");
    let message = "\
vpython: error: the lock file `[WORLD]/work/pylock.requirements.toml` does not match `[WORLD]/work/requirements.txt`
  caused by: the constraint `one<3` was `one<2` (`[WORLD]/work/constraints.txt`, line 1)
  hint: rebuild it with `vpython -vpython-tool lock [WORLD]/work/requirements.txt`
";
    show().refuses(125, message);
}

#[test]
fn a_spec_that_cannot_have_a_lock_is_refused() {
    let world = World::new();
    world.write(".vpython3", "");
    world.write("pylock.toml", foreign_lock(&[]));
    world.write("tool.toml", "");
    world.write("tool.py", "# /// script\n# dependencies = []\n# ///\n");
    lock(&world, &["tool.py"])
        .run()
        .prints("pylock.tool.toml: written\n");
    #[rustfmt::skip]
    let rows: &[(&[&str], &str)] = &[
        (&[], "\
vpython: error: cannot lock `[WORLD]/work/.vpython3`
  caused by: it already lists its wheels with exact versions
  hint: `vpython -vpython-tool upgrade` converts it to a form that can have a lock file
"),
        (&["pylock.toml"], "\
vpython: error: cannot lock `[WORLD]/work/pylock.toml`
  caused by: it is itself a lock file
  hint: rebuild it with the tool that created it
"),
        (&["-c", "# /// script\n# dependencies = []\n# ///\n"], "\
vpython: error: cannot lock the text of `-c`
  caused by: a lock file is written next to the spec's file, and this spec has no file
  hint: put the spec into a script
"),
        (&["tool.toml"], "\
vpython: error: cannot lock `[WORLD]/work/tool.toml`
  caused by: `[WORLD]/work/pylock.tool.toml` is the lock file of `[WORLD]/work/tool.py`
  hint: rename one of the two specs
"),
        (&["absent.py"], "vpython: error: there is no script or spec `[WORLD]/work/absent.py`\n"),
    ];
    for (words, message) in rows {
        lock(&world, words).run().refuses(125, message);
    }
    std::fs::remove_file(world.path(".vpython3")).unwrap();
    let message = "\
vpython: error: cannot lock: there is no spec
  hint: name a script with a `# /// script` block, a `vpython.toml` or a `requirements.txt`
";
    lock(&world, &["-m", "pip"]).run().refuses(125, message);
}

#[test]
fn platforms_that_no_marker_separates_must_have_the_same_versions() {
    let world = World::new();
    for (version, platform) in [
        ("1", "musllinux_1_2_x86_64"),
        ("2", "manylinux_2_17_x86_64"),
    ] {
        world.wheel(&Wheel::module("one", version).tag(&format!("py3-none-{platform}")));
    }
    world.write(
        "vpython.toml",
        "dependencies = ['one']\n[tool.vpython]\nplatforms = ['manylinux_2_17_x86_64', 'musllinux_1_2_x86_64']\n",
    );
    let python = "CPython [VERSION] on";
    let message = format!(
        "\
vpython: error: two platforms resolve to different wheels, and no marker distinguishes them
  caused by: `one` is 2 for {python} manylinux_2_17_x86_64, and 1 for {python} musllinux_1_2_x86_64
  hint: require a version that has wheels for both
"
    );
    lock(&world, &[]).run().refuses(125, &message);
    world.wheel(&Wheel::module("one", "1").tag("py3-none-manylinux_2_17_x86_64"));
    world.write(
        "vpython.toml",
        read(world.path("vpython.toml")).replace("'one'", "'one<2'"),
    );
    lock(&world, &[])
        .run()
        .prints("pylock.vpython.toml: written\n  + one 1\n");
    world
        .vpython(["-c", "import one; print(one.VERSION)"])
        .run()
        .prints("1\n");
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
fn the_example_of_the_readme_is_what_is_written() {
    let readme = include_str!("../../README.md");
    let example = |kind: &str| {
        let (_, rest) = readme
            .split_once(&format!("<!-- locked -->\n```{kind}\n"))
            .unwrap();
        rest.split_once("```").unwrap().0
    };
    let world = World::new();
    for wheel in [
        Wheel::module("requests", "2.31.0"),
        Wheel::module("requests", "2.30.0"),
        Wheel::module("pywin32", "306").tag("py3-none-win_amd64"),
    ] {
        world.wheel(&wheel);
    }
    world.write("report.py", example("python"));
    let (command, printed) = example("console").split_once('\n').unwrap();
    let words = command.strip_prefix("$ vpython ").unwrap().split(' ');
    world.vpython(words).run().prints(printed);
    world.vpython(["report.py"]).run().prints("");
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
