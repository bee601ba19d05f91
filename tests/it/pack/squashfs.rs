//! Squashfs images of environments.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use expect_test::expect;

use super::{pack, world};
use crate::file_systems::{in_own_namespace, mounts, succeeds, unmount};
use crate::support::{Launch, World, tree};

/// Checks whether there is a `mksquashfs`, and says so if not.
fn has_mksquashfs() -> bool {
    let has = succeeds(&["sh", "-c", "command -v mksquashfs"].map(OsStr::new));
    if !has {
        not_tested!("there is no mksquashfs");
    }
    has
}

fn launch<'w>(world: &'w World, file: &str, options: &[&str]) -> Launch<'w> {
    let words = ["-vpython-tool", "pack", "--output", file];
    world.vpython(words).arguments(options)
}

#[test]
fn an_image_needs_mksquashfs() {
    let world = world();
    let launch = || launch(&world, "app.sqfs", &[]);
    launch().env("PATH", world.outside("bin")).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot pack `app.sqfs`
              caused by: there is no `mksquashfs` on `PATH`; install squashfs-tools 4.5 or later
        "#]],
    );
    let options = ["--name", "app"];
    let launch = self::launch(&world, "app.sqfs", &options);
    launch.env("PATH", world.outside("bin")).run().refuses(
        125,
        expect![[r#"
            vpython: error: cannot pack `app.sqfs`
              caused by: `--name` applies only to `.rpm` and `.deb`
              caused by: there is no `mksquashfs` on `PATH`; install squashfs-tools 4.5 or later
        "#]],
    );
}

#[test]
fn an_error_of_mksquashfs_is_in_the_message() {
    let world = world();
    let program = world.outside("bin/mksquashfs");
    let script = "#!/bin/sh\necho >&2\necho \"$0: -tar: invalid option\" >&2\nexit 1\n";
    crate::support::write_with_mode(&program, script.as_bytes(), 0o755);
    std::fs::write(world.path("app.sqfs"), "old").unwrap();
    let outcome = pack(&world, "app.sqfs", &[]);
    outcome.fails_with(
        125,
        &(world.interpreter_warning() + "vpython: error: cannot write `[WORLD]/work/app.sqfs`\n  caused by: `[WORLD]/bin/mksquashfs` failed\n  caused by: [WORLD]/bin/mksquashfs: -tar: invalid option\n  hint: the image needs squashfs-tools 4.5 or later\n"),
    );
    assert_eq!(std::fs::read(world.path("app.sqfs")).unwrap(), b"old");
}

#[test]
fn an_image_is_reproducible() {
    if !has_mksquashfs() {
        return;
    }
    let image = |directory: &str, variables: &[(&str, &str)]| {
        let world = world();
        // The same files, with other modes.
        world.write_with_mode(
            "lib/mine.py",
            "X = 1\n",
            if directory == "a" { 0o644 } else { 0o600 },
        );
        let launch = launch(&world, "app.sqfs", &["--include", "lib"]);
        let launch = variables
            .iter()
            .fold(launch, |launch, (name, value)| launch.env(name, value));
        let outcome = launch.run();
        outcome.expect(0, "", &world.interpreter_warning());
        std::fs::read(world.path("app.sqfs")).unwrap()
    };
    let one = image("a", &[("TZ", "UTC"), ("RAYON_NUM_THREADS", "1")]);
    let time = ("SOURCE_DATE_EPOCH", "315532800");
    let other = image("b", &[("TZ", "Asia/Kathmandu"), time]);
    assert!(one == other, "the images differ");
    let later = image("a", &[("SOURCE_DATE_EPOCH", "1000000000")]);
    assert!(one != later, "the time is that of the variable");
}

#[test]
fn an_environment_runs_where_its_image_is_mounted() {
    if !has_mksquashfs() {
        return;
    }
    in_own_namespace(|_| {
        let world = world();
        for (image, options, inside) in [
            ("app.sqfs", &[][..], ""),
            ("prefix.sqfs", &["--prefix", "/opt/app/env"], "opt/app/env"),
        ] {
            pack(&world, image, options).expect(0, "", &world.interpreter_warning());
            for at in ["one", "two/below"] {
                std::fs::create_dir_all(world.outside(at)).unwrap();
                let image = world.path(image);
                let options = ["-o".as_ref(), "loop,ro".as_ref(), image.as_os_str()];
                if !mounts(&world, &options, at) {
                    return;
                }
                let environment: std::path::PathBuf =
                    world.outside(at).join(inside).components().collect();
                let before = tree(&environment);
                is_right(&world, &world.outside(at), &environment);
                assert_eq!(tree(&environment), before);
                unmount(&world, at);
            }
        }
    });
}

/// Checks that a mounted environment works, and the owners, modes and times of its files.
fn is_right(world: &World, root: &Path, environment: &Path) {
    for script in ["run-some", "shipped"] {
        let none: [&str; 0] = [];
        let outcome = world
            .program(environment.join("bin").join(script), none)
            .run();
        outcome.prints("some 1\n");
    }
    let program = "import sys, other; print(sys.prefix)";
    let outcome = world
        .program(environment.join("bin/python3"), ["-c", program])
        .run();
    assert_eq!(outcome.raw_stdout.trim_end(), environment.to_str().unwrap());
    for entry in walkdir::WalkDir::new(root) {
        let entry = entry.unwrap();
        let found = entry.path().symlink_metadata().unwrap();
        let mode = found.mode() & 0o7777;
        let is_known = match entry.file_type() {
            kind if kind.is_dir() => mode == 0o755,
            kind if kind.is_symlink() => mode == 0o777,
            _ => [0o644, 0o755].contains(&mode),
        };
        assert!(is_known, "{} {mode:o}", entry.path().display());
        assert_eq!(
            (found.uid(), found.gid(), found.mtime()),
            (0, 0, 315_532_800),
            "{}",
            entry.path().display()
        );
    }
}
