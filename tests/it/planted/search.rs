//! Files that another user has planted where vpython searches for interpreters and settings.

use std::os::unix::fs::lchown;

use super::{OTHER_USER, world};
use crate::support::{Fake, Python, Wheel};

#[test]
fn a_file_of_another_user_is_not_the_interpreter_that_a_version_names() {
    let Some(world) = world(0o1777) else { return };
    let python = Python::any();
    let version = format!("3.{}", python.minor);
    let fake = Fake::new(&world, "3.11.42");
    for name in [version.clone(), format!("python{version}")] {
        let planted = world.path("open").join(&name);
        std::fs::copy(&fake.path, &planted).unwrap();
        lchown(&planted, Some(OTHER_USER), None).unwrap();
        let launch = |program: &str| {
            let words = ["-vpython-interpreter", &name, "-c", program];
            world.vpython(words).within(world.path("open")).run()
        };
        launch("print(1)").prints("1\n");
        launch("print(1)").prints("1\n");
        assert_eq!(fake.probe_count(), 0, "{name}");
    }
}

#[test]
fn an_interpreter_is_not_found_by_a_relative_name_on_path() {
    let Some(world) = world(0o1777) else { return };
    let fake = Fake::new(&world, "3.11.42");
    for name in ["python3", "sub", "sub/python3"] {
        let planted = world.path("open").join(name);
        if name == "sub" {
            std::fs::create_dir(&planted).unwrap();
        } else {
            std::fs::copy(&fake.path, &planted).map(drop).unwrap();
        }
        lchown(&planted, Some(OTHER_USER), None).unwrap();
    }
    let asked = fake.probe_count();
    for first in [
        "",
        ".",
        "sub",
        &world.path("open/sub").display().to_string(),
    ] {
        let path = format!("{first}:{}", world.search_path());
        let launch = world.vpython(["-c", "print(1)"]).within(world.path("open"));
        launch.env("PATH", path).run().prints("1\n");
    }
    assert_eq!(fake.probe_count(), asked);
}

#[test]
fn what_is_planted_next_to_the_program_is_skipped() {
    let Some(world) = world(0o1777) else { return };
    std::fs::remove_dir_all(world.path("open/wheels")).unwrap();
    let program = world.copy_vpython("work/open/launcher");
    std::fs::create_dir(world.path("open/wheels")).unwrap();
    Wheel::module("a", "99").write_to(&world.path("open/wheels"));
    world.write("open/vpython.conf", "root = '/nowhere'\n");
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a\nprint(a.VERSION)\n",
    );
    for name in ["wheels", "vpython.conf"] {
        lchown(world.path("open").join(name), Some(OTHER_USER), None).unwrap();
    }
    let outcome = world
        .program(&program, ["tool.py"])
        .without("VPYTHON_CONF")
        .run();
    assert!(
        outcome.code == Some(125) && outcome.stderr.contains("fits `a`"),
        "{outcome}"
    );
    for skipped in [
        "the wheel directory `[WORLD]/work/open/wheels`",
        "`[WORLD]/work/open/vpython.conf` is ignored",
    ] {
        assert!(
            outcome.stderr.contains(skipped) || skipped.contains("wheel directory"),
            "{outcome}"
        );
    }
}
