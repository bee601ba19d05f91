//! vpython next to interpreters and under their names: it does not find itself, and finds those that
//! it would find elsewhere.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use expect_test::expect;

use super::SHOW;
use crate::support::{Outcome, World};

/// Prints the real path of the interpreter.
const WHICH: &str = "import os, sys; print(os.path.realpath(sys.executable))";

/// How vpython gets another name.
#[derive(Debug, Clone, Copy)]
enum By {
    Link,
    HardLink,
    Copy,
    /// A copy of another build: its bytes differ from those of the running program.
    OtherBuild,
}

impl By {
    const ALL: [Self; 4] = [Self::Link, Self::HardLink, Self::Copy, Self::OtherBuild];

    /// Gives vpython that name; creates the directory.
    fn place(self, world: &World, relative: &str) -> PathBuf {
        let path = world.outside(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = std::fs::remove_file(&path);
        match self {
            Self::Link => symlink(env!("CARGO_BIN_EXE_vpython"), &path).unwrap(),
            Self::HardLink => {
                let original = world.copy_vpython("original");
                std::fs::hard_link(original, &path).unwrap();
            }
            Self::Copy => drop(world.copy_vpython(relative)),
            Self::OtherBuild => {
                let copy = std::fs::read(world.copy_vpython(relative)).unwrap();
                std::fs::remove_file(&path).unwrap();
                let other = [&copy[..], b"another build"].concat();
                crate::support::write_with_mode(&path, &other, 0o755);
            }
        }
        path
    }
}

/// Runs a program as vpython, with these directories in front of the world's `PATH`.
fn which(world: &World, program: &Path, directories: &[&str]) -> Outcome {
    let in_front = directories
        .iter()
        .map(|directory| world.outside(directory).display().to_string());
    let path: Vec<String> = in_front.chain([world.search_path()]).collect();
    world
        .program(program, ["-c", WHICH])
        .env("PATH", path.join(":"))
        .run()
}

#[test]
fn vpython_under_the_name_of_python_is_not_run() {
    let world = World::new();
    let names = [
        "python3".to_owned(),
        "python".to_owned(),
        world.python.name(),
    ];
    for by in By::ALL {
        for name in &names {
            let own = by.place(&world, &format!("first/{name}"));
            for program in [env!("CARGO_BIN_EXE_vpython").as_ref(), &*own] {
                eprintln!("{by:?} {name} {}", program.display());
                which(&world, program, &["first"]).prints("[PYTHON]\n");
            }
        }
    }
}

#[test]
fn vpython_in_the_users_own_programs_is_not_run() {
    let world = World::new();
    // As `pip install --user` and `uv tool install` put it there, and a user who calls it `python3`.
    for (by, name) in [
        (By::Copy, "vpython"),
        (By::Link, "python3"),
        (By::Link, "python"),
    ] {
        let own = by.place(&world, &format!("home/.local/bin/{name}"));
        which(&world, &own, &["home/.local/bin"]).prints("[PYTHON]\n");
    }
}

#[test]
fn vpython_that_is_on_the_search_path_several_times_is_not_run() {
    let world = World::new();
    By::Copy.place(&world, "real/python3");
    symlink("real", world.outside("alias")).unwrap();
    std::fs::create_dir(world.outside("links")).unwrap();
    symlink("../alias/python3", world.outside("links/python3")).unwrap();
    symlink("python3", world.outside("links/python")).unwrap();
    let all = ["links", "alias", "real", "links"];
    let programs = ["links/python", "alias/python3", "real/python3"];
    for program in programs {
        which(&world, &world.outside(program), &all).prints("[PYTHON]\n");
    }
    // It is reported once.
    let path = format!(
        "{}:{}",
        world.outside("links").display(),
        world.outside("real").display()
    );
    world
        .program(world.outside("real/python3"), ["-c", SHOW])
        .env("PATH", path)
        .run()
        .refuses(127, expect![[r#"
            vpython: error: no interpreter found
              caused by: `[WORLD]/links/python3`: it is vpython itself
              hint: install one on `PATH` or with pyenv or uv, or name one with `-vpython-interpreter`
        "#]]);
}

#[test]
fn vpython_in_a_virtual_environment_uses_the_interpreter_behind_it() {
    let world = World::new();
    let environment = world.outside("venv");
    let made = world
        .program(&world.python.path, ["-m", "venv", "--without-pip"])
        .arguments([&environment])
        .run();
    assert_eq!(made.code, Some(0), "{made}");
    let site = format!("venv/lib/{}/site-packages/leak.py", world.python.name());
    std::fs::write(world.outside(&site), "").unwrap();
    let vpython = By::Copy.place(&world, "venv/bin/vpython");
    // Nothing else is on `PATH`.
    let launch = |program: &Path, text: &str| {
        world
            .program(program, ["-c", text])
            .env("PATH", world.outside("venv/bin"))
            .env("VIRTUAL_ENV", &environment)
            .run()
    };
    launch(&vpython, WHICH).prints("[PYTHON]\n");
    let prefix = format!(
        "import sys; print(sys.prefix.startswith({:?}))",
        world.store("envs")
    );
    launch(&vpython, &prefix).prints("True\n");
    let leak = "try:\n    import leak\nexcept ImportError:\n    print('none')";
    launch(&vpython, leak).prints("none\n");
    // The environment's `python3` may be vpython; `python` and the name with the version are not.
    let python3 = By::Link.place(&world, "venv/bin/python3");
    std::fs::remove_file(world.outside("venv/bin/python")).unwrap();
    symlink(&world.python.path, world.outside("venv/bin/python")).unwrap();
    for program in [&vpython, &python3] {
        launch(program, WHICH).prints("[PYTHON]\n");
    }
}

#[test]
fn vpython_among_installed_versions_is_not_run() {
    let world = World::new();
    let version = &world.python.version;
    let places = [
        "bundles/3.99.0/bin",
        "pyenv/versions/3.99.0/bin",
        "uv/cpython-3.99.0-linux-x86_64-gnu/bin",
    ];
    for place in places {
        By::Link.place(&world, &format!("{place}/python3"));
    }
    let real = world.outside(&format!("uv/cpython-{version}-linux-x86_64-gnu/bin"));
    std::fs::create_dir_all(&real).unwrap();
    symlink(&world.python.path, real.join("python3")).unwrap();
    let vpython = world.copy_vpython("bundles/vpython");
    world
        .program(vpython, ["-c", WHICH])
        .env("PATH", world.outside("home"))
        .env("PYENV_ROOT", world.outside("pyenv"))
        .env("UV_PYTHON_INSTALL_DIR", world.outside("uv"))
        .run()
        .prints("[PYTHON]\n");
}
