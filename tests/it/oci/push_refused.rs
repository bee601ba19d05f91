//! What `push` refuses to do.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use expect_test::expect;

use super::OTHER_USER;
use super::push::{push, pushed, world};

#[test]
fn what_cannot_be_pushed_is_an_error_with_what_to_try() {
    let world = world();
    world.write("plain/file", "");
    world.write("empty.py", "");
    std::fs::create_dir(world.path("empty")).unwrap();
    let refuses = |words: &[&str], expected: expect_test::Expect| {
        push(&world, words).refuses(125, expected);
    };
    refuses(
        &[],
        expect![[r#"
        vpython: error: `-vpython-tool push` requires the image layout or the repository to write to
          hint: for example: `vpython -vpython-tool push oci:wheels script.py`
    "#]],
    );
    refuses(
        &["tool.py"],
        expect![[r#"
        vpython: error: cannot push to `tool.py`
          caused by: it does not begin with `oci:`
          hint: for example: `vpython -vpython-tool push oci:wheels script.py`
    "#]],
    );
    refuses(
        &["oci:"],
        expect![[r#"
        vpython: error: cannot push to `oci:`
          caused by: it names no directory
          hint: for example: `vpython -vpython-tool push oci:wheels script.py`
    "#]],
    );
    refuses(
        &["oci:layout", "nowhere.py"],
        expect![[r#"
        vpython: error: there is no script or spec `nowhere.py`
    "#]],
    );
    refuses(
        &["oci:layout", "empty.py"],
        expect![[r#"
        vpython: error: there is no spec whose wheels can be pushed
          hint: name a script or a spec after the destination
    "#]],
    );
    refuses(
        &["oci:plain", "tool.py"],
        expect![[r#"
            vpython: error: cannot write the image layout `[WORLD]/work/plain`
              caused by: it is not empty, and contains no `oci-layout`
              hint: name a new directory, or an image layout
        "#]],
    );
    refuses(
        &["oci:tool.py", "tool.py"],
        expect![[r#"
        vpython: error: cannot write the image layout `[WORLD]/work/tool.py`
          caused by: it is not a directory
    "#]],
    );
    world.write("vpython.toml", "");
    refuses(
        &["oci:layout"],
        expect![[r#"
        vpython: error: there is no wheel to push: the specs require none
    "#]],
    );
    assert!(!world.path("layout").exists());
    // An empty directory can become a layout.
    pushed(&world, &["oci:empty", "tool.py"]);
}

#[test]
fn what_another_user_has_planted_is_refused() {
    let world = world();
    let open = world.path("open");
    std::fs::create_dir(&open).unwrap();
    if chown(&open, Some(OTHER_USER), None).is_err() {
        not_tested!("only the superuser can give a file to another user");
        return;
    }
    chown(&open, Some(0), None).unwrap();
    let make_open = |path: &Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o1777)).unwrap();
    };
    make_open(&open);
    // The directory, or a link in its place.
    std::fs::create_dir(open.join("theirs")).unwrap();
    chown(open.join("theirs"), Some(OTHER_USER), None).unwrap();
    std::fs::create_dir(world.path("mine")).unwrap();
    symlink(world.path("mine"), open.join("link")).unwrap();
    std::os::unix::fs::lchown(open.join("link"), Some(OTHER_USER), None).unwrap();
    push(&world, &["oci:open/theirs", "tool.py"]).refuses(125, expect![[r#"
        vpython: error: cannot write the image layout `[WORLD]/work/open/theirs`
          caused by: `[WORLD]/work/open/theirs` belongs to user 54321, and every user can write to `[WORLD]/work/open`
    "#]]);
    push(&world, &["oci:open/link", "tool.py"]).refuses(125, expect![[r#"
        vpython: error: cannot write the image layout `[WORLD]/work/open/link`
          caused by: `[WORLD]/work/open/link` belongs to user 54321, and every user can write to `[WORLD]/work/open`
    "#]]);
    assert_eq!(std::fs::read_dir(world.path("mine")).unwrap().count(), 0);
    // A list of manifests, or a directory of blobs, in a layout where everyone can write.
    for name in ["index.json", "blobs"] {
        let _ = std::fs::remove_dir_all(open.join("shared"));
        pushed(&world, &["oci:open/shared", "tool.py"]);
        make_open(&open.join("shared"));
        pushed(&world, &["oci:open/shared", "tool.py"]);
        chown(open.join("shared").join(name), Some(OTHER_USER), None).unwrap();
        let outcome = push(&world, &["oci:open/shared", "tool.py"]);
        outcome
            .replacing(name, "[NAME]")
            .refuses(125, expect![[r#"
                vpython: error: cannot write the image layout `[WORLD]/work/open/shared`
                  caused by: `[WORLD]/work/open/shared/[NAME]` belongs to user 54321, and other users can write to its directory
            "#]]);
    }
}
