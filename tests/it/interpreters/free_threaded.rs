//! Free-threaded builds of CPython: requests for them, and their environments.

use std::path::Path;

use expect_test::expect;

use crate::support::{Fake, Wheel, World};

/// A world with a free-threaded interpreter and a normal one of the same version.
fn world() -> (World, Fake, Fake) {
    let world = World::new();
    let free_threaded = Fake::new(&world, "3.13.99t");
    let normal = Fake::new(&world, "3.13.99");
    (world, free_threaded, normal)
}

fn named(fake: &Fake) -> String {
    format!("-vpython-interpreter={}", fake.path.display())
}

#[test]
fn its_environment_has_the_names_of_its_own_directories() {
    let (world, fake, _) = world();
    world.wheel(&Wheel::module("mine", "1").tag("cp313-cp313t-linux_x86_64"));
    world.write("vpython.toml", "dependencies = ['mine']\n");
    let environment = world.install([&named(&fake)]);
    let site = environment.join("lib/python3.13t/site-packages");
    assert!(site.join("mine.py").exists());
    for name in ["python", "python3.13", "python3.13t"] {
        let target = std::fs::read_link(environment.join("bin").join(name)).unwrap();
        assert_eq!(target, Path::new("python3"), "{name}");
    }
    world
        .vpython([&named(&fake), "-vpython-tool", "check"])
        .run()
        .prints("1 environment and 1 unpacked wheel: all files are intact\n");
}

#[test]
fn it_takes_no_wheels_of_normal_builds() {
    let (world, fake, normal) = world();
    world.wheel(&Wheel::module("own", "1").tag("cp313-cp313-linux_x86_64"));
    world.wheel(&Wheel::module("stable", "1").tag("cp39-abi3-linux_x86_64"));
    world.wheel(&Wheel::module("plain", "1").tag("cp313-none-any"));
    world.write(
        "vpython.toml",
        "dependencies = ['own', 'stable', 'plain']\n",
    );
    world.install([&named(&normal)]);
    world
        .vpython([&named(&fake), "-c", ""])
        .run()
        .refuses(125, expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits the requirements on 2 projects
              caused by: `own` is required in `[WORLD]/work/vpython.toml`, line 1
              caused by: `own`: `own-1-cp313-cp313-linux_x86_64.whl` is for cp313; the interpreter is free-threaded CPython 3.13.99 on linux x86_64
              caused by: `stable` is required in `[WORLD]/work/vpython.toml`, line 1
              caused by: `stable`: `stable-1-cp39-abi3-linux_x86_64.whl` is for cp39 with ABI abi3; the interpreter is free-threaded CPython 3.13.99 on linux x86_64
              hint: fetch what is missing: `vpython -vpython-interpreter=[WORLD]/fakes/3.13.99t/python3 -vpython-tool fetch -c ''`
        "#]]);
    world.write("vpython.toml", "dependencies = ['plain']\n");
    world.install([&named(&fake)]);
}

#[test]
fn a_spec_of_luci_may_require_one() {
    let (world, fake, normal) = world();
    world.write(".vpython3", "python_version: '3.13t' # vpython: no-seed\n");
    world.install([&named(&fake)]);
    world
        .vpython([&named(&normal), "-c", ""])
        .run()
        .refuses(125, expect![[r#"
            vpython: error: cannot use `[WORLD]/fakes/3.13.99/python3` as the interpreter
              caused by: it is CPython 3.13.99, but `python_version` is `3.13t` (`[WORLD]/work/.vpython3`, line 1)
        "#]]);
    world
        .vpython([&named(&fake), "-vpython-tool", "upgrade"])
        .run()
        .refuses(125, expect![[r#"
            vpython: error: the spec in `[WORLD]/work/.vpython3` has no equivalent in the native form
              caused by: `[WORLD]/work/.vpython3`, line 1: `3.13t` is a free-threaded build, which `requires-python` cannot require
              hint: change the parts named above, or keep the spec as it is
        "#]]);
}

#[test]
fn explain_says_so() {
    let (world, fake, _) = world();
    let explain = |words: &[&str]| {
        world
            .vpython([&named(&fake), "-vpython-tool", "explain"])
            .arguments(words)
            .run()
    };
    let page = explain(&[]);
    assert!(
        page.stdout
            .contains(", free-threaded CPython 3.13.99 on linux x86_64\n"),
        "{page}"
    );
    let json = explain(&["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["interpreter"]["free_threaded"], true);
}

#[test]
fn list_says_so() {
    let (world, fake, _) = world();
    let install = world
        .vpython([&named(&fake), "-vpython-tool", "install"])
        .run();
    assert_eq!(install.code, Some(0), "{install}");
    let list = |words: &[&str]| {
        let listed = world
            .vpython(["-vpython-tool", "list"])
            .arguments(words)
            .run();
        listed.stdout
    };
    let text = list(&[]);
    assert!(text.contains("  3.13.99t  "), "{text}");
    let json: serde_json::Value = serde_json::from_str(&list(&["--json"])).unwrap();
    let listed = &json["environments"][0];
    assert_eq!(
        (&listed["python"], &listed["free_threaded"]),
        (&"3.13.99".into(), &true.into())
    );
}

#[test]
fn its_packed_environment_needs_one() {
    let (world, fake, normal) = world();
    let pack = world
        .vpython([
            &named(&fake),
            "-vpython-tool",
            "pack",
            "--output",
            "env.tar",
        ])
        .run();
    assert_eq!(pack.code, Some(0), "{pack}");
    let unpack = |fake: &Fake| {
        world
            .vpython(["-vpython-tool", "unpack", "env.tar", "env", "--python"])
            .arguments([&fake.path])
            .run()
    };
    unpack(&normal).refuses(
        125,
        expect![[r#"
        vpython: error: the environment requires free-threaded CPython 3.13
          caused by: `[WORLD]/fakes/3.13.99/python3` is CPython 3.13.99 on linux x86_64
    "#]],
    );
    let unpacked = unpack(&fake);
    assert_eq!(unpacked.code, Some(0), "{unpacked}");
}
