//! Stores at unusual paths: characters of a path, write permissions, and file systems with missing
//! features.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use expect_test::expect;

use crate::support::{Outcome, Wheel, World, start};

/// A world with a wheel and a script that prints its version.
fn world() -> World {
    let world = World::new();
    world.wheel(
        &Wheel::module("a", "1")
            .entry_point("say", "a:say")
            .script("shipped", "#!python\nimport a\nprint(a.VERSION)\n"),
    );
    world.write(
        "tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a\nprint(a.VERSION)\n",
    );
    world
}

fn launch(world: &World, root: impl AsRef<OsStr>) -> Outcome {
    world
        .vpython(["tool.py"])
        .env("VPYTHON_VIRTUALENV_ROOT", root)
        .run()
}

#[test]
fn a_root_may_have_any_name() {
    let long = "x".repeat(150);
    let names: [&[u8]; 7] = [
        b"with space",
        b"'single' \"double\" `back`",
        b"line\nbreak",
        b"\xff\xfe",
        "\u{e9}\u{4e2d}".as_bytes(),
        b"$HOME;&|*?[]{}~#%\\",
        &[long.as_bytes(), b"/", long.as_bytes()].concat(),
    ];
    for name in names {
        let world = world();
        let root = world.outside("odd").join(OsString::from_vec(name.to_vec()));
        for _ in 0..2 {
            launch(&world, &root).prints("1\n");
        }
        let environments: Vec<_> = std::fs::read_dir(root.join("v1/envs"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        let script = environments[0].join("bin/shipped");
        world.program(&script, [] as [&str; 0]).run().prints("1\n");
    }
}

#[test]
fn a_script_and_its_wheels_may_be_anywhere() {
    for name in [&b"with space"[..], b"line\nbreak", b"\xff\xfe", b"'\"`$"] {
        let world = world();
        let directory = world.path("").join(OsStr::from_bytes(name));
        std::fs::create_dir(&directory).unwrap();
        for part in ["tool.py", "wheels"] {
            std::fs::rename(world.path(part), directory.join(part)).unwrap();
        }
        for _ in 0..2 {
            world
                .vpython([directory.join("tool.py")])
                .run()
                .prints("1\n");
        }
    }
}

#[test]
fn without_a_writable_home_the_store_is_in_the_temporary_directory() {
    let world = world();
    let run = || {
        world
            .vpython(["tool.py"])
            .without("VPYTHON_VIRTUALENV_ROOT")
            .env("HOME", "/proc/self/nowhere")
            .run()
    };
    let user = nix::unistd::geteuid();
    let own = format!("vpython-root.{user}");
    let outcome = run().replacing(&own, "vpython-root.[USER]");
    outcome.expect(0, "1\n", expect![[r#"
        vpython: warning: using `[WORLD]/tmp/vpython-root.[USER]` as the store: cannot create the store `/proc/self/nowhere/.cache/vpython-root.[USER]`: cannot create directory `/proc/self/nowhere/.cache`: No such file or directory (os error 2)
    "#]]);
    run().prints("1\n");
    assert!(
        world
            .outside(&format!("tmp/vpython-root.{user}/v1/envs"))
            .exists()
    );
    let run = || {
        world
            .vpython(["tool.py"])
            .without("VPYTHON_VIRTUALENV_ROOT")
            .without("HOME")
            .run()
    };
    run().prints("1\n");
}

#[test]
fn the_umask_of_the_caller_has_no_effect() {
    for umask in ["000", "077"] {
        let world = world();
        let text = format!("umask {umask}; exec \"$0\" tool.py");
        for _ in 0..2 {
            world
                .program("/bin/sh", ["-c", &text, env!("CARGO_BIN_EXE_vpython")])
                .run()
                .prints("1\n");
        }
        for entry in walkdir::WalkDir::new(world.outside("root"))
            .into_iter()
            .map(Result::unwrap)
        {
            let metadata = entry.path().symlink_metadata().unwrap();
            let is_open = !metadata.is_symlink() && metadata.mode() & 0o022 != 0;
            assert!(
                !is_open,
                "umask {umask}: others can write to {}",
                entry.path().display()
            );
        }
        let site = world.environments()[0].join(format!(
            "lib/python3.{}/site-packages/a.py",
            world.python.minor
        ));
        assert_eq!(
            site.metadata().unwrap().mode() & 0o7777,
            0o444,
            "umask {umask}"
        );
    }
}

#[test]
fn a_clock_that_is_years_off_changes_nothing() {
    let world = world();
    let environment = world.install(["tool.py"]);
    let manifest = environment.join("vpython.json");
    for year in [-10_i64, 10] {
        let now = std::time::SystemTime::now();
        let distance = std::time::Duration::from_secs(year.unsigned_abs() * 365 * 24 * 3600);
        let stamp = if year < 0 {
            now - distance
        } else {
            now + distance
        };
        std::fs::File::open(&manifest)
            .unwrap()
            .set_modified(stamp)
            .unwrap();
        world.vpython(["tool.py"]).run().prints("1\n");
        let age = now
            .duration_since(manifest.metadata().unwrap().modified().unwrap())
            .unwrap_or_default();
        assert!(
            age < std::time::Duration::from_hours(1),
            "the stamp is corrected"
        );
    }
}

#[test]
fn layouts_of_other_versions_are_left_alone() {
    let world = world();
    for layout in ["v0", "v2"] {
        std::fs::create_dir_all(world.outside("root").join(layout).join("envs/x")).unwrap();
    }
    let before = [
        crate::support::tree(&world.outside("root/v0")),
        crate::support::tree(&world.outside("root/v2")),
    ];
    world.vpython(["tool.py"]).run().prints("1\n");
    world.vpython(["-vpython-tool", "prune", "--all"]).run();
    assert_eq!(
        before,
        [
            crate::support::tree(&world.outside("root/v0")),
            crate::support::tree(&world.outside("root/v2"))
        ]
    );
}

#[test]
fn a_store_that_is_removed_under_a_program_is_built_again() {
    let world = world();
    world.write(
        "long.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport shutil, sys\nshutil.rmtree(sys.argv[1])\nprint('on')\n",
    );
    let root = world.outside("root");
    world
        .vpython(["long.py", root.to_str().unwrap()])
        .run()
        .prints("on\n");
    assert!(!root.exists());
    world.vpython(["tool.py"]).run().prints("1\n");
}

/// A file system in a file, mounted at a directory until this is dropped. Returns `None`, and says
/// so, if that is not possible.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn new(words: &[&OsStr], at: &'a Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let is_mounted = run("mount", words);
        if !is_mounted {
            not_tested!(
                "`mount {}` is refused",
                words.join(OsStr::new(" ")).display()
            );
        }
        is_mounted.then_some(Self(at))
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        run("umount", &["-l".as_ref(), self.0.as_os_str()]);
    }
}

/// Runs a program of the system, and returns whether it succeeded.
fn run(program: &str, words: &[&OsStr]) -> bool {
    let mut command = Command::new("/usr/bin/env");
    let path = "/usr/sbin:/usr/bin:/sbin:/bin";
    command
        .env("PATH", path)
        .arg(program)
        .args(words)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    start(&mut command).wait().unwrap().success()
}

#[test]
fn a_complete_environment_runs_from_a_read_only_root() {
    let world = world();
    world.vpython(["tool.py"]).run().prints("1\n");
    let root = world.outside("root");
    let Some(_mount) = Mount::new(&["--bind".as_ref(), root.as_ref(), root.as_ref()], &root) else {
        return;
    };
    assert!(run(
        "mount",
        &["-o".as_ref(), "remount,bind,ro".as_ref(), root.as_ref()]
    ));
    assert!(
        std::fs::write(root.join("probe"), "").is_err(),
        "it is read-only"
    );
    world.vpython(["tool.py"]).run().prints("1\n");
    let outcome = world.vpython(["-c", "print(2)"]).run();
    assert!(
        outcome.code == Some(125) && outcome.stderr.contains("Read-only file system"),
        "{outcome}"
    );
}

#[test]
fn a_store_on_a_file_system_in_memory_works() {
    let world = world();
    let at = world.outside("memory");
    let Some(_mount) = Mount::new(
        &[
            "-t".as_ref(),
            "tmpfs".as_ref(),
            "none".as_ref(),
            at.as_ref(),
        ],
        &at,
    ) else {
        return;
    };
    for _ in 0..2 {
        launch(&world, at.join("root")).prints("1\n");
    }
}

#[test]
fn without_locks_and_links_a_launch_still_works() {
    if !crate::support::has_strace() {
        return;
    }
    let world = world();
    let launch = |script: &str| {
        let refused = [
            "-e",
            "inject=flock:error=ENOLCK",
            "-e",
            "inject=link,linkat:error=EPERM",
        ];
        let words = [
            &["strace", "-f", "-o", "/dev/null"][..],
            &refused,
            &[env!("CARGO_BIN_EXE_vpython"), script],
        ]
        .concat();
        world.program("/usr/bin/env", words).run()
    };
    launch("tool.py").expect(0, "1\n", expect![[r#"
        vpython: the file system of `[WORLD]/root` has no locks: concurrent launches may each build, and nothing is pruned
    "#]]);
    launch("tool.py").prints("1\n");
    // Prune keeps what it cannot prove to be unused.
    let words = [
        "strace",
        "-f",
        "-o",
        "/dev/null",
        "-e",
        "inject=flock:error=ENOLCK",
        env!("CARGO_BIN_EXE_vpython"),
    ];
    let outcome = world
        .program("/usr/bin/env", words)
        .arguments(["-vpython-tool", "prune", "--all"])
        .run();
    let path = world.environments().pop().unwrap();
    let key = path.file_name().unwrap().to_str().unwrap();
    outcome.replacing(key, "[KEY]").prints(expect![[r#"
        [KEY]  python [VERSION] with a 1, unused for 0 days: kept, because the file system has no locks and a program may be running in it
        unpacked wheels are kept, because the file system has no locks and a build may be running
        removed 0 environments, 0 unpacked wheels and 0 leftovers of builds and launches: 0 B
    "#]]);
    assert!(path.exists());
}
