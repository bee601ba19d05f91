//! `system-site-packages`: the interpreter's own packages can be imported if a spec requests that,
//! and never otherwise.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use expect_test::expect;

use crate::support::{Expected, Python, Wheel, World};

const VISIBLE: &str = "[tool.vpython]\nsystem-site-packages = true\n";
/// Prints the origin of each of these modules.
const PROGRAM: &str = "import sys\nfor name in ['a', 'installed', 'users']:\n    try:\n        \
                       module = __import__(name)\n        print(name + ' ' + module.FROM)\n    except ImportError:\n        \
                       print(name + ' none')\n";

/// A world with its own interpreter, `python` in the world, which has installed packages; with a
/// wheel of the same name as one of them, and with a package of the user.
fn world(real: &Path, directory: &str) -> World {
    let world = World::new();
    symlink(real, world.outside("bin/real-python")).unwrap();
    world.write("empty/vpython.toml", "");
    let words = [
        "-vpython-interpreter",
        "../bin/real-python",
        "-vpython-tool",
        "export",
        "copied",
        "--with-python",
    ];
    world
        .vpython(words)
        .arguments(["empty/vpython.toml"])
        .run()
        .prints("[WORLD]/work/copied\n");
    std::fs::rename(world.path("copied/python"), world.outside("python")).unwrap();
    let [system, users] =
        ["python", "home/.local"].map(|place| world.outside(place).join(directory));
    for (directory, names, from) in [
        (&system, &["a", "installed"][..], "system"),
        (&users, &["users"], "home"),
    ] {
        std::fs::create_dir_all(directory).unwrap();
        for name in names {
            std::fs::write(
                directory.join(format!("{name}.py")),
                format!("FROM = '{from}'\n"),
            )
            .unwrap();
        }
    }
    world.wheel(
        &Wheel::new("a", "1")
            .tag("py2.py3-none-any")
            .file("a.py", "FROM = 'wheel'\n"),
    );
    world.write("tool.py", PROGRAM);
    world
}

/// The same with the default CPython 3 of the tests.
fn world_3() -> World {
    world(
        &Python::any().path,
        &format!("lib/python3.{}/site-packages", Python::any().minor),
    )
}

/// The `vpython.toml` of a world, and the arguments that name its interpreter.
fn spec(world: &World, head: &str, tool: &str) -> [&'static str; 2] {
    world.write(
        "vpython.toml",
        format!("{head}\ndependencies = ['a']\n{tool}"),
    );
    ["-vpython-interpreter", "../python"]
}

#[test]
fn system_packages_can_be_requested_and_come_after_the_wheels() {
    let world = world_3();
    let interpreter = spec(&world, "", "");
    world
        .vpython(interpreter)
        .arguments(["tool.py"])
        .run()
        .prints("a wheel\ninstalled none\nusers none\n");
    // With the option, after the wheels.
    let hidden = world.environments();
    spec(&world, "", VISIBLE);
    for _ in 0..2 {
        world
            .vpython(interpreter)
            .arguments(["tool.py"])
            .run()
            .prints("a wheel\ninstalled system\nusers none\n");
    }
    assert_eq!(
        (hidden.len(), world.environments().len()),
        (1, 2),
        "each has a separate environment"
    );
    // The default can be written.
    spec(&world, "", "[tool.vpython]\nsystem-site-packages = false\n");
    world
        .vpython(interpreter)
        .arguments(["tool.py"])
        .run()
        .prints("a wheel\ninstalled none\nusers none\n");
    assert_eq!(
        world.environments().len(),
        2,
        "an option that is not set is not in the key"
    );
    // The option in a script and in a `pyproject.toml`.
    let block = format!(
        "# /// script\n# dependencies = ['a']\n# [tool.vpython]\n# system-site-packages = true\n# wheels = ['wheels']\n# ///\n{PROGRAM}"
    );
    world.write("script.py", block);
    world
        .vpython(interpreter)
        .arguments(["script.py"])
        .run()
        .prints("a wheel\ninstalled system\nusers none\n");
    world.write(
        "pyproject.toml",
        format!("[project]\nname = 'x'\ndependencies = ['a']\n{VISIBLE}"),
    );
    let named = ["-vpython-spec", "pyproject.toml", "tool.py"];
    world
        .vpython(interpreter)
        .arguments(named)
        .run()
        .prints("a wheel\ninstalled system\nusers none\n");
    // All of them share the two environments.
    assert_eq!(world.environments().len(), 2);
    world
        .vpython(interpreter)
        .arguments(["-vpython-tool", "check", "tool.py"])
        .run()
        .prints(expect![[r#"
            1 environment and 1 unpacked wheel: all files are intact
        "#]]);
}

#[test]
fn system_packages_satisfy_no_requirement() {
    let world = world_3();
    let interpreter = spec(&world, "", VISIBLE);
    let info = world.outside(&format!(
        "python/lib/python3.{}/site-packages/installed-1.dist-info",
        Python::any().minor
    ));
    std::fs::create_dir(&info).unwrap();
    std::fs::write(
        info.join("METADATA"),
        "Metadata-Version: 2.1\nName: installed\nVersion: 1\n",
    )
    .unwrap();
    world.write(
        "vpython.toml",
        format!("dependencies = ['installed']\n{VISIBLE}"),
    );
    world.vpython(interpreter).arguments(["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: no wheel in `[WORLD]/work/wheels` fits `installed` (required in `[WORLD]/work/vpython.toml`, line 1)
              caused by: there is no wheel of `installed`
              hint: fetch one: `vpython -vpython-interpreter=../python -vpython-tool fetch tool.py`
        "#]],
    );
}

#[test]
fn explain_reports_system_packages() {
    let world = world_3();
    let interpreter = spec(&world, "", VISIBLE);
    let explain = |words: &[&str]| {
        world
            .vpython(interpreter)
            .arguments(["-vpython-tool", "explain"])
            .arguments(words)
            .run()
    };
    let line = "system site   importable, after the wheels (system-site-packages)\n";
    assert!(
        explain(&["tool.py"]).stdout.contains(line),
        "{}",
        explain(&["tool.py"])
    );
    let is_visible = |words: &[&str]| {
        let document: serde_json::Value = serde_json::from_str(&explain(words).raw_stdout).unwrap();
        document["spec"]["system_site_packages"].clone()
    };
    assert_eq!(is_visible(&["--json", "tool.py"]), true);
    spec(&world, "", "");
    assert_eq!(is_visible(&["--json", "tool.py"]), false);
    assert!(!explain(&["tool.py"]).stdout.contains("system site"));
}

#[test]
fn an_environment_outside_the_store_depends_on_system_packages() {
    let world = world_3();
    let interpreter = spec(&world, "", VISIBLE);
    let tool = |words: &[&str]| {
        world
            .vpython(interpreter)
            .arguments(["-vpython-tool"])
            .arguments(words)
            .run()
    };
    let name = Python::any().path.file_name().unwrap().to_str().unwrap();
    let real = format!("[WORLD]/python/bin/{name}");
    let warning = expect![[r#"
        vpython: warning: the environment depends on the packages installed for `[REAL]` (`system-site-packages`), which it does not contain
    "#]];
    tool(&["export", "env", "tool.py"])
        .replacing(&real, "[REAL]")
        .expect(0, "[WORLD]/work/env\n", &warning);
    let outcome = world
        .program(world.path("env/bin/python"), ["-s", "tool.py"])
        .run();
    outcome.prints("a wheel\ninstalled system\nusers none\n");
    let packed = tool(&["pack", "--output", "env.tar", "tool.py"]);
    assert_eq!(packed.code, Some(0), "{packed}");
    // A second warning is about the interpreter.
    let packed = packed.replacing(&real, "[REAL]").stderr;
    Expected::check(&warning, packed.split_inclusive('\n').next().unwrap());
    tool(&["unpack", "env.tar", "unpacked"]).prints("[WORLD]/work/unpacked\n");
    let outcome = world
        .program(world.path("unpacked/bin/python"), ["-s", "tool.py"])
        .run();
    outcome.prints("a wheel\ninstalled system\nusers none\n");
    for words in [&["export", "other"][..], &["pack", "--output", "other.tar"]] {
        tool(&[words, &["--with-python", "tool.py"]].concat())
            .replacing(&real, "[REAL]")
            .refuses(125, expect![[r#"
                vpython: error: cannot copy `[REAL]` into the environment
                  caused by: the spec sets `system-site-packages = true`, but a copy has no installed packages
                  hint: remove `system-site-packages` or `--with-python`
            "#]]);
    }
    assert!(!world.path("other").exists() && !world.path("other.tar").exists());
}

#[test]
fn cpython_2_has_system_packages_too() {
    let Some(two) = Python::two() else { return };
    let world = world(&two, "lib/python2.7/site-packages");
    let interpreter = spec(&world, "requires-python = '==2.7.*'", VISIBLE);
    for _ in 0..2 {
        world
            .vpython(interpreter)
            .arguments(["tool.py"])
            .run()
            .prints("a wheel\ninstalled system\nusers none\n");
    }
    world
        .vpython(interpreter)
        .arguments(["-vpython-tool", "check", "tool.py"])
        .run()
        .prints(expect![[r#"
            1 environment and 1 unpacked wheel: all files are intact
        "#]]);
    spec(&world, "requires-python = '==2.7.*'", "");
    world
        .vpython(interpreter)
        .arguments(["tool.py"])
        .run()
        .prints("a wheel\ninstalled none\nusers none\n");
    let site: PathBuf = world.outside("python/lib/python2.7/site.py");
    let text = std::fs::read_to_string(&site).unwrap();
    std::fs::set_permissions(&site, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::write(
        &site,
        text.replace(
            "\nPREFIXES = [sys.prefix, sys.exec_prefix]\n",
            "\nPREFIXES = [sys.prefix]\n",
        ),
    )
    .unwrap();
    spec(
        &world,
        "requires-python = '==2.7.*'",
        &format!("{VISIBLE}strict = true\n"),
    );
    world.vpython(interpreter).arguments(["tool.py"]).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot make the packages of `[WORLD]/python/bin/python2.7` visible
              caused by: its `site` module differs from that of CPython 2.7
              hint: remove `system-site-packages`, or name another interpreter with `-vpython-interpreter`
        "#]],
    );
}
