//! Launches with an interpreter from an image layout.

use expect_test::expect;

use super::{IN_STORE, Image, WHERE, launch, names, redacted, world};
use crate::support::{Wheel, World, has_strace};
use crate::warm::{calls, settle};

#[test]
fn a_launch_copies_the_interpreter_from_a_layout_without_a_network() {
    let world = world();
    let words = ["-vpython-offline", "-c", WHERE];
    redacted(launch(&world, &words).run()).prints(IN_STORE);
    // It needs the layout no longer, nor an interpreter of this machine.
    std::fs::remove_dir_all(world.path("layout")).unwrap();
    for text in [WHERE, "import sys; print(sys.base_prefix, end='\\n')"] {
        let launch = launch(&world, &["-c", text]).env("PATH", "/nowhere");
        redacted(launch.run()).prints(IN_STORE);
    }
    let copy = Image::get().copy(&world);
    let expected = [
        "bin",
        "include",
        "lib",
        "vpython-pack.json",
        "vpython-python.json",
    ];
    assert_eq!(names(&copy), expected);
    assert_eq!(names(&world.store("tmp")), [""; 0]);
    for name in ["bin/python3", "lib"] {
        assert!(copy.join(name).exists());
    }
}

#[test]
fn the_key_of_an_environment_depends_on_the_image_and_not_on_the_store() {
    let world = world();
    let key = |root: &str| {
        let launch = launch(&world, &["-vpython-tool", "install", "-c", ""]);
        let launch = launch.env("VPYTHON_VIRTUALENV_ROOT", world.outside(root));
        let path = launch.run().raw_stdout;
        path.trim_end().rsplit_once('/').unwrap().1.to_owned()
    };
    let of_machine = world.install(["-c", ""]);
    assert_eq!(key("root"), key("other"));
    assert_ne!(of_machine, world.store(&format!("envs/{}", key("root"))));
}

#[test]
fn a_spec_names_an_image_and_the_caller_another_interpreter() {
    let world = world();
    world.wheel(&Wheel::module("a", "1"));
    let script = |interpreter: &str| {
        world.write(
            "deep/tool.py",
            format!(
                "# /// script\n# dependencies = ['a']\n# [tool.vpython]\n# wheels = ['../wheels']\n# interpreter = '{interpreter}'\n# ///\n{WHERE}\nimport a\n"
            ),
        )
    };
    // A relative path is relative to the spec.
    script(&Image::get().reference().replace("oci:", "oci:../"));
    let run = |words: &[&str]| redacted(world.vpython(words).within(world.outside("")).run());
    run(&["work/deep/tool.py"]).prints(IN_STORE);
    run(&["work/deep/tool.py"]).prints(IN_STORE);
    let explained = run(&["-vpython-tool", "explain", "work/deep/tool.py"]).stdout;
    let by = "by the spec (`[WORLD]/work/deep/tool.py`, line 5), copied from oci:[WORLD]/work/deep/../layout@sha256:[IMAGE]";
    assert!(explained.contains(by), "{explained}");
    let own = world.python.path.to_str().unwrap();
    let outcome = run(&["-vpython-interpreter", own, "work/deep/tool.py"]);
    assert!(!outcome.stdout.contains("pythons"), "{outcome}");
    script("oci:layout:3.11");
    run(&["work/deep/tool.py"]).refuses(125, expect![[r#"
        vpython: error: bad spec in `[WORLD]/work/deep/tool.py`
          caused by: `[WORLD]/work/deep/tool.py`, line 5, column 17: `oci:layout:3.11` is not the image of an interpreter: it has no digest, and a tag may change
          hint: write `oci://HOST/REPO:TAG@sha256:DIGEST`, which `-vpython-tool push --python` prints; `skopeo inspect` shows the digest of a tag
    "#]]);
    script("/usr/bin/python3");
    run(&["work/deep/tool.py"]).refuses(125, expect![[r#"
        vpython: error: bad spec in `[WORLD]/work/deep/tool.py`
          caused by: `[WORLD]/work/deep/tool.py`, line 5, column 17: `/usr/bin/python3` is not the image of an interpreter: it does not begin with `oci:`
          hint: write `oci://HOST/REPO:TAG@sha256:DIGEST`, which `-vpython-tool push --python` prints; `skopeo inspect` shows the digest of a tag
    "#]]);
}

#[test]
fn an_interpreter_from_an_image_must_fit_the_spec() {
    let world = world();
    world.write("vpython.toml", "requires-python = '>=3.99'\n");
    let outcome = redacted(launch(&world, &["-c", ""]).run());
    outcome
        .replacing(&world.python.version, "[VERSION]")
        .replacing(&world.python.name(), "[NAME]")
        .refuses(125, expect![[r#"
            vpython: error: cannot use the interpreter from `oci:[WORLD]/work/layout@sha256:[IMAGE]`
              caused by: cannot use `[WORLD]/root/v1/pythons/[IMAGE]/bin/[NAME]` as the interpreter
              caused by: it is CPython [VERSION], but `requires-python` is `>=3.99` (`[WORLD]/work/vpython.toml`, line 1)
        "#]]);
}

#[test]
fn a_layout_that_lacks_a_part_of_the_image_is_refused() {
    let world = world();
    let image = Image::get();
    let run = |reference: &str| {
        let launch = world.vpython(["-c", ""]);
        let outcome = launch.env("VPYTHON_INTERPRETER", reference).run();
        redacted(outcome).replacing(&image.layers()[0], "[LAYER]")
    };
    let zeros = "0".repeat(64);
    run(&format!("oci:layout@sha256:{zeros}"))
        .replacing(&zeros, "[ZEROS]")
        .refuses(
            125,
            expect![[r#"
            vpython: error: cannot use the interpreter from `oci:[WORLD]/work/layout@sha256:[ZEROS]`
              caused by: the image layout `[WORLD]/work/layout` has no manifest `sha256:[ZEROS]`
        "#]],
        );
    let layer = super::blob(&world.path("layout"), &image.layers()[0]);
    let bytes = std::fs::read(&layer).unwrap();
    let replace = |bytes: &[u8]| {
        std::fs::remove_file(&layer).unwrap();
        std::fs::write(&layer, bytes).unwrap();
    };
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    replace(&damaged);
    let outcome = run(&image.reference());
    assert_eq!(outcome.code, Some(125), "{outcome}");
    let refusal = "vpython: error: cannot use the interpreter from `oci:[WORLD]/work/layout@sha256:[IMAGE]`\n";
    assert!(outcome.stderr.starts_with(refusal), "{outcome}");
    replace(&bytes[..bytes.len() - 1]);
    let sizes = [bytes.len() - 1, bytes.len()].map(|size| size.to_string());
    run(&image.reference())
        .replacing(&sizes[0], "[SHORTER]")
        .replacing(&sizes[1], "[SIZE]")
        .refuses(
            125,
            expect![[r#"
            vpython: error: cannot use the interpreter from `oci:[WORLD]/work/layout@sha256:[IMAGE]`
              caused by: cannot read `[WORLD]/work/layout/blobs/sha256/[LAYER]`
              caused by: its size is [SHORTER] bytes, but [SIZE] are expected
        "#]],
        );
    std::fs::remove_file(&layer).unwrap();
    run(&image.reference()).refuses(
        125,
        expect![[r#"
        vpython: error: cannot use the interpreter from `oci:[WORLD]/work/layout@sha256:[IMAGE]`
          caused by: cannot read `[WORLD]/work/layout/blobs/sha256/[LAYER]`
          caused by: it does not exist
    "#]],
    );
    assert_eq!(names(&world.store("pythons")), [""; 0]);
    assert_eq!(names(&world.store("tmp")), [""; 0]);
}

#[test]
fn a_warm_launch_makes_as_many_calls_as_with_another_interpreter() {
    if !has_strace() {
        return;
    }
    let world = world();
    let launch = |program: &std::path::Path, words: &[&str], (interpreter, root): (&str, &str)| {
        let words = words.iter().chain(&["-c", "print(1)"]);
        world
            .program(program, words)
            .env("VPYTHON_VIRTUALENV_ROOT", world.outside(root))
            .env("VPYTHON_INTERPRETER", interpreter)
    };
    let (own, image) = (
        world.python.path.to_str().unwrap(),
        Image::get().reference(),
    );
    let ways = [(own, "plain"), (&*image, "root")];
    for way in ways {
        let first = launch(crate::support::VPYTHON.as_ref(), &[], way);
        first.run().prints("1\n");
    }
    settle();
    let [plain, of_image] =
        ways.map(|way| calls(&world, |program, words| launch(program, words, way)));
    assert!(
        of_image.len() <= plain.len(),
        "{} calls, and {} with a path: {of_image:#?}\n{plain:#?}",
        of_image.len(),
        plain.len()
    );
    for call in ["socket(", "clone", "fork", "mkdir", "rename", "utimensat("] {
        assert!(
            !of_image.iter().any(|line| line.starts_with(call)),
            "{call}: {of_image:#?}"
        );
    }
}

#[test]
fn tools_copy_the_interpreter_as_launches_do() {
    let world = world();
    world.wheel(&Wheel::module("a", "1"));
    world.write("vpython.toml", "dependencies = ['a']\n");
    // `explain` and `verify` write nothing.
    let verified = redacted(launch(&world, &["-vpython-tool", "verify"]).run());
    verified.refuses(
        125,
        expect![[r#"
        vpython: error: cannot use the interpreter from `oci:[WORLD]/work/layout@sha256:[IMAGE]`
          caused by: it is not in the store `[WORLD]/root` yet
          hint: `vpython -vpython-tool install` copies it there
    "#]],
    );
    assert!(!world.store("pythons").exists());
    let locked = launch(&world, &["-vpython-tool", "lock"]).run();
    assert_eq!(locked.code, Some(0), "{locked}");
    let exported = launch(&world, &["-vpython-tool", "export", "env", "--with-python"]).run();
    assert_eq!(exported.code, Some(0), "{exported}");
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    let program = world.path("env/bin/python3");
    let outcome = world.program(program, ["-c", "import a; print(a.VERSION)"]);
    outcome.run().prints("1\n");
}

/// A world whose interpreter on `PATH` cannot be used.
#[test]
fn no_other_interpreter_is_used_in_place_of_a_missing_image() {
    let world = World::new();
    let reference = format!("oci:nowhere@sha256:{}", Image::get().digest);
    let launch = world.vpython(["-c", "print(1)"]);
    redacted(launch.env("VPYTHON_INTERPRETER", reference).run()).refuses(
        125,
        expect![[r#"
        vpython: error: cannot use the interpreter from `oci:[WORLD]/work/nowhere@sha256:[IMAGE]`
          caused by: cannot read the image layout `[WORLD]/work/nowhere`
          caused by: it does not exist
    "#]],
    );
}
