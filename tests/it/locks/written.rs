//! The locks that `-vpython-tool lock` writes.

use expect_test::{Expect, expect};

use super::{foreign_lock, lock, locked, read, world_of_two_platforms};
use crate::support::{Wheel, World, tree};

#[test]
fn a_lock_is_written_for_this_platform_and_those_of_the_spec() {
    let world = world_of_two_platforms();
    // `--check` only reports the changes.
    lock(&world, &["--check"]).run().expect(
        1,
        expect![[r#"
            pylock.vpython.toml: would be written
              + app 1
              + lib 1
              + win 2
        "#]],
        "",
    );
    assert!(!world.path("pylock.vpython.toml").exists());
    lock(&world, &[]).run().prints(expect![[r#"
        pylock.vpython.toml: written
          + app 1
          + lib 1
          + win 2
    "#]]);
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
        lock(&world, words).run().prints(expect![[r#"
            pylock.vpython.toml is up to date
        "#]]);
    }
    assert_eq!(
        tree(&world.path("")),
        before,
        "an unchanged lock is not written"
    );
    world.vpython(["show.py"]).run().prints("app==1 lib==1\n");
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
        .prints(expect![[r#"
            pylock.requirements.toml: written
              + one 1
        "#]]);
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
    show().refuses(125, expect![[r#"
        vpython: error: the lock file `[WORLD]/work/pylock.requirements.toml` does not match `[WORLD]/work/requirements.txt`
          caused by: the constraint `one<3` was `one<2` (`[WORLD]/work/constraints.txt`, line 1)
          hint: rebuild it with `vpython -vpython-spec=requirements.txt -vpython-tool lock`
    "#]]);
}

#[test]
fn a_spec_that_cannot_have_a_lock_is_refused() {
    let world = World::new();
    world.write(".vpython3", "");
    world.write("pylock.toml", foreign_lock(&[]));
    world.write("tool.toml", "");
    world.write("tool.py", "# /// script\n# dependencies = []\n# ///\n");
    lock(&world, &["tool.py"]).run().prints(expect![[r#"
        pylock.tool.toml: written
    "#]]);
    #[rustfmt::skip]
    let rows: [(&[&str], Expect); 5] = [
        (&[], expect![[r#"
            vpython: error: cannot lock `[WORLD]/work/.vpython3`
              caused by: it already lists its wheels with exact versions
              hint: `vpython -vpython-tool upgrade` converts it to a form that can have a lock file
        "#]]),
        (&["pylock.toml"], expect![[r#"
            vpython: error: cannot lock `[WORLD]/work/pylock.toml`
              caused by: it is itself a lock file
              hint: rebuild it with the tool that created it
        "#]]),
        (&["-c", "# /// script\n# dependencies = []\n# ///\n"], expect![[r#"
            vpython: error: cannot lock the text of `-c`
              caused by: a lock file is written next to the spec's file, and this spec has no file
              hint: put the spec into a script
        "#]]),
        (&["tool.toml"], expect![[r#"
            vpython: error: cannot lock `[WORLD]/work/tool.toml`
              caused by: `[WORLD]/work/pylock.tool.toml` is the lock file of `[WORLD]/work/tool.py`
              hint: rename one of the two specs
        "#]]),
        (&["absent.py"], expect![[r#"
            vpython: error: there is no script or spec `[WORLD]/work/absent.py`
        "#]]),
    ];
    for (words, message) in rows {
        lock(&world, words).run().refuses(125, message);
    }
    std::fs::remove_file(world.path(".vpython3")).unwrap();
    lock(&world, &["-m", "pip"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot lock: there is no spec
              hint: name a script with a `# /// script` block, a `vpython.toml` or a `requirements.txt`
        "#]],
    );
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
    lock(&world, &[]).run().refuses(125, expect![[r#"
        vpython: error: two platforms resolve to different wheels, and no marker distinguishes them
          caused by: `one` is 2 for CPython [VERSION] on manylinux_2_17_x86_64, and 1 for CPython [VERSION] on musllinux_1_2_x86_64
          hint: require a version that has wheels for both
    "#]]);
    world.wheel(&Wheel::module("one", "1").tag("py3-none-manylinux_2_17_x86_64"));
    world.write(
        "vpython.toml",
        read(world.path("vpython.toml")).replace("'one'", "'one<2'"),
    );
    lock(&world, &[]).run().prints(expect![[r#"
        pylock.vpython.toml: written
          + one 1
    "#]]);
    world
        .vpython(["-c", "import one; print(one.VERSION)"])
        .run()
        .prints("1\n");
}

#[test]
fn the_documented_example_is_what_is_written() {
    let page = include_str!("../../../docs/locks.md");
    let example = |kind: &str| {
        let (_, rest) = page
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
