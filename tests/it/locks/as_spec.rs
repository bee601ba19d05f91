//! A lock of any tool as a spec: its platforms, its wheels and their digests.

use expect_test::expect;
use sha2::{Digest, Sha256};

use super::{SHOW, foreign_lock, sha256};
use crate::support::{Wheel, World};

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
    world
        .vpython(["-vpython-spec", "pylock.toml", "-c", ""])
        .run()
        .replacing(&sha256(&wheel("missing")), "[MISSING]")
        .replacing(&sha256(&found), "[FOUND]")
        .replacing(&sha256(&wheel("changed")), "[LOCKED]")
        .refuses(125, expect![[r#"
            vpython: error: cannot satisfy the lock file `[WORLD]/work/pylock.toml`
              caused by: `missing-1-py3-none-any.whl` (918 bytes, sha256 `[MISSING]`) is not in `[WORLD]/work/wheels` (`[WORLD]/work/pylock.toml`, line 8)
              caused by: `[WORLD]/work/wheels/changed-1-py3-none-any.whl` has the sha256 `[FOUND]`, but `[LOCKED]` is locked (`[WORLD]/work/pylock.toml`, line 14)
              caused by: `other` 1 (`[WORLD]/work/pylock.toml`, line 17) has wheels for cp27 with ABI cp27m; the interpreter is CPython [VERSION] on linux x86_64
              caused by: `newer` 1 (`[WORLD]/work/pylock.toml`, line 23) requires Python `>=4`; the interpreter is CPython [VERSION] on linux x86_64
              caused by: the file name `misnamed-1-py3-none-any.whl` is not valid for its package (`[WORLD]/work/pylock.toml`, line 33): it is locked as `named` 1
              caused by: `source` 1 (`[WORLD]/work/pylock.toml`, line 35) is locked as an sdist, but vpython installs only wheels
              caused by: `project` (`[WORLD]/work/pylock.toml`, line 39) is locked as a directory of sources, but vpython installs only wheels
              hint: fetch what is missing: `vpython -vpython-spec=pylock.toml -vpython-tool fetch -c ''`
        "#]]);
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
    let message = expect![[r#"
        vpython: error: the lock file `[WORLD]/work/pylock.toml` is not for CPython [VERSION] on linux x86_64
          caused by: it is for `sys_platform == 'win32'` (`[WORLD]/work/pylock.toml`, line 1)
          caused by: it is for `sys_platform == 'darwin'` (`[WORLD]/work/pylock.toml`, line 1)
          hint: lock again for this platform too, with the tool that created the lock file
    "#]];
    launch().refuses(125, &message);
    world.write(
        "pylock.toml",
        format!(
            "{lock}{}",
            lock.replace("lock-version = \"1.0\"\ncreated-by = \"other\"\n", "")
        ),
    );
    launch().refuses(125, expect![[r#"
        vpython: error: the lock file `[WORLD]/work/pylock.toml` lists a project twice for CPython [VERSION] on linux x86_64
          caused by: `one` is locked in `[WORLD]/work/pylock.toml`, line 5 and in `[WORLD]/work/pylock.toml`, line 11
    "#]]);
    world.write("pylock.toml", format!("requires-python = '>=4'\n{lock}"));
    // No other interpreter is found.
    let path = world.outside("bin");
    let refused = world
        .vpython(["-vpython-spec", "pylock.toml", "-c", ""])
        .env("PATH", path)
        .run();
    refused.refuses(127, expect![[r#"
        vpython: error: no interpreter satisfies `requires-python = ">=4"` (`[WORLD]/work/pylock.toml`, line 1)
          caused by: `[WORLD]/bin/python3`: it is CPython [VERSION], but `requires-python` is `>=4` (`[WORLD]/work/pylock.toml`, line 1)
          hint: install one on `PATH` or with pyenv or uv, or name one with `-vpython-interpreter`
    "#]]);
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
    launch()
        .run()
        .replacing(&hex::encode(Sha256::digest(&bytes)), "[FOUND]")
        .replacing(&sha256(&one), "[LOCKED]")
        .refuses(125, expect![[r#"
            vpython: error: cannot satisfy the lock file `[WORLD]/work/pylock.toml`
              caused by: `[WORLD]/work/wheels/one-1-py3-none-any.whl` has the sha256 `[FOUND]`, but `[LOCKED]` is locked (`[WORLD]/work/pylock.toml`, line 8)
              hint: replace it with the locked wheel (`vpython -vpython-spec=pylock.toml -vpython-tool fetch show.py`)
        "#]]);
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
    launch()
        .replacing(&digest, "[FOUND]")
        .replacing(&flipped, "[LOCKED]")
        .refuses(125, expect![[r#"
            vpython: error: cannot satisfy the lock file `[WORLD]/work/pylock.toml`
              caused by: `[WORLD]/work/wheels/one-1-py3-none-any.whl` has the sha512 `[FOUND]`, but `[LOCKED]` is locked (`[WORLD]/work/pylock.toml`, line 8)
              hint: replace it with the locked wheel (`vpython -vpython-spec=pylock.toml -vpython-tool fetch show.py`)
        "#]]);
    lock(&digest.to_uppercase());
    launch().prints("one==1\n");
}
