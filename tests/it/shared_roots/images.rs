//! Shared roots and the own store on read-only file systems.

use std::ffi::OsStr;

use super::{IN_OWN, IN_SHARED, fill, launch, run, world};
use crate::file_systems::{in_own_namespace, mounts, succeeds, unmount};

#[test]
fn a_store_that_is_mounted_read_only_is_used() {
    in_own_namespace(|_| {
        let world = world();
        fill(&world);
        let shared = world.outside("shared");
        let bind = ["--bind".as_ref(), shared.as_os_str()];
        let remount = ["-o", "remount,bind,ro"].map(OsStr::new);
        if mounts(&world, &bind, "shared") && mounts(&world, &remount, "shared") {
            for _ in 0..2 {
                run(&world).prints(IN_SHARED);
            }
            unmount(&world, "shared");
        }
    });
}

#[test]
fn with_a_read_only_store_the_environments_of_shared_roots_run() {
    in_own_namespace(|_| {
        let world = world();
        fill(&world);
        std::fs::create_dir(world.outside("root")).unwrap();
        let options = ["-t", "tmpfs", "-o", "ro,mode=0700", "tmpfs"].map(OsStr::new);
        if mounts(&world, &options, "root") {
            for _ in 0..2 {
                run(&world).prints(IN_SHARED);
            }
            let check = ["-vpython-tool", "check", "tool.py"];
            launch(&world, &check)
                .run()
                .prints("1 environment and 1 unpacked wheel: all files are intact\n");
            unmount(&world, "root");
        }
    });
}

#[test]
fn a_store_in_a_squashfs_image_is_used() {
    in_own_namespace(|_| {
        let world = world();
        fill(&world);
        let (shared, image) = (world.outside("shared"), world.outside("store.sqfs"));
        let words = [
            "mksquashfs".as_ref(),
            shared.as_os_str(),
            image.as_os_str(),
            "-all-root".as_ref(),
        ];
        if !succeeds(&words) {
            not_tested!("there is no mksquashfs");
            return;
        }
        std::fs::remove_dir_all(&shared).unwrap();
        std::fs::create_dir(&shared).unwrap();
        let options = ["-o".as_ref(), "loop,ro".as_ref(), image.as_os_str()];
        if !mounts(&world, &options, "shared") {
            return;
        }
        for _ in 0..2 {
            run(&world).prints(IN_SHARED);
        }
        // Its wheels are copied: what is built from them needs no image.
        let text = std::fs::read_to_string(world.path("tool.py")).unwrap();
        world.write("both.py", text.replace("['a']", "['a', 'b']"));
        launch(&world, &["both.py"]).run().prints(IN_OWN);
        unmount(&world, "shared");
        launch(&world, &["both.py"]).run().prints(IN_OWN);
    });
}
