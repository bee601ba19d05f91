//! How often an interpreter is probed.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use expect_test::expect;

use super::{SHOW, wants};
use crate::support::{Fake, Python, World};

#[test]
fn an_interpreter_is_probed_once() {
    let world = World::new();
    let fake = Fake::new(&world, "3.11.99");
    let flag = format!("-vpython-interpreter={}", fake.path.display());
    for number in 0..3 {
        let outcome = world.vpython([&*flag, "-c", "0"]).run();
        assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
        // Another spec, so that vpython decides this launch from the beginning.
        world.write("vpython.toml", format!("# {number}\n"));
    }
    assert_eq!(fake.probe_count(), 1);
}

#[test]
fn an_interpreter_with_several_names_is_probed_once() {
    let world = World::new();
    let fake = Fake::new(&world, "3.11.99");
    for name in ["python3", "python3.11", "other"] {
        let link = world.outside("links").join(name);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&fake.path, &link).unwrap();
        let outcome = world
            .vpython(["-vpython-interpreter", link.to_str().unwrap(), "-c", "0"])
            .run();
        assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
    }
    world.install(["-vpython-interpreter", fake.path.to_str().unwrap()]);
    assert_eq!(fake.probe_count(), 1);
    fake.rewrite(&[&std::fs::read(&fake.path).unwrap()[..], b"# changed\n"].concat());
    world.install([
        "-vpython-interpreter",
        world.outside("links/other").to_str().unwrap(),
    ]);
    assert_eq!(fake.probe_count(), 2);
}

#[test]
fn a_pyenv_interpreter_is_probed_once_through_any_shim() {
    let world = World::new();
    world.pyenv(&[world.python]);
    let named = format!("python3.{}", world.python.minor);
    symlink(
        &world.python.path,
        world.outside(&format!(
            "pyenv/versions/{}/bin/{named}",
            world.python.version
        )),
    )
    .unwrap();
    std::fs::create_dir(world.outside("pyenv/shims")).unwrap();
    for name in ["python3", &named] {
        let shim = world.write_with_mode(
            "shim",
            "#!/usr/bin/env bash\nexec \"pyenv\" exec \"$0\"\n",
            0o755,
        );
        std::fs::rename(shim, world.outside("pyenv/shims").join(name)).unwrap();
    }
    std::fs::write(
        world.outside("pyenv/version"),
        format!("{}\n", world.python.version),
    )
    .unwrap();
    let path = world.outside("pyenv/shims");
    let specs = [
        ">=3.6".to_owned(),
        format!("==3.{}.*", world.python.minor),
        ">=3.5".to_owned(),
    ];
    let times: Vec<usize> = specs
        .map(|range| {
            wants(&world, &range);
            let launch = world
                .vpython(["-vpython-log-level", "debug", "-c", SHOW])
                .env("PATH", &path);
            let outcome = launch.env("PYENV_ROOT", world.outside("pyenv")).run();
            assert_eq!(outcome.stdout, "[VERSION]\n", "{outcome}");
            outcome.stderr.matches("probing the interpreter").count()
        })
        .to_vec();
    assert_eq!(times, [1, 0, 0]);
}

#[test]
fn an_interpreter_that_was_replaced_is_probed_again() {
    let world = World::new();
    let fake = Fake::new(&world, "3.11.99");
    let flag = format!("-vpython-interpreter={}", fake.path.display());
    let first = world.install([&flag]);
    fake.answer("3.12.99");
    assert_eq!(
        world.install([&flag]),
        first,
        "as long as the file is unchanged, it is not probed"
    );
    let script = std::fs::read(&fake.path).unwrap();
    fake.rewrite(&[&script[..], b"# changed\n"].concat());
    let second = world.install([&flag]);
    assert_ne!(second, first);
    assert_eq!(fake.probe_count(), 2);
    assert!(second.join("lib/python3.12/site-packages").is_dir());
}

#[test]
fn a_named_interpreter_that_leads_back_to_vpython_is_probed_once() {
    let world = World::new();
    // The script does not contain the name of vpython, so its content gives no clue.
    let script = "#!/bin/sh\necho one >> \"${0%/*}/asked\"\nexec \"$PROGRAM\" \"$@\"\n";
    let wrapper = world.write_with_mode("wrapper", script, 0o755);
    let named = format!("-vpython-interpreter={}", wrapper.display());
    for run in [
        world
            .vpython(["-c", "0"])
            .env("VPYTHON_INTERPRETER", &wrapper),
        world.vpython([&named]),
    ] {
        run.env("PROGRAM", env!("CARGO_BIN_EXE_vpython"))
            .run()
            .refuses(
                126,
                expect![[r#"
                    vpython: error: cannot run the interpreter `[WORLD]/work/wrapper`
                      caused by: exit status: 126: vpython: error: vpython is not an interpreter
                      hint: vpython supports CPython 2.7, and 3.6 and later
                "#]],
            );
    }
    assert_eq!(
        std::fs::read_to_string(world.path("asked")).unwrap(),
        "one\none\n"
    );
}

/// The program that asks an interpreter about itself.
const PROBE: &str = include_str!("../../../src/interpreter/probe.py");

#[test]
fn the_probe_writes_any_text_as_json() {
    let functions = PROBE.strip_suffix("\nmain()\n").unwrap();
    let values = r#"[None, True, -3, (), {"a": {}}, u"\x00\n\x7f\"\\ ~", u"\xe9\u20ac\U0001F600"]"#;
    let expected = serde_json::json!([
        null, true, -3, [], {"a": {}}, "\0\n\u{7f}\"\\ ~", "\u{e9}\u{20ac}\u{1f600}"
    ]);
    let pythons = Python::each_build()
        .into_iter()
        .map(|python| python.path.clone());
    for python in pythons.chain(Python::two()).collect::<Vec<PathBuf>>() {
        let output = Command::new(&python)
            .arg("-c")
            .arg(format!("{functions}\nprint(as_json({values}))"))
            .output()
            .unwrap();
        let written: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(written, expected, "{}", python.display());
        assert!(output.stdout.is_ascii(), "{}", python.display());
    }
}
