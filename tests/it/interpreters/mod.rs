//! The interpreter of a spec, and the search for it.

mod beside;
mod free_threaded;
mod named;
mod probed;

use std::os::unix::fs::symlink;

use expect_test::expect;

use crate::support::{Python, World};

const SHOW: &str = "import sys; print('%d.%d.%d' % sys.version_info[:3])";

/// A `vpython.toml` with this range.
fn wants(world: &World, range: &str) {
    world.write("vpython.toml", format!("requires-python = '{range}'\n"));
}

#[test]
fn the_range_of_the_spec_decides() {
    let world = World::new();
    let Some(other) = Python::other() else { return };
    symlink(
        &other.path,
        world.outside(&format!("bin/python3.{}", other.minor)),
    )
    .unwrap();
    world.vpython(["-c", SHOW]).run().prints("[VERSION]\n");
    wants(&world, &format!("==3.{}.*", other.minor));
    world
        .vpython(["-c", SHOW])
        .run()
        .prints(&format!("{}\n", other.version));
    wants(&world, &format!("!=3.{}.*", world.python.minor));
    let outcome = world
        .vpython(["-c", SHOW])
        .env("PATH", world.outside("bin"))
        .run();
    outcome.prints(&format!("{}\n", other.version));
    wants(&world, &format!("==3.{}.*", world.python.minor));
    world
        .vpython(["-c", SHOW])
        .env("PATH", world.outside("bin"))
        .run()
        .prints("[VERSION]\n");
}

#[test]
fn when_no_interpreter_fits_each_is_named_with_the_reason() {
    let world = World::new();
    wants(&world, ">=4");
    std::fs::hard_link(
        world.write_with_mode("wrapper", "#!/bin/sh\nexec python3\n", 0o755),
        world.outside("bin/python"),
    )
    .unwrap();
    world.vpython(["-c", SHOW]).env("PATH", world.outside("bin")).run().refuses(
        127,
        expect![[r#"
            vpython: error: no interpreter satisfies `requires-python = ">=4"` (`[WORLD]/work/vpython.toml`, line 1)
              caused by: `[WORLD]/bin/python3`: it is CPython [VERSION], but `requires-python` is `>=4` (`[WORLD]/work/vpython.toml`, line 1)
              caused by: `[WORLD]/bin/python`: it is a script, not an interpreter
              hint: install one on `PATH` or with pyenv or uv, or name one with `-vpython-interpreter`
        "#]],
    );
    assert_eq!(world.environments(), [] as [std::path::PathBuf; 0]);
}

#[test]
fn a_missing_python_is_reported() {
    let world = World::new();
    world.vpython(["-c", SHOW]).env("PATH", world.outside("home")).run().refuses(
        127,
        expect![[r#"
            vpython: error: no interpreter found
              hint: install one on `PATH` or with pyenv or uv, or name one with `-vpython-interpreter`
        "#]],
    );
}

#[test]
fn a_bundle_is_taken_before_what_is_on_the_search_path() {
    let Some(other) = Python::other() else { return };
    let world = World::new();
    let vpython = world.copy_vpython("bundles/vpython");
    for python in [other, world.python] {
        let directory = world.outside(&format!("bundles/3.{}/bin", python.minor));
        std::fs::create_dir_all(&directory).unwrap();
        symlink(&python.path, directory.join("python3")).unwrap();
    }
    let highest = if other.minor > world.python.minor {
        other
    } else {
        world.python
    };
    let highest = world.redact(&highest.version);
    let path = world.outside("home");
    world
        .program(&vpython, ["-c", SHOW])
        .env("PATH", &path)
        .run()
        .prints(&format!("{highest}\n"));
    wants(&world, &format!("==3.{}.*", other.minor));
    world
        .program(&vpython, ["-c", SHOW])
        .run()
        .prints(&format!("{}\n", other.version));
}

#[test]
fn a_bundle_may_be_named_by_its_directory() {
    let Some(other) = Python::other() else { return };
    let world = World::new();
    std::fs::create_dir_all(world.outside("bundle/bin")).unwrap();
    symlink(&other.path, world.outside("bundle/bin/python3")).unwrap();
    let outcome = world
        .vpython(["-c", SHOW])
        .env("VPYTHON_INTERPRETER", world.outside("bundle"))
        .run();
    outcome.prints(&format!("{}\n", other.version));
}

#[test]
fn a_shim_is_resolved_by_reading_pyenvs_files() {
    let Some(other) = Python::other() else { return };
    let world = World::new();
    world.pyenv(&[other, world.python]);
    let shim = format!(
        "#!/usr/bin/env bash\ntouch {}\nexec \"pyenv\" exec \"$0\" \"$@\"\n",
        world.path("was-run").display()
    );
    std::fs::create_dir(world.outside("pyenv/shims")).unwrap();
    std::os::unix::fs::symlink(
        world.write_with_mode("shim", shim, 0o755),
        world.outside("pyenv/shims/python3"),
    )
    .unwrap();
    std::fs::write(
        world.outside("pyenv/version"),
        format!("{}\n", world.python.version),
    )
    .unwrap();
    let path = format!("{}:/usr/bin:/bin", world.outside("pyenv/shims").display());
    let launch = || {
        world
            .vpython(["-c", SHOW])
            .env("PATH", &path)
            .env("PYENV_ROOT", world.outside("pyenv"))
    };
    // There may be a `.python-version` above the world.
    launch().within("/").run().prints("[VERSION]\n");
    launch()
        .env("PYENV_VERSION", &other.version)
        .run()
        .prints(&format!("{}\n", other.version));
    world.write(".python-version", format!("3.{}\n", other.minor));
    launch().run().prints(&format!("{}\n", other.version));
    std::fs::remove_file(world.path(".python-version")).unwrap();
    launch().within("/").run().prints("[VERSION]\n");
    assert!(!world.path("was-run").exists());
}

#[test]
fn without_a_search_path_the_systems_own_is_used() {
    let world = World::new();
    let outcome = world
        .vpython(["-vpython-interpreter=3.99", "-c", SHOW])
        .without("PATH")
        .run();
    // The candidates that follow are those of this machine.
    assert!(
        outcome.stderr.contains("on `PATH` (`/bin:/usr/bin`)"),
        "{outcome}"
    );
}

#[test]
fn the_last_lines_of_a_failing_interpreter_are_shown() {
    let world = World::new();
    let failing = "#!/bin/sh\nfor line in 1 2 3 4 5; do echo \"line $line\" >&2; done\nexit 3\n";
    let failing = world.write_with_mode("failing", failing, 0o755);
    world
        .vpython(["-c", "0"])
        .env("VPYTHON_INTERPRETER", failing)
        .run()
        .refuses(
            126,
            expect![[r#"
                vpython: error: cannot run the interpreter `[WORLD]/work/failing`
                  caused by: exit status: 3: line 3 / line 4 / line 5
                  hint: vpython supports CPython 2.7, and 3.6 and later
            "#]],
        );
}

#[test]
fn an_interpreter_with_several_names_is_reported_once() {
    let world = World::new();
    wants(&world, ">=4");
    symlink(world.outside("bin"), world.outside("also")).unwrap();
    symlink("python3", world.outside("bin/python")).unwrap();
    let path = format!(
        "{}:{}",
        world.outside("bin").display(),
        world.outside("also").display()
    );
    let outcome = world.vpython(["-c", SHOW]).env("PATH", path).run();
    assert_eq!(
        (
            outcome.code,
            outcome.stderr.matches("it is CPython").count()
        ),
        (Some(127), 1),
        "{outcome}"
    );
}
