//! Stores and directories for temporary files that another user has planted.

use std::os::unix::fs::{chown, lchown, symlink};

use expect_test::expect;

use super::{OTHER_USER, PRECIOUS, mkfifo, set_mode, world};

#[test]
fn no_throw_away_store_is_made_where_another_user_can_replace_it() {
    let Some(world) = world(0o755) else { return };
    let temporary = world.outside("tmp");
    let launch = || world.vpython(["-vpython-root", "", "-c", "print(1)"]).run();
    set_mode(&temporary, 0o1777);
    launch().prints("1\n");
    set_mode(&temporary, 0o777);
    let outcome = launch();
    outcome.refuses(
        125,
        expect![[r#"
            vpython: error: cannot create a throw-away store
              caused by: cannot use `[WORLD]/tmp/vpython-throwaway.0.` as the store
              caused by: `[WORLD]/tmp` is writable by other users (mode 0777)
              hint: run `chmod go-w '[WORLD]/tmp'`, or name another directory with `-vpython-root`
        "#]],
    );
    set_mode(&temporary, 0o1777);
    chown(&temporary, Some(OTHER_USER), None).unwrap();
    let outcome = launch();
    outcome.refuses(125, expect![[r#"
        vpython: error: cannot create a throw-away store
          caused by: cannot use `[WORLD]/tmp/vpython-throwaway.0.` as the store
          caused by: `[WORLD]/tmp` belongs to user 54321, but vpython runs as user 0
          hint: run `sudo -H`, so that `HOME` is the superuser's, or name another directory with `-vpython-root`
    "#]]);
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn what_another_user_calls_an_abandoned_store_is_left_alone() {
    let Some(world) = world(0o755) else { return };
    set_mode(&world.outside("tmp"), 0o1777);
    std::fs::create_dir(world.path("mine")).unwrap();
    world.write("mine/precious", PRECIOUS);
    world.write("mine/lock", "");
    let link = world.outside("tmp/vpython-throwaway.0.abcdef");
    symlink(world.path("mine"), &link).unwrap();
    lchown(&link, Some(OTHER_USER), None).unwrap();
    let theirs = world.outside("tmp/vpython-throwaway.0.ghijkl");
    std::fs::create_dir(&theirs).unwrap();
    mkfifo(&theirs.join("lock"));
    lchown(&theirs, Some(OTHER_USER), None).unwrap();
    world
        .vpython(["-vpython-root", "", "-c", "print(1)"])
        .run()
        .prints("1\n");
    assert!(world.path("mine/precious").exists() && theirs.exists());
}

#[test]
fn a_store_that_another_user_made_in_the_temporary_directory_is_refused() {
    for planted in ["directory", "link"] {
        let Some(world) = world(0o755) else { return };
        set_mode(&world.outside("tmp"), 0o1777);
        let store = world.outside("tmp/vpython-root.0");
        std::fs::create_dir_all(world.path("mine")).unwrap();
        if planted == "link" {
            symlink(world.path("mine"), &store).unwrap();
        } else {
            std::fs::create_dir(&store).unwrap();
        }
        lchown(&store, Some(OTHER_USER), None).unwrap();
        let launch = world
            .vpython(["-c", "print(1)"])
            .without("VPYTHON_VIRTUALENV_ROOT")
            .without("HOME")
            .run();
        launch.refuses(
            125,
            expect![[r#"
                vpython: error: cannot use `[WORLD]/tmp/vpython-root.0` as the store
                  caused by: it belongs to user 54321, but vpython runs as user 0
                  hint: name another directory with `-vpython-root` or `VPYTHON_VIRTUALENV_ROOT`
            "#]],
        );
        assert_eq!(std::fs::read_dir(world.path("mine")).unwrap().count(), 0);
    }
}
