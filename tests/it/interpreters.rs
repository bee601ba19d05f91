//! The interpreter of a spec, and the search for it.

use std::os::unix::fs::symlink;

use crate::support::{Fake, Python, World};

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
        "vpython: error: no interpreter satisfies `requires-python = \">=4\"` (`[WORLD]/work/vpython.toml`, line 1)\n  \
         caused by: `[WORLD]/bin/python3`: it is CPython [VERSION], but `requires-python` is `>=4` \
         (`[WORLD]/work/vpython.toml`, line 1)\n  \
         caused by: `[WORLD]/bin/python`: it is a script, not an interpreter\n  \
         hint: install one on `PATH` or with pyenv or uv, or name one with `-vpython-interpreter`\n",
    );
    assert_eq!(world.environments(), [] as [std::path::PathBuf; 0]);
}

#[test]
fn a_missing_python_is_reported() {
    let world = World::new();
    world.vpython(["-c", SHOW]).env("PATH", world.outside("home")).run().refuses(
        127,
        "vpython: error: no interpreter found\n  \
         hint: install one on `PATH` or with pyenv or uv, or name one with `-vpython-interpreter`\n",
    );
}

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
fn a_named_interpreter_may_be_a_script_and_gets_the_arguments_last() {
    let world = World::new();
    let fake = Fake::new(&world, "3.11.99");
    let outcome = world
        .vpython(["-W", "", "x y.py", "z"])
        .env("VPYTHON_INTERPRETER", &fake.path)
        .env("PYTHONHOME", "/x")
        .run();
    outcome.prints(
        "<-s>\n<-W>\n<>\n<x y.py>\n<z>\nPATH=[WORLD]/root/v1/envs/[KEY]/bin:[WORLD]/bin:/usr/bin:/bin\nPYTHONNOUSERSITE=1\n\
         VIRTUAL_ENV=[WORLD]/root/v1/envs/[KEY]\n",
    );
}

#[test]
fn a_named_interpreter_that_does_not_fit_is_refused() {
    let world = World::new();
    wants(&world, ">=3.12");
    let fake = Fake::new(&world, "3.11.99");
    world.write("plain", "no program");
    world.write_with_mode(
        "failing",
        "#!/bin/sh\necho 'out of order' >&2\nexit 3\n",
        0o755,
    );
    let old = Fake::new(&world, "3.5.99");
    let cannot = "vpython: error: cannot use `[WORLD]/";
    #[rustfmt::skip]
    let rows = [
        (world.path("missing"), 127, format!("{cannot}work/missing` as the interpreter\n  caused by: the file does not exist\n")),
        (world.path("plain"), 126, format!("{cannot}work/plain` as the interpreter\n  caused by: it is not executable\n")),
        (env!("CARGO_BIN_EXE_vpython").into(), 126, format!("vpython: error: cannot use `{}` as the interpreter\n  \
                                                             caused by: it is vpython itself\n", env!("CARGO_BIN_EXE_vpython"))),
        (fake.path, 125, format!("{cannot}fakes/3.11.99/python3` as the interpreter\n  caused by: it is CPython 3.11.99, but \
                                 `requires-python` is `>=3.12` (`[WORLD]/work/vpython.toml`, line 1)\n")),
        (old.path, 125, format!("{cannot}fakes/3.5.99/python3` as the interpreter\n  caused by: it is CPython 3.5.99, but vpython supports CPython 2.7, and 3.6 and later\n")),
        (world.path("failing"), 126, "vpython: error: cannot run the interpreter `[WORLD]/work/failing`\n  \
                                      caused by: exit status: 3: out of order\n  hint: vpython supports CPython 2.7, and 3.6 and later\n".into()),
    ];
    for (path, code, message) in rows {
        world
            .vpython(["-c", "0"])
            .env("VPYTHON_INTERPRETER", path)
            .run()
            .refuses(code, &message);
    }
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
                "vpython: error: cannot run the interpreter `[WORLD]/work/wrapper`\n  \
             caused by: exit status: 126: vpython: error: vpython is not an interpreter\n  \
             hint: vpython supports CPython 2.7, and 3.6 and later\n",
            );
    }
    assert_eq!(
        std::fs::read_to_string(world.path("asked")).unwrap(),
        "one\none\n"
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
fn vpython_under_the_name_of_python_is_not_run() {
    let world = World::new();
    for (name, is_link) in [("linked", true), ("copied", false)] {
        let path = world.outside(&format!("{name}/python3"));
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        if is_link {
            symlink(env!("CARGO_BIN_EXE_vpython"), &path).unwrap();
        } else {
            world.copy_vpython(&format!("{name}/python3"));
        }
        let search_path = format!(
            "{}:{}",
            path.parent().unwrap().display(),
            world.search_path()
        );
        world
            .vpython(["-c", SHOW])
            .env("PATH", &search_path)
            .run()
            .prints("[VERSION]\n");
        world
            .program(&path, ["-c", SHOW])
            .env("PATH", &search_path)
            .run()
            .prints("[VERSION]\n");
    }
}

#[test]
fn a_version_may_be_named_instead_of_a_file() {
    let Some(other) = Python::other() else { return };
    let world = World::new();
    let named = format!("3.{}", other.minor);
    symlink(&other.path, world.outside(&format!("bin/python{named}"))).unwrap();
    for word in [
        named.clone(),
        format!("python{named}"),
        other.version.clone(),
    ] {
        for _ in 0..2 {
            world
                .vpython(["-vpython-interpreter", &word, "-c", SHOW])
                .run()
                .prints(&format!("{}\n", other.version));
        }
        let by_variable = world
            .vpython(["-c", SHOW])
            .env("VPYTHON_INTERPRETER", &word)
            .run();
        by_variable.prints(&format!("{}\n", other.version));
    }
    // As soon as a file of that name exists, the name means the file.
    symlink(&world.python.path, world.path(&named)).unwrap();
    world
        .vpython(["-vpython-interpreter", &named, "-c", SHOW])
        .run()
        .prints("[VERSION]\n");
    std::fs::remove_file(world.path(&named)).unwrap();
    std::fs::remove_file(world.outside(&format!("bin/python{named}"))).unwrap();
    world.pyenv(&[other, world.python]);
    let launch = world
        .vpython(["-vpython-interpreter", &named, "-c", SHOW])
        .env("PATH", world.outside("bin"));
    launch
        .env("PYENV_ROOT", world.outside("pyenv"))
        .run()
        .prints(&format!("{}\n", other.version));
}

#[test]
fn a_version_that_is_not_installed_is_reported_with_the_paths_searched() {
    let world = World::new();
    let vpython = world.copy_vpython("bundles/vpython");
    let launch = || {
        world
            .program(&vpython, ["-vpython-interpreter=3.99", "-c", SHOW])
            .env("PATH", world.outside("bin"))
    };
    let rest = "  caused by: searched next to vpython (`[WORLD]/bundles`), on `PATH` (`[WORLD]/bin`), in pyenv (`[WORLD]/home/.pyenv/versions`), in uv (`[WORLD]/home/.local/share/uv/python`)\n  caused by: \
                `[WORLD]/bin/python3`: it is CPython [VERSION], but 3.99 is requested\n  hint: install one on `PATH` or with pyenv or uv, or name one with `-vpython-interpreter`\n";
    launch().run().refuses(
        127,
        &format!("vpython: error: no interpreter 3.99 found\n{rest}"),
    );
    wants(&world, ">=3.6");
    let what = "no interpreter 3.99 satisfies `requires-python = \">=3.6\"` (`[WORLD]/work/vpython.toml`, line 1)";
    launch()
        .run()
        .refuses(127, &format!("vpython: error: {what}\n{rest}"));
}

#[test]
fn without_a_search_path_the_systems_own_is_used() {
    let world = World::new();
    let outcome = world
        .vpython(["-vpython-interpreter=3.99", "-c", SHOW])
        .without("PATH")
        .run();
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
    let message = "vpython: error: cannot run the interpreter `[WORLD]/work/failing`\n  caused by: exit status: 3: line 3 / line 4 / \
                   line 5\n  hint: vpython supports CPython 2.7, and 3.6 and later\n";
    world
        .vpython(["-c", "0"])
        .env("VPYTHON_INTERPRETER", failing)
        .run()
        .refuses(126, message);
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
