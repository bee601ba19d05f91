//! CPython 2.7: specs that require it, and its environments.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use expect_test::expect;

use crate::support::{Python, Wheel, World};

/// A world with CPython 2.7 next to another python on `PATH`, and a spec that requires it; `None`
/// without CPython 2.7.
fn world() -> Option<(World, PathBuf)> {
    let two = Python::two()?;
    let world = World::new();
    symlink(&two, world.outside("bin/python2.7")).unwrap();
    let six = Wheel::new("six", "1")
        .tag("py2.py3-none-any")
        .file("six.py", "VERSION = 1\n");
    let old = Wheel::new("old", "2").tag("py2-none-any").file(
        "old/__init__.py",
        "def main():\n    print 'old', __file__\n",
    );
    let old = old.entry_point("run-old", "old:main").script(
        "shipped",
        "#!python\n'doc'\nfrom __future__ import print_function\nprint('shipped')\n",
    );
    world.wheel(&six);
    world.wheel(&old);
    world.wheel(
        &Wheel::new("old", "3")
            .tag("py3-none-any")
            .file("old.py", ""),
    );
    let spec = "# vpython: no-seed\npython_version: '2.7'\nwheel < name: 'infra/python/wheels/six-py2_py3' version: 'version:1' >\nwheel < name: 'old' version: 'version:2' >\n";
    world.write(".vpython", spec);
    world.write(
        "tool.py",
        "import sys, six, old\nprint sys.version_info[:2], sys.prefix, sys.executable, six.VERSION, sys.argv[1:]\n",
    );
    Some((world, two))
}

/// Checks whether a launch has nothing to decide or to build.
fn is_warm(world: &World, words: &[&str]) -> bool {
    let outcome = world
        .vpython(["-vpython-tool", "explain", "--json"])
        .arguments(words)
        .run();
    outcome.stdout.contains("\"hit\": true")
}

#[test]
fn a_spec_that_requires_python_2_runs_on_it() {
    let Some((world, _)) = world() else { return };
    let outcome = world.vpython(["tool.py", "-Q", "a b"]).run();
    let [environment] = &world.environments()[..] else {
        panic!("{outcome}")
    };
    let environment = environment.display();
    let expected = format!("(2, 7) {environment} {environment}/bin/python2.7 1 ['-Q', 'a b']\n");
    assert_eq!(
        (
            outcome.code,
            outcome.raw_stdout.as_str(),
            outcome.stderr.as_str()
        ),
        (Some(0), expected.as_str(), "")
    );
    world
        .vpython(["-Qnew", "-c", "print 1/2, u'x'"])
        .run()
        .prints("0.5 x\n");
}

#[test]
fn byte_code_that_python_writes_does_not_count_as_a_change() {
    let Some((world, _)) = world() else { return };
    for flag in ["-B", "-O", "-OO", "-u"] {
        assert_eq!(world.vpython([flag, "tool.py"]).run().code, Some(0));
        assert!(is_warm(&world, &["tool.py"]), "after {flag}");
    }
    assert_eq!(world.environments().len(), 1);
    world
        .vpython(["-vpython-tool", "check", "--all"])
        .run()
        .prints(expect![[r#"
            1 environment and 2 unpacked wheels: all files are intact
        "#]]);
}

#[test]
fn install_compiles_packages_too() {
    let Some((world, _)) = world() else { return };
    let environment = world.install(["tool.py"]);
    let site = environment.join("lib/python2.7/site-packages");
    assert!(site.join("old/__init__.pyc").exists() && site.join("six.pyc").exists());
    world
        .vpython(["-B", "-c", "import old; print old.__file__[-4:]"])
        .run()
        .prints(".pyc\n");
    assert!(is_warm(&world, &["tool.py"]));
    world
        .vpython(["-vpython-tool", "check", "--all"])
        .run()
        .prints(expect![[r#"
            1 environment and 2 unpacked wheels: all files are intact
        "#]]);
}

#[test]
fn python_2_is_not_used_unless_the_spec_requires_it() {
    let Some((world, two)) = world() else { return };
    std::fs::remove_file(world.path(".vpython")).unwrap();
    std::fs::remove_file(world.outside("bin/python3")).unwrap();
    symlink(&two, world.outside("bin/python")).unwrap();
    world.write("vpython.toml", "requires-python = '>=2.7'\n");
    let outcome = world
        .vpython(["-c", "print 1"])
        .env("PATH", world.outside("bin"))
        .run();
    assert_eq!(outcome.code, Some(127), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("which is used only if the spec allows no Python 3"),
        "{outcome}"
    );
    let named = world
        .vpython(["-vpython-interpreter"])
        .arguments([&two])
        .arguments(["-c", "print 1"])
        .run();
    named.prints("1\n");
    world.write("vpython.toml", "requires-python = '<3'\n");
    world.vpython(["-c", "print 1"]).run().prints("1\n");
}

#[test]
fn nothing_of_the_host_leaks_in() {
    let Some((world, _)) = world() else { return };
    let environment = world.install(["tool.py"]);
    let user = world.outside("home/.local/lib/python2.7/site-packages");
    std::fs::create_dir_all(&user).unwrap();
    std::fs::write(user.join("leak.py"), "").unwrap();
    let text = "import sys, site; print site.ENABLE_USER_SITE, [p for p in sys.path if 'site-packages' in p], sys.flags.no_user_site\nimport leak";
    for (python, flag) in [
        (environment.join("bin/python").display().to_string(), 0),
        (crate::support::VPYTHON.to_owned(), 1),
    ] {
        let outcome = world.program(&*python, ["-c", text]).run();
        let site = environment.join("lib/python2.7/site-packages");
        assert_eq!(
            outcome.raw_stdout,
            format!("False ['{}'] {flag}\n", site.display()),
            "{outcome}"
        );
        assert!(
            outcome
                .stderr
                .ends_with("ImportError: No module named leak\n"),
            "{outcome}"
        );
    }
}

#[test]
fn its_scripts_run_wherever_it_is_moved() {
    let Some((world, _)) = world() else { return };
    let environment = world.install(["tool.py"]);
    world
        .vpython(["-vpython-tool", "exec", "shipped"])
        .run()
        .prints("shipped\n");
    let moved = world.path("a b");
    std::fs::rename(&environment, &moved).unwrap();
    let expected = format!(
        "old {}\n",
        moved
            .join("lib/python2.7/site-packages/old/__init__.py")
            .display()
    );
    let run = |name: &str| {
        world
            .program(moved.join("bin").join(name).to_str().unwrap(), [""; 0])
            .run()
    };
    assert!(
        run("run-old")
            .raw_stdout
            .starts_with(&expected[..expected.len() - 1]),
        "{}",
        run("run-old")
    );
    run("shipped").prints("shipped\n");
}

#[test]
fn it_is_exported_with_its_interpreter() {
    let Some((world, two)) = world() else { return };
    world
        .vpython(["-vpython-tool", "export", "env", "--with-python", "tool.py"])
        .run()
        .prints("[WORLD]/work/env\n");
    let moved = world.path("a b");
    std::fs::rename(world.path("env"), &moved).unwrap();
    let outside = |path: &Path| {
        let target = std::fs::read_link(path).unwrap();
        target.is_absolute() || !path.exists()
    };
    let links = walkdir::WalkDir::new(&moved)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_symlink());
    let outside: Vec<_> = links.filter(|link| outside(link.path())).collect();
    assert!(outside.is_empty(), "{outside:?}");
    let text = "import sys, os, ssl, sqlite3, ctypes, old; print sys.prefix, os.__file__";
    let outcome = world
        .program(moved.join("bin/python").to_str().unwrap(), ["-c", text])
        .run();
    assert!(
        outcome
            .raw_stdout
            .starts_with(&format!("{0} {0}/lib/python2.7/os.py", moved.display())),
        "{outcome}"
    );
    let maps =
        "print [line.split()[-1] for line in open('/proc/self/maps') if 'libpython' in line][:1]";
    let outcome = world
        .program(moved.join("bin/python").to_str().unwrap(), ["-c", maps])
        .run();
    assert!(
        !outcome
            .raw_stdout
            .contains(two.parent().unwrap().to_str().unwrap()),
        "{outcome}"
    );
}
