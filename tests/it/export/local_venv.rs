//! `-vpython-local-venv`: a link for editors to the environment of the last launch.

use std::os::unix::fs::symlink;

use expect_test::expect;

use super::{inode, world};
use crate::support::{Wheel, World};

#[test]
fn a_link_for_editors_follows_the_environment() {
    let world = world();
    let run = |world: &World| world.vpython(["-vpython-local-venv", "tool.py"]).run();
    let first = run(&world);
    assert_eq!((first.code, &*first.stderr), (Some(0), ""), "{first}");
    let [environment] = &world.environments()[..] else {
        panic!()
    };
    assert_eq!(
        std::fs::read_link(world.path(".venv")).unwrap(),
        *environment
    );
    let before = inode(&world.path(".venv"));
    run(&world);
    assert_eq!(
        inode(&world.path(".venv")),
        before,
        "an unchanged environment is not written again"
    );
    world.wheel(&Wheel::new("some", "2").file("some/__init__.py", ""));
    run(&world);
    let target = std::fs::read_link(world.path(".venv")).unwrap();
    assert!(target != *environment && target.join("bin/python").exists());
}

#[test]
fn a_link_for_editors_that_vpython_has_not_made_is_kept() {
    let world = world();
    std::fs::create_dir(world.path(".venv")).unwrap();
    world
        .vpython(["-vpython-local-venv", "tool.py"])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: cannot create `[WORLD]/work/.venv` for `-vpython-local-venv`
                  caused by: it is not a link
                  hint: remove it, or leave the flag out
            "#]],
        );
    std::fs::remove_dir(world.path(".venv")).unwrap();
    symlink("/usr", world.path(".venv")).unwrap();
    world
        .vpython(["-vpython-local-venv", "tool.py"])
        .run()
        .refuses(
            125,
            expect![[r#"
                vpython: error: cannot create `[WORLD]/work/.venv` for `-vpython-local-venv`
                  caused by: it is a link to `/usr`
                  hint: remove it, or leave the flag out
            "#]],
        );
    world
        .vpython(["-vpython-local-venv", "-c", "print(1)"])
        .run()
        .expect(0, "1\n", expect![[r#"
            vpython: warning: `-vpython-local-venv` has no effect: there is no spec file to put the link next to
        "#]]);
}
