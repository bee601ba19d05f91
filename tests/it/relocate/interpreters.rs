//! The interpreter of a relocated environment: another one, or one that is missing.

use std::os::unix::fs::symlink;

use expect_test::expect;

use super::{relocate, site, venv, works};
use crate::support::{Python, World, tree};

#[test]
fn the_interpreter_can_be_another_of_the_same_version() {
    let same = |python: &&Python| {
        Python::all()
            .iter()
            .find(|other| other.minor == python.minor && other.path != python.path)
    };
    let Some((python, other)) = Python::all()
        .iter()
        .find_map(|python| Some((python, same(&python)?)))
    else {
        not_tested!("there are no two CPythons of one version");
        return;
    };
    let world = World::with_python(python);
    let environment = venv(&world, "env");
    let outcome = relocate(&world, &environment)
        .arguments(["--python"])
        .arguments([&other.path])
        .run();
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
    let configuration = std::fs::read_to_string(environment.join("pyvenv.cfg")).unwrap();
    assert!(
        configuration.contains(&format!(
            "home = {}\n",
            other.path.parent().unwrap().display()
        )),
        "{configuration}"
    );
    assert!(
        configuration.contains(&format!("version = {}\n", other.version)),
        "{configuration}"
    );
    let text = "import sys; print(sys.prefix); print('%d.%d.%d' % sys.version_info[:3])";
    let said = world
        .program(environment.join("bin/python"), ["-c", text])
        .run();
    assert_eq!(
        said.raw_stdout,
        format!("{}\n{}\n", environment.display(), other.version)
    );
    works(&world, &environment, &[]);
    let again = relocate(&world, &environment)
        .arguments(["--python"])
        .arguments([&other.path])
        .run();
    again.prints(expect![[r#"
        nothing to change: the environment is set up for `[WORLD]/work/env`
    "#]]);
}

#[test]
fn an_interpreter_of_another_version_or_abi_is_refused() {
    let world = World::new();
    let environment = venv(&world, "env");
    let before = tree(&environment);
    let minor = world.python.minor;
    if let Some(other) = Python::other() {
        let outcome = relocate(&world, &environment)
            .arguments(["--python"])
            .arguments([&other.path])
            .run();
        assert_eq!(outcome.code, Some(125), "{outcome}");
        let why = format!(
            "caused by: the environment is for python 3.{minor}, but the interpreter is CPython {} on ",
            other.version
        );
        assert!(outcome.stderr.contains(&why), "{outcome}");
    }
    assert_eq!(tree(&environment), before);
    let module =
        site(&world, &environment).join(format!("x.cpython-3{minor}d-x86_64-linux-gnu.so"));
    std::fs::write(&module, "").unwrap();
    let outcome = relocate(&world, &environment)
        .arguments(["--python"])
        .arguments([&world.python.path])
        .run();
    assert_eq!(outcome.code, Some(125), "{outcome}");
    assert!(
        outcome.stderr.contains(&format!(
            "is for the ABI `cpython-3{minor}d-x86_64-linux-gnu`, but "
        )),
        "{outcome}"
    );
}

#[test]
fn a_missing_interpreter_is_reported() {
    let world = World::new();
    let environment = venv(&world, "env");
    let link = std::fs::read_dir(environment.join("bin"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let link = link
        .filter(|path| path.is_symlink())
        .find(|path| path.read_link().unwrap().is_absolute())
        .unwrap();
    std::fs::remove_file(&link).unwrap();
    symlink("/gone/bin/python3", &link).unwrap();
    let configuration = std::fs::read_to_string(environment.join("pyvenv.cfg")).unwrap();
    let home = format!("home = {}\n", world.python.path.parent().unwrap().display());
    std::fs::write(
        environment.join("pyvenv.cfg"),
        configuration.replace(&home, "home = /gone/bin\n"),
    )
    .unwrap();
    let name = link
        .strip_prefix(&environment)
        .unwrap()
        .display()
        .to_string();
    relocate(&world, &environment)
        .run()
        .replacing(&format!("`{name}`"), "`[LINK]`")
        .expect(
            1,
            expect![[r#"
                nothing to change: the environment is set up for `[WORLD]/work/env`
            "#]],
            expect![[r#"
                vpython: warning: cannot fix `[LINK]`: it points to `/gone/bin/python3`, which does not exist; name another interpreter with `--python`
                vpython: warning: cannot fix `pyvenv.cfg`: its `home` is `/gone/bin`, which does not exist; name another interpreter with `--python`
            "#]],
        );
    let outcome = relocate(&world, &environment)
        .arguments(["--python"])
        .arguments([&world.python.path])
        .run();
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
    works(&world, &environment, &[]);
}
