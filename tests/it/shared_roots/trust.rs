//! Shared roots that another user could have filled.

use std::os::unix::fs::chown;

use expect_test::expect;

use super::{IN_OWN, IN_SHARED, OTHER_USER, fill, launch, run, set_mode, world};
use crate::support::World;

/// Checks that vpython says this about the shared root once, and builds the environment.
fn is_skipped(world: &World, message: expect_test::Expect) {
    run(world).expect(0, IN_OWN, message);
    run(world).prints(IN_OWN);
    std::fs::remove_dir_all(world.outside("root")).unwrap();
}

#[test]
fn a_root_that_others_can_write_to_is_skipped_with_a_warning() {
    let world = world();
    fill(&world);
    // As root with a group of its own, or as any other user.
    let directory = world.outside("shared");
    set_mode(&directory, 0o775);
    is_skipped(
        &world,
        expect![[r#"
        vpython: warning: cannot use the shared root `[WORLD]/shared`: `[WORLD]/shared` is writable by other users (mode 0775)
    "#]],
    );
    set_mode(&directory, 0o1777);
    is_skipped(
        &world,
        expect![[r#"
        vpython: warning: cannot use the shared root `[WORLD]/shared`: `[WORLD]/shared` is writable by other users (mode 1777)
    "#]],
    );
    set_mode(&directory, 0o755);
    for name in ["envs", "wheels"] {
        set_mode(&directory.join("v1").join(name), 0o757);
    }
    is_skipped(
        &world,
        expect![[r#"
        vpython: warning: cannot use the shared root `[WORLD]/shared`: `[WORLD]/shared/v1/envs` is writable by other users (mode 0757)
    "#]],
    );
    set_mode(&directory.join("v1/envs"), 0o755);
    set_mode(&directory.join("v1/wheels"), 0o755);
    run(&world).prints(IN_SHARED);
    // What was trusted by the last launch is looked at again.
    set_mode(&directory, 0o777);
    is_skipped(
        &world,
        expect![[r#"
        vpython: warning: cannot use the shared root `[WORLD]/shared`: `[WORLD]/shared` is writable by other users (mode 0777)
    "#]],
    );
    set_mode(&directory, 0o755);
    run(&world).prints(IN_SHARED);
    let quiet = ["-vpython-log-level", "error", "tool.py"];
    set_mode(&directory, 0o777);
    launch(&world, &quiet).run().prints(IN_OWN);
}

#[test]
fn a_root_below_a_directory_that_others_can_write_to_is_skipped_with_a_warning() {
    let world = world();
    fill(&world);
    let open = world.outside("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::rename(world.outside("shared"), open.join("shared")).unwrap();
    std::os::unix::fs::symlink("open/shared", world.outside("shared")).unwrap();
    run(&world).prints(IN_SHARED);
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    set_mode(&open, 0o777);
    is_skipped(
        &world,
        expect![[r#"
        vpython: warning: cannot use the shared root `[WORLD]/shared`: `[WORLD]/open` is writable by other users (mode 0777)
    "#]],
    );
}

#[test]
fn a_root_of_another_user_is_skipped_with_a_warning() {
    let world = world();
    fill(&world);
    let directory = world.outside("shared");
    if chown(&directory, Some(OTHER_USER), None).is_err() {
        not_tested!("only the superuser can give a file to another user");
        return;
    }
    is_skipped(
        &world,
        expect![[r#"
        vpython: warning: cannot use the shared root `[WORLD]/shared`: `[WORLD]/shared` belongs to user 54321, but vpython runs as user 0
    "#]],
    );
    chown(&directory, Some(0), None).unwrap();
    run(&world).prints(IN_SHARED);
    chown(directory.join("v1/wheels"), Some(OTHER_USER), None).unwrap();
    std::fs::remove_dir_all(world.outside("root")).unwrap();
    is_skipped(
        &world,
        expect![[r#"
        vpython: warning: cannot use the shared root `[WORLD]/shared`: `[WORLD]/shared/v1/wheels` belongs to user 54321, but vpython runs as user 0
    "#]],
    );
}

#[test]
fn a_root_that_begins_with_a_tilde_is_an_error() {
    let world = world();
    let launch = world.vpython(["tool.py"]);
    let launch = launch.env("VPYTHON_SHARED_ROOTS", "/nowhere:~/store");
    launch.run().refuses(125, expect![[r#"
        vpython: error: cannot use the directory `~/store`
          caused by: it comes from `VPYTHON_SHARED_ROOTS`, and the shell does not expand `~` in quotes or after a flag's `=`
          hint: write `$HOME/store`, or `./~/store` if that is its name
    "#]]);
}
