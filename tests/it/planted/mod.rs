//! Files that another user has planted where vpython writes, or where it searches for what it runs:
//! the caller loses nothing, and vpython runs nothing of the other user. `trust.rs` tests whose
//! files vpython reads, and `neighbours.rs` tests the protection of the store.

mod relocate;
mod search;
mod stores;

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;

use expect_test::expect;

use crate::support::{Wheel, World};

/// Another user.
const OTHER_USER: u32 = 54_321;
/// A private file of the caller.
const PRECIOUS: &str = "a private file\n";

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn mkfifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
}

/// A world with a directory `open` that every user can write to, which contains the caller's
/// program, and with a private file of the caller. Returns `None` if the test cannot give files to
/// another user.
fn world(mode: u32) -> Option<World> {
    let world = World::new();
    std::fs::create_dir_all(world.path("open/wheels")).unwrap();
    Wheel::module("a", "1").write_to(&world.path("open/wheels"));
    world.write(
        "open/tool.py",
        "# /// script\n# dependencies = ['a']\n# ///\nimport a\nprint(a.VERSION)\n",
    );
    world.write(
        "open/old.vpython3",
        "wheel: < name: \"infra/python/wheels/a-py3\" version: \"version:1\" >\n",
    );
    world.write_with_mode("precious", PRECIOUS, 0o600);
    set_mode(&world.path("open"), mode);
    if chown(world.path("precious"), Some(OTHER_USER), None).is_err() {
        not_tested!("only the superuser can give a file to another user");
        return None;
    }
    chown(world.path("precious"), Some(0), None).unwrap();
    Some(world)
}

/// The commands that write a file in `open`, with that file.
const WRITERS: [(&[&str], &str); 5] = [
    (
        &["-vpython-tool", "lock", "open/tool.py"],
        "pylock.tool.toml",
    ),
    (
        &[
            "-vpython-tool",
            "pack",
            "--output",
            "open/app.tar",
            "open/tool.py",
        ],
        "app.tar",
    ),
    (&["-vpython-tool", "man", "open"], "vpython.1"),
    (
        &["-vpython-tool", "upgrade", "open/old.vpython3"],
        "old.toml",
    ),
    (
        &["-vpython-trace", "open/trace.json", "open/tool.py"],
        "trace.json",
    ),
];

/// What another user can plant under a name.
#[derive(Debug, Clone, Copy)]
enum Plant {
    /// A link to the private file.
    Link,
    /// A hard link to the private file, where the system permits it.
    HardLink,
    /// A file of the other user, which stays writable to them.
    File,
    Pipe,
}

impl Plant {
    const ALL: [Self; 4] = [Self::Link, Self::HardLink, Self::File, Self::Pipe];

    fn put(self, world: &World, path: &Path) {
        match self {
            Self::Link => symlink(world.path("precious"), path).unwrap(),
            Self::HardLink => return std::fs::hard_link(world.path("precious"), path).unwrap(),
            Self::File => crate::support::write_with_mode(path, b"theirs", 0o666),
            Self::Pipe => mkfifo(path),
        }
        lchown(path, Some(OTHER_USER), None).unwrap();
    }
}

/// Checks that nothing of the caller has changed.
#[track_caller]
fn is_unchanged(world: &World, what: &str) {
    let precious = world.path("precious");
    assert_eq!(
        std::fs::read_to_string(&precious).unwrap(),
        PRECIOUS,
        "{what}"
    );
    let metadata = precious.metadata().unwrap();
    assert_eq!(
        (metadata.mode() & 0o7777, metadata.uid()),
        (0o600, 0),
        "{what}"
    );
}

/// Checks that only the caller owns and can write to the file.
#[track_caller]
fn is_ours(path: &Path, what: &str) {
    let metadata = path.symlink_metadata().unwrap();
    assert!(
        metadata.is_file()
            && metadata.uid() == 0
            && metadata.nlink() == 1
            && metadata.mode() & 0o022 == 0,
        "{what}: {metadata:?}"
    );
}

#[test]
fn what_is_planted_as_an_unfinished_file_is_not_written_to_or_published() {
    for mode in [0o1777, 0o777] {
        for (words, name) in WRITERS {
            for plant in Plant::ALL {
                let Some(world) = world(mode) else { return };
                let what = format!("{plant:?} for {name} in {mode:o}");
                plant.put(&world, &world.path(&format!("open/.{name}.new")));
                let outcome = world.vpython(words).run();
                assert_eq!(outcome.code, Some(0), "{what}: {outcome}");
                is_unchanged(&world, &what);
                is_ours(&world.path("open").join(name), &what);
            }
        }
    }
}

#[test]
fn what_is_planted_under_the_name_of_an_output_file_is_not_written_to() {
    for (words, name) in WRITERS {
        for plant in Plant::ALL {
            let Some(world) = world(0o1777) else { return };
            let what = format!("{plant:?} for {name}");
            let path = world.path("open").join(name);
            plant.put(&world, &path);
            let outcome = world.vpython(words).run();
            is_unchanged(&world, &what);
            if outcome.code == Some(0) {
                is_ours(&path, &what);
            } else {
                let refuses =
                    outcome.code == Some(125) && outcome.stderr.starts_with("vpython: error: ");
                assert!(refuses, "{what}: {outcome}");
            }
        }
    }
}

/// Plants a modified copy of the requested environment, made by another user.
fn plant_environment(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .unwrap();
    assert!(copied.success());
    let site = std::fs::read_dir(to.join("lib"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path()
        .join("site-packages");
    let module = site.join("a.py");
    let times = site.metadata().unwrap().modified().unwrap();
    std::fs::remove_file(&module).unwrap();
    std::fs::write(&module, "VERSION = 'theirs'\n").unwrap();
    std::fs::File::open(&site)
        .unwrap()
        .set_modified(times)
        .unwrap();
    let given = std::process::Command::new("chown")
        .args(["-hR", &OTHER_USER.to_string()])
        .arg(to)
        .status()
        .unwrap();
    assert!(given.success());
}

#[test]
fn an_environment_of_another_user_is_not_taken_for_the_requested_one() {
    let Some(world) = world(0o1777) else { return };
    let archive = world.path("app.tar");
    let outcome = world
        .vpython([
            "-vpython-tool",
            "pack",
            "--output",
            "app.tar",
            "open/tool.py",
        ])
        .run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let rows: [&[&str]; 2] = [
        &["-vpython-tool", "export", "PLACE", "open/tool.py"],
        &["-vpython-tool", "unpack", "app.tar", "PLACE"],
    ];
    assert!(archive.exists());
    for words in rows {
        let to = |place: &str| -> Vec<String> {
            words
                .iter()
                .map(|word| word.replace("PLACE", place))
                .collect()
        };
        let outcome = world.vpython(to("made")).run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        plant_environment(&world.path("made"), &world.path("open/env"));
        let outcome = world.vpython(to("open/env")).run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let run = world
            .program(
                world.path("open/env/bin/python3"),
                ["-c", "import a; print(a.VERSION)"],
            )
            .run();
        assert_eq!(run.stdout, "1\n", "{words:?}: {run}");
        assert_eq!(
            world.path("open/env").metadata().unwrap().uid(),
            0,
            "{words:?}"
        );
        std::fs::remove_dir_all(world.path("open/env")).unwrap();
        std::fs::remove_dir_all(world.path("made")).unwrap();
    }
}

#[test]
fn a_directory_of_another_user_under_the_name_of_an_unfinished_one_is_refused() {
    for is_link in [false, true] {
        let Some(world) = world(0o1777) else { return };
        let staged = world.path("open/.env.vpython-new");
        std::fs::create_dir(world.path("mine")).unwrap();
        world.write("mine/precious", PRECIOUS);
        if is_link {
            symlink(world.path("mine"), &staged).unwrap();
        } else {
            std::fs::create_dir(&staged).unwrap();
        }
        lchown(&staged, Some(OTHER_USER), None).unwrap();
        let outcome = world
            .vpython(["-vpython-tool", "export", "open/env", "open/tool.py"])
            .run();
        outcome.refuses(125, expect![[r#"
            vpython: error: cannot create `[WORLD]/work/open/env`
              caused by: `[WORLD]/work/open/.env.vpython-new` is in the way: it is not a directory that you own
        "#]]);
        assert!(world.path("mine/precious").exists() && !world.path("open/env").exists());
    }
}

#[test]
fn a_lock_of_another_user_does_not_affect_the_new_one() {
    let Some(world) = world(0o1777) else { return };
    Wheel::module("a", "2").write_to(&world.path("open/wheels"));
    let lock = world.path("open/pylock.tool.toml");
    world
        .vpython(["-vpython-tool", "lock", "open/tool.py"])
        .run();
    let text = std::fs::read_to_string(&lock).unwrap();
    let older = Wheel::module("a", "1");
    let digest = |wheel: &Wheel| vpython::testing::fs::Digest::of(&wheel.bytes()).to_string();
    let planted = text
        .replace("version = \"2\"", "version = \"1\"")
        .replace("a-2-py3", "a-1-py3")
        .replace(&digest(&Wheel::module("a", "2")), &digest(&older));
    assert_ne!(planted, text);
    std::fs::write(&lock, planted).unwrap();
    lchown(&lock, Some(OTHER_USER), None).unwrap();
    let outcome = world
        .vpython(["-vpython-tool", "lock", "open/tool.py"])
        .run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), text, "{outcome}");
    is_ours(&lock, "the lock");
}

#[test]
fn what_is_planted_where_pip_writes_is_not_waited_for() {
    let Some(world) = world(0o755) else { return };
    set_mode(&world.path("open/wheels"), 0o1777);
    mkfifo(&world.path("open/wheels/.fetch-pipe"));
    std::fs::create_dir(world.path("mine")).unwrap();
    world.write("mine/precious", PRECIOUS);
    symlink(world.path("mine"), world.path("open/wheels/.fetch-link")).unwrap();
    for name in [".fetch-pipe", ".fetch-link"] {
        lchown(world.path("open/wheels").join(name), Some(OTHER_USER), None).unwrap();
    }
    let outcome = world
        .vpython(["-vpython-tool", "fetch", "--build", "open/tool.py"])
        .run();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(world.path("mine/precious").exists());
}
