//! LUCI specs: vpython runs them from a directory of ordinary wheels, and finds them ([`search`])
//! where LUCI's vpython does.

mod search;

use expect_test::expect;

use crate::support::{Launch, Python, Wheel, World};

/// A program that prints the version of the installed wheel, or `none`.
const PROGRAM: &str =
    "try:\n    import which\n    print(which.VERSION)\nexcept ImportError:\n    print('none')\n";

/// A world with a directory of the wheels of `which` 1 to 9.
fn world() -> World {
    let world = World::new();
    for version in 1..=9 {
        Wheel::module("which", &version.to_string()).write_to(&world.outside("house"));
    }
    world
}

/// The text of a spec that lists one of them.
fn spec(version: u32) -> String {
    format!(
        "wheel: <\n  name: \"infra/python/wheels/which-py3\"\n  version: \"version:{version}\"\n>\n"
    )
}

/// The program after a block that lists one of them.
fn script(version: u32) -> String {
    let lines = spec(version).trim_end().replace('\n', "\n# ");
    format!("#!/usr/bin/env vpython3\n# [VPYTHON:BEGIN]\n# {lines}\n# [VPYTHON:END]\n{PROGRAM}")
}

/// vpython with that wheel directory.
fn launch<'a>(world: &'a World, words: &[&str]) -> Launch<'a> {
    world
        .vpython(words)
        .env("VPYTHON_WHEELS", world.outside("house"))
}

fn remove(world: &World, path: &str) {
    std::fs::remove_file(world.path(path)).unwrap();
}

#[test]
fn a_spec_in_the_style_of_chromium_runs() {
    let world = World::new();
    let minor = world.python.minor;
    let binary = format!("cp3{minor}-cp3{minor}-linux_x86_64");
    world.wheel(&Wheel::module("six", "1.15.0").tag("py2.py3-none-any"));
    world.wheel(
        &Wheel::module("requests", "2.26.0")
            .requires("idna>=2.5")
            .requires("not a requirement"),
    );
    world.wheel(&Wheel::module("cffi", "1.14.5").tag(&binary));
    world.wheel(&Wheel::module("coverage", "5.5").tag(&binary));
    world.wheel(&Wheel::module("coverage", "5.5+chromium.3").tag(&binary));
    world.wheel(&Wheel::module("numpy", "1.21.1").tag(&binary));
    world.wheel(&Wheel::module("pyasn1_modules", "0.2.4").tag("py2.py3-none-any"));
    world.wheel(&Wheel::module("extra", "1"));
    let text = include_str!("../../../testdata/luci/chromium.vpython3")
        .replace("\"3.8\"", &format!("\"3.{minor}\""));
    world.write(".vpython3", text);
    let program = "from importlib import metadata\n\
                   for name in sorted(d.metadata['Name'] for d in metadata.distributions()):\n    \
                   print(name, 'seeded' if name in ('pip', 'setuptools') else __import__(name).VERSION)\n";
    world.write("tools/deep/tool.py", program);
    let setuptools = if minor < 12 {
        "setuptools seeded\n"
    } else {
        ""
    };
    let expected = format!(
        "cffi 1.14.5\ncoverage 5.5+chromium.3\nnumpy 1.21.1\npip seeded\npyasn1_modules 0.2.4\nrequests 2.26.0\n{setuptools}\
         six 1.15.0\n"
    );
    if minor < 8 {
        not_tested!("`importlib.metadata` needs CPython 3.8");
        return;
    }
    world
        .vpython(["tools/deep/tool.py"])
        .run()
        .prints(&expected);
    let site = world
        .install(["tools/deep/tool.py"])
        .join(format!("lib/python3.{minor}/site-packages"));
    assert!(
        site.join("six-1.15.0.dist-info/REQUESTED").exists(),
        "a listed wheel counts as requested"
    );
}

#[test]
fn the_documented_example_runs() {
    let Some(python) = Python::all().iter().find(|python| python.minor == 11) else {
        not_tested!("there is no CPython 3.11");
        return;
    };
    let world = World::with_python(python);
    let page = include_str!("../../../docs/specs.md");
    let (_, rest) = page.split_once("```textproto\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    world.write(".vpython3", example);
    world.wheel(&Wheel::module("six", "1.15.0"));
    world.wheel(&Wheel::module("cffi", "1.14.5").tag("cp311-cp311-linux_x86_64"));
    world
        .vpython(["-c", "import six, cffi; print(six.VERSION, cffi.VERSION)"])
        .run()
        .prints("1.15.0 1.14.5\n");
}

#[test]
fn a_named_spec_is_known_by_name_and_content() {
    let world = world();
    world.write("plain.py", PROGRAM);
    for name in [
        "named.vpython3",
        "named.vpython",
        ".vpython3",
        "other.cfg",
        "other",
    ] {
        world.write(name, spec(6));
        launch(&world, &["-vpython-spec", name, "plain.py"])
            .run()
            .prints("6\n");
        launch(&world, &["plain.py"])
            .env("VPYTHON_DEFAULT_SPEC", world.path(name))
            .run()
            .prints("6\n");
        remove(&world, name);
    }
    world.write("block.py", script(7));
    launch(&world, &["-vpython-spec", "block.py", "plain.py"])
        .run()
        .prints("7\n");
    launch(&world, &["-vpython-spec=/dev/null", "block.py"])
        .run()
        .prints("none\n");
    world.write("bad.cfg", "name = 7\n");
    launch(&world, &["-vpython-spec", "bad.cfg", "plain.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot use the spec that `-vpython-spec` names
              caused by: `[WORLD]/work/bad.cfg` is neither a `.toml`, `.vpython3` or `.txt` file nor a script with a `# /// script` or `[VPYTHON:BEGIN]` block
              hint: if it has the format of `vpython.toml`, rename it to `bad.cfg.toml`
        "#]],
    );
}

#[test]
fn all_missing_wheels_are_named_at_once() {
    let world = World::new();
    world.wheel(&Wheel::module("cffi", "1.14.4"));
    world.wheel(&Wheel::module("cffi", "1.14.5").tag("cp27-cp27mu-linux_x86_64"));
    world.write(
        ".vpython3",
        "wheel <\n  name: 'infra/python/wheels/cffi/${vpython_platform}'\n  version: 'version:1.14.5.chromium.7'\n>\n",
    );
    world
        .vpython(["-c", ""])
        .run()
        .refuses(125, expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `cffi==1.14.5+chromium.7` (listed in `[WORLD]/work/.vpython3`, line 2 as `infra/python/wheels/cffi/${vpython_platform}` `version:1.14.5.chromium.7`)
              caused by: `cffi-1.14.4-py3-none-any.whl` is version 1.14.4
              caused by: `cffi-1.14.5-cp27-cp27mu-linux_x86_64.whl` is for cp27 with ABI cp27mu; the interpreter is CPython [VERSION] on linux x86_64
              hint: fetch what is missing: `vpython -vpython-tool fetch -c ''`
        "#]]);
    let both = std::fs::read_to_string(world.path(".vpython3")).unwrap()
        + "wheel < name: 'six-py3' version: '1' >\n";
    world.write(".vpython3", both);
    world
        .vpython(["-c", ""])
        .run()
        .refuses(125, expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits 2 of the listed wheels
              caused by: `cffi==1.14.5+chromium.7` is listed in `[WORLD]/work/.vpython3`, line 2 as `infra/python/wheels/cffi/${vpython_platform}` `version:1.14.5.chromium.7`
              caused by: `cffi`: `cffi-1.14.4-py3-none-any.whl` is version 1.14.4
              caused by: `cffi`: `cffi-1.14.5-cp27-cp27mu-linux_x86_64.whl` is for cp27 with ABI cp27mu; the interpreter is CPython [VERSION] on linux x86_64
              caused by: `six==1` is listed in `[WORLD]/work/.vpython3`, line 5 as `six-py3` `1`; there is no wheel of `six`
              hint: fetch what is missing: `vpython -vpython-tool fetch -c ''`
        "#]]);
}

#[test]
fn a_wheel_build_that_was_repaired_in_place_is_used() {
    let world = World::new();
    let house = world.path("wheels");
    Wheel::module("which", "1").write_to(&house);
    let build = Wheel::module("which", "1+chromium.1").write_to(&house);
    let whole = std::fs::read(&build).unwrap();
    // Overwriting a file does not change the time of its directory.
    std::fs::write(&build, "not yet a wheel").unwrap();
    world.write(
        ".vpython3",
        "wheel < name: 'which-py3' version: 'version:1.chromium.1' >\n",
    );
    world.write("tool.py", PROGRAM);
    world.vpython(["tool.py"]).run().prints("1\n");
    world.vpython(["tool.py"]).run().prints("1\n");
    std::fs::write(&build, whole).unwrap();
    world.vpython(["tool.py"]).run().prints("1+chromium.1\n");
}

#[test]
fn two_versions_are_accepted_if_tags_leave_one() {
    let world = world();
    let two = "wheel < name: 'which-py3' version: '1' match_tag < platform: 'win32' > >\n\
               wheel < name: 'which-py2_py3' version: '2' >\nwheel < name: 'which-py3' version: '2' >\n";
    world.write(".vpython3", two);
    world.write("tool.py", PROGRAM);
    launch(&world, &["tool.py"]).run().prints("2\n");
    world.write(".vpython3", two.replace("win32", "linux_x86_64"));
    launch(&world, &["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: `which` is listed in different versions, and all of them apply here
              caused by: `which-py3` is `1` in `[WORLD]/work/.vpython3`, line 1
              caused by: `which-py2_py3` is `2` in `[WORLD]/work/.vpython3`, line 2
              caused by: `which-py3` is `2` in `[WORLD]/work/.vpython3`, line 3
              hint: keep one version, or give each a `match_tag` or `not_match_tag` so that one is left
        "#]],
    );
}

#[test]
fn a_python_version_chooses_the_interpreter() {
    let world = World::new();
    let minor = world.python.minor;
    let print = ["-c", "import sys; print(sys.version_info[1])"];
    for version in [
        "3".to_owned(),
        format!("3.{minor}"),
        world.python.version.clone(),
        String::new(),
    ] {
        world.write(".vpython3", format!("python_version: '{version}'"));
        world.vpython(print).run().prints(&format!("{minor}\n"));
    }
    world.write(".vpython3", "python_version: \"3.99\"");
    let outcome = world
        .vpython(["-vpython-interpreter"])
        .arguments([&world.python.path])
        .arguments(print)
        .run();
    outcome.refuses(
        125,
        expect![[r#"
            vpython: error: cannot use `[PYTHON]` as the interpreter
              caused by: it is CPython [VERSION], but `python_version` is `3.99` (`[WORLD]/work/.vpython3`, line 1)
        "#]],
    );
    let outcome = world.vpython(print).run();
    assert_eq!(outcome.code, Some(127), "{outcome}");
    let headline = "vpython: error: no interpreter satisfies `python_version: \"3.99\"` (`[WORLD]/work/.vpython3`, line 1)\n";
    assert!(outcome.stderr.starts_with(headline), "{outcome}");
    world.write(".vpython", "python_version: '2.6'\n");
    remove(&world, ".vpython3");
    let outcome = world
        .vpython(["-vpython-interpreter"])
        .arguments([&world.python.path])
        .arguments(print)
        .run();
    outcome.refuses(
        125,
        expect![[r#"
            vpython: error: cannot use `[PYTHON]` as the interpreter
              caused by: it is CPython [VERSION], but `python_version` is `2.6` (`[WORLD]/work/.vpython`, line 1)
        "#]],
    );
}
